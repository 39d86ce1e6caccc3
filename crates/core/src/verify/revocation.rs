//! The lookup of a path's certificates in revocation lists (RFC 5280 section 6.3).
//!
//! Upstream (doc/upstream.md, One revocation list for a name): webpki uses the first
//! list that has the name of the issuer, but an issuer with an old and a new key has
//! two. So the list for a certificate is chosen here.
//!
//! A peer that has proved nothing yet chooses the certificates and so the number of paths. Lists may
//! have many entries: in one verification each is read once for each key and serial number.

use std::cell::RefCell;
use std::iter::once;
use std::time::Duration;

use cli::CrlCheck;
use pki::x509::{Certificate, KeyUse, distribution_point};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use webpki::{Error, VerifiedPath};

use crate::verify::chain::anchor_key;
use crate::verify::crl::{List, RevocationLists, shown};

/// The lists, as one verification of a chain uses them.
pub struct Lookup<'a> {
    counting: Vec<Known<'a>>,
    later: Vec<Known<'a>>,
    check: CrlCheck,
    now: UnixTime,
    algorithms: &'a WebPkiSupportedAlgorithms,
}

/// A list, and what has been found out about it.
struct Known<'a> {
    list: &'a List,
    /// Whether the key has signed it.
    signed: Memo<bool>,
    /// Whether it has the serial number.
    revoked: Memo<Result<bool, Error>>,
}

/// Why a path is refused by the lists.
pub struct Refused {
    /// The error, which decides the alert.
    pub error: Error,
    /// The text for the message, if the error alone does not say enough.
    pub why: Option<String>,
}

/// A certificate of a path, with what is needed of its issuer.
struct Issued<'a> {
    certificate: Certificate<'a>,
    /// The content of its serialNumber.
    serial: &'a [u8],
    /// Whether it is the issuer of another certificate of the path.
    is_ca: bool,
    /// The SubjectPublicKeyInfo of its issuer.
    issuer_key: SubjectPublicKeyInfoDer<'a>,
    /// Whether keyUsage allows the issuer to sign lists.
    may_sign_lists: bool,
}

impl<'a> Lookup<'a> {
    /// For a verification at this time.
    pub fn new(
        lists: &'a RevocationLists,
        now: UnixTime,
        algorithms: &'a WebPkiSupportedAlgorithms,
    ) -> Self {
        Self {
            counting: lists.counting(now).into_iter().map(Known::new).collect(),
            later: lists.later(now).map(Known::new).collect(),
            check: lists.check,
            now,
            algorithms,
        }
    }

    /// Checks that the lists revoke nothing on this path, and leave nothing out.
    pub fn check(&self, path: &VerifiedPath<'_>) -> Result<(), Refused> {
        let issuers: Vec<_> = path.intermediate_certificates().collect();
        let ders: Vec<_> = issuers.iter().map(|issuer| issuer.der()).collect();
        let end_entity = path.end_entity().der();
        let path_ders: Vec<_> = once(&end_entity).chain(&ders).collect();
        let serials =
            once(path.end_entity().serial()).chain(issuers.iter().map(|own| own.serial()));
        let issued = serials.enumerate().map(|(depth, serial)| {
            let issuer = path_ders
                .get(depth + 1)
                .map(|der| parsed(der))
                .transpose()?;
            Ok(Issued {
                certificate: parsed(path_ders[depth])?,
                serial,
                is_ca: depth > 0,
                issuer_key: match &issuer {
                    Some(issuer) => issuer.public_key_info().into(),
                    None => anchor_key(path.anchor())?,
                },
                may_sign_lists: issuer.is_none_or(|issuer| issuer.allows(KeyUse::CrlSign)),
            })
        });
        let issued = issued.collect::<Result<Vec<_>, Error>>()?;
        let depth = match self.check {
            CrlCheck::Leaf => 1,
            CrlCheck::Chain => issued.len(),
        };
        let mut from_anchor = issued.iter().take(depth).rev();
        from_anchor.try_for_each(|issued| self.check_one(issued))
    }

