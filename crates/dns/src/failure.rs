//! Why a lookup found nothing.

use std::fmt;

use unix::Errno;

/// Why a lookup found nothing. Displayed as the reason at the end of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The text to look up is not a domain name.
    BadName,
    /// The variable DNSCACHEIP has no address.
    BadServers,
    /// The caller's deadline has passed.
    Deadline,
    /// A server has called an answer authentic, and another one, which may not validate, says
    /// that DNSSEC does not secure the next records.
    Disagreement,
    /// A server sent a malformed answer.
    Malformed,
    /// The name exists, but has no record of the type (NODATA).
    NoData,
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// No server could be queried.
    NoServer,
    /// The servers refused the query or do not support it.
    Refused,
    /// A server had an error (SERVFAIL).
    Server,
    /// A system call failed.
    System(Errno),
    /// No server answered before the timeouts.
    TimedOut,
}

impl Failure {
    /// Whether it is certain that there is nothing to find. After other failures it is
    /// unknown.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::BadName | Self::NoData | Self::NoName)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName => f.write_str("invalid domain name"),
            Self::BadServers => f.write_str("no valid address in DNSCACHEIP"),
            Self::Deadline | Self::TimedOut => f.write_str("query timed out"),
            Self::Disagreement => {
                f.write_str("DNS servers disagree on whether DNSSEC secures the records")
            }
            Self::Malformed => f.write_str("malformed packet"),
            Self::NoData => f.write_str("no such record"),
            Self::NoName => f.write_str("no such domain"),
            Self::NoServer => f.write_str("no available DNS server"),
            Self::Refused => f.write_str("server refused"),
            Self::Server => f.write_str("server failure"),
            Self::System(errno) => f.write_str(unix::errno::text(*errno)),
        }
    }
}
