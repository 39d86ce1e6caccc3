//! The chain from the peer's certificate to a trust anchor (RFC 5280 section 6).
//! webpki builds and verifies it. Checks that webpki lacks are added here.

use pki::x509::der::{SEQUENCE, element_of};
use pki::x509::public_key::PublicKey;
use pki::x509::{Certificate, KeyUse, kind, limit_host_names};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime};
use rustls::{CertificateError, Error};
use std::cell::Cell;
use std::cmp::Ordering;
use tunnel::explain::refusal::{RSA_BITS, RSA_EXPONENT_BITS, Refusal, refused};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::crypto;
use crate::verify::crl::RevocationLists;
use crate::verify::revocation::Lookup;
use crate::verify::trust_anchors::Anchors;

/// The certificates that a peer sent, and their purpose.
pub struct Chain<'a> {
    /// The peer's own certificate.
    pub end_entity: &'a CertificateDer<'a>,
    /// The other certificates that it sent, in any order.
    pub intermediates: &'a [CertificateDer<'a>],
    /// The extended key usage (RFC 5280 section 4.2.1.12): a client's or a
    /// server's.
    pub usage: KeyUsage,
    /// Whether its common name counts as a host name. Name constraints do not apply
    /// to common names, so no issuer may have any that limit host names.
    pub common_name_counts: bool,
}

/// What a chain must lead to.
pub struct Target<'a> {
    /// One of these.
    pub roots: &'a [TrustAnchor<'a>],
    /// These must not revoke it, if there are any.
    pub revocations: Option<&'a RevocationLists>,
    /// Other paths do not count. None: every path counts.
    pub accept: Option<&'a dyn Fn(&VerifiedPath<'_>) -> bool>,
}

