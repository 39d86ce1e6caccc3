//! The description of an option and of a program. The parser, the command lines handed on, the
//! usage line, `--help` and the pages all come from it.

use std::ffi::OsStr;

use crate::Fatal;
use crate::id::Id;
use crate::value::Value;

/// An option.
#[derive(Debug)]
pub struct OptionSpec {
    /// The letter, if there is one.
    pub short: Option<char>,
    /// The long name, without dashes. Messages use it, too.
    pub long: &'static str,
    /// Its value.
    pub argument: Argument,
    /// What it does to the options given so far.
    pub effect: Effect,
    /// A few words for `--help`, shells and manual pages, which stand alone.
    pub help: &'static str,
    /// The text for the pages. A negation's text continues the paragraph of the
    /// option that it negates.
    pub doc: Paragraph,
}

/// The value of an option.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    /// The option takes no value.
    None,
    /// An unsigned integer; the name is what it counts, or its unit.
    Number(&'static str),
    /// Any text; the name is that of the value.
    Text(&'static str),
    /// Text that passes the check; the name is that of the value.
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
                let mut values = [
                    "5",
                    "::1",
                    "X25519",
                    "h2",
                    "leaf",
                    "days=5",
                    "512",
                    "required",
                    "5/5",
                    SAMPLE_HASH,
                ]
                .into_iter();
                values.find(|value| check(OsStr::new(value)).is_ok())
            }
        }
    }
}

const SAMPLE_HASH: &str = "SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// What an option does.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// Sets the option; if it is given several times, the last one counts.
    Set(Id),
    /// Sets the option and discards these.
    Override(Id, &'static [Id]),
    /// As `Set`, but the value 0 means not given, and is not handed on.
    SetUnlessZero(Id),
    /// Sets the option; if it is given several times, each one counts.
    Append(Id),
    /// Only discards these options, which restores the default. It is not handed on.
    Negate(&'static [Id]),
}

impl OptionSpec {
    /// Its id; None if it only discards others.
    pub const fn id(&self) -> Option<Id> {
        match self.effect {
            Effect::Set(id)
            | Effect::Override(id, _)
            | Effect::SetUnlessZero(id)
            | Effect::Append(id) => Some(id),
            Effect::Negate(_) => None,
        }
    }

    /// The options that it discards.
    pub const fn clears(&self) -> &'static [Id] {
        match self.effect {
            Effect::Override(_, ids) | Effect::Negate(ids) => ids,
            Effect::Set(_) | Effect::SetUnlessZero(_) | Effect::Append(_) => &[],
        }
    }

    /// Its id, or that of an option that it discards: it tells which program the option is for.
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
    /// Its options, in the order in which they are handed on, in groups that programs share.
    pub options: &'static [&'static [OptionSpec]],
    /// The operands that must follow the options. More may follow.
    pub operands: &'static [&'static str],
    /// The variables that it reads, or that the programs of its chain read.
    pub reads: &'static [Reads],
    /// Whether every option has a long name. Otherwise only options without a letter have one, and
    /// the answer to every mistake but those about such options is the usage line.
    pub long: bool,
}

/// Variables that a program reads.
#[derive(Clone, Copy, Debug)]
pub enum Reads {
    /// Those of a server's engine.
    Server,
    /// Those of a client's engine.
    Client,
    /// These, each with a few words for `--help`.
    These(&'static [(&'static str, &'static str)]),
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

    /// The error for wrong usage: 100 and the usage line.
    pub fn usage(&self) -> Fatal {
        Fatal::usage(self.short_synopsis())
    }

    /// Whether the option may be given by its long name.
    pub fn has_long_name(&self, spec: &OptionSpec) -> bool {
        self.long || spec.short.is_none()
    }

    /// The error for a bad value of the option: `NAME COMPLAINT`, or the usage line if the option
    /// has no long name.
    pub fn invalid(&self, spec: &OptionSpec, complaint: &str) -> Fatal {
        if self.has_long_name(spec) {
            Fatal::user(format!("{} {complaint}", spec.long))
        } else {
            self.usage()
        }
    }

    /// The error `message`, or the usage line in programs without long names.
    pub(crate) fn wrong(&self, message: impl FnOnce() -> String) -> Fatal {
        if self.long {
            Fatal::user(message())
        } else {
            self.usage()
        }
    }
}

/// Text that only the pages contain. Release builds leave it out, and its pointer, which would be
/// relocated at each start; the generator of the pages is a debug build.
#[derive(Clone, Copy, Debug)]
pub struct Paragraph {
    #[cfg(debug_assertions)]
    text: &'static str,
}

impl Paragraph {
    /// The text; empty in release builds.
    pub const fn text(self) -> &'static str {
        #[cfg(debug_assertions)]
        return self.text;
        #[cfg(not(debug_assertions))]
        ""
    }
}

/// The paragraph with this text.
pub(crate) const fn paragraph(text: &'static str) -> Paragraph {
    #[cfg(not(debug_assertions))]
    let _ = text;
    Paragraph {
        #[cfg(debug_assertions)]
        text,
    }
}
