//! Which requests of the engine the guard grants, and how often: an engine that an
//! attacker has taken over gets no more than a handshake needs. Nothing here does I/O.

use std::sync::Arc;

use cli::Fatal;
use rustls::SignatureScheme;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::sign::{CertifiedKey, Signer, SigningKey};

use super::message::{PublicCredential, Request, Response};
use super::signed_content::is_handshake_content;
use super::{PrivateMaterial, Role};
use crate::credentials::sessions::Sessions;
use crate::credentials::ticketer::Content;
use crate::crypto::rsa_pss;

/// Every scheme by which the keys that can be loaded may sign.
const SCHEMES: [SignatureScheme; 12] = [
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ED25519,
    rsa_pss::SCHEMES[0],
    rsa_pss::SCHEMES[1],
    rsa_pss::SCHEMES[2],
];

/// The secrets, the choice of the certificate, and what is left of each budget.
pub struct SigningPolicy {
    role: Role,
    material: PrivateMaterial,
    chosen: Option<Choice>,
    signatures: u8,
    seals: u8,
    opens: u8,
    /// The time of the full handshake that the session of the opened ticket comes from.
    authenticated: Option<UnixTime>,
}

/// The choice, which is made once for the connection.
struct Choice {
    name: Option<Vec<u8>>,
    /// Whether it is the pair of an ACME challenge.
    challenge: bool,
    pair: Option<Arc<CertifiedKey>>,
}

impl SigningPolicy {
    /// A policy with all of its budgets: what one handshake needs.
    pub fn new(role: Role, material: PrivateMaterial) -> Self {
        Self {
            role,
            material,
            chosen: None,
            signatures: 1,
            seals: 2,
            opens: 1,
            authenticated: None,
        }
    }

    /// The first response. If every client gets the same pair, it is chosen, and told
    /// without a request.
    pub fn ready(&mut self) -> Response {
        let pair = self.material.certificates.only_pair();
        let public = pair.as_deref().map(public);
        self.chosen = pair.map(|pair| Choice {
            name: None,
            challenge: false,
            pair: Some(pair),
        });
        Response::Ready(public)
    }

    /// Whether nothing can be granted any more. Tickets come after the signature.
    pub fn is_spent(&self) -> bool {
        self.signatures == 0 && self.material.sessions.is_none()
    }

    /// Whether the certificate was chosen: no more files are needed.
    pub fn has_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Closes SNIDIR, which only the choice needs.
    pub fn close_files(&mut self) {
        self.material.certificates.close_directory();
    }

    /// The response to a message of this kind and content.
    pub fn respond(&mut self, kind: u8, content: &[u8], now: UnixTime) -> Response {
        let bytes = match Request::parse(kind, content) {
            Some(Request::Pair(name)) => return self.pair(name, false),
            Some(Request::Challenge(name)) => return self.pair(Some(name), true),
            Some(Request::Signature(scheme, text)) => return self.sign(scheme, text),
            Some(Request::Seal(state)) => self.seal(state, now),
            Some(Request::Open(ticket)) => self.open(ticket, now),
            None => None,
        };
        bytes.map_or(Response::None, Response::Bytes)
    }

    /// The first request decides. Later ones, as after a HelloRetryRequest, get the
    /// same certificate if they ask for the same.
    fn pair(&mut self, name: Option<&[u8]>, challenge: bool) -> Response {
        let mut failed = None;
        let material = &self.material;
        let choice = self.chosen.get_or_insert_with(|| Choice {
            name: name.map(<[u8]>::to_vec),
            challenge,
            pair: match name {
                Some(name) if challenge => material.challenge(name),
                name => material.choose(name),
            }
            .unwrap_or_else(|fatal| {
                failed = Some(fatal);
                None
            }),
        });
        let same = choice.name.as_deref() == name && choice.challenge == challenge;
        match (&choice.pair, failed) {
            (_, Some(fatal)) => Response::Failed(fatal.code(), fatal.message().to_owned()),
            (Some(pair), None) if same => Response::Pair(public(pair)),
            _ => Response::None,
        }
    }

    fn sign(&mut self, scheme: SignatureScheme, text: &[u8]) -> Response {
        match self.signer(scheme, text).map(|signer| signer.sign(text)) {
            Some(Ok(signature)) => Response::Bytes(signature),
            // Most likely the system gives no random bytes. The text is that of an
            // engine without guard.
            Some(Err(error)) => {
                let why = tunnel::explain::text(&error);
                Response::Failed(Fatal::SYSTEM, format!("handshake failed: {why}"))
            }
            None => Response::None,
        }
    }

    /// The signer for `text`, if this text may be signed and the budget allows it.
    fn signer(&mut self, scheme: SignatureScheme, text: &[u8]) -> Option<Box<dyn Signer>> {
        let pair = self.chosen.as_ref()?.pair.as_ref()?;
        if !is_handshake_content(self.role, scheme, text) {
            return None;
        }
        let signer = pair.key.choose_scheme(&[scheme])?;
        spend(&mut self.signatures)?;
        Some(signer)
    }

    fn seal(&mut self, state: &[u8], now: UnixTime) -> Option<Vec<u8>> {
        let left = self.seals.checked_sub(1)?;
        let content = Content {
            state: state.to_vec(),
            authenticated: self.authenticated(now)?,
        };
        let sealed = self.sessions()?.seal(self.shown()?, &content, now)?;
        self.seals = left;
        Some(sealed)
    }

    fn open(&mut self, ticket: &[u8], now: UnixTime) -> Option<Vec<u8>> {
        let left = self.opens.checked_sub(1)?;
        // A client may offer several (RFC 8446 section 4.2.11). Those that do not
        // open reveal nothing, so they cost nothing.
        let content = self.sessions()?.open(self.shown()?, ticket, now)?;
        self.opens = left;
        self.authenticated = Some(content.authenticated);
        Some(content.state)
    }

    /// The time of the full handshake for a new ticket: `now` after the signature of one.
    /// Before that, an engine that an attacker has taken over could make an old session new.
    fn authenticated(&self, now: UnixTime) -> Option<UnixTime> {
        let signed = self.signatures == 0;
        self.authenticated.or(signed.then_some(now))
    }

    /// The sessions. Those with an ACME challenge are not resumed.
    fn sessions(&self) -> Option<&Sessions> {
        let challenge = self.chosen.as_ref().is_some_and(|choice| choice.challenge);
        self.material.sessions.as_ref().filter(|_| !challenge)
    }

    /// The chosen certificate.
    fn shown(&self) -> Option<&CertificateDer<'static>> {
        self.chosen.as_ref()?.pair.as_ref()?.cert.first()
    }
}

/// Takes one from a budget; None if the budget is empty.
fn spend(left: &mut u8) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

fn public(pair: &CertifiedKey) -> PublicCredential {
    PublicCredential {
        algorithm: pair.key.algorithm(),
        schemes: schemes(&*pair.key),
        chain: pair.cert.clone(),
        ocsp: pair.ocsp.clone(),
    }
}

/// The schemes by which `key` can sign, in its order of preference.
fn schemes(key: &dyn SigningKey) -> Vec<SignatureScheme> {
    let mut offered = SCHEMES.to_vec();
    let mut schemes = Vec::new();
    while let Some(signer) = key.choose_scheme(&offered) {
        schemes.push(signer.scheme());
        offered.retain(|scheme| *scheme != signer.scheme());
    }
    schemes
}

#[cfg(test)]
mod tests;
