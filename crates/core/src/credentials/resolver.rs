//! The choice of a server's certificate by the name that the client asks for
//! (server_name, RFC 6066 section 3).

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::RawFd;
use std::sync::Arc;

use cli::message::NEEDS_A_LABEL;
use cli::{Context, Fatal, SniLevel};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tunnel::handshake_facts::{HandshakeAbort, HandshakeFacts};

use crate::CONTEXT;
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
                "no certificate: neither KEYFILE:name nor CERTFILE:name is set for any name",
            ));
        }
        Ok(Self {
            default,
            named,
            directory,
        })
    }

    /// One pair for all clients.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn only(pair: CertifiedKey) -> Self {
        Self {
            default: Some(Arc::new(pair)),
            named: BTreeMap::new(),
            directory: None,
        }
    }

    /// Loads the OCSP responses of the pairs: OCSPFILE and OCSPFILE:x. They have
    /// their own time to wait, as they must not use up that of keys.
    pub fn staple(&mut self, context: &Context, files: &Files) {
        let files = files.with_own_pauses();
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

    /// The pair of KEYFILE and CERTFILE.
    pub fn default_pair(self) -> Option<Arc<CertifiedKey>> {
        self.default
    }

    /// Whether files are read once the name is known: SNIDIR is open.
    pub fn needs_files(&self) -> bool {
        self.directory.is_some()
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
        let wanted = host_name::normalize(name.as_bytes());
        let wildcard = || self.named.get(&host_name::wildcard(&wanted)?);
        if let Some(pair) = self.named.get(&wanted).or_else(wildcard) {
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
}

/// Whether SNIDIR is set and counts at this level.
pub fn has_directory(context: &Context, level: SniLevel) -> bool {
    level != SniLevel::Ignore && context.env.get("SNIDIR").is_some()
}

/// Refuses SNIDIR without KEYFILE at a level that needs KEYFILE. With it, SNIDIR
/// may be set: it is only not used.
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
}

impl CertSource for Certificates {
    fn choose(&self, name: Option<&str>) -> Result<Option<Arc<CertifiedKey>>, HandshakeAbort> {
        Self::choose(self, name).map_err(|fatal| exit::abort(&fatal))
    }
}

/// Chooses the certificate for rustls, and records what it learns of the client.
pub struct SniResolver<C> {
    /// Where the certificates come from.
    pub source: C,
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
        let offer = hello.alpn().into_iter().flatten();
        self.facts.client_offers(offer);
        match self.source.choose(hello.server_name()) {
            Ok(chosen) => {
                let certificate = chosen.as_ref().and_then(|pair| pair.cert.first());
                self.facts.client_asks(hello.server_name(), certificate);
                chosen
            }
            Err(reason) => {
                self.facts.client_asks(hello.server_name(), None);
                self.facts.abort(reason);
                None
            }
        }
    }
}

/// The names x of all variables KEYFILE:x.
fn names(context: &Context) -> impl Iterator<Item = &[u8]> {
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
