//! The command lines of the programs that run an engine: one for s6-tlsd and s6-ucspitlsd, one
//! for s6-tlsc and s6-ucspitlsc.

use std::ffi::OsString;
use std::os::fd::RawFd;

use cli::id::{Id, Launcher, Tls};
use cli::{
    Context, Fatal, ParsedOption, ParsedOptions, StartCheck, answers_challenges,
    check_client_certificates, normalize_sni_level,
};
use unix::Errno;

use crate::ends::Ends;

/// Which end of the connection this is, and where its network is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The network is on 0 and 1; so is the program's cleartext.
    Server,
    /// The network is on these descriptors; so is the program's cleartext.
    Client(Ends<RawFd>),
}

/// The command line of such a program.
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
    /// `--check`: nothing is run, only checked. The engine's options say more.
    pub check: bool,
    /// The engine may end well without the program: a server has answered an ACME challenge
    /// (RFC 8737).
    pub challenges: bool,
    /// The program.
    pub prog: Vec<OsString>,
}

impl Options {
    /// Reads a server's command line.
    pub fn server(context: &mut Context) -> Result<Self, Fatal> {
        let (mut given, prog) = context.options()?;
        check_client_certificates(&given)?;
        normalize_sni_level(&mut given);
        let challenges = has_challenges(&given)?;
        let (own, engine) = LauncherOptions::split(&mut given);
        Ok(own.options(context, Side::Server, challenges, engine, prog))
    }

    /// Reads a client's command line.
    pub fn client(context: &mut Context) -> Result<Self, Fatal> {
        let (mut given, prog) = context.options()?;
        let (own, engine) = LauncherOptions::split(&mut given);
        let network = own.network;
        if network.read == network.write {
            return Err(Fatal::user("read-fd and write-fd must be different"));
        }
        let challenges = false;
        Ok(own.options(context, Side::Client(network), challenges, engine, prog))
    }
}

/// Whether the protocols of `--alpn` contain that of ACME challenges. The last list counts.
fn has_challenges(given: &ParsedOptions) -> Result<bool, Fatal> {
    let alpn = Id::Tls(Tls::Alpn);
    let last = given.iter().filter(|option| option.id == alpn).last();
    let protocols = last.map(ParsedOption::protocols).transpose()?;
    Ok(protocols.is_some_and(|names| answers_challenges(&names)))
}

/// The options that the program around the engine consumes.
struct LauncherOptions {
    verbosity: u32,
    keep: bool,
    check: bool,
    network: Ends<RawFd>,
}

impl LauncherOptions {
    /// Splits the options into those of the launcher and the command line of the engine. The
    /// verbosity is for both; [`Options::command`] adds it to the engine's.
    fn split(given: &mut ParsedOptions) -> (Self, Vec<OsString>) {
        let mut own = Self {
            verbosity: 1,
            keep: false,
            check: StartCheck::is_given(given),
            network: Ends { read: 6, write: 7 },
        };
        let verbosity = Id::Tls(Tls::Verbosity);
        for option in given.iter() {
            match option.id {
                Id::Launcher(id) => own.apply(id, option),
                id if id == verbosity => own.verbosity = option.number(),
                _ => {}
            }
        }
        given.clear(&[verbosity]);
        let mut engine = Vec::new();
        given.forward(|id| !matches!(id, Id::Launcher(_)), &mut engine);
        (own, engine)
    }

    fn apply(&mut self, id: Launcher, option: &ParsedOption) {
        // The check has made sure that the number fits.
        let descriptor = || RawFd::try_from(option.number()).unwrap_or(RawFd::MAX);
        match id {
            Launcher::Keep => self.keep = true,
            Launcher::ReadFd => self.network.read = descriptor(),
            Launcher::WriteFd => self.network.write = descriptor(),
        }
    }

    fn options(
        self,
        context: &mut Context,
        side: Side,
        challenges: bool,
        engine: Vec<OsString>,
        prog: Vec<OsString>,
    ) -> Options {
        context.verbosity = self.verbosity;
        Options {
            side,
            engine,
            verbosity: self.verbosity,
            keep: self.keep,
            check: self.check,
            challenges,
            prog,
        }
    }
}

