//! The certificate revocation lists of CRLFILE (RFC 5280 section 5). webpki reads
//! them and verifies their signatures.

use std::cmp::Reverse;
use std::ffi::OsStr;

use cli::{CrlCheck, Fatal};
use pki::PemError;
use pki::read;
use pki::x509::crl::{RevocationList, Signed};
use pki::x509::name::Name;
use pki::x509::time::Date;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{SubjectPublicKeyInfoDer, UnixTime};
use unix::quoted::quoted;
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, Error, RawPublicKeyEntity,
    UnsupportedSignatureAlgorithmContext,
};

use crate::crypto;
use crate::files::error::{unreadable, unusable};
use crate::files::retry::Files;
use crate::verify::trust_anchors::Anchors;

/// The lists of all issuers.
#[derive(Debug)]
pub struct RevocationLists {
    /// Those of the same issuer, scope and key are together, the newest first.
    lists: Vec<List>,
    /// Which certificates of a chain are looked up.
    pub check: CrlCheck,
}

/// A list that webpki can read to its end, and the fields by which it is chosen.
#[derive(Debug)]
pub struct List {
    der: Vec<u8>,
    /// The content of the Name of its issuer.
    pub issuer: Vec<u8>,
    scope: [Option<Vec<u8>>; 2],
    this_update: i64,
    next_update: i64,
}

impl RevocationLists {
    /// Reads the lists in the file at `path`. `check` says which certificates of a chain are looked
    /// up.
    pub fn load(files: &Files, path: &OsStr, check: CrlCheck) -> Result<Self, Fatal> {
        files.load(|reader| {
            let content =
                (reader.open(path)?.content()).map_err(|errno| unreadable(path, errno))?;
            Self::parse(content, check).map_err(|why| unusable(path, why).into())
        })
    }

    /// The lists of a file with this content. The error is the text that follows the file's name in
    /// a message.
    pub fn parse(content: impl Into<Vec<u8>>, check: CrlCheck) -> Result<Self, &'static str> {
        let lists = read::revocation_lists(content).map_err(PemError::text)?;
        let lists: Result<Vec<List>, _> = lists.into_iter().map(List::new).collect();
        let mut lists = lists?;
        lists.sort_by(|a, b| {
            let scope = |list: &List| (list.issuer.clone(), list.scope.clone());
            let newest = b.this_update.cmp(&a.this_update);
            scope(a).cmp(&scope(b)).then(newest)
        });
        Ok(Self { lists, check })
    }

    /// The lists that count at this time, the newest first. Of those with the same issuer, scope
    /// and key only the newest counts: a newer list that is appended to a file replaces the older
    /// one. Lists without a key identifier may be signed by different keys, so all count.
    ///
    /// A list that is not valid yet replaces none: authorities publish lists before they count.
    pub fn counting(&self, now: UnixTime) -> Vec<&List> {
        let valid = self.lists.iter().filter(|list| !list.is_later_than(now));
        let mut lists: Vec<&List> = valid.collect();
        lists.dedup_by(|later, first| {
            let [_, key] = &later.scope;
            key.is_some() && later.issuer == first.issuer && later.scope == first.scope
        });
        lists.sort_by_key(|list| Reverse(list.this_update));
        lists
    }

    /// The lists that are not valid yet.
    pub fn later(&self, now: UnixTime) -> impl Iterator<Item = &List> {
        self.lists
            .iter()
            .filter(move |list| list.is_later_than(now))
    }

    /// What the lists say of themselves: those that count at this time, the newest first, and then
    /// those that are not valid yet.
    pub fn each(&self, now: UnixTime) -> impl Iterator<Item = ListFacts> {
        let all = self.counting(now).into_iter().chain(self.later(now));
        all.filter_map(move |list| {
            let fields = RevocationList::parse(&list.der)?;
            Some(ListFacts {
                issuer: shown(fields.issuer),
                this_update: fields.this_update,
                next_update: fields.next_update?,
                is_valid: !list.is_later_than(now),
            })
        })
    }

    /// Whether a list is of an issuer with the name of one of `anchors`.
    pub fn has_one_of(&self, anchors: &Anchors) -> bool {
        let listed = |subject: &[u8]| self.lists.iter().any(|list| list.issuer == subject);
        !anchors.roots(listed).is_empty()
    }
}

