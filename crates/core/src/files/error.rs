//! Why a file cannot be used, and whether the cause may disappear by itself.

use std::ffi::OsStr;

use cli::Fatal;
use unix::Errno;

use crate::CONTEXT;
use crate::files::retry::Attempt;

/// Why an attempt to load files failed.
#[derive(Debug)]
pub struct Failure {
    fatal: Fatal,
    kind: Kind,
}

#[derive(Debug, Eq, PartialEq)]
enum Kind {
    Lasting,
    Passing,
    Lacking,
}

impl Failure {
    /// A failure that is not tried again: no renewal causes it.
    pub fn lasting(fatal: Fatal) -> Self {
        Self {
            fatal,
            kind: Kind::Lasting,
        }
    }

    /// A failure that may pass: the file can be read, but what is wanted is not inside.
    pub fn lacking(fatal: Fatal) -> Self {
        Self {
            fatal,
            kind: Kind::Lacking,
        }
    }

    /// Whether the file only lacks what is wanted.
    pub fn is_lacking(&self) -> bool {
        self.kind == Kind::Lacking
    }

    /// Its message.
    pub fn into_fatal(self) -> Fatal {
        self.fatal
    }
}

/// A failure that may pass: a file that is missing, empty, cut short or unreadable,
/// or does not belong to another one, may be in the middle of a renewal.
impl From<Fatal> for Failure {
    fn from(fatal: Fatal) -> Self {
        Self {
            fatal,
            kind: Kind::Passing,
        }
    }
}

impl<T> From<Failure> for Attempt<Result<T, Fatal>> {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            Kind::Lasting => Self::Final(Err(failure.fatal)),
            Kind::Passing | Kind::Lacking => Self::Interim(Err(failure.fatal)),
        }
    }
}

/// `unable to use PATH: WHY`.
pub fn unusable(path: &OsStr, why: &str) -> Fatal {
    let path = path.to_string_lossy();
    Fatal::new(CONTEXT, format!("unable to use {path}: {why}"))
}

/// `unable to read PATH: STRERROR`. If access is denied, the message names the uid:
/// it changes during the start.
pub fn unreadable(path: &OsStr, errno: Errno) -> Fatal {
    let path = path.to_string_lossy();
    let what = match errno {
        Errno::EACCES => format!("read {path} as uid {}", nix::unistd::geteuid()),
        _ => format!("read {path}"),
    };
    Fatal::unable(CONTEXT, &what, errno)
}
