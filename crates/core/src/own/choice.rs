//! Which certificate a server shows, by the name that the client asks for
//! (server_name, RFC 6066 section 3).

use std::collections::BTreeMap;
use std::sync::Arc;

use cli::{Context, Fatal, SniLevel};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::CONTEXT;
use crate::overheard::Overheard;
use crate::own::{pair, staple};

/// The certificates of a server. Names are those of the variables, never
/// those inside the certificates.
#[derive(Debug)]
pub struct Certificates {
    default: Option<Arc<CertifiedKey>>,
    named: BTreeMap<Vec<u8>, Arc<CertifiedKey>>,
    overheard: Overheard,
}

impl Certificates {
    /// Loads what `level` asks for: KEYFILE, CERTFILE and OCSPFILE, KEYFILE:x,
    /// CERTFILE:x and OCSPFILE:x.
    pub fn load(context: &Context, level: SniLevel) -> Result<Self, Fatal> {
        let default = match level {
            SniLevel::Require => None,
            _ => {
                let (key, certificate) =
                    (context.require("KEYFILE")?, context.require("CERTFILE")?);
                let mut pair = pair::load(context, key, certificate)?;
                pair.ocsp = staple::load(context, b"OCSPFILE");
                Some(Arc::new(pair))
            }
        };
        let named = match level {
            SniLevel::Ignore => BTreeMap::new(),
            _ => named(context)?,
        };
        if default.is_none() && named.is_empty() {
            return Err(Fatal::new(
                CONTEXT,
                "no certificate: neither KEYFILE:name nor CERTFILE:name is set for any name",
            ));
        }
        Ok(Self {
            default,
            named,
            overheard: Overheard::default(),
        })
    }

    /// One pair for everybody.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn only(pair: CertifiedKey) -> Self {
        Self {
            default: Some(Arc::new(pair)),
            named: BTreeMap::new(),
            overheard: Overheard::default(),
        }
    }

    /// Where they leave what the client asks for.
    pub fn overheard(&self) -> Overheard {
        self.overheard.clone()
    }

    /// The certificate for a client that asks for `name`, or for none.
    pub fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let named = name.and_then(|name| {
            let name = normal(name.as_bytes());
            self.named
                .get(&name)
                .or_else(|| self.named.get(&wildcard(&name)?))
        });
        named.or(self.default.as_ref()).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let chosen = self.choose(hello.server_name());
        let certificate = chosen.as_ref().and_then(|pair| pair.cert.first());
        self.overheard.client_asks(hello.server_name(), certificate);
        chosen
    }
}

/// The pairs whose variables bear a name.
fn named(context: &Context) -> Result<BTreeMap<Vec<u8>, Arc<CertifiedKey>>, Fatal> {
    let mut pairs = BTreeMap::new();
    for (variable, key_file) in context.env.iter() {
        let Some(name) = variable.strip_prefix(b"KEYFILE:") else {
            continue;
        };
        if name.is_empty() {
            continue;
        }
        let shown = String::from_utf8_lossy(name);
        let Some(certificate_file) = context.env.get([b"CERTFILE:", name].concat()) else {
            return Err(Fatal::new(
                CONTEXT,
                format!(
                    "environment variable KEYFILE:{shown} not paired with the corresponding CERTFILE"
                ),
            ));
        };
        let mut pair = pair::load(context, key_file, certificate_file)?;
        pair.ocsp = staple::load(context, &[b"OCSPFILE:", name].concat());
        if pairs.insert(normal(name), Arc::new(pair)).is_some() {
            return Err(Fatal::new(
                CONTEXT,
                format!(
                    "environment variable KEYFILE:{shown} is there twice: neither case nor a final dot matters in names"
                ),
            ));
        }
    }
    Ok(pairs)
}

/// The form in which names are compared: in lower case, without the final dot
/// that some clients send (RFC 6066 section 3 forbids it).
fn normal(name: &[u8]) -> Vec<u8> {
    name.strip_suffix(b".").unwrap_or(name).to_ascii_lowercase()
}

/// The wildcard that covers `name`: its first label replaced, if at least two
/// remain.
fn wildcard(name: &[u8]) -> Option<Vec<u8>> {
    let dot = name.iter().position(|byte| *byte == b'.')?;
    let parent = &name[dot..];
    let labels = parent
        .split(|byte| *byte == b'.')
        .filter(|label| !label.is_empty());
    (labels.count() >= 2).then(|| [b"*", parent].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_replaces_the_first_label_and_leaves_two() {
        for (name, expected) in [
            ("a.b.org", Some("*.b.org")),
            ("x.a.b.org", Some("*.a.b.org")),
            ("b.org", None),
            ("org", None),
            ("b.org.", None),
        ] {
            let expected = expected.map(|name| name.as_bytes().to_vec());
            assert_eq!(wildcard(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn neither_case_nor_a_final_dot_matters() {
        for name in ["a.b.org", "A.b.ORG", "a.b.org."] {
            assert_eq!(normal(name.as_bytes()), b"a.b.org", "{name}");
        }
        assert_eq!(normal(b"a.."), b"a.");
    }
}
