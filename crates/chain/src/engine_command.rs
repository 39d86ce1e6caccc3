//! The engine's command line and the pipes between it and the program.

use std::ffi::OsString;
use std::os::fd::{OwnedFd, RawFd};

use cli::{Fatal, suite};
use unix::Errno;

use crate::ends::Ends;
use crate::options::{Options, Side};

/// The two pipes that carry cleartext between program and engine.
pub struct Cleartext {
    /// The program's ends.
    pub program: Ends<OwnedFd>,
    /// The engine's ends.
    pub engine: Ends<OwnedFd>,
}

impl Cleartext {
    /// Makes the pipes.
    pub fn new() -> Result<Self, Fatal> {
        let failed = |errno: Errno| Fatal::system("create pipe", errno);
        let (from_program, to_engine) = unix::fd::pipe().map_err(failed)?;
        let (from_engine, to_program) = unix::fd::pipe().map_err(failed)?;
        Ok(Self {
            program: Ends {
                read: from_engine,
                write: to_engine,
            },
            engine: Ends {
                read: from_program,
                write: to_program,
            },
        })
    }
}

impl Side {
    /// The name of the engine.
    pub fn engine(self) -> &'static str {
        match self {
            Self::Server => suite::TLSD_IO,
            Self::Client(_) => suite::TLSC_IO,
        }
    }

    /// The error if the engine could not be started.
    pub fn not_spawned(self, errno: Errno) -> Fatal {
        Fatal::system(&format!("spawn {}", self.engine()), errno)
    }

    /// The numbers at which the program expects its cleartext.
    pub fn program(self) -> Ends<RawFd> {
        match self {
            Self::Server => Ends { read: 0, write: 1 },
            Self::Client(network) => network,
        }
    }

    /// The numbers at which the engine expects its ends of the pipes: a server takes their
    /// numbers from its command line, a client uses 0 and 1.
    pub fn cleartext(self, ends: &Ends<OwnedFd>) -> Ends<RawFd> {
        match self {
            Self::Server => ends.numbers(),
            Self::Client(_) => Ends { read: 0, write: 1 },
        }
    }
}

impl Options {
    /// The command line of an engine that has its ends of the pipes at these numbers, and writes its
    /// notification to descriptor `notification` if there is one.
    pub fn command(&self, ends: Ends<RawFd>, notification: Option<RawFd>) -> Vec<OsString> {
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
        let operands = match self.side {
            Side::Server => ends,
            Side::Client(network) => network,
        };
        argv.push("--".into());
        argv.push(operands.read.to_string().into());
        argv.push(operands.write.to_string().into());
        argv
    }
}
