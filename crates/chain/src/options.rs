//! The command lines of the programs that run an engine for a program: the
//! server's two are the same, and the client's two.

use std::ffi::OsString;
use std::os::fd::RawFd;

use cli::{
    ClientOptions, Common, Context, Fatal, Grammar, Opt, Parser, Row, ServerOptions, switch, value,
};

const KEEP: &[Row] = &[switch('Z', "keep"), switch('z', "no-keep")];

static SERVER: Grammar = Grammar {
    synopsis: "[ -S | -s ] [ -J | -j ] [ -Y | -y ] [ -k snilevel ] [ -v verbosity ] \
               [ -K handshake-timeout ] [ -Z | -z ] [ --idle-timeout=ms ] [ --no-sandbox ] prog...",
    options: &[Common::OPTIONS, Common::VERBOSITY, ServerOptions::OWN, KEEP],
    long: true,
};

static CLIENT: Grammar = Grammar {
    synopsis: "[ -S | -s ] [ -J | -j ] [ -Y | -y ] [ -k servername ] [ -v verbosity ] \
               [ -K handshake-timeout ] [ -Z | -z ] [ -6 fdr ] [ -7 fdw ] [ --no-verify-cert ] \
               [ --webpki-roots ] [ --idle-timeout=ms ] [ --no-sandbox ] prog...",
    options: &[
        Common::OPTIONS,
        Common::VERBOSITY,
        ClientOptions::OWN,
        KEEP,
        &[value('6', "read-fd"), value('7', "write-fd")],
    ],
    long: true,
};

/// Which end of the connection this is, and where its network is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The network is on 0 and 1, and so is the program's cleartext.
    Server,
    /// Both are on these descriptors.
    Client {
        /// For reading.
        read: RawFd,
        /// For writing.
        write: RawFd,
    },
}

/// What was asked for.
#[derive(Debug)]
pub struct Options {
    /// Which end this is.
    pub side: Side,
    /// The engine's options, without its verbosity.
    pub engine: Vec<OsString>,
    /// The verbosity.
    pub verbosity: u32,
    /// `-Z`: the program sees the engine's variables.
    pub keep: bool,
    /// The program.
    pub prog: Vec<OsString>,
}

impl Options {
    /// Reads a server's command line.
    pub fn server(context: &mut Context) -> Result<Self, Fatal> {
        let mut tls = ServerOptions::default();
        let mut keep = false;
        let mut parser = Parser::new(&SERVER, std::mem::take(&mut context.args));
        while let Some(opt) = parser.next()? {
            if !kept(&opt, &mut keep) {
                tls.accept(&opt)?;
            }
        }
        context.verbosity = tls.common.verbosity;
        Ok(Self {
            side: Side::Server,
            engine: tls.args(false),
            verbosity: tls.common.verbosity,
            keep,
            prog: parser.operands(1)?,
        })
    }

    /// Reads a client's command line.
    pub fn client(context: &mut Context) -> Result<Self, Fatal> {
        let mut tls = ClientOptions::default();
        let mut keep = false;
        let (mut read, mut write) = (6, 7);
        let mut parser = Parser::new(&CLIENT, std::mem::take(&mut context.args));
        while let Some(opt) = parser.next()? {
            match opt.name {
                "read-fd" => read = descriptor(&opt)?,
                "write-fd" => write = descriptor(&opt)?,
                _ if kept(&opt, &mut keep) => {}
                _ => {
                    tls.accept(&opt)?;
                }
            }
        }
        context.verbosity = tls.common.verbosity;
        let prog = parser.operands(1)?;
        if read == write {
            return Err(Fatal::user("read-fd and write-fd must be different"));
        }
        Ok(Self {
            side: Side::Client { read, write },
            engine: tls.args(false),
            verbosity: tls.common.verbosity,
            keep,
            prog,
        })
    }
}

impl Side {
    /// Makes sure that the network is there, and that no descriptor of ours
    /// lands on 0, 1 or 2.
    pub fn check(self) -> Result<(), Fatal> {
        unix::fd::guard_standard().map_err(|errno| Fatal::system("open /dev/null", errno))?;
        if let Self::Client { read, write } = self {
            unix::fd::check(read)
                .and_then(|()| unix::fd::check(write))
                .map_err(|errno| Fatal::system("check network fds", errno))?;
        }
        Ok(())
    }
}

fn kept(opt: &Opt, keep: &mut bool) -> bool {
    match opt.name {
        "keep" => *keep = true,
        "no-keep" => *keep = false,
        _ => return false,
    }
    true
}

fn descriptor(opt: &Opt) -> Result<RawFd, Fatal> {
    let number = opt
        .unsigned()
        .ok()
        .and_then(|number| RawFd::try_from(number).ok());
    number
        .filter(|number| *number >= 3)
        .ok_or_else(|| opt.invalid("must be an unsigned integer (3 or more)"))
}