impl Chain<'_> {
    /// Checks that it leads to one of `anchors`, is valid `now`, and is not revoked by
    /// `revocations`, if there are any. If a list is the reason and the error does not
    /// name it, `explain` gets the text that does. Of a certificate that is itself an anchor,
    /// only the dates are checked.
    pub fn verify(
        &self,
        anchors: &Anchors,
        revocations: Option<&RevocationLists>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
        explain: impl FnOnce(String),
    ) -> Result<(), Error> {
        if anchors.contain(self.end_entity) {
            return match fields(self.end_entity)?.validity(now.as_secs()) {
                Ordering::Less => Err(CertificateError::NotValidYet.into()),
                Ordering::Equal => Ok(()),
                Ordering::Greater => Err(CertificateError::Expired.into()),
            };
        }
        let target = Target {
            roots: &self.roots(anchors),
            revocations,
            accept: None,
        };
        let mut explain = Some(explain);
        self.verify_to(&target, now, algorithms, &mut |why| {
            if let Some(explain) = explain.take() {
                explain(why);
            }
        })
    }

    /// Those of `anchors` that certificates of the chain name as their issuer.
    pub fn roots(&self, anchors: &Anchors) -> Vec<TrustAnchor<'static>> {
        let wanted = self.named_issuers();
        anchors.roots(|subject| wanted.contains(&subject))
    }

    /// Checks as [`Chain::verify`] that it leads to `target`, also if it is itself an anchor.
    pub fn verify_to(
        &self,
        target: &Target<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
        explain: &mut dyn FnMut(String),
    ) -> Result<(), Error> {
        let end_entity = EndEntityCert::try_from(self.end_entity).map_err(refused)?;
        let issuers = self.fit_issuers();
        let roots = target.roots;
        let lookup = (target.revocations).map(|lists| Lookup::new(lists, now, algorithms));
        // Each path is checked on its own: if one is refused there may be another.
        let refusal = Cell::new(None);
        let acceptable = |path: &VerifiedPath<'_>| {
            if self.common_name_counts {
                no_limit_on_host_names(path)?;
            }
            if target.accept.is_some_and(|accept| !accept(path)) {
                return Err(webpki::Error::UnknownIssuer);
            }
            let Some(lookup) = &lookup else {
                return Ok(());
            };
            lookup.check(path).map_err(|refused| {
                let error = refused.error.clone();
                refusal.set(Some(refused));
                error
            })
        };
        let (all, verify_path) = (algorithms.all, Some(&acceptable as _));
        let path =
            end_entity.verify_for_usage(all, roots, &issuers, now, self.usage, None, verify_path);
        // If only revocation lists make a path invalid, its refusal says more than that of other
        // paths.
        let path = path.map(drop).map_err(|error| {
            let Some(refused) = refusal.take() else {
                return error;
            };
            refused.why.map(explain);
            refused.error
        });
        self.judge(path, roots)
    }

    /// Whether a path is accepted, or why there is none to `roots`.
    ///
    /// Upstream (doc/upstream.md, Key usage): webpki does not look at the keyUsage of the
    /// peer's certificate.
    fn judge(
        &self,
        path: Result<(), webpki::Error>,
        roots: &[TrustAnchor<'_>],
    ) -> Result<(), Error> {
        match path {
            Ok(_) if fields(self.end_entity)?.allows(KeyUse::DigitalSignature) => Ok(()),
            Ok(_) => Err(Refusal::KeyUsage.into()),
            Err(webpki::Error::UnknownIssuer) if self.has_unfit_issuer() => {
                Err(Refusal::IssuerKeyUsage.into())
            }
            Err(webpki::Error::BadDerTime) if self.begins_before_1970() => {
                Err(Refusal::BeforeEpoch.into())
            }
            Err(
                error @ (webpki::Error::UnsupportedSignatureAlgorithmContext(_)
                | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)),
            ) => Err(self.unknown_issuer_key(roots).map_or_else(
                || refused(error),
                |kind| Refusal::IssuerKeyType(kind).into(),
            )),
            Err(error @ webpki::Error::InvalidSignatureForPublicKey) => Err(self
                .unverifiable_issuer(roots)
                .map_or_else(|| refused(error), Into::into)),
            Err(error) => Err(refused(error)),
        }
    }

    /// The intermediates that may issue certificates, each once: webpki would try a path by each
    /// copy.
    fn fit_issuers(&self) -> Vec<CertificateDer<'_>> {
        let mut fit: Vec<CertificateDer<'_>> = Vec::new();
        for der in self.intermediates {
            if !fit.contains(der) && may_sign_certificates(der) {
                fit.push(CertificateDer::from(der.as_ref()));
            }
        }
        fit
    }

    /// Whether an issuer was left out because of its keyUsage.
    fn has_unfit_issuer(&self) -> bool {
        let unfit = |issuer: &Certificate<'_>| !issuer.allows(KeyUse::KeyCertSign);
        self.issuers().any(|issuer| unfit(&issuer))
    }

    /// The refusal of an issuer's RSA key whose signatures cannot be verified because
    /// of its size or exponent.
    fn unverifiable_issuer(&self, roots: &[TrustAnchor<'_>]) -> Option<Refusal> {
        self.issuer_keys(roots).find_map(|key| {
            let (bits, exponent) = (key.rsa_bits()?, key.rsa_exponent_bits()?);
            if !RSA_BITS.contains(&bits) {
                Some(Refusal::IssuerKeySize(bits))
            } else if exponent > RSA_EXPONENT_BITS {
                Some(Refusal::IssuerKeyExponent(exponent))
            } else {
                None
            }
        })
    }

    /// The type of an issuer's key whose signatures cannot be verified.
    fn unknown_issuer_key(&self, roots: &[TrustAnchor<'_>]) -> Option<String> {
        let mut kinds = self.issuer_keys(roots).map(|key| key.algorithm);
        let unknown = kinds.find(|algorithm| !crypto::can_verify(algorithm));
        unknown.map(kind::name)
    }

    /// The keys of anchors and intermediates that may have issued the chain.
    fn issuer_keys<'a>(
        &'a self,
        roots: &'a [TrustAnchor<'_>],
    ) -> impl Iterator<Item = PublicKey<'a>> {
        let anchors = roots.iter().map(|anchor| &anchor.subject_public_key_info);
        let keys = anchors.filter_map(|info| PublicKey::parse_content(info));
        let issuers = self.issuers().filter_map(|issuer| issuer.public_key());
        keys.chain(issuers)
    }

    /// Whether a certificate begins before 1970.
    ///
    /// Upstream (doc/upstream.md, Dates before 1970): webpki cannot read such a time.
    fn begins_before_1970(&self) -> bool {
        let own = Certificate::parse(self.end_entity).into_iter();
        let mut all = own.chain(self.issuers());
        all.any(|certificate| certificate.begins_before_1970())
    }

    /// The intermediates that another certificate names as its issuer.
    fn issuers(&self) -> impl Iterator<Item = Certificate<'_>> {
        let named = self.named_issuers();
        let all = (self.intermediates.iter()).filter_map(|der| Certificate::parse(der));
        all.filter(move |issuer| named.contains(&issuer.subject().0))
    }

    /// The names of issuers in all certificates that the peer sent, each once.
    pub fn named_issuers(&self) -> Vec<&[u8]> {
        let sent = [self.end_entity].into_iter().chain(self.intermediates);
        let parsed = sent.filter_map(|der| Certificate::parse(der));
        let mut names: Vec<&[u8]> = parsed.map(|sent| sent.issuer().0).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Upstream (doc/upstream.md, Key usage): webpki does not look at keyUsage.
fn may_sign_certificates(der: &CertificateDer<'_>) -> bool {
    Certificate::parse(der).is_some_and(|issuer| issuer.allows(KeyUse::KeyCertSign))
}

/// Checks that no issuer of this path has constraints that limit host names.
fn no_limit_on_host_names(path: &VerifiedPath<'_>) -> Result<(), webpki::Error> {
    let anchor = path.anchor().name_constraints.as_ref();
    let mut limited = anchor.is_some_and(|constraints| limit_host_names(constraints));
    for issuer in path.intermediate_certificates() {
        let der = issuer.der();
        limited |= Certificate::parse(&der).is_none_or(|issuer| issuer.limits_host_names());
    }
    if limited {
        Err(webpki::Error::NameConstraintViolation)
    } else {
        Ok(())
    }
}

/// The SubjectPublicKeyInfo of an anchor. `TrustAnchor` has only its content.
pub fn anchor_key(
    anchor: &TrustAnchor<'_>,
) -> Result<SubjectPublicKeyInfoDer<'static>, webpki::Error> {
    let key = element_of(SEQUENCE, &[&anchor.subject_public_key_info]);
    key.map(Into::into).ok_or(webpki::Error::BadDer)
}

/// Reads the fields that webpki does not make public.
pub fn fields<'a>(der: &'a CertificateDer<'_>) -> Result<Certificate<'a>, Error> {
    Certificate::parse(der).ok_or_else(|| CertificateError::BadEncoding.into())
}
