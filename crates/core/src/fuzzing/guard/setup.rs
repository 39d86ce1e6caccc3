//! What the guard holds, and which pair is for which name.

use std::sync::OnceLock;

use cli::{Context, SniLevel};
use pki::read;
use unix::Env;

use super::Wanted;
use crate::credentials::resolver::Certificates;
use crate::credentials::sessions::{Sessions, Versions};
use crate::credentials::ticketer::TicketKeys;
use crate::files::retry::Files;
use crate::fuzzing::{CERTIFICATE, CERTIFICATE_FILE, KEY_FILE};
use crate::keyguard::PrivateMaterial;
use crate::keyguard::message::Response;
use crate::testing;

/// A directory with pairs for a.test, b.test and *.w.test, a challenge for a.test, half a pair
/// for half.test, and a broken one for broken.test.
const SNIDIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/testdata/snidir");

/// The pair of a.test and *.w.test. That of b.test and the challenge is [`CERTIFICATE`].
const OTHER: &[u8] = include_bytes!("../../testdata/ed25519.pem");

/// A guard, as options describe it.
pub struct Setup {
    pub options: u8,
}

impl Setup {
    pub fn bit(&self, number: u8) -> bool {
        self.options >> number & 1 != 0
    }

    /// What the guard holds.
    pub fn material(&self) -> PrivateMaterial {
        let sessions = || Sessions::new(TicketKeys::for_tests(), Versions::Tls13);
        PrivateMaterial {
            certificates: self.certificates(),
            sessions: (!self.bit(4)).then(sessions),
        }
    }

    fn certificates(&self) -> Certificates {
        if !self.bit(0) {
            return Certificates::only(testing::pair());
        }
        let mut env = Env::default();
        env.set("SNIDIR", SNIDIR);
        let mut level = SniLevel::Require;
        if self.bit(1) {
            level = SniLevel::Prefer;
            env.set("KEYFILE", KEY_FILE);
            env.set("CERTFILE", CERTIFICATE_FILE);
        }
        let context = Context {
            verbosity: 0,
            ..Context::new(&cli::tables::TLSD_IO, Vec::new(), env)
        };
        let files = Files::at_once(&context);
        let mut certificates = Certificates::load(&context, &files, level).unwrap();
        if self.bit(2) {
            certificates.answer_challenges();
        }
        certificates
    }

    /// The certificate of the pair for `name`; the error if it is broken. Written apart from
    /// the code that looks for it, to check that.
    pub fn pair(&self, name: Option<&[u8]>, challenge: bool) -> Result<Option<&'static [u8]>, ()> {
        let [own, other] = certificates();
        let default = (self.bit(1) || !self.bit(0)).then_some(own);
        let Some(name) = name else {
            return Ok(default);
        };
        let Ok(name) = std::str::from_utf8(name) else {
            return Ok(None);
        };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if challenge {
            let found = self.bit(0) && self.bit(2) && name == "a.test";
            return Ok(found.then_some(own));
        }
        if !self.bit(0) {
            return Ok(default);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let under = name.strip_suffix(".w.test").filter(|_| name.len() <= 253);
        match &name[..] {
            "a.test" => Ok(Some(other)),
            "b.test" => Ok(Some(own)),
            "broken.test" => Err(()),
            _ if under.is_some_and(|label| !label.is_empty() && label.chars().all(plain)) => {
                Ok(Some(other))
            }
            _ => Ok(default),
        }
    }

    /// Checks the response to a request for a pair; `first` if it is the one that was first
    /// asked for.
    pub fn check_pair(&self, (name, challenge): Wanted<'_>, first: bool, response: &Response) {
        match (self.pair(name, challenge), response) {
            (Ok(Some(expected)), Response::Pair(public)) => {
                assert!(first, "a second pair");
                assert_eq!(public.chain[0].as_ref(), expected, "{name:?}");
            }
            (Ok(Some(_)), Response::None) => assert!(!first, "no pair for {name:?}"),
            (Ok(None) | Err(()), Response::None) => {}
            (Err(()), Response::Failed(code, _)) => assert!(first && *code == 96),
            other => panic!("{name:?}: {other:?}"),
        }
    }
}

/// The certificates of [`CERTIFICATE`] and [`OTHER`].
fn certificates() -> [&'static [u8]; 2] {
    static BOTH: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let read = || [CERTIFICATE, OTHER].map(|pem| read::certificates(pem).unwrap()[0].to_vec());
    let [own, other] = BOTH.get_or_init(read);
    [own, other]
}
