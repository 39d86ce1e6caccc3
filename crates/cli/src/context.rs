//! What a program starts with, and the one place where it ends.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;

use unix::{Env, Errno, fd, signal};

use crate::fatal::{Fatal, not_set, unable};
use crate::ids::Whose;
use crate::message;
use crate::number::unsigned;
use crate::option_spec::Program;
use crate::parsed_options::ParsedOptions;

/// A running program: which one, its name in messages, its arguments without
/// the name, and the environment that it reads and hands on.
#[derive(Clone, Debug)]
pub struct Context {
    /// Its table of options.
    pub program: &'static Program,
    /// The name that messages begin with. A program may add its pid.
    pub prog: String,
    /// The arguments, without the program's name.
    pub args: Vec<OsString>,
    /// The environment.
    pub env: Env,
    /// How much is printed: warnings from 1 on, infos from 2 on.
    pub verbosity: u32,
}

impl Context {
    /// That of a program with these arguments and this environment, which prints warnings.
    pub fn new(program: &'static Program, args: Vec<OsString>, env: Env) -> Self {
        Self {
            program,
            prog: program.name.to_owned(),
            args,
            env,
            verbosity: 1,
        }
    }

    /// Parses the arguments: the options, and the operands, of which there are at least as many
    /// as the table asks for.
    pub fn options(&mut self) -> Result<(ParsedOptions, Vec<OsString>), Fatal> {
        crate::parse(self.program, std::mem::take(&mut self.args))
    }

    /// The error for wrong usage.
    pub fn usage(&self) -> Fatal {
        self.program.usage()
    }

    /// Prints `PROG: warning: TEXT` at verbosity 1 and above.
    pub fn warn(&self, text: &str) {
        self.say(1, "warning", text);
    }

    /// Prints `PROG: warning: unable to WHAT: STRERROR` at verbosity 1 and
    /// above.
    pub fn warn_unable(&self, what: &str, errno: Errno) {
        self.warn(&unable(what, errno));
    }

    /// Prints `PROG: info: TEXT` at verbosity 2 and above.
    pub fn info(&self, text: &str) {
        self.say(2, "info", text);
    }

    /// Prints `PROG: KIND: TEXT` if the verbosity is at least `from`.
    pub fn say(&self, from: u32, kind: &str, text: &str) {
        if self.verbosity >= from {
            message::print(&self.prog, kind, text);
        }
    }

    /// Prints `KEY: VALUE` on standard output.
    pub fn fact(&self, key: &str, value: impl Display) -> Result<(), Fatal> {
        print(&message::fact(key, &value.to_string())).map(drop)
    }

    /// The value of variable `name`. It is an error if the variable is unset.
    pub fn require(&self, name: impl AsRef<OsStr>) -> Result<&OsStr, Fatal> {
        let value = self.env.get(name.as_ref().as_encoded_bytes());
        value.ok_or_else(|| not_set(name.as_ref()))
    }

    /// The user or group id in variable `name`; 0 if the variable is unset.
    pub fn id_or_zero(&self, whose: Whose, name: &str) -> Result<u32, Fatal> {
        match self.env.get(name) {
            None => Ok(0),
            Some(value) => {
                unsigned(value.as_encoded_bytes()).ok_or_else(|| whose.invalid(name, value))
            }
        }
    }

    /// Replaces the process by the program `argv`. Returns only if that fails.
    pub fn exec(&self, argv: &[OsString]) -> Fatal {
        Fatal::exec(&argv[0], unix::exec::exec(argv, &self.env))
    }
}

/// Runs `main` as `program`, prints its error if it fails, and returns its exit code.
pub fn run(
    program: &'static Program,
    args: Vec<OsString>,
    main: fn(&mut Context) -> Result<u8, Fatal>,
) -> u8 {
    let args = args.into_iter().skip(1).collect();
    let mut context = Context::new(program, args, Env::inherited());
    let reserved =
        fd::reserve_stderr().map_err(|errno| Fatal::system("keep the place of stderr", errno));
    let result = reserved.and_then(|()| match help_or_version(program, &context.args) {
        Some(text) => print(&text),
        None => main(&mut context),
    });
    match result {
        Ok(code) => code,
        Err(fatal) => fatal.print(&context.prog).code(),
    }
}

/// The answer to `--help` or `--version` as the only argument: a chain always has more.
fn help_or_version(program: &Program, args: &[OsString]) -> Option<String> {
    match args {
        [only] if only == "--help" => Some(program.help()),
        [only] if only == "--version" => Some(program.version()),
        _ => None,
    }
}

fn print(text: &str) -> Result<u8, Fatal> {
    signal::ignore_sigpipe_forever();
    fd::write_all(fd::stdout(), text.as_bytes())
        .map_err(|errno| Fatal::system("write to stdout", errno))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::TLSA;

    #[test]
    fn only_a_lone_argument_asks_for_help_or_the_version() {
        let answer = |args: &[&str]| {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            help_or_version(&TLSA, &args)
        };
        assert_eq!(answer(&["--help"]), Some(TLSA.help()));
        assert_eq!(answer(&["--version"]), Some(TLSA.version()));
        for others in [&[][..], &["-h"], &["--help", "x"], &["x", "--version"]] {
            assert_eq!(answer(others), None);
        }
    }
}
