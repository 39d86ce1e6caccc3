//! Options as the suite reads them.
//!
//! Reading stops at the first argument that is no option, at a lone `-`,
//! which is kept, or after `--`, which is dropped: what follows belongs to
//! the program to run. Short options cluster, and a value is the rest of the
//! cluster or the next argument, whatever it begins with, except `--`. Long
//! options have exact names, and their values follow `=`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use lexopt::Arg;

use crate::fatal::{Fatal, show};
use crate::number::unsigned;

/// One option that a program knows.
#[derive(Debug)]
pub struct Row {
    /// The letter; None if there is only a long form.
    pub short: Option<char>,
    /// The long name, without dashes. It also names the option in messages
    /// and in the program, where no long form is accepted.
    pub name: &'static str,
    /// Whether it takes a value.
    pub takes_value: bool,
}

/// An option without value. The letter `'\0'` stands for none.
pub const fn switch(short: char, name: &'static str) -> Row {
    row(short, name, false)
}

/// An option with a value. The letter `'\0'` stands for none.
pub const fn value(short: char, name: &'static str) -> Row {
    row(short, name, true)
}

const fn row(short: char, name: &'static str, takes_value: bool) -> Row {
    Row {
        short: if short == '\0' { None } else { Some(short) },
        name,
        takes_value,
    }
}

/// The command line of a program.
pub struct Grammar {
    /// What the usage line shows after the program's name.
    pub synopsis: &'static str,
    /// The options, in groups that programs share.
    pub options: &'static [&'static [Row]],
    /// Whether long options are accepted. Programs that have none answer
    /// anything they do not understand with the usage line alone.
    pub long: bool,
}

/// An option found on a command line.
pub struct Opt {
    /// Its long name.
    pub name: &'static str,
    grammar: &'static Grammar,
    value: OsString,
}

impl Opt {
    /// The value as it was given.
    pub fn text(&self) -> &OsStr {
        &self.value
    }

    /// The value as an unsigned integer.
    pub fn unsigned(&self) -> Result<u32, Fatal> {
        unsigned(self.value.as_bytes()).ok_or_else(|| self.invalid("must be an unsigned integer"))
    }

    /// The value is wrong: `NAME COMPLAINT`, or the usage line in programs
    /// without long options.
    pub fn invalid(&self, complaint: &str) -> Fatal {
        if self.grammar.long {
            Fatal::user(format!("{} {complaint}", self.name))
        } else {
            Fatal::usage(self.grammar.synopsis)
        }
    }
}

/// Reads the options of one command line.
pub struct Parser {
    grammar: &'static Grammar,
    parser: lexopt::Parser,
    first_operand: Option<OsString>,
}

impl Parser {
    /// A parser for `args`, which do not include the program's name.
    pub fn new(grammar: &'static Grammar, args: Vec<OsString>) -> Self {
        let mut parser = lexopt::Parser::from_args(args);
        parser.set_short_equals(false);
        Self {
            grammar,
            parser,
            first_operand: None,
        }
    }

    /// The next option; None where the options end.
    #[expect(clippy::should_implement_trait, reason = "it may fail")]
    pub fn next(&mut self) -> Result<Option<Opt>, Fatal> {
        let arg = self.parser.next();
        let arg = arg.map_err(|_| Fatal::usage(self.grammar.synopsis))?;
        match arg {
            None => Ok(None),
            Some(Arg::Value(operand)) => {
                self.first_operand = Some(operand);
                Ok(None)
            }
            Some(Arg::Short(letter)) => self.short(letter).map(Some),
            Some(Arg::Long(name)) => {
                let name = name.to_owned();
                self.long(&name).map(Some)
            }
        }
    }

    /// What follows the options: at least `count` arguments, or the usage
    /// line.
    pub fn operands(mut self, count: usize) -> Result<Vec<OsString>, Fatal> {
        let mut operands: Vec<OsString> = self.first_operand.take().into_iter().collect();
        if let Some(rest) = self.parser.try_raw_args() {
            operands.extend(rest);
        }
        if operands.len() < count {
            return Err(Fatal::usage(self.grammar.synopsis));
        }
        Ok(operands)
    }

    fn short(&mut self, letter: char) -> Result<Opt, Fatal> {
        let Some(row) = self.find(|row| row.short == Some(letter)) else {
            return Err(self.unknown(format!("unrecognized short option: {letter}")));
        };
        let value = if row.takes_value {
            self.value_of(row)?
        } else {
            OsString::new()
        };
        Ok(self.found(row, value))
    }

