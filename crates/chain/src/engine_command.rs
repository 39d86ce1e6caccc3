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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::context;
    use cli::tables::{TLSC, TLSD};

    const ENDS: Ends<RawFd> = Ends { read: 8, write: 9 };

    fn words(argv: &[OsString]) -> String {
        let words: Vec<_> = argv.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn the_engine_of_a_server_is_told_its_pipes_and_that_of_a_client_its_network() {
        for (given, notification, server, client) in [
            ("p", None, "s6-tlsd-io -- 8 9", "s6-tlsc-io -- 6 7"),
            (
                "-v1 -S p",
                Some(5),
                "s6-tlsd-io -d 5 -S -- 8 9",
                "s6-tlsc-io -d 5 -S -- 6 7",
            ),
            (
                "-v2 -Z -y p",
                None,
                "s6-tlsd-io -v 2 -y -- 8 9",
                "s6-tlsc-io -v 2 -y -- 6 7",
            ),
        ] {
            let options = Options::server(&mut context(&TLSD, given)).unwrap();
            assert_eq!(words(&options.command(ENDS, notification)), server);
            let options = Options::client(&mut context(&TLSC, given)).unwrap();
            assert_eq!(words(&options.command(ENDS, notification)), client);
        }
    }

    #[test]
    fn cleartext_goes_both_ways_and_is_where_each_program_expects_it() {
        let Cleartext { program, engine } = Cleartext::new().unwrap();
        for (from, to) in [
            (&program.write, &engine.read),
            (&engine.write, &program.read),
        ] {
            unix::fd::write_all(from, b"x").unwrap();
            assert_eq!(unix::fd::read(to, &mut [0; 2]), Ok(1));
        }
        let network = Ends { read: 3, write: 4 };
        let client = Side::Client(network);
        assert_eq!(Side::Server.program(), Ends { read: 0, write: 1 });
        assert_eq!(Side::Server.cleartext(&engine), engine.numbers());
        assert_eq!(client.program(), network);
        assert_eq!(client.cleartext(&engine), Ends { read: 0, write: 1 });
    }
}