impl Side {
    /// Makes sure that the network descriptors are open, and that new descriptors do not get
    /// the numbers 0, 1 or 2.
    pub fn check(self) -> Result<(), Fatal> {
        unix::fd::guard_standard().map_err(|errno| Fatal::system("open /dev/null", errno))?;
        if let Self::Client(network) = self {
            for number in [network.read, network.write] {
                unix::fd::check(number).map_err(|errno| no_network(number, errno))?;
            }
        }
        Ok(())
    }
}

/// The error for a network descriptor that is not open.
fn no_network(number: RawFd, errno: Errno) -> Fatal {
    let failed = Fatal::system("check network fds", errno);
    let text = failed.message();
    Fatal::new(
        failed.code(),
        format!("{text}: {number} is not open (s6-tcpclient opens 6 and 7)"),
    )
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use cli::Program;
    use cli::tables::{TLSC, TLSD};

    /// The context of `program` with this command line.
    pub fn context(program: &'static Program, line: &str) -> Context {
        Context::new(
            program,
            line.split(' ').map(OsString::from).collect(),
            unix::Env::default(),
        )
    }

    fn server(line: &str) -> Result<Options, Fatal> {
        Options::server(&mut context(&TLSD, line))
    }

    fn client(line: &str) -> Result<Options, Fatal> {
        Options::client(&mut context(&TLSC, line))
    }

    #[test]
    fn a_launcher_keeps_its_own_options_and_gives_the_others_to_the_engine() {
        let mut context = context(&TLSD, "-Z -v2 -S -y --mandatory-sni -k1 p -v3 x");
        let options = Options::server(&mut context).unwrap();
        assert_eq!(options.engine, ["-S", "-y", "--sni"]);
        assert_eq!(options.prog, ["p", "-v3", "x"]);
        assert_eq!((options.verbosity, context.verbosity), (2, 2));
        assert!(options.keep && !options.check);
        assert_eq!(options.side, Side::Server);
        let plain = server("p").unwrap();
        assert_eq!((plain.engine.len(), plain.verbosity), (0, 1));
        assert!(!plain.keep && !plain.check && !plain.challenges);
    }

    #[test]
    fn a_check_is_the_engines_too() {
        for option in ["--check", "--check=days=9"] {
            let options = server(&format!("{option} p")).unwrap();
            assert!(options.check);
            assert_eq!(options.engine, [option]);
        }
    }

    #[test]
    fn a_client_has_the_network_on_two_descriptors_6_and_7_unless_it_is_told_others() {
        let network = |line: &str| match client(line).map(|options| options.side) {
            Ok(Side::Client(Ends { read, write })) => Ok((read, write)),
            Ok(Side::Server) => panic!("it is a client"),
            Err(fatal) => Err(fatal),
        };
        assert_eq!(network("p"), Ok((6, 7)));
        assert_eq!(network("-6 3 -7 2147483647 p"), Ok((3, 2147483647)));
        let same = Fatal::user("read-fd and write-fd must be different");
        assert_eq!(network("-6 7 p"), Err(same));
    }

    #[test]
    fn only_a_server_whose_last_list_of_protocols_says_so_answers_challenges() {
        let challenges = |line: &str| server(line).unwrap().challenges;
        assert!(challenges("--alpn=h2,acme-tls/1 p"));
        assert!(challenges("--alpn=h2 --alpn=acme-tls/1 p"));
        assert!(!challenges("--alpn=acme-tls/1 --alpn=h2 p"));
        assert!(!challenges("-S p"));
        assert!(!client("--alpn=acme-tls/1 p").unwrap().challenges);
    }

    #[test]
    fn pins_without_a_request_for_certificates_are_refused_before_the_engine_starts() {
        let pin = format!("--pin=SHA256:{}", "0".repeat(64));
        let error = Fatal::user("pin needs client-cert or mandatory-client-cert");
        assert_eq!(server(&format!("{pin} p")).err(), Some(error));
        assert!(server(&format!("{pin} -y p")).is_ok());
    }
}