/// What a list says of itself.
pub struct ListFacts {
    /// Its issuer, quoted.
    pub issuer: String,
    /// When it was issued.
    pub this_update: Date,
    /// Until when it counts.
    pub next_update: Date,
    /// Whether it is valid already.
    pub is_valid: bool,
}

/// The name of an issuer, for messages.
pub fn shown(name: Name<'_>) -> String {
    name.line().map_or_else(
        || "an issuer without a name".to_owned(),
        |name| quoted(name.as_bytes()),
    )
}

impl List {
    /// Whether it is not valid yet at this time.
    fn is_later_than(&self, now: UnixTime) -> bool {
        u64::try_from(self.this_update).is_ok_and(|from| from > now.as_secs())
    }

    /// Its nextUpdate, in seconds since 1970. 0 if it is before that.
    pub fn next_update(&self) -> u64 {
        u64::try_from(self.next_update).unwrap_or_default()
    }

    /// Its issuingDistributionPoint: which certificates it covers.
    pub fn distribution_point(&self) -> Option<&[u8]> {
        let [point, _] = &self.scope;
        point.as_deref()
    }

    /// Whether this key, a SubjectPublicKeyInfo, has signed it. This reads the whole list.
    pub fn is_signed_by(&self, key: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> bool {
        is_signed_by(&self.der, &key.into(), algorithms)
    }

    /// Whether it has this serial number. This reads the list up to there.
    pub fn revokes(&self, serial: &[u8]) -> Result<bool, Error> {
        let list = CertRevocationList::from(BorrowedCertRevocationList::from_der(&self.der)?);
        Ok(list.find_serial(serial)?.is_some())
    }

    /// The error for a signature by an unsupported algorithm, if it has one.
    pub fn unknown_signature(&self) -> Option<Error> {
        let algorithm = unknown_algorithm(&self.der)?;
        let context = UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: algorithm.to_vec(),
            supported_algorithms: Vec::new(),
        };
        Some(Error::UnsupportedCrlSignatureAlgorithmContext(context))
    }

    fn new(der: Vec<u8>) -> Result<Self, &'static str> {
        let malformed = PemError::Malformed.text();
        let fields = RevocationList::parse(&der).ok_or(malformed)?;
        if !fields.extended {
            return Err("a revocation list of version 1, and only version 2 can be read");
        }
        let next_update = fields
            .next_update
            .ok_or("a revocation list without nextUpdate")?;
        readable(&der).map_err(|error| match error {
            Error::UnsupportedDeltaCrl => "a delta revocation list",
            Error::UnsupportedIndirectCrl
            | Error::UnsupportedRevocationReasonsPartitioning
            | Error::UnsupportedCrlIssuingDistributionPoint => "a partial revocation list",
            Error::UnsupportedCriticalExtension => {
                "a revocation list with an unknown critical extension"
            }
            _ => malformed,
        })?;
        Ok(Self {
            issuer: fields.issuer.0.to_vec(),
            scope: fields.scope().map(|part| part.map(<[u8]>::to_vec)),
            this_update: fields.this_update.seconds(),
            next_update: next_update.seconds(),
            der,
        })
    }
}

/// Whether this key, a SubjectPublicKeyInfo, has signed the list or certificate in `der`. False
/// also if the signature cannot be verified.
pub fn is_signed_by(
    der: &[u8],
    key: &SubjectPublicKeyInfoDer<'_>,
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    let (Some(signed), Ok(key)) = (Signed::parse(der), RawPublicKeyEntity::try_from(key)) else {
        return false;
    };
    let mut fitting = (algorithms.all.iter())
        .filter(|known| known.signature_alg_id().as_ref() == signed.algorithm);
    fitting.any(|known| {
        let verified = key.verify_signature(*known, signed.message, signed.signature);
        verified.is_ok()
    })
}

/// The signature's algorithm in the list or certificate in `der`, if it is not supported.
pub fn unknown_algorithm(der: &[u8]) -> Option<&[u8]> {
    let algorithm = Signed::parse(der)?.algorithm;
    let mut known = crypto::signature_algorithms().all.iter();
    let is_known = known.any(|known| known.signature_alg_id().as_ref() == algorithm);
    (!is_known).then_some(algorithm)
}

/// Checks that webpki can read the list with all of its entries. They are not kept:
/// for the few certificates of one chain, a table would cost more than a search.
fn readable(der: &[u8]) -> Result<(), Error> {
    let list = BorrowedCertRevocationList::from_der(der)?;
    list.into_iter().try_for_each(|entry| entry.map(drop))
}
