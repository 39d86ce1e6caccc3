//! `proxy-server`: reads a PROXY protocol header and runs the next program
//! with what it says about the connection.

mod apply;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod read;
mod tlv;
mod v1;
mod v2;

use std::ffi::OsString;

use cli::id::{Id, ProxyServer};
use cli::{Context, Fatal, ParsedOptions};
use unix::Env;

use read::Input;

/// `invalid WHAT`, the answer to a header that is wrong: 1.
fn invalid(what: &str) -> Fatal {
    Fatal::new(1, format!("invalid {what}"))
}

/// What a header says.
#[derive(Debug, Eq, PartialEq)]
enum Header {
    /// Nothing that changes a variable.
    Nothing,
    /// LOCAL with an address family that does not belong there.
    LocalWithFamily,
    /// The connection as the proxy sees it.
    Proxied(Vec<Variable>),
}

/// A variable and its value.
type Variable = (&'static str, Vec<u8>);

/// Which versions are accepted.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Versions {
    #[default]
    Both,
    Only1,
    Only2,
}

/// Where the program stands if there is a TLS layer in the chain.
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
        for option in given.iter() {
            let Id::ProxyServer(id) = option.id else {
                return Err(option.misplaced());
            };
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
    input.fill_checked(&mut first, |begun| match versions.begin_with(begun) {
        true => v1::check_begun(begun),
        false => Err(invalid("magic")),
    })?;
    match first.starts_with(v1::MAGIC) {
        true => v1::read(input, &first),
        false => v2::read(input, &first),
    }
}

impl Versions {
    /// Whether a header may begin with these bytes, which may be fewer than
    /// its magic has.
    fn begin_with(self, begun: &[u8]) -> bool {
        let magics: &[&[u8]] = match self {
            Self::Both => &[v1::MAGIC, v2::MAGIC],
            Self::Only1 => &[v1::MAGIC],
            Self::Only2 => &[v2::MAGIC],
        };
        magics
            .iter()
            .any(|magic| magic.iter().zip(begun).all(|(a, b)| a == b))
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

    fn mutated(bytes: &[u8]) {
        for position in 0..bytes.len() {
            for value in 0..=255 {
                let mut copy = bytes.to_vec();
                copy[position] = value;
                let _ = read(&copy, Versions::Both);
            }
        }
    }

    #[test]
    fn a_version_that_is_off_is_invalid_magic() {
        let v2 = v2::tests::header(0x21, 0x11, &[0; 12]);
        let line = b"PROXY UNKNOWN\r\n";
        assert!(read(line, Versions::Only1).is_ok());
        assert_eq!(read(line, Versions::Only2), Err(invalid("magic")));
        assert!(read(&v2, Versions::Only2).is_ok());
        assert_eq!(read(&v2, Versions::Only1), Err(invalid("magic")));
    }

    #[test]
    fn each_cut_is_the_end_of_input_and_nothing_past_the_header_is_read() {
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
            mutated(sample);
        }
    }

    fn parse(args: &[&str]) -> Result<Options, Fatal> {
        let args = args.iter().map(OsString::from).collect();
        let (given, program) = cli::parse(&cli::tables::PROXY_SERVER, args)?;
        Options::new(&given, program)
    }

    #[test]
    fn the_last_of_opposite_options_wins() {
        let args = ["-12", "-t5", "--timeout=7", "-v", "0", "p", "-1"];
        let options = parse(&args).ok().unwrap();
        assert!(options.versions == Versions::Only2 && options.place == Place::Alone);
        assert_eq!((options.timeout, options.verbosity), (7, 0));
        assert_eq!(options.program, ["p", "-1"]);
        let bad = parse(&["-tx", "p"]).err();
        assert_eq!(
            bad,
            Some(Fatal::user("timeout must be an unsigned integer"))
        );
    }
}
