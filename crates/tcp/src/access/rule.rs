//! The content of a rule, and the reasons why rules cannot be read.

use unix::Errno;

/// Variables by name: with a value to set, without one to unset.
pub type Variables = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// What a rule says.
#[derive(Debug, Eq, PartialEq)]
pub enum Verdict {
    /// There is no such rule, or it decides nothing.
    None,
    /// The client is refused.
    Deny,
    /// The client is let in.
    Allow(Allowed),
}

/// What a rule prescribes for a client that is let in.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Allowed {
    /// Variables to set or unset.
    pub env: Variables,
    /// An execline script to run instead of the program; empty for none.
    pub exec: Vec<u8>,
}

/// Why a ruleset cannot be used.
#[derive(Debug, Eq, PartialEq)]
pub enum Defect {
    /// A system call failed.
    System(Errno),
    /// The content is malformed, as the text says.
    Malformed(&'static str),
}

impl From<Errno> for Defect {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl Defect {
    /// The reason, for a message.
    pub fn text(&self) -> &'static str {
        match self {
            Self::System(errno) => unix::errno::text(*errno),
            Self::Malformed(what) => what,
        }
    }
}
