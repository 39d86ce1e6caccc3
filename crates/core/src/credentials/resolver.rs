//! The choice of a server's certificate by the name that the client asks for
//! (server_name, RFC 6066 section 3).

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::RawFd;
use std::sync::Arc;

use cli::message::NEEDS_A_LABEL;
use cli::{Context, Fatal, SniLevel, answers_challenges};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tunnel::handshake_facts::{HandshakeAbort, HandshakeFacts};

use crate::CONTEXT;
use crate::credentials::acme::{Asked, Protocols};
use crate::credentials::sni_directory::SniDirectory;
use crate::credentials::{certified_key, ocsp};
use crate::exit;
use crate::files::retry::Files;
use crate::files::variable;
use crate::host_name;

/// The certificates of a server with their keys. They are chosen by the names of
/// variables and files, never by the names inside the certificates.
pub struct Certificates {
    default: Option<Arc<CertifiedKey>>,
    named: BTreeMap<Vec<u8>, Arc<CertifiedKey>>,
    directory: Option<SniDirectory>,
    answers_challenges: bool,
}

impl Certificates {
    /// Loads the pairs of KEYFILE and CERTFILE, and of KEYFILE:x and CERTFILE:x, and
    /// opens SNIDIR, as far as they count at this `level`.
    pub fn load(context: &Context, files: &Files, level: SniLevel) -> Result<Self, Fatal> {
        let default = match level {
            SniLevel::Require => None,
            _ => Some(Arc::new(default(context, files)?)),
        };
        let (named, directory) = match level {
            SniLevel::Ignore => (BTreeMap::new(), None),
            _ => (named(context, files)?, directory(context, files)?),
        };
        if default.is_none() && named.is_empty() && directory.is_none() {
            return Err(Fatal::new(
                CONTEXT,
                "no certificate: set SNIDIR, or KEYFILE:name and CERTFILE:name",
            ));
        }
        Ok(Self {
            default,
            named,
            directory,
            answers_challenges: false,
        })
    }

    /// One pair for all clients.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn only(pair: CertifiedKey) -> Self {
        Self {
            default: Some(Arc::new(pair)),
            named: BTreeMap::new(),
            directory: None,
            answers_challenges: false,
        }
    }

    /// One pair for clients that ask for this name.
    #[cfg(test)]
    pub fn for_name(name: &str, pair: CertifiedKey) -> Self {
        Self {
            default: None,
            named: BTreeMap::from([(name.into(), Arc::new(pair))]),
            directory: None,
            answers_challenges: false,
        }
    }

    /// Loads the OCSP responses of the pairs: OCSPFILE and OCSPFILE:x.
    pub fn staple(&mut self, context: &Context, files: &Files) {
        let files = files.optional();
        if let Some(pair) = self.default.as_mut().and_then(Arc::get_mut) {
            pair.ocsp = ocsp::load(context, &files, b"OCSPFILE");
        }
        for name in names(context) {
            let pair = self.named.get_mut(&host_name::normalize(name));
            if let Some(pair) = pair.and_then(Arc::get_mut) {
                pair.ocsp = ocsp::load(context, &files, &[b"OCSPFILE:", name].concat());
            }
        }
    }

    /// The pair that every client gets, if the choice does not depend on the name.
    pub fn only_pair(&self) -> Option<Arc<CertifiedKey>> {
        let decides = !self.named.is_empty() || self.directory.is_some();
        self.default.clone().filter(|_| !decides)
    }

    /// The pair of KEYFILE and CERTFILE.
    pub fn default_pair(self) -> Option<Arc<CertifiedKey>> {
        self.default
    }

    /// SNIDIR, while it is open.
    pub fn directory(&self) -> Option<&SniDirectory> {
        self.directory.as_ref()
    }

    /// The number of SNIDIR's descriptor, while it is open.
    pub fn number(&self) -> Option<RawFd> {
        self.directory.as_ref().map(SniDirectory::number)
    }

    /// Closes SNIDIR.
    pub fn close_directory(&mut self) {
        self.directory = None;
    }

    /// The certificate for a client that asks for `name`, or for none. It is an
    /// error if there is a pair that cannot be used.
    pub fn choose(&self, name: Option<&str>) -> Result<Option<Arc<CertifiedKey>>, Fatal> {
        let Some(name) = name else {
            return Ok(self.default.clone());
        };
        if let Some((_, pair)) = self.named(name) {
            return Ok(Some(Arc::clone(pair)));
        }
        let found = match &self.directory {
            Some(directory) => directory.pair(name)?,
            None => None,
        };
        if let (Some(directory), None) = (&self.directory, &found) {
            directory.warn_of_unicode(name);
        }
        Ok(found.map(Arc::new).or_else(|| self.default.clone()))
    }

    /// Lets [`Self::challenge`] find challenges.
    pub fn answer_challenges(&mut self) {
        self.answers_challenges = true;
    }

    /// The certificate of the ACME challenge for `name` in SNIDIR. It is an error if there is
    /// one that cannot be used. There is none unless challenges [are to be
    /// answered](Self::answer_challenges).
    pub fn challenge(&self, name: &str) -> Result<Option<Arc<CertifiedKey>>, Fatal> {
        let found = match &self.directory {
            Some(directory) if self.answers_challenges => directory.challenge(name)?,
            _ => None,
        };
        Ok(found.map(Arc::new))
    }

    /// The pair of KEYFILE:x for a client that asks for `name`, and x, normalized.
    fn named(&self, name: &str) -> Option<(&Vec<u8>, &Arc<CertifiedKey>)> {
        let wanted = host_name::normalize(name.as_bytes());
        let wildcard = || self.named.get_key_value(&host_name::wildcard(&wanted)?);
        self.named.get_key_value(&wanted).or_else(wildcard)
    }

    /// The x of the variable KEYFILE:x that serves `name`, which may be a wildcard.
    pub fn variable_for(&self, name: &str) -> Option<&[u8]> {
        self.named(name).map(|(name, _)| name.as_slice())
    }
}

