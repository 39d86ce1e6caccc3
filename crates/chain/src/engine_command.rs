//! The engine's command line and the pipes between it and the program.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use cli::{Fatal, suite};
use unix::Errno;

use crate::options::{Options, Side};

/// The cleartext between program and engine: two pipes.
pub struct Cleartext {
    /// The program's ends: it reads the first and writes the second.
    pub program: (OwnedFd, OwnedFd),
    /// The engine's ends: it reads the first and writes the second.
    pub engine: (OwnedFd, OwnedFd),
}

impl Cleartext {
    /// Makes the pipes.
    pub fn new() -> Result<Self, Fatal> {
        let failed = |errno: Errno| Fatal::system("create pipe", errno);
        let (from_program, to_engine) = unix::fd::pipe().map_err(failed)?;
        let (from_engine, to_program) = unix::fd::pipe().map_err(failed)?;
        Ok(Self {
            program: (from_engine, to_engine),
            engine: (from_program, to_program),
        })
    }
}

impl Side {
    /// The engine's program.
    pub fn engine(self) -> &'static str {
        match self {
            Self::Server => suite::TLSD_IO,
            Self::Client { .. } => suite::TLSC_IO,
        }
    }

    /// Where the program finds its cleartext: it reads the first number and
    /// writes the second.
    pub fn program(self) -> (RawFd, RawFd) {
        match self {
            Self::Server => (0, 1),
            Self::Client { read, write } => (read, write),
        }
    }

    /// Where the engine has its ends of the pipes: a server's stay at their
    /// numbers, a client's become its 0 and 1.
    pub fn cleartext(self, ends: &(OwnedFd, OwnedFd)) -> (RawFd, RawFd) {
        match self {
            Self::Server => (ends.0.as_raw_fd(), ends.1.as_raw_fd()),
            Self::Client { .. } => (0, 1),
        }
    }
}

impl Options {
    /// The command line of an engine with these ends of the pipes, that
    /// reports to descriptor `notification` if there is one.
    pub fn command(&self, ends: &(OwnedFd, OwnedFd), notification: Option<RawFd>) -> Vec<OsString> {
        let mut argv = vec![self.side.engine().into()];
        if self.verbosity != 1 {
            argv.push("-v".into());
            argv.push(self.verbosity.to_string().into());
        }
        if let Some(fd) = notification {
            argv.push("-d".into());
            argv.push(fd.to_string().into());
        }
        argv.extend_from_slice(&self.engine);
        let (fdr, fdw) = match self.side {
            Side::Server => self.side.cleartext(ends),
            Side::Client { read, write } => (read, write),
        };
        argv.push("--".into());
        argv.push(fdr.to_string().into());
        argv.push(fdw.to_string().into());
        argv
    }
}
