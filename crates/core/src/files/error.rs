//! What is said of a file that cannot be used.

use std::ffi::OsStr;

use cli::Fatal;
use unix::Errno;

use crate::CONTEXT;
use crate::files::patience::Attempt;

/// Why an attempt to load files came to nothing.
#[derive(Debug)]
pub struct Failure {
    fatal: Fatal,
    lasting: bool,
}

impl Failure {
    /// No renewal passes through this.
    pub fn lasting(fatal: Fatal) -> Self {
        Self {
            fatal,
            lasting: true,
        }
    }
}

/// It may pass: a file that is missing, empty, cut, unreadable or does not fit
/// may be in the middle of a renewal.
impl From<Fatal> for Failure {
    fn from(fatal: Fatal) -> Self {
        Self {
            fatal,
            lasting: false,
        }
    }
}

impl<T> From<Failure> for Attempt<Result<T, Fatal>> {
    fn from(failure: Failure) -> Self {
        match failure.lasting {
            true => Self::Final(Err(failure.fatal)),
            false => Self::Interim(Err(failure.fatal)),
        }
    }
}

/// `unable to use PATH: WHY`.
pub fn unusable(path: &OsStr, why: &str) -> Fatal {
    let path = path.to_string_lossy();
    Fatal::new(CONTEXT, format!("unable to use {path}: {why}"))
}

/// `unable to read PATH: STRERROR`. Identities are dropped on the way: if
/// access is denied, the message says to whom.
pub fn unreadable(path: &OsStr, errno: Errno) -> Fatal {
    let path = path.to_string_lossy();
    let what = match errno {
        Errno::EACCES => format!("read {path} as uid {}", nix::unistd::geteuid()),
        _ => format!("read {path}"),
    };
    Fatal::unable(CONTEXT, &what, errno)
}