/// Whether SNIDIR is set and counts at this level.
pub fn has_directory(context: &Context, level: SniLevel) -> bool {
    level != SniLevel::Ignore && context.env.get("SNIDIR").is_some()
}

/// Refuses the protocol of ACME challenges among these if there is no directory for them. A
/// server that agrees on it without challenges breaks the assumption of RFC 8737 section 5.
pub fn check_protocols(context: &Context, level: SniLevel, alpn: &[Vec<u8>]) -> Result<(), Fatal> {
    if answers_challenges(alpn) && !has_directory(context, level) {
        let text = "--alpn=acme-tls/1 needs SNIDIR, with --sni or --mandatory-sni";
        return Err(Fatal::user(text));
    }
    Ok(())
}

/// Refuses SNIDIR without KEYFILE at a level that needs KEYFILE. If KEYFILE is set, SNIDIR is
/// ignored at that level.
pub fn check_level(context: &Context, level: SniLevel) -> Result<(), Fatal> {
    let missing = |name| context.env.get(name).is_none();
    if missing("SNIDIR") || !missing("KEYFILE") {
        return Ok(());
    }
    let why = match level {
        SniLevel::Ignore => "SNIDIR needs --sni or --mandatory-sni",
        SniLevel::Prefer => "only with --mandatory-sni is SNIDIR enough",
        SniLevel::Require => return Ok(()),
    };
    Err(Fatal::user(format!("KEYFILE not set: {why}")))
}

fn directory(context: &Context, files: &Files) -> Result<Option<SniDirectory>, Fatal> {
    let path = variable::path(context, "SNIDIR")?;
    path.map(|path| SniDirectory::open(files, path)).transpose()
}

fn default(context: &Context, files: &Files) -> Result<CertifiedKey, Fatal> {
    let key = variable::required(context, "KEYFILE")?;
    let certificate = variable::required(context, "CERTFILE")?;
    certified_key::load(files, key, certificate)
}

/// Where [`SniResolver`] gets certificates from.
pub trait CertSource: Send + Sync {
    /// The certificate and key for this name, or for none.
    fn choose(&self, name: Option<&str>) -> Result<Option<Arc<CertifiedKey>>, HandshakeAbort>;

