//! What a table says about an option and about a program. Everything else is
//! derived from it: the parser, the command lines handed on, the usage line,
//! `--help` and the pages.

use std::ffi::OsStr;

use crate::Fatal;
use crate::id::Id;
use crate::value::Value;

/// An option.
#[derive(Debug)]
pub struct OptionSpec {
    /// The letter, if there is one.
    pub short: Option<char>,
    /// The long name, without dashes. Messages have it, too.
    pub long: &'static str,
    /// What follows it.
    pub argument: Argument,
    /// What it does to the options that have been given.
    pub effect: Effect,
    /// What it is good for, for `--help`: a few words.
    pub help: &'static str,
    /// The same for the pages: [`paragraph`]. A negation's text
    /// continues the paragraph of the option that it negates.
    pub doc: &'static str,
}

/// What follows an option.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    /// Nothing.
    None,
    /// An unsigned integer; the name says of what, or in which unit.
    Number(&'static str),
    /// Any text, of this name.
    Text(&'static str),
    /// Text of this name that passes the check.
    Checked(&'static str, Check),
}

/// Reads a value. The error says what it must be (`must be ...`); it is printed after the
/// option's name.
pub type Check = fn(&OsStr) -> Result<Value, String>;

impl Argument {
    /// A value that the option takes; None if it takes none. For tests that
    /// go through all options.
    #[doc(hidden)]
    pub fn sample(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Number(_) | Self::Text(_) => Some("5"),
            Self::Checked(_, check) => {
                let mut values = ["5", "::1", "X25519", "h2", "leaf", SAMPLE_HASH].into_iter();
                values.find(|value| check(OsStr::new(value)).is_ok())
            }
        }
    }
}

const SAMPLE_HASH: &str = "SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// What an option does.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// It is in force; of several the last one counts.
    Set(Id),
    /// The same, and it takes these back.
    Override(Id, &'static [Id]),
    /// The same as `Set`; the value 0 is as good as none, and not handed on.
    SetUnlessZero(Id),
    /// It is in force, and each of several counts.
    Append(Id),
    /// It takes these back, and is not handed on: the default.
    Negate(&'static [Id]),
}

impl OptionSpec {
    /// What it is to its program; None if it only takes others back.
    pub const fn id(&self) -> Option<Id> {
        match self.effect {
            Effect::Set(id)
            | Effect::Override(id, _)
            | Effect::SetUnlessZero(id)
            | Effect::Append(id) => Some(id),
            Effect::Negate(_) => None,
        }
    }

    /// Those that it takes back.
    pub const fn clears(&self) -> &'static [Id] {
        match self.effect {
            Effect::Override(_, ids) | Effect::Negate(ids) => ids,
            Effect::Set(_) | Effect::SetUnlessZero(_) | Effect::Append(_) => &[],
        }
    }

    /// The id by which its program is known: its own, or that of an option
    /// that it takes back.
    pub fn subject(&self) -> Option<Id> {
        self.id().or(self.clears().first().copied())
    }

    /// The name of its value.
    pub const fn value_name(&self) -> Option<&'static str> {
        match self.argument {
            Argument::None => None,
            Argument::Number(name) | Argument::Text(name) | Argument::Checked(name, _) => {
                Some(name)
            }
        }
    }
}

/// A program of the suite.
#[derive(Debug)]
pub struct Program {
    /// Its name, from [`unix::suite`].
    pub name: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Its options, in the order in which they are handed on; groups are
    /// shared between programs.
    pub options: &'static [&'static [OptionSpec]],
    /// What must follow the options. More may follow.
    pub operands: &'static [&'static str],
    /// Whether long options are accepted. Programs that have none answer
    /// anything they do not understand with the usage line alone.
    pub long: bool,
}

impl Program {
    /// All its options.
    pub fn option_specs(&self) -> impl Iterator<Item = &'static OptionSpec> {
        self.options.iter().flat_map(|group| group.iter())
    }

    /// The row that sets `id`.
    pub fn option_spec(&self, id: Id) -> Option<&'static OptionSpec> {
        self.option_specs().find(|spec| spec.id() == Some(id))
    }

    /// The answer to wrong usage: 100 and the usage line.
    pub fn usage(&self) -> Fatal {
        Fatal::usage(self.synopsis())
    }

    /// Something about the option of this long name is wrong: `NAME
    /// COMPLAINT`, or the usage line in programs without long options.
    pub fn invalid(&self, long: &str, complaint: &str) -> Fatal {
        self.wrong(|| format!("{long} {complaint}"))
    }

    /// `message`, or the usage line in programs without long options.
    pub(crate) fn wrong(&self, message: impl FnOnce() -> String) -> Fatal {
        if self.long {
            Fatal::user(message())
        } else {
            self.usage()
        }
    }
}

/// Text that only the pages have. The generator that writes them is a debug
/// build; what is installed is not, and leaves it out.
pub(crate) const fn paragraph(text: &'static str) -> &'static str {
    if cfg!(debug_assertions) { text } else { "" }
}
