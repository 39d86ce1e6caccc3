//! Values that must be more than text. Each check gives the value in the form
//! in which it is handed on.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::address::Address;
use crate::groups::Group;
use crate::number::{list_u32, rounds as split_rounds, unsigned};
use crate::pins::Pin;
use crate::tls::CrlCheck;

type Checked = Result<OsString, String>;

fn number(value: &OsStr) -> Result<u32, String> {
    unsigned(value.as_bytes()).ok_or_else(|| "must be an unsigned integer".to_owned())
}

/// An unsigned integer.
pub(crate) fn integer(value: &OsStr) -> Checked {
    Ok(number(value)?.to_string().into())
}

/// An unsigned integer; 0 stands for 1.
pub(crate) fn at_least_one(value: &OsStr) -> Checked {
    Ok(number(value)?.max(1).to_string().into())
}

/// The number of a descriptor that is not 0, 1 or 2.
pub(crate) fn descriptor(value: &OsStr) -> Checked {
    let number = unsigned(value.as_bytes()).and_then(|number| i32::try_from(number).ok());
    match number.filter(|number| *number >= 3) {
        Some(number) => Ok(number.to_string().into()),
        None => Err("must be an unsigned integer (3 or more)".to_owned()),
    }
}

/// A port.
pub(crate) fn port(value: &OsStr) -> Checked {
    let number = unsigned(value.as_bytes()).and_then(|number| u16::try_from(number).ok());
    match number {
        Some(number) => Ok(number.to_string().into()),
        None => Err("must be a port number".to_owned()),
    }
}

/// Numbers with any of the separators of [`list_u32`]; it may be empty.
pub(crate) fn numbers(value: &OsStr) -> Checked {
    let Some(numbers) = list_u32(value.as_bytes()) else {
        return Err("must be a list of unsigned integers".to_owned());
    };
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    Ok(numbers.join(",").into())
}

/// Seconds: `x+y`, or `x` for `x+0`.
pub(crate) fn rounds(value: &OsStr) -> Checked {
    match split_rounds(value.as_bytes()) {
        Some([first, second]) => Ok(format!("{first}+{second}").into()),
        None => Err("must be x+y or x, in seconds".to_owned()),
    }
}

/// An IP address.
pub(crate) fn address(value: &OsStr) -> Checked {
    match Address::parse(value.as_bytes()) {
        Some(_) => Ok(value.to_owned()),
        None => Err(no_address(value)),
    }
}

/// What is wrong with a value that is no IP address.
pub(crate) fn no_address(value: &OsStr) -> String {
    let brackets = if in_brackets(value) {
        " without brackets"
    } else {
        ""
    };
    format!("must be an IP address{brackets}")
}

/// Whether it is an address as URLs have it: in brackets.
pub(crate) fn in_brackets(value: &OsStr) -> bool {
    let text = value.as_bytes().strip_prefix(b"[");
    let text = text.and_then(|text| text.strip_suffix(b"]"));
    text.and_then(Address::parse).is_some()
}

/// Names of application protocols: from 1 to 255 bytes each (RFC 7301 section
/// 3.1), separated by commas.
pub(crate) fn protocols(value: &OsStr) -> Checked {
    let names = value.as_bytes().split(|byte| *byte == b',');
    match names
        .map(<[u8]>::len)
        .all(|length| (1..=255).contains(&length))
    {
        true => Ok(value.to_owned()),
        false => Err("must be a list of protocol names of 1 to 255 bytes".to_owned()),
    }
}

/// Key exchange groups.
pub(crate) fn groups(value: &OsStr) -> Checked {
    let names: Vec<&str> = Group::list(value)?.into_iter().map(Group::name).collect();
    Ok(names.join(",").into())
}

/// What a peer's certificate is recognised by.
pub(crate) fn pin(value: &OsStr) -> Checked {
    Ok(Pin::parse(value)?.text().into())
}

/// How far revocation lists are asked.
pub(crate) fn crl_check(value: &OsStr) -> Checked {
    CrlCheck::parse(value).map(|_| value.to_owned())
}