    /// Checks that this certificate is not revoked. The checks are in webpki's order.
    fn check_one(&self, issued: &Issued<'_>) -> Result<(), Refused> {
        let Some(known) = self.list_for(issued, &self.counting) else {
            return Err(self.no_list_for(issued));
        };
        let next_update = known.list.next_update();
        if next_update <= self.now.as_secs() {
            let error = Error::CrlExpired {
                time: self.now,
                next_update: UnixTime::since_unix_epoch(Duration::from_secs(next_update)),
            };
            let name = issued.issuer_name();
            let why = format!("the revocation list of {name} is out of date");
            return Err(Refused::because(error, why));
        }
        if !issued.may_sign_lists {
            return Err(Error::IssuerNotCrlSigner.into());
        }
        let revokes = || known.list.revokes(issued.serial);
        if known.revoked.get(issued.serial, revokes)? {
            return Err(Error::CertRevoked.into());
        }
        Ok(())
    }

    /// The first of `lists` that covers the certificate and is signed by the key that signed the
    /// certificate.
    fn list_for<'k>(&self, issued: &Issued<'_>, lists: &'k [Known<'a>]) -> Option<&'k Known<'a>> {
        let key = issued.issuer_key.as_ref();
        lists.iter().find(|known| {
            let is_signed = || known.list.is_signed_by(key, self.algorithms);
            issued.is_covered_by(known.list) && known.signed.get(key, is_signed)
        })
    }

    /// Why no list that counts now says anything of the certificate.
    fn no_list_for(&self, issued: &Issued<'_>) -> Refused {
        let name = issued.issuer_name();
        let all = || self.counting.iter().chain(&self.later);
        let mut named = all().filter(|known| issued.is_of_issuer(known.list));
        let mut covering = all().filter(|known| issued.is_covered_by(known.list));
        let why = if self.list_for(issued, &self.later).is_some() {
            format!("the revocation list of {name} is not valid yet")
        } else if named.next().is_none() {
            format!("there is no revocation list of {name}")
        } else if let Some(first) = covering.next() {
            if let Some(error) = first.list.unknown_signature() {
                return error.into();
            }
            format!("no revocation list of {name} is signed by the key that signed the certificate")
        } else {
            format!("no revocation list of {name} covers the certificate")
        };
        Refused::because(Error::UnknownRevocationStatus, why)
    }
}

impl<'a> Known<'a> {
    fn new(list: &'a List) -> Self {
        Self {
            list,
            signed: Memo::default(),
            revoked: Memo::default(),
        }
    }
}

impl Issued<'_> {
    fn is_of_issuer(&self, list: &List) -> bool {
        list.issuer == self.certificate.issuer().0
    }

    /// Whether it is a list of the issuer for certificates such as this one.
    fn is_covered_by(&self, list: &List) -> bool {
        let point = list.distribution_point();
        self.is_of_issuer(list) && distribution_point::covers(point, &self.certificate, self.is_ca)
    }

    /// The issuer's name, for messages.
    fn issuer_name(&self) -> String {
        shown(self.certificate.issuer())
    }
}

impl Refused {
    fn because(error: Error, why: String) -> Self {
        let why = Some(why);
        Self { error, why }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, why: None }
    }
}

/// Answers that are expensive to find, by key. There are few.
struct Memo<T>(RefCell<Vec<(Vec<u8>, T)>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Clone> Memo<T> {
    /// The answer for this key, which `find` finds the first time.
    fn get(&self, key: &[u8], find: impl FnOnce() -> T) -> T {
        let mut known = self.0.borrow_mut();
        if let Some((_, answer)) = known.iter().find(|(known, _)| known == key) {
            return answer.clone();
        }
        let answer = find();
        known.push((key.to_vec(), answer.clone()));
        answer
    }
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> Result<Certificate<'a>, Error> {
    Certificate::parse(der).ok_or(Error::BadDer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_once_for_each_key() {
        let memo = Memo::default();
        let searches = RefCell::new(Vec::new());
        let ask = |key: &'static [u8]| {
            memo.get(key, || {
                searches.borrow_mut().push(key);
                key.len()
            })
        };
        let answers = [&b"a"[..], b"", b"a", b"bb", b"", b"bb"].map(ask);
        assert_eq!(answers, [1, 0, 1, 2, 0, 2]);
        assert_eq!(*searches.borrow(), [&b"a"[..], b"", b"bb"]);
    }
}