    /// The certificate and key of the ACME challenge for this name.
    fn challenge(&self, name: &str) -> Result<Option<Arc<CertifiedKey>>, HandshakeAbort>;
}

impl CertSource for Certificates {
    fn choose(&self, name: Option<&str>) -> Result<Option<Arc<CertifiedKey>>, HandshakeAbort> {
        Self::choose(self, name).map_err(|fatal| exit::abort(&fatal))
    }

    fn challenge(&self, name: &str) -> Result<Option<Arc<CertifiedKey>>, HandshakeAbort> {
        Self::challenge(self, name).map_err(|fatal| exit::abort(&fatal))
    }
}

/// Chooses the certificate for rustls, and records what it learns of the client.
pub struct SniResolver<C> {
    /// Where the certificates come from.
    pub source: C,
    /// The server's application protocols.
    pub protocols: Protocols,
    /// Where the client's offer, or the reason to abort, is recorded.
    pub facts: HandshakeFacts,
}

impl<C> fmt::Debug for SniResolver<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SniResolver")
    }
}

impl<C: CertSource> ResolvesServerCert for SniResolver<C> {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let offer = || hello.alpn().into_iter().flatten();
        self.facts.client_offers(offer());
        let asked = self.protocols.asked(offer());
        self.facts.client_wants_challenge(asked == Asked::Challenge);
        let name = hello.server_name();
        let chosen = match asked {
            Asked::Certificate => self.source.choose(name),
            Asked::Challenge => name.map_or(Ok(None), |name| self.source.challenge(name)),
            Asked::Nothing => Err(HandshakeAbort::NoProtocol),
        };
        match chosen {
            Ok(chosen) => {
                let certificate = chosen.as_ref().and_then(|pair| pair.cert.first());
                self.facts.client_asks(name, certificate);
                chosen
            }
            Err(reason) => {
                self.facts.client_asks(name, None);
                self.facts.abort(reason);
                None
            }
        }
    }
}

/// The names x of all variables KEYFILE:x.
pub fn names(context: &Context) -> impl Iterator<Item = &[u8]> {
    let variables = context.env.iter().map(|(variable, _)| variable);
    let names = variables.filter_map(|variable| variable.strip_prefix(b"KEYFILE:"));
    names.filter(|name| !name.is_empty())
}

