//! The checks of values. Each reads the value with its type, or says what it must be.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::address::{Address, parse_port};
use crate::fatal::show;
use crate::groups::Group;
use crate::limits::Rate;
use crate::number::{list_u32, rounds as split_rounds, unsigned};
use crate::pins::Pin;
use crate::tls::CrlCheck;
use crate::value::Value;

type Checked = Result<Value, String>;

/// The complaint about a value that is no number. [`crate::parser`] adds the unit, the limit and
/// the value.
pub(crate) const NO_NUMBER: &str = "must be an unsigned integer";

/// The complaint about a value that is no list of numbers. [`crate::parser`] adds the value.
pub(crate) const NO_NUMBERS: &str = "must be a list of unsigned integers";

/// The complaint that `value` is not what it must be.
pub(crate) fn refused(form: &str, value: &OsStr) -> String {
    format!("{form}: {}", show(value))
}

fn number(value: &OsStr) -> Result<u32, String> {
    unsigned(value.as_bytes()).ok_or_else(|| NO_NUMBER.to_owned())
}

/// An unsigned integer.
pub(crate) fn integer(value: &OsStr) -> Checked {
    number(value).map(Value::Number)
}

/// An unsigned integer; 0 stands for 1.
pub(crate) fn at_least_one(value: &OsStr) -> Checked {
    Ok(Value::Number(number(value)?.max(1)))
}

/// The most bytes of plaintext in a record. The lower limit is that of max_fragment_length (RFC
/// 6066 section 4), the upper one that of the protocol (RFC 8446 section 5.1).
pub(crate) fn max_record(value: &OsStr) -> Checked {
    let number = unsigned(value.as_bytes()).filter(|number| (512..=16384).contains(number));
    match number {
        Some(number) => Ok(Value::Number(number)),
        None => Err(refused(
            "must be a number of bytes from 512 to 16384",
            value,
        )),
    }
}

/// The length of an IPv6 prefix.
pub(crate) fn prefix(value: &OsStr) -> Checked {
    match unsigned(value.as_bytes()).filter(|length| (1..=128).contains(length)) {
        Some(length) => Ok(Value::Number(length)),
        None => Err(refused("must be a number from 1 to 128", value)),
    }
}

/// How often a client may connect.
pub(crate) fn rate(value: &OsStr) -> Checked {
    match Rate::parse(value.as_bytes()) {
        Some(rate) => Ok(Value::Rate(rate)),
        None => Err(refused(Rate::FORM, value)),
    }
}

/// A time in seconds, at least one.
pub(crate) fn seconds(value: &OsStr) -> Checked {
    match unsigned(value.as_bytes()).filter(|seconds| *seconds > 0) {
        Some(seconds) => Ok(Value::Number(seconds)),
        None => {
            let form = format!("must be a number of seconds from 1 to {}", u32::MAX);
            Err(refused(&form, value))
        }
    }
}

/// The number of a descriptor other than 0, 1 and 2.
pub(crate) fn descriptor(value: &OsStr) -> Checked {
    let number = unsigned(value.as_bytes()).filter(|number| i32::try_from(*number).is_ok());
    match number.filter(|number| *number >= 3) {
        Some(number) => Ok(Value::Number(number)),
        None => Err(refused("must be an unsigned integer (3 or more)", value)),
    }
}

/// A port.
pub(crate) fn port(value: &OsStr) -> Checked {
    match parse_port(value.as_bytes()) {
        Some(port) => Ok(Value::Number(port.into())),
        None => Err(refused("must be a port number", value)),
    }
}

/// Numbers with any of the separators of [`list_u32`]; there may be none.
pub(crate) fn numbers(value: &OsStr) -> Checked {
    match list_u32(value.as_bytes()) {
        Some(numbers) => Ok(Value::Numbers(numbers)),
        None => Err(NO_NUMBERS.to_owned()),
    }
}

/// Seconds: `x+y`, or `x` for `x+0`.
pub(crate) fn rounds(value: &OsStr) -> Checked {
    match split_rounds(value.as_bytes()) {
        Some(rounds) => Ok(Value::Rounds(rounds)),
        None => Err(refused("must be x+y or x, in seconds", value)),
    }
}

/// An IP address, which is handed on as it was given.
pub(crate) fn address(value: &OsStr) -> Checked {
    match Address::parse(value.as_bytes()) {
        Some(_) => Ok(Value::Text(value.to_owned())),
        None => Err(refused(&no_address(value), value)),
    }
}

/// The error for a value that is no IP address.
pub(crate) fn no_address(value: &OsStr) -> String {
    let brackets = if in_brackets(value) {
        " without brackets"
    } else {
        ""
    };
    format!("must be an IP address{brackets}")
}

