//! `proxy-server`: reads a PROXY protocol header, and runs the next program with
//! variables about the connection that the header describes.

mod apply;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod read;
mod tlv;
mod v1;
mod v2;

use std::ffi::OsString;

use cli::id::ProxyServer;
use cli::{Context, Fatal, ParsedOptions};
use unix::Env;

use read::Input;

/// The error for an invalid header: `invalid WHAT`, exit code 1.
fn invalid(what: &str) -> Fatal {
    Fatal::new(1, format!("invalid {what}"))
}

/// The content of a header.
#[derive(Debug, Eq, PartialEq)]
enum Header {
    /// The header changes no variable.
    Nothing,
    /// LOCAL with an address family, which it should not have.
    LocalWithFamily,
    /// The variables of the connection to the proxy.
    Proxied(Vec<Variable>),
}

/// A variable and its value.
type Variable = (&'static str, Vec<u8>);

/// The accepted versions of the protocol.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Versions {
    #[default]
    Both,
    Only1,
    Only2,
}

/// The place of the program in a chain with s6-tlsd.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Place {
    #[default]
    Alone,
    BeforeTlsd,
    AfterTlsd,
}

struct Options {
    versions: Versions,
    place: Place,
    timeout: u32,
    verbosity: u32,
    program: Vec<OsString>,
}

/// Runs `proxy-server`.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let (given, program) = context.options()?;
    let options = Options::new(&given, program)?;
    context.verbosity = options.verbosity;
    context.prog = format!("{}: pid {}", context.prog, std::process::id());
    if options.place == Place::AfterTlsd {
        apply::after_tls(&mut context.env);
        return Err(context.exec(&options.program));
    }
    match header(&mut Input::stdin(options.timeout), options.versions)? {
        Header::Nothing => {}
        Header::LocalWithFamily => context.warn("LOCAL header with an address family"),
        Header::Proxied(variables) => set(&mut context.env, variables, options.place),
    }
    Err(context.exec(&options.program))
}

impl Options {
    fn new(given: &ParsedOptions, program: Vec<OsString>) -> Result<Self, Fatal> {
        let mut options = Self {
            versions: Versions::default(),
            place: Place::default(),
            timeout: 0,
            verbosity: 1,
            program,
        };
        for (id, option) in given.each::<ProxyServer>()? {
            match id {
                ProxyServer::Only1 => options.versions = Versions::Only1,
                ProxyServer::Only2 => options.versions = Versions::Only2,
                ProxyServer::BeforeTlsd => options.place = Place::BeforeTlsd,
                ProxyServer::AfterTlsd => options.place = Place::AfterTlsd,
                ProxyServer::Timeout => options.timeout = option.number(),
                ProxyServer::Verbosity => options.verbosity = option.number(),
            }
        }
        Ok(options)
    }
}

/// Reads exactly one header.
fn header(input: &mut Input<'_>, versions: Versions) -> Result<Header, Fatal> {
    let mut first = [0; v1::SHORTEST];
    input.fill_checked(&mut first, |start| {
        if versions.may_start_with(start) {
            v1::check_start(start)
        } else {
            Err(invalid("magic"))
        }
    })?;
    if first.starts_with(v1::MAGIC) {
        v1::read(input, &first)
    } else {
        v2::read(input, &first)
    }
}

impl Versions {
    /// Whether a header may start with these bytes, which may be only a part of its
    /// magic.
    fn may_start_with(self, start: &[u8]) -> bool {
        let magics: &[&[u8]] = match self {
            Self::Both => &[v1::MAGIC, v2::MAGIC],
            Self::Only1 => &[v1::MAGIC],
            Self::Only2 => &[v2::MAGIC],
        };
        magics
            .iter()
            .any(|magic| magic.iter().zip(start).all(|(a, b)| a == b))
    }
}

fn set(env: &mut Env, variables: Vec<Variable>, place: Place) {
    for (name, value) in variables {
        apply::set(env, name, &value, place == Place::BeforeTlsd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], versions: Versions) -> Result<(Header, usize), Fatal> {
        let (mut input, left) = (Input::memory(bytes), bytes.len());
        let header = header(&mut input, versions)?;
        Ok((header, left - input.left()))
    }

    fn read_mutations(bytes: &[u8]) {
        for position in 0..bytes.len() {
            for value in 0..=255 {
                let mut copy = bytes.to_vec();
                copy[position] = value;
                let _ = read(&copy, Versions::Both);
            }
        }
    }

    #[test]
    fn version_that_is_not_accepted_is_invalid_magic() {
        let v2 = v2::tests::header(0x21, 0x11, &[0; 12]);
        let line = b"PROXY UNKNOWN\r\n";
        assert!(read(line, Versions::Only1).is_ok());
        assert_eq!(read(line, Versions::Only2), Err(invalid("magic")));
        assert!(read(&v2, Versions::Only2).is_ok());
        assert_eq!(read(&v2, Versions::Only1), Err(invalid("magic")));
    }

    #[test]
    fn truncated_header_is_end_of_input_and_nothing_after_a_header_is_read() {
        let samples: [&[u8]; 3] = [
            b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
            b"PROXY UNKNOWN and more\r\n",
            &v2::tests::header(0x21, 0x11, &[0; 15]),
        ];
        for sample in samples {
            for cut in 0..sample.len() {
                let code = read(&sample[..cut], Versions::Both).map_err(|fatal| fatal.code());
                assert_eq!(code, Err(111), "{cut}");
            }
            let longer = [sample, b"GET /"].concat();
            assert_eq!(
                read(&longer, Versions::Both).map(|(_, used)| used),
                Ok(sample.len())
            );
            read_mutations(sample);
        }
    }

    #[test]
    fn tls_variables_of_the_proxy_are_saved_only_before_s6_tlsd() {
        let names = |place| -> Vec<String> {
            let variables = [("TCPREMOTEIP", "1.2.3.4"), ("SSL_PROTOCOL", "TLSv1.3")];
            let variables = variables.map(|(name, value)| (name, value.into()));
            let mut env = Env::default();
            set(&mut env, variables.into(), place);
            let names = env.iter().map(|(name, _)| name);
            names
                .map(|name| String::from_utf8_lossy(name).into())
                .collect()
        };
        let saved = names(Place::BeforeTlsd);
        assert_eq!(saved, ["TCPREMOTEIP", "tlsbak_SSL_PROTOCOL"]);
        assert_eq!(names(Place::Alone), ["TCPREMOTEIP", "SSL_PROTOCOL"]);
    }

    fn parse(args: &[&str]) -> Result<Options, Fatal> {
        let args = args.iter().map(OsString::from).collect();
        let (given, program) = cli::parse(&cli::tables::PROXY_SERVER, args)?;
        Options::new(&given, program)
    }

    #[test]
    fn last_of_contradicting_options_wins() {
        let args = ["-12", "-t5", "--timeout=7", "-v", "0", "p", "-1"];
        let options = parse(&args).ok().unwrap();
        assert!(options.versions == Versions::Only2 && options.place == Place::Alone);
        assert_eq!((options.timeout, options.verbosity), (7, 0));
        assert_eq!(options.program, ["p", "-1"]);
        let bad = parse(&["-tx", "p"]).err();
        assert_eq!(
            bad,
            Some(Fatal::user(
                "timeout must be an unsigned integer (-t ms, at most 4294967295): x"
            ))
        );
    }
}