/// Loads the pairs of KEYFILE:x and CERTFILE:x.
fn named(context: &Context, files: &Files) -> Result<BTreeMap<Vec<u8>, Arc<CertifiedKey>>, Fatal> {
    let mut pairs = BTreeMap::new();
    for name in names(context) {
        let shown = String::from_utf8_lossy(name);
        let path = |prefix: &[u8]| variable::path(context, [prefix, name].concat());
        let Some(certificate_file) = path(b"CERTFILE:")? else {
            return Err(Fatal::new(
                CONTEXT,
                format!(
                    "environment variable KEYFILE:{shown} not paired with the \
                     corresponding CERTFILE"
                ),
            ));
        };
        let key_file = path(b"KEYFILE:")?.unwrap_or_default();
        let pair = certified_key::load(files, key_file, certificate_file)?;
        if pairs
            .insert(host_name::normalize(name), Arc::new(pair))
            .is_some()
        {
            return Err(Fatal::new(
                CONTEXT,
                format!(
                    "environment variable KEYFILE:{shown} is there twice: neither case \
                     nor a final dot matters in names"
                ),
            ));
        }
        if !name.is_ascii() {
            context.warn(&format!(
                "environment variable KEYFILE:{shown} is of no use: {NEEDS_A_LABEL}"
            ));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const LEVELS: [SniLevel; 3] = [SniLevel::Ignore, SniLevel::Prefer, SniLevel::Require];

    /// Where the files of the tests are.
    const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pki/src/testdata");

    /// A context with a pair for each of these names, where "" is the default pair.
    fn with_pairs(names: &[&str]) -> Context {
        let mut context = testing::context();
        for name in names {
            let name = name.to_string();
            let suffix = if name.is_empty() {
                name
            } else {
                format!(":{name}")
            };
            let variables = [("KEYFILE", "key.pem"), ("CERTFILE", "certificate.pem")];
            for (variable, file) in variables {
                let path = format!("{TESTDATA}/{file}");
                context.env.set(format!("{variable}{suffix}"), path);
            }
        }
        context
    }

    fn load(context: &Context, level: SniLevel) -> Result<Certificates, String> {
        let loaded = Certificates::load(context, &Files::at_once(context), level);
        loaded.map_err(|fatal| fatal.message().to_owned())
    }

    /// Whether there is a pair for `name`, or for no name.
    fn has(certificates: &Certificates, name: Option<&str>) -> bool {
        certificates.choose(name).unwrap().is_some()
    }

    #[test]
    fn the_level_decides_which_pairs_count() {
        let mut context = with_pairs(&["", "a.test"]);
        context.env.set("SNIDIR", TESTDATA);
        for (level, by_default, by_name) in [
            (SniLevel::Ignore, true, false),
            (SniLevel::Prefer, true, true),
            (SniLevel::Require, false, true),
        ] {
            let mut certificates = load(&context, level).unwrap();
            assert_eq!(has(&certificates, None), by_default, "{level:?}");
            assert_eq!(has(&certificates, Some("b.test")), by_default);
            assert_eq!(certificates.named.contains_key(&b"a.test"[..]), by_name);
            assert_eq!(certificates.number().is_some(), by_name);
            assert_eq!(has_directory(&context, level), by_name);
            certificates.close_directory();
            assert!(certificates.number().is_none());
        }
        assert!(
            !LEVELS
                .iter()
                .any(|level| has_directory(&with_pairs(&[""]), *level))
        );
    }

    #[test]
    fn a_name_has_its_own_pair_or_that_of_its_wildcard() {
        let context = with_pairs(&["a.test", "*.b.test"]);
        let certificates = load(&context, SniLevel::Require).unwrap();
        for (name, found) in [
            ("a.test", true),
            ("A.TEST.", true),
            ("x.b.test", true),
            ("b.test", false),
            ("x.a.test", false),
        ] {
            assert_eq!(has(&certificates, Some(name)), found, "{name}");
        }
    }

    #[test]
    fn variables_with_an_empty_name_do_not_count() {
        for name in ["KEYFILE:", "CERTFILE:"] {
            let mut context = with_pairs(&[""]);
            context.env.set(name, "/nonexistent");
            assert!(load(&context, SniLevel::Prefer).unwrap().named.is_empty());
        }
        let mut context = testing::context();
        context.env.set("KEYFILE:", "/nonexistent");
        context.env.set("CERTFILE:", "/nonexistent");
        assert!(load(&context, SniLevel::Require).is_err());
    }

    #[test]
    fn at_level_2_any_pair_with_a_name_or_a_directory_is_enough() {
        let why = "no certificate: set SNIDIR, or KEYFILE:name and CERTFILE:name";
        let refused = load(&with_pairs(&[""]), SniLevel::Require).err();
        assert_eq!(refused.as_deref(), Some(why));
        assert!(load(&with_pairs(&["a.test"]), SniLevel::Require).is_ok());
        let mut context = testing::context();
        context.env.set("SNIDIR", TESTDATA);
        assert!(load(&context, SniLevel::Require).is_ok());
    }

    #[test]
    fn snidir_without_a_default_pair_is_refused_below_level_2() {
        let refused = |context: &Context| {
            LEVELS.map(|level| {
                let refused = check_level(context, level).err();
                refused.map(|fatal| fatal.message().to_owned())
            })
        };
        let mut context = testing::context();
        assert_eq!(refused(&context), [None, None, None]);
        context.env.set("SNIDIR", TESTDATA);
        let why = |why| Some(format!("KEYFILE not set: {why}"));
        let ignored = why("SNIDIR needs --sni or --mandatory-sni");
        let preferred = why("only with --mandatory-sni is SNIDIR enough");
        assert_eq!(refused(&context), [ignored, preferred, None]);
        let mut context = with_pairs(&[""]);
        context.env.set("SNIDIR", TESTDATA);
        assert_eq!(refused(&context), [None, None, None]);
    }
}
