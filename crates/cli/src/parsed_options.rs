//! The options that were given, as their program or the next one needs them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::Fatal;
use crate::id::Id;
use crate::number::unsigned;
use crate::option_spec::{Argument, Effect, OptionSpec, Program};

/// An option that is in force.
#[derive(Clone, Debug)]
pub struct ParsedOption {
    /// Which one.
    pub id: Id,
    /// Its value, in the form that its check gives it; empty without one.
    pub text: OsString,
    spec: &'static OptionSpec,
}

impl ParsedOption {
    /// The value of an option that takes a number. The parser has checked it.
    pub fn number(&self) -> u32 {
        unsigned(self.text.as_bytes()).unwrap_or_default()
    }

    /// The value of an option that takes milliseconds; 0 is no limit.
    pub fn limit(&self) -> Option<Duration> {
        let millis = self.number();
        (millis != 0).then(|| Duration::from_millis(millis.into()))
    }

    /// The parts of a value that are separated by commas.
    pub fn list(&self) -> Vec<Vec<u8>> {
        let parts = self.text.as_bytes().split(|byte| *byte == b',');
        parts.map(<[u8]>::to_vec).collect()
    }

    /// The row is in a table where it does not belong.
    pub fn misplaced(&self) -> Fatal {
        Fatal::user(format!("unexpected option: {}", self.spec.long))
    }

    /// Appends it to a command line. A value `--` alone would be the end of
    /// the options.
    fn write(&self, argv: &mut Vec<OsString>) {
        let OptionSpec { short, long, .. } = self.spec;
        let mut option = match short {
            Some(letter) => OsString::from(format!("-{letter}")),
            None => OsString::from(format!("--{long}")),
        };
        let takes_value = !matches!(self.spec.argument, Argument::None);
        let apart = takes_value && short.is_some() && self.text != "--";
        if apart {
            argv.extend([option, self.text.clone()]);
            return;
        }
        if takes_value && short.is_none() {
            option.push("=");
        }
        option.push(&self.text);
        argv.push(option);
    }
}

/// The options of a command line, after those that take others back.
#[derive(Clone, Debug)]
pub struct ParsedOptions {
    program: &'static Program,
    options: Vec<ParsedOption>,
}

impl ParsedOptions {
    pub(crate) fn new(program: &'static Program) -> Self {
        Self {
            program,
            options: Vec::new(),
        }
    }

    /// One more option has been read.
    pub(crate) fn add(&mut self, spec: &'static OptionSpec, text: OsString) {
        self.clear(spec.clears());
        let Some(id) = spec.id() else { return };
        if !matches!(spec.effect, Effect::Append(_)) {
            self.clear(&[id]);
        }
        self.options.push(ParsedOption { id, text, spec });
    }

    /// The options in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &ParsedOption> {
        self.options.iter()
    }

    /// The options of a program that consumes all of them: each with its id, in the order in
    /// which they were given. An option that another program consumes is an error in the table.
    pub fn each<K: TryFrom<Id>>(&self) -> Result<Vec<(K, &ParsedOption)>, Fatal> {
        let options = self.options.iter();
        let each = options.map(|option| match K::try_from(option.id) {
            Ok(id) => Ok((id, option)),
            Err(_) => Err(option.misplaced()),
        });
        each.collect()
    }

    /// The option, if it is in force.
    pub fn get(&self, id: Id) -> Option<&ParsedOption> {
        self.options.iter().rfind(|option| option.id == id)
    }

    /// Whether the option is in force.
    pub fn has(&self, id: Id) -> bool {
        self.get(id).is_some()
    }

    /// As if the option had been given; without one in the program's table
    /// nothing happens.
    pub fn set(&mut self, id: Id, value: impl AsRef<OsStr>) {
        if let Some(spec) = self.program.option_spec(id) {
            self.add(spec, value.as_ref().to_owned());
        }
    }

    /// As if none of these had been given.
    pub fn clear(&mut self, ids: &[Id]) {
        self.options.retain(|option| !ids.contains(&option.id));
    }

    /// Appends those that are `wanted` to the command line of the program
    /// that they are handed on to, in the order of the table.
    pub fn forward(&self, wanted: impl Fn(Id) -> bool, argv: &mut Vec<OsString>) {
        for spec in self.program.option_specs() {
            let given = self
                .options
                .iter()
                .filter(|option| spec.id() == Some(option.id));
            for option in given.filter(|option| wanted(option.id)) {
                let nothing = matches!(spec.effect, Effect::SetUnlessZero(_)) && option.text == "0";
                if !nothing {
                    option.write(argv);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::id::{Access, Launcher};
    use crate::tables::TLSSERVER;

    fn given(args: &[&str]) -> ParsedOptions {
        let args = args.iter().chain(&["0", "1", "p"]).map(OsString::from);
        crate::parse(&TLSSERVER, args.collect()).unwrap().0
    }

    #[test]
    fn each_option_of_one_program_comes_with_its_id_and_another_programs_is_an_error() {
        let access = given(&["-t", "5", "-H"]);
        let ids: Vec<Access> = access.each().unwrap().iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [Access::Timeout, Access::NoDns]);
        let error = access.each::<Launcher>().map(|_| ());
        assert_eq!(error, Err(Fatal::user("unexpected option: timeout")));
        let mixed = given(&["-H", "-Z"]).each::<Access>().map(|_| ());
        assert_eq!(mixed, Err(Fatal::user("unexpected option: keep")));
    }
}
