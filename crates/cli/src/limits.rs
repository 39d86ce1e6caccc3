//! How many connections s6-tcpserverd accepts: at a time, and in a time.

use std::fmt;

use crate::id::{Id, Tcpserverd};
use crate::number::unsigned;
use crate::parsed_options::{ParsedOption, ParsedOptions};

/// The highest limit.
const CEILING: u32 = 16384;

/// The limits if none are given.
const DEFAULT: u32 = 40;

/// The limits of s6-tcpserverd.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectionLimits {
    /// How many connections there may be in all.
    pub total: u32,
    /// How many there may be from one address; at most `total`.
    pub per_address: u32,
    /// How many of the first bits of an IPv6 address `per_address` and the rate count by: each
    /// has its own default.
    pub ipv6_prefix: Option<u8>,
}

/// How often one address may connect: `count` connections at once, and `count` in `seconds`
/// afterwards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// From 1 to [`Rate::MAX_COUNT`].
    pub count: u32,
    /// From 1 to [`Rate::MAX_SECONDS`].
    pub seconds: u32,
}

impl Rate {
    /// The highest count.
    pub const MAX_COUNT: u32 = 1_000_000;
    /// The longest time: a day.
    pub const MAX_SECONDS: u32 = 86_400;
    /// What [`Rate::parse`] reads, with these limits.
    pub(crate) const FORM: &str =
        "must be n/seconds, n from 1 to 1000000 and seconds from 1 to 86400";

    /// Reads `n/seconds`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let slash = text.iter().position(|byte| *byte == b'/')?;
        let number = |text, max| unsigned(text).filter(|number| (1..=max).contains(number));
        Some(Self {
            count: number(&text[..slash], Self::MAX_COUNT)?,
            seconds: number(&text[slash + 1..], Self::MAX_SECONDS)?,
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.seconds)
    }
}

impl ConnectionLimits {
    /// The limits that `-c`, `-C` and `--ipv6-prefix` set, or the default.
    pub fn new(given: &ParsedOptions) -> Self {
        let number = |id| given.get(Id::Tcpserverd(id)).map(ParsedOption::number);
        let total = number(Tcpserverd::MaxConnections).map_or(DEFAULT, |total| total.min(CEILING));
        let per_address = number(Tcpserverd::LocalMaxConnections).unwrap_or(DEFAULT);
        Self {
            total,
            per_address: per_address.min(total),
            ipv6_prefix: number(Tcpserverd::Ipv6Prefix).and_then(|bits| bits.try_into().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::Fatal;

    #[test]
    fn limits_of_connections_have_a_default_and_a_ceiling() {
        for (line, expected) in [
            ("p", [40, 40]),
            ("-c 5 p", [5, 5]),
            ("-C 5 p", [40, 5]),
            ("-c 99999 -C 99999 p", [16384, 16384]),
            ("-c 0 -C 7 p", [1, 1]),
        ] {
            let limits = ConnectionLimits::new(&given(line).unwrap());
            assert_eq!([limits.total, limits.per_address], expected, "{line}");
            assert_eq!(limits.ipv6_prefix, None);
        }
        let limits = ConnectionLimits::new(&given("--ipv6-prefix=56 p").unwrap());
        assert_eq!(limits.ipv6_prefix, Some(56));
    }

    fn given(line: &str) -> Result<ParsedOptions, Fatal> {
        let args = line.split(' ').map(Into::into).collect();
        Ok(crate::parse(&crate::tables::TCPSERVERD, args)?.0)
    }

    #[test]
    fn rate_is_two_numbers_within_their_limits() {
        for (text, expected) in [
            ("1/1", Some([1, 1])),
            ("010/060", Some([10, 60])),
            ("1000000/86400", Some([Rate::MAX_COUNT, Rate::MAX_SECONDS])),
        ] {
            let rate = Rate::parse(text.as_bytes());
            assert_eq!(rate.map(|rate| [rate.count, rate.seconds]), expected);
        }
        let rate = Rate::parse(b"010/060").unwrap();
        assert_eq!(rate.to_string(), "10/60");
        let limits = format!(
            "1 to {} and seconds from 1 to {}",
            Rate::MAX_COUNT,
            Rate::MAX_SECONDS
        );
        assert!(Rate::FORM.ends_with(&limits));
    }

    #[test]
    fn bad_values_say_what_the_option_takes() {
        for value in [
            "",
            "5",
            "/",
            "5/",
            "/5",
            "0/5",
            "5/0",
            "-5/5",
            "5/5/5",
            "5/5s",
            "+5/5",
            "1000001/5",
            "5/86401",
            "4294967297/5",
        ] {
            let fatal = given(&format!("--rate={value} p")).err();
            let message = format!("rate {}: {value}", Rate::FORM);
            assert_eq!(fatal, Some(Fatal::user(message)), "{value}");
        }
        for (option, value, message) in [
            ("ipv6-prefix", "0", "must be a number from 1 to 128: 0"),
            ("ipv6-prefix", "129", "must be a number from 1 to 128: 129"),
            ("ipv6-prefix", "/64", "must be a number from 1 to 128: /64"),
            (
                "drain",
                "0",
                "must be a number of seconds from 1 to 4294967295: 0",
            ),
            (
                "drain",
                "-1",
                "must be a number of seconds from 1 to 4294967295: -1",
            ),
            (
                "drain",
                "4294967296",
                "must be a number of seconds from 1 to 4294967295: 4294967296",
            ),
        ] {
            let fatal = given(&format!("--{option}={value} p")).err();
            assert_eq!(fatal, Some(Fatal::user(format!("{option} {message}"))));
        }
        for (option, form) in [
            ("rate", "n/seconds"),
            ("ipv6-prefix", "n"),
            ("drain", "seconds"),
        ] {
            let fatal = given(&format!("--{option} p")).err();
            let message = format!("--{option} needs a value: --{option}={form}");
            assert_eq!(fatal, Some(Fatal::user(message)));
        }
    }
}
