//! The options of a command line, for the program itself and for the next one.

use std::ffi::OsString;
use std::time::Duration;

use crate::Fatal;
use crate::groups::Group;
use crate::id::Id;
use crate::limits::Rate;
use crate::option_spec::{Argument, Effect, OptionSpec, Program};
use crate::pins::Pin;
use crate::tls::CrlCheck;
use crate::value::Value;

/// An option that is given.
#[derive(Clone, Debug)]
pub struct ParsedOption {
    /// Which one.
    pub id: Id,
    /// Its value in the form in which it is handed on; empty if it takes none.
    pub text: OsString,
    value: Value,
    spec: &'static OptionSpec,
}

/// Defines the functions that return the value of an option with its type.
macro_rules! typed_values {
    ($($(#[$doc:meta])* $name:ident: $kind:ident($type:ty);)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// The row of the option has another kind of value: the table is wrong.
            pub fn $name(&self) -> Result<$type, Fatal> {
                match &self.value {
                    Value::$kind(value) => Ok(value.clone()),
                    _ => Err(self.misplaced()),
                }
            }
        )*
    };
}

impl ParsedOption {
    typed_values! {
        /// A list of numbers.
        numbers: Numbers(Vec<u32>);
        /// The two numbers of `x+y`.
        rounds: Rounds([u32; 2]);
        /// Names of application protocols.
        protocols: Protocols(Vec<Vec<u8>>);
        /// Key exchange groups.
        groups: Groups(Vec<Group>);
        /// The hash of a certificate or of a public key.
        pin: Pin(Pin);
        /// Which certificates are looked up in revocation lists.
        crl_check: CrlCheck(CrlCheck);
        /// The number of `days=N`.
        days: Days(u32);
        /// How often a client may connect.
        rate: Rate(Rate);
    }

    /// The value of an option that takes a number; 0 for any other option.
    pub fn number(&self) -> u32 {
        match self.value {
            Value::Number(number) => number,
            _ => 0,
        }
    }

    /// The value of an option that takes milliseconds; 0 is no limit.
    pub fn limit(&self) -> Option<Duration> {
        let millis = self.number();
        (millis != 0).then(|| Duration::from_millis(millis.into()))
    }

    /// The error for a row in the wrong table, or with the wrong kind of value.
    pub(crate) fn misplaced(&self) -> Fatal {
        Fatal::user(format!("unexpected option: {}", self.spec.long))
    }

    /// Appends the option to a command line. The value `--` is not written as an argument of its
    /// own, which would end the options.
    fn write(&self, argv: &mut Vec<OsString>) {
        let OptionSpec { short, long, .. } = self.spec;
        let mut option = match short {
            Some(letter) => OsString::from(format!("-{letter}")),
            None => OsString::from(format!("--{long}")),
        };
        let takes_value = !matches!(self.spec.argument, Argument::None);
        if takes_value && short.is_some() && self.text != "--" {
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

/// The options of a command line, without those that later ones discarded.
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

    /// Adds an option that has been read, with its effect on the earlier ones.
    pub(crate) fn add(&mut self, spec: &'static OptionSpec, value: Value) {
        self.clear(spec.clears());
        let Some(id) = spec.id() else { return };
        if !matches!(spec.effect, Effect::Append(_)) {
            self.clear(&[id]);
        }
        self.options.push(ParsedOption {
            id,
            text: value.text(),
            value,
            spec,
        });
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

    /// The option, if it is given.
    pub fn get(&self, id: Id) -> Option<&ParsedOption> {
        self.options.iter().rfind(|option| option.id == id)
    }

    /// Whether the option is given.
    pub fn has(&self, id: Id) -> bool {
        self.get(id).is_some()
    }

    /// Adds option `id`, if the program's table contains it.
    pub fn set(&mut self, id: Id, value: Value) {
        if let Some(spec) = self.program.option_spec(id) {
            self.add(spec, value);
        }
    }

    /// Discards these options.
    pub fn clear(&mut self, ids: &[Id]) {
        self.options.retain(|option| !ids.contains(&option.id));
    }

    /// Appends the `wanted` options to the command line of the next program, in the order of the
    /// table.
    pub fn forward(&self, wanted: impl Fn(Id) -> bool, argv: &mut Vec<OsString>) {
        for spec in self.program.option_specs() {
            let given = self
                .options
                .iter()
                .filter(|option| spec.id() == Some(option.id));
            for option in given.filter(|option| wanted(option.id)) {
                let zero = option.value == Value::Number(0);
                let nothing = matches!(spec.effect, Effect::SetUnlessZero(_)) && zero;
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
    fn a_repeated_option_is_handed_on_once_and_an_appended_one_each_time() {
        let hash = |digit: &str| format!("--pin=SHA256:{}", digit.repeat(64));
        let pins = [hash("1"), hash("2")];
        let mut argv = Vec::new();
        let given = given(&["-K1", &pins[0], "-K2", &pins[1]]);
        given.forward(|_| true, &mut argv);
        argv.sort();
        assert_eq!(argv, [&pins[0], &pins[1], "-K", "2"].map(OsString::from));
    }

    #[test]
    fn a_limit_of_0_milliseconds_is_none() {
        let limit = |value: &str| given(&["-K", value]).iter().find_map(ParsedOption::limit);
        assert_eq!(limit("1500"), Some(Duration::from_millis(1500)));
        let mut given = given(&[]);
        given.set(Id::Tls(crate::id::Tls::IdleTimeout), Value::Number(0));
        assert_eq!(given.iter().find_map(ParsedOption::limit), None);
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
