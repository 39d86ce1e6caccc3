//! How many connections s6-tcpserverd accepts at a time.

use crate::id::{Id, Tcpserverd};
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
}

impl ConnectionLimits {
    /// The limits that `-c` and `-C` set, or the default.
    pub fn new(given: &ParsedOptions) -> Self {
        let number = |id| given.get(Id::Tcpserverd(id)).map(ParsedOption::number);
        let total = number(Tcpserverd::MaxConnections).map_or(DEFAULT, |total| total.min(CEILING));
        let per_address = number(Tcpserverd::LocalMaxConnections).unwrap_or(DEFAULT);
        Self {
            total,
            per_address: per_address.min(total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_connections_have_a_default_and_a_ceiling() {
        for (line, expected) in [
            ("p", [40, 40]),
            ("-c 5 p", [5, 5]),
            ("-C 5 p", [40, 5]),
            ("-c 99999 -C 99999 p", [16384, 16384]),
            ("-c 0 -C 7 p", [1, 1]),
        ] {
            let args = line.split(' ').map(Into::into).collect();
            let (given, _) = crate::parse(&crate::tables::TCPSERVERD, args).unwrap();
            let limits = ConnectionLimits::new(&given);
            assert_eq!([limits.total, limits.per_address], expected, "{line}");
        }
    }
}
