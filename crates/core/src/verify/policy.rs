//! The verification policy: which certificates an engine accepts.

use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex};

use cli::{Context, EngineOptions, Fatal, Pin};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::{CertificateError, Error};
use tunnel::handshake_facts::HandshakeFacts;
use webpki::VerifiedPath;

use crate::files::retry::Files;
use crate::files::variable;
use crate::verify::chain::{Chain, Target};
use crate::verify::crl::RevocationLists;
use crate::verify::dane::Dane;
use crate::verify::pins;
use crate::verify::trust_anchors::{Anchors, Source};
use crate::{CONTEXT, crypto};

/// What a certificate must be. If nothing is set, any certificate is accepted as
/// long as the peer proves possession of its key.
#[derive(Debug, Default)]
pub struct VerificationPolicy {
    /// Its chain must lead to one of these.
    pub anchors: Option<Anchors>,
    /// It must match one of these records, if there are any. The anchors count only as
    /// far as the records say.
    pub dane: Option<Arc<Dane>>,
    /// It must have one of these, if there are any.
    pub pins: Vec<Pin>,
    /// They must not revoke it, or with `CrlCheck::Chain` its issuers.
    pub revocations: Option<RevocationLists>,
    /// Where the reason for a refusal is recorded if rustls has no error for it.
    pub facts: HandshakeFacts,
}

/// The files that a policy is loaded from.
pub struct Sources {
    /// The trust anchors; None: no chain is verified.
    pub anchors: Option<Source>,
    /// The revocation lists.
    pub crl_file: Option<OsString>,
    /// The TLSA records, if at least one is usable.
    pub dane: Option<Arc<Dane>>,
    files: Files,
}

impl Sources {
    /// These anchors, and the revocation lists of CRLFILE.
    pub fn new(context: &Context, files: &Files, anchors: Option<Source>) -> Self {
        Self {
            anchors,
            crl_file: context.env.get("CRLFILE").map(Into::into),
            dane: None,
            files: files.clone(),
        }
    }

    /// Whether a TLSA record describes a trust anchor (usage 2).
    pub fn has_dane_anchors(&self) -> bool {
        self.dane.as_ref().is_some_and(|dane| dane.has_anchors())
    }
}

/// A place for a policy, which a verifier takes out of it once. A client makes its
/// verifier before its ClientHello and loads the policy after it. And rustls keeps
/// the verifier as long as the connection, but the policy is freed after use.
#[derive(Clone, Debug, Default)]
pub struct TrustCell(Arc<Mutex<Option<VerificationPolicy>>>);

impl TrustCell {
    /// Sets the policy.
    pub fn set(&self, policy: VerificationPolicy) {
        *unix::lock(&self.0) = Some(policy);
    }

    /// Takes the policy. If it was not set, no peer is trusted.
    pub fn take(&self) -> Result<VerificationPolicy, Error> {
        let missing = || Error::General("nothing says whom to trust".to_owned());
        unix::lock(&self.0).take().ok_or_else(missing)
    }
}

impl From<VerificationPolicy> for TrustCell {
    fn from(policy: VerificationPolicy) -> Self {
        Self(Arc::new(Mutex::new(Some(policy))))
    }
}

impl VerificationPolicy {
    /// Loads the anchors of `sources`, and if there are any the revocation lists.
    /// Pins and the depth of the check are those of `options`.
    pub fn load(
        sources: &Sources,
        options: &EngineOptions,
        facts: HandshakeFacts,
    ) -> Result<Self, Fatal> {
        let files = &sources.files;
        let source = sources.anchors.as_ref();
        let chains = source.is_some() || sources.has_dane_anchors();
        let crl_file = sources.crl_file.as_deref().filter(|_| chains);
        if crl_file.is_some_and(OsStr::is_empty) {
            return Err(Fatal::new(CONTEXT, variable::empty("CRLFILE")));
        }
        let anchors = |source| Anchors::load(files, source);
        let lists = |path| RevocationLists::load(files, path, options.crl_check);
        Ok(Self {
            anchors: source.map(anchors).transpose()?,
            dane: sources.dane.clone(),
            pins: options.pins.clone(),
            revocations: crl_file.map(lists).transpose()?,
            facts,
        })
    }

    /// Checks that the peer's own certificate has one of the pins, if there are any.
    pub fn check_pins(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        if self.pins.is_empty() || pins::contain(&self.pins, certificate) {
            return Ok(());
        }
        let hash = crypto::fingerprint(certificate);
        self.facts
            .refuse(format!("remote certificate {hash} is not among the pins"));
        // Of the errors with the alert bad_certificate, this one fits best.
        Err(CertificateError::NotValidForName.into())
    }

    /// Checks that the chain leads to an anchor, if there are any. Of a certificate
    /// that is itself an anchor, only the dates are checked.
    pub fn verify(
        &self,
        chain: &Chain<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let Some(anchors) = &self.anchors else {
            return Ok(());
        };
        let explain = |why: String| self.explain(&why);
        let revocations = self.revocations.as_ref();
        chain.verify(anchors, revocations, now, algorithms, explain)
    }

    /// Checks that the chain leads to one of `roots` by a path that `accept` accepts.
    pub fn verify_to(
        &self,
        chain: &Chain<'_>,
        roots: &[TrustAnchor<'_>],
        accept: &dyn Fn(&VerifiedPath<'_>) -> bool,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let target = Target {
            roots,
            revocations: self.revocations.as_ref(),
            accept: Some(accept),
        };
        chain.verify_to(&target, now, algorithms, &mut |why| self.explain(&why))
    }

    fn explain(&self, why: &str) {
        let why = format!("certificate of remote refused: {why}");
        self.facts.refuse(why);
    }
}