/// Whether `value` is an address in brackets, as in a URL.
pub(crate) fn in_brackets(value: &OsStr) -> bool {
    let inner = value.as_bytes().strip_prefix(b"[");
    inner
        .and_then(|inner| inner.strip_suffix(b"]"))
        .and_then(Address::parse)
        .is_some()
}

/// The most bytes of all names of application protocols with a comma between them. A ClientHello
/// has at most 65535 bytes of extensions (RFC 8446 section 4.1.2), and others must fit beside the
/// list: the largest are the key shares, of 1.3 KB.
const MAX_PROTOCOLS: usize = 60 << 10;

/// Names of application protocols, of 1 to 255 bytes each (RFC 7301 section 3.1), separated by
/// commas, each given once.
pub(crate) fn protocols(value: &OsStr) -> Checked {
    const NAMES: &str = "must be a list of protocol names of 1 to 255 bytes";
    if value.len() > MAX_PROTOCOLS {
        return Err(format!("{NAMES} with at most {MAX_PROTOCOLS} bytes in all"));
    }
    let mut names = Vec::new();
    let mut known = BTreeSet::new();
    for name in value.as_bytes().split(|byte| *byte == b',') {
        if !(1..=255).contains(&name.len()) {
            return Err(refused(NAMES, value));
        }
        if !known.insert(name) {
            let name = show(OsStr::from_bytes(name));
            return Err(format!("{NAMES}: repeated name: {name}"));
        }
        names.push(name.to_vec());
    }
    Ok(Value::Protocols(names))
}

/// Key exchange groups.
pub(crate) fn groups(value: &OsStr) -> Checked {
    Group::list(value).map(Value::Groups)
}

/// The hash of a certificate or of a public key.
pub(crate) fn pin(value: &OsStr) -> Checked {
    let pin = Pin::parse(value).map(Value::Pin);
    pin.map_err(|form| refused(&form, value))
}

/// The word `required`.
pub(crate) fn required(value: &OsStr) -> Checked {
    if value == "required" {
        Ok(Value::Text(value.to_owned()))
    } else {
        Err(refused("must be required, or without a value", value))
    }
}

/// Which certificates are looked up in revocation lists.
pub(crate) fn crl_check(value: &OsStr) -> Checked {
    let check = CrlCheck::parse(value).map(Value::CrlCheck);
    check.map_err(|form| refused(&form, value))
}

/// `days=N`.
pub(crate) fn days(value: &OsStr) -> Checked {
    match value.as_bytes().strip_prefix(b"days=").and_then(unsigned) {
        Some(days) => Ok(Value::Days(days)),
        None => {
            let form = "must be days=N, where N is an unsigned integer";
            Err(refused(form, value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number that `check` reads, if it accepts `text`.
    fn number(check: fn(&OsStr) -> Checked, text: &str) -> Option<u32> {
        match check(text.as_ref()) {
            Ok(Value::Number(number)) => Some(number),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        }
    }

    #[test]
    fn a_number_outside_of_its_limits_is_refused() {
        type Case<'a> = (fn(&OsStr) -> Checked, &'a [u32], &'a [&'a str]);
        let cases: [Case; 4] = [
            (seconds, &[1, u32::MAX], &["0", "-1", "1s", "4294967296"]),
            (descriptor, &[3, 2147483647], &["0", "2", "2147483648"]),
            (prefix, &[1, 128], &["0", "129"]),
            (port, &[0, 65535], &["65536", "https"]),
        ];
        for (check, good, bad) in cases {
            for given in good {
                assert_eq!(number(check, &given.to_string()), Some(*given));
            }
            for given in bad.iter().chain(&["", "x"]) {
                assert_eq!(number(check, given), None, "{given}");
            }
        }
    }

    #[test]
    fn names_of_protocols_are_given_once_and_have_a_limit() {
        let why = |text: &str| protocols(text.as_ref()).err();
        let names = "must be a list of protocol names of 1 to 255 bytes";
        assert_eq!(why("h2,http/1.1,H2"), None);
        let repeated = format!("{names}: repeated name: h2");
        assert_eq!(why("h2,http/1.1,h2"), Some(repeated));
        let list = |length: usize| {
            let name = |number: usize| format!("{number:03}{}", "x".repeat(252));
            let mut list = (0..)
                .map(name)
                .take(length / 256 + 1)
                .collect::<Vec<_>>()
                .join(",");
            list.truncate(length);
            list
        };
        assert_eq!(why(&list(MAX_PROTOCOLS - 1)), None);
        let long = format!("{names} with at most 61440 bytes in all");
        assert_eq!(why(&list(MAX_PROTOCOLS + 1)), Some(long));
    }

    #[test]
    fn records_are_required_by_this_word_alone() {
        let accepted = |text: &str| required(text.as_ref()).is_ok();
        assert!(accepted("required"));
        for other in ["", "no", "Required", "required "] {
            assert!(!accepted(other), "{other:?}");
        }
    }
}
