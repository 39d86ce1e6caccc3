//! Reads the options of a command line.
//!
//! Options end at the first argument that is no option, at a lone `-`, which is kept, or after
//! `--`, which is dropped; the rest are operands. Short options cluster. The value of a short
//! option is the rest of the cluster, or the next argument, which may begin with a dash but may
//! not be `--`. Long options have exact names, and their values follow `=`.

use std::ffi::{OsStr, OsString};

use lexopt::Arg;

use crate::checks;
use crate::fatal::{Fatal, show};
use crate::ids::Whose;
use crate::option_spec::{Argument, OptionSpec, Program};
use crate::parsed_options::ParsedOptions;
use crate::value::Value;

/// Splits `args`, which do not include the program's name, into options and operands.
pub fn parse(
    program: &'static Program,
    args: Vec<OsString>,
) -> Result<(ParsedOptions, Vec<OsString>), Fatal> {
    let mut parser = lexopt::Parser::from_args(args);
    parser.set_short_equals(false);
    let reader = Reader {
        program,
        parser,
        switch: None,
    };
    reader.read()
}

struct Reader {
    program: &'static Program,
    parser: lexopt::Parser,
    /// The short option read last, if it takes no value.
    switch: Option<char>,
}

impl Reader {
    fn read(mut self) -> Result<(ParsedOptions, Vec<OsString>), Fatal> {
        let mut given = ParsedOptions::new(self.program);
        let first_operand = loop {
            let arg = self.parser.next().map_err(|_| self.program.usage())?;
            let (spec, value) = match arg {
                None => break None,
                Some(Arg::Value(operand)) => break Some(operand),
                Some(Arg::Short(letter)) => self.short(letter)?,
                Some(Arg::Long(name)) => {
                    let name = name.to_owned();
                    self.long(&name)?
                }
            };
            given.add(spec, self.checked(spec, value)?);
        };
        Ok((given, self.operands(first_operand)?))
    }

    /// The operands. Fewer than the program needs are an error.
    fn operands(mut self, first: Option<OsString>) -> Result<Vec<OsString>, Fatal> {
        let mut operands: Vec<OsString> = first.into_iter().collect();
        if let Some(rest) = self.parser.try_raw_args() {
            operands.extend(rest);
        }
        if operands.len() < self.program.operands.len() {
            return Err(self.program.usage());
        }
        Ok(operands)
    }

    fn checked(&self, spec: &OptionSpec, value: OsString) -> Result<Value, Fatal> {
        let checked = match spec.argument {
            Argument::None => return Ok(Value::None),
            Argument::Text(_) => return Ok(Value::Text(value)),
            Argument::Number(_) => checks::integer(&value),
            Argument::Checked(_, check) => check(&value),
        };
        checked.map_err(|complaint| {
            let whose = Whose::of(spec.id());
            match whose.and_then(|whose| whose.advice(&value)) {
                // The usage line alone would not say that names are not accepted.
                Some(advice) => Fatal::user(format!("{} {complaint}: {advice}", spec.long)),
                None if complaint == checks::NO_NUMBER => {
                    let (given, value) = (spec.shortest(), show(&value));
                    let limit = format!("({given}, at most {}): {value}", u32::MAX);
                    self.program.invalid(spec, &format!("{complaint} {limit}"))
                }
                None if complaint == checks::NO_NUMBERS => {
                    let complaint = checks::refused(&complaint, &value);
                    self.program.invalid(spec, &complaint)
                }
                None => self.program.invalid(spec, &complaint),
            }
        })
    }

    fn short(&mut self, letter: char) -> Result<(&'static OptionSpec, OsString), Fatal> {
        let Some(spec) = self
            .program
            .option_specs()
            .find(|spec| spec.short == Some(letter))
        else {
            return Err(self.unrecognized(letter));
        };
        self.switch = matches!(spec.argument, Argument::None).then_some(letter);
        let value = match spec.argument {
            Argument::None => OsString::new(),
            _ => self.value_of(spec, letter)?,
        };
        Ok((spec, value))
    }

    /// The error for an unknown letter. A digit was probably meant as the value of the option
    /// before it, as in `-v2` where `-v` takes no value.
    fn unrecognized(&self, letter: char) -> Fatal {
        let switch = self.switch.filter(|_| letter.is_ascii_digit());
        self.program.wrong(|| match switch {
            Some(switch) => {
                format!("unrecognized short option: {letter} (-{switch} takes no value)")
            }
            None => format!("unrecognized short option: {letter}"),
        })
    }

    fn value_of(&mut self, spec: &OptionSpec, letter: char) -> Result<OsString, Fatal> {
        if let Some(value) = self.parser.optional_value() {
            return Ok(value);
        }
        let next = self.parser.try_raw_args();
        let value = next.and_then(|mut args| args.next_if(|arg| arg != "--"));
        value.ok_or_else(|| {
            let message = || format!("option -{letter} (--{}) needs a value", spec.long);
            self.program.wrong(message)
        })
    }