    fn value_of(&mut self, row: &Row) -> Result<OsString, Fatal> {
        if let Some(value) = self.parser.optional_value() {
            return Ok(value);
        }
        let next = self.parser.try_raw_args();
        let value = next.and_then(|mut args| args.next_if(|arg| arg != "--"));
        value.ok_or_else(|| {
            let letter = row.short.unwrap_or_default();
            self.unknown(format!("option -{letter} (--{}) needs a value", row.name))
        })
    }

    fn long(&mut self, name: &str) -> Result<Opt, Fatal> {
        let value = self.parser.optional_value();
        if name.is_empty() {
            let value = value.unwrap_or_default();
            return Err(self.unknown(format!("invalid option: --={}", show(&value))));
        }
        let row = self.find(|row| row.name == name && self.grammar.long);
        match (row, value) {
            (Some(row), None) if !row.takes_value => Ok(self.found(row, OsString::new())),
            (Some(row), Some(value)) if row.takes_value => Ok(self.found(row, value)),
            (_, None) => Err(self.unknown(format!("unrecognized boolean option: --{name}"))),
            (_, Some(value)) => Err(self.unknown(format!(
                "unrecognized option with argument: --{name}={}",
                show(&value)
            ))),
        }
    }

    fn find(&self, wanted: impl Fn(&Row) -> bool) -> Option<&'static Row> {
        let mut rows = self.grammar.options.iter().flat_map(|group| group.iter());
        rows.find(|row| wanted(row))
    }

    fn found(&self, row: &'static Row, value: OsString) -> Opt {
        Opt {
            name: row.name,
            grammar: self.grammar,
            value,
        }
    }

    fn unknown(&self, message: String) -> Fatal {
        if self.grammar.long {
            Fatal::user(message)
        } else {
            Fatal::usage(self.grammar.synopsis)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Grammar = Grammar {
        synopsis: "[-Sv n] prog...",
        options: &[
            &[
                switch('S', "close-notify"),
                switch('J', "enforce"),
                switch('\0', "sni"),
            ],
            &[value('v', "verbosity"), value('K', "timeout")],
        ],
        long: true,
    };

    const TERSE: Grammar = Grammar {
        long: false,
        ..LONG
    };

    type Parsed = (Vec<(&'static str, String)>, Vec<OsString>);

    fn parse(grammar: &'static Grammar, args: &[&str]) -> Result<Parsed, Fatal> {
        let mut parser = Parser::new(grammar, args.iter().map(OsString::from).collect());
        let mut options = Vec::new();
        while let Some(opt) = parser.next()? {
            options.push((opt.name, show(opt.text())));
        }
        Ok((options, parser.operands(0)?))
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
    fn reading_stops_at_the_program() {
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
    fn each_mistake_has_its_line() {
        for (args, message) in [
            (["-z", ""], "unrecognized short option: z"),
            (["-Sz", ""], "unrecognized short option: z"),
            (["--nope", ""], "unrecognized boolean option: --nope"),
            (["--close", ""], "unrecognized boolean option: --close"),
            (
                ["--verbosity", "3"],
                "unrecognized boolean option: --verbosity",
            ),
            (
                ["--nope=3", ""],
                "unrecognized option with argument: --nope=3",
            ),
            (
                ["--sni=x", ""],
                "unrecognized option with argument: --sni=x",
            ),
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
            let fatal = parse(&TERSE, &args).and_then(|(_, operands)| match operands.len() {
                0 => Err(Fatal::usage(TERSE.synopsis)),
                _ => Ok(()),
            });
            assert_eq!(fatal, Err(Fatal::usage(TERSE.synopsis)), "{args:?}");
        }
    }

    #[test]
    fn too_few_operands_show_the_usage() {
        let parser = Parser::new(&LONG, vec![OsString::from("a")]);
        assert_eq!(parser.operands(2).err(), Some(Fatal::usage(LONG.synopsis)));
        let mut parser = Parser::new(&LONG, vec![OsString::from("a")]);
        assert!(parser.next().unwrap().is_none());
        assert_eq!(parser.operands(1).unwrap(), ["a"]);
    }

    #[test]
    fn numbers_name_their_option() {
        let mut parser = Parser::new(&LONG, vec![OsString::from("-vx")]);
        let opt = parser.next().unwrap().unwrap();
        let message = "verbosity must be an unsigned integer";
        assert_eq!(opt.unsigned(), Err(Fatal::user(message)));
    }
}
