//! The values of options, with their types.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::groups::Group;
use crate::limits::Rate;
use crate::pins::Pin;
use crate::tls::CrlCheck;

/// The value of an option, as its check has read it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// The option takes none.
    None,
    /// Any text, or text that is checked but stays as it is.
    Text(OsString),
    /// An unsigned integer.
    Number(u32),
    /// A list of unsigned integers; it may be empty.
    Numbers(Vec<u32>),
    /// The two numbers of `x+y`.
    Rounds([u32; 2]),
    /// Names of application protocols.
    Protocols(Vec<Vec<u8>>),
    /// Key exchange groups.
    Groups(Vec<Group>),
    /// The hash of a certificate or of a public key.
    Pin(Pin),
    /// Which certificates are looked up in revocation lists.
    CrlCheck(CrlCheck),
    /// The number of days in `days=N`.
    Days(u32),
    /// How often a client may connect.
    Rate(Rate),
}

impl Value {
    /// The form in which the value is handed on to the next program. Its check reads that form
    /// as the same value.
    pub(crate) fn text(&self) -> OsString {
        match self {
            Self::None => OsString::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string().into(),
            Self::Numbers(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                numbers.join(",").into()
            }
            Self::Rounds([first, second]) => format!("{first}+{second}").into(),
            Self::Protocols(names) => OsString::from_vec(names.join(&b","[..])),
            Self::Groups(groups) => {
                let names: Vec<&str> = groups.iter().map(|group| group.name()).collect();
                names.join(",").into()
            }
            Self::Pin(pin) => pin.text().into(),
            Self::CrlCheck(check) => check.name().into(),
            Self::Days(days) => format!("days={days}").into(),
            Self::Rate(rate) => rate.to_string().into(),
        }
    }
}