    fn long(&mut self, name: &str) -> Result<(&'static OptionSpec, OsString), Fatal> {
        let value = self.parser.optional_value();
        let shown = show(value.as_deref().unwrap_or(OsStr::new("")));
        if name.is_empty() {
            return Err(self.program.wrong(|| format!("invalid option: --={shown}")));
        }
        let mut specs = self.named(name);
        let spec = specs.find(|spec| spec.value_name().is_some() == value.is_some());
        match (spec, value) {
            (Some(spec), value) => Ok((spec, value.unwrap_or_default())),
            (None, None) => Err(self.misused(name, "")),
            (None, Some(_)) => Err(self.misused(name, &format!("={shown}"))),
        }
    }

    /// The options that may be given as `--name`, with a value or without.
    fn named(&self, name: &str) -> impl Iterator<Item = &'static OptionSpec> {
        let program = self.program;
        let specs = program.option_specs();
        specs.filter(move |spec| spec.long == name && program.has_long_name(spec))
    }

    /// What is wrong with `--name`, followed by `value`: an option with this name needs a value,
    /// takes none, or does not exist.
    fn misused(&self, name: &str, value: &str) -> Fatal {
        let program = self.program;
        match self.named(name).next().map(OptionSpec::value_name) {
            Some(Some(wanted)) => Fatal::user(format!("--{name} needs a value: --{name}={wanted}")),
            Some(None) => Fatal::user(format!("--{name} takes no value: --{name}{value}")),
            None if matches!(name, "help" | "version") => {
                program.wrong(|| format!("--{name} works only as the sole argument"))
            }
            None => program.wrong(|| {
                let all = format!("{} --help lists them", program.name);
                format!("unrecognized option: --{name}{value} ({all})")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::id::{Id, Server, Tls};
    use crate::option_spec::{Effect, paragraph};

    const fn spec(
        short: Option<char>,
        long: &'static str,
        argument: Argument,
        id: Id,
    ) -> OptionSpec {
        OptionSpec {
            short,
            long,
            argument,
            effect: Effect::Set(id),
            help: "",
            doc: paragraph(""),
        }
    }

    static LONG: Program = Program {
        name: "p",
        summary: "",
        options: &[
            &[
                spec(
                    Some('S'),
                    "close-notify",
                    Argument::None,
                    Id::Tls(Tls::CloseNotify),
                ),
                spec(
                    Some('J'),
                    "enforce",
                    Argument::None,
                    Id::Tls(Tls::EnforceCloseNotify),
                ),
                spec(None, "sni", Argument::None, Id::Server(Server::Sni)),
            ],
            &[
                spec(
                    Some('v'),
                    "verbosity",
                    Argument::Text("n"),
                    Id::Tls(Tls::Verbosity),
                ),
                spec(
                    Some('K'),
                    "timeout",
                    Argument::Text("n"),
                    Id::Tls(Tls::HandshakeTimeout),
                ),
            ],
        ],
        operands: &[],
        reads: &[],
        long: true,
    };

    static TERSE: Program = Program {
        name: "p",
        summary: "",
        options: LONG.options,
        operands: &["prog..."],
        reads: &[],
        long: false,
    };

    static MIXED: Program = Program {
        name: "p",
        summary: "",
        options: &[&[
            spec(
                Some('v'),
                "verbosity",
                Argument::Number("n"),
                Id::Tls(Tls::Verbosity),
            ),
            spec(
                None,
                "timeout",
                Argument::Number("s"),
                Id::Tls(Tls::HandshakeTimeout),
            ),
            spec(None, "sni", Argument::None, Id::Server(Server::Sni)),
        ]],
        operands: &[],
        reads: &[],
        long: false,
    };

    static NUMBER: Program = Program {
        name: "p",
        summary: "",
        options: &[&[spec(
            Some('v'),
            "verbosity",
            Argument::Number("n"),
            Id::Tls(Tls::Verbosity),
        )]],
        operands: &["a", "b"],
        reads: &[],
        long: true,
    };

    type Parsed = (Vec<(&'static str, String)>, Vec<OsString>);

    fn parse(program: &'static Program, args: &[&str]) -> Result<Parsed, Fatal> {
        let args = args.iter().map(OsString::from).collect();
        let (given, operands) = super::parse(program, args)?;
        let name = |id| program.option_spec(id).map_or("", |spec| spec.long);
        let options = given
            .iter()
            .map(|option| (name(option.id), show(&option.text)));
        Ok((options.collect(), operands))
    }

    fn accepted(args: &[&str], options: &[(&'static str, &str)], rest: &[&str]) {
        let (found, operands) = parse(&LONG, args).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(found, options, "{args:?}");
        assert_eq!(operands, rest, "{args:?}");
    }

    #[test]
    fn options_cluster_and_a_value_is_the_rest_or_the_next_argument() {
        let both = [("close-notify", ""), ("verbosity", "0")];
        accepted(&["-Sv0", "p"], &both, &["p"]);
        accepted(&["-Sv", "0", "p"], &both, &["p"]);
        accepted(
            &["-v", "-5", "-S"],
            &[("verbosity", "-5"), ("close-notify", "")],
            &[],
        );
        accepted(&["-v="], &[("verbosity", "=")], &[]);
        accepted(&["-K", ""], &[("timeout", "")], &[]);
    }

    #[test]
    fn options_end_at_the_first_operand() {
        accepted(
            &["-S", "p", "-J", "--", "x"],
            &[("close-notify", "")],
            &["p", "-J", "--", "x"],
        );
        accepted(&["-S", "--", "-J"], &[("close-notify", "")], &["-J"]);
        accepted(&["--", "--", "p"], &[], &["--", "p"]);
        accepted(&["-", "-S"], &[], &["-", "-S"]);
        accepted(&["", "-S"], &[], &["", "-S"]);
    }

    #[test]
    fn long_options_have_exact_names_and_values_after_an_equals_sign() {
        accepted(
            &["--close-notify", "--verbosity=2", "--timeout=", "--sni"],
            &[
                ("close-notify", ""),
                ("verbosity", "2"),
                ("timeout", ""),
                ("sni", ""),
            ],
            &[],
        );
    }

    #[test]
    fn each_mistake_has_its_message() {
        for (args, message) in [
            (["-z", ""], "unrecognized short option: z"),
            (["-Sz", ""], "unrecognized short option: z"),
            (["-7", ""], "unrecognized short option: 7"),
            (
                ["-S7", ""],
                "unrecognized short option: 7 (-S takes no value)",
            ),
            (
                ["--nope", ""],
                "unrecognized option: --nope (p --help lists them)",
            ),
            (
                ["--close", ""],
                "unrecognized option: --close (p --help lists them)",
            ),
            (
                ["--verbosity", "3"],
                "--verbosity needs a value: --verbosity=n",
            ),
            (
                ["--nope=3", ""],
                "unrecognized option: --nope=3 (p --help lists them)",
            ),
            (["--sni=x", ""], "--sni takes no value: --sni=x"),
            (["-S", "--help"], "--help works only as the sole argument"),
            (["--=x", ""], "invalid option: --=x"),
            (["-v", "--"], "option -v (--verbosity) needs a value"),
            (["-S", "-v"], "option -v (--verbosity) needs a value"),
        ] {
            let fatal = parse(&LONG, &args).err();
            assert_eq!(fatal, Some(Fatal::user(message)), "{args:?}");
        }
    }

    #[test]
    fn programs_without_long_options_show_their_usage() {
        for args in [["-z"], ["--close-notify"], ["-v"], ["--"]] {
            let fatal = parse(&TERSE, &args).err();
            assert_eq!(fatal, Some(TERSE.usage()), "{args:?}");
        }
    }

    #[test]
    fn option_without_a_letter_has_its_long_name_and_its_messages_in_each_program() {
        let (options, _) = parse(&MIXED, &["--timeout=5", "--sni", "-v1"]).unwrap();
        let names: Vec<_> = options.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["timeout", "sni", "verbosity"]);
        for (arg, message) in [
            ("--timeout", "--timeout needs a value: --timeout=s"),
            ("--sni=x", "--sni takes no value: --sni=x"),
            (
                "--timeout=-1",
                "timeout must be an unsigned integer (--timeout=s, at most 4294967295): -1",
            ),
        ] {
            let fatal = parse(&MIXED, &[arg]).err();
            assert_eq!(fatal, Some(Fatal::user(message)), "{arg}");
        }
        for arg in ["--verbosity=1", "--verbosity", "--nope", "-vx", "--help=1"] {
            assert_eq!(parse(&MIXED, &[arg]).err(), Some(MIXED.usage()), "{arg}");
        }
    }

    #[test]
    fn too_few_operands_show_the_usage() {
        assert_eq!(parse(&NUMBER, &["a"]).err(), Some(NUMBER.usage()));
        assert_eq!(parse(&TERSE, &["a"]).unwrap().1, ["a"]);
    }

    #[test]
    fn numbers_name_their_option() {
        let message = "verbosity must be an unsigned integer (-v n, at most 4294967295): x";
        let fatal = parse(&NUMBER, &["-vx", "a", "b"]).err();
        assert_eq!(fatal, Some(Fatal::user(message)));
    }
}
