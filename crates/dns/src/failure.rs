//! Why a lookup gave nothing.

use std::fmt;

use unix::Errno;

/// Why a lookup gave nothing. The text is what messages show after a colon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The text that was to be looked up cannot be a domain name.
    BadName,
    /// The caller's deadline has passed.
    Deadline,
    /// What a server sent cannot be understood.
    Malformed,
    /// The name exists, but has no record of the wanted type.
    NoData,
    /// The name does not exist.
    NoName,
    /// No server could be asked.
    NoServer,
    /// A server refused, or does not know, the request.
    Refused,
    /// A server could not find out.
    Server,
    /// A system call failed.
    System(Errno),
    /// No server answered in the time that a lookup takes at most.
    TimedOut,
}

impl Failure {
    /// Whether this is an answer: there is nothing to be found. All else
    /// leaves open whether there is.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::BadName | Self::NoData | Self::NoName)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName => f.write_str("invalid domain name"),
            Self::Deadline | Self::TimedOut => f.write_str("query timed out"),
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
