//! Which certificates are revoked: the lists of CRLFILE (RFC 5280 section 5).
//! webpki reads and verifies them.

use std::cmp::Reverse;
use std::ffi::OsStr;

use cli::{CrlCheck, Fatal};
use pki::PemError;
use pki::read;
use pki::x509::crl::{RevocationList, Signed};
use pki::x509::name::Name;
use rustls::pki_types::{SubjectPublicKeyInfoDer, UnixTime};
use unix::quoted::quoted;
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, Error, ExpirationPolicy, RawPublicKeyEntity,
    RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder,
};

use crate::crypto;
use crate::files::error::{unreadable, unusable};
use crate::files::patience::Files;

/// The lists of all issuers.
#[derive(Debug)]
pub struct RevocationLists {
    lists: Vec<List>,
    check: CrlCheck,
}

/// A list that webpki can read to its end, and what is needed to choose it.
#[derive(Debug)]
struct List {
    der: Vec<u8>,
    issuer: Vec<u8>,
    scope: [Option<Vec<u8>>; 2],
    this_update: i64,
    next_update: i64,
}

impl RevocationLists {
    /// Reads the lists in the file at `path`. They are asked about as much of
    /// a chain as `check` says.
    pub fn load(files: &Files, path: &OsStr, check: CrlCheck) -> Result<Self, Fatal> {
        files.load(|reader| {
            let content = reader.open(path)?.content();
            let content = content.map_err(|errno| unreadable(path, errno))?;
            Self::parse(content, check).map_err(|why| unusable(path, why).into())
        })
    }

    /// The lists of a file with this content. The error is what is wrong with
    /// it, to follow the file's name.
    pub fn parse(content: impl Into<Vec<u8>>, check: CrlCheck) -> Result<Self, &'static str> {
        let lists = read::revocation_lists(content).map_err(PemError::text)?;
        let lists: Result<Vec<List>, _> = lists.into_iter().map(List::new).collect();
        Ok(Self {
            lists: newest(lists?),
            check,
        })
    }

    /// What `verify` says of a path whose issuers are these when it is given the
    /// lists to ask.
    ///
    /// webpki asks the first list of an issuer's name, whoever has signed it.
    /// Authorities of one name, or an old and a new key of one, have a list
    /// each, so those that the keys of this path have signed come first.
    pub fn consult<T>(
        &self,
        issuers: &[Issuer<'_>],
        verify: impl FnOnce(RevocationOptions<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (own, others): (Vec<&List>, Vec<&List>) = self
            .lists
            .iter()
            .partition(|list| self.is_alone(list) || list.is_of(issuers));
        let lists = own.into_iter().chain(others);
        let lists = lists.map(|list| BorrowedCertRevocationList::from_der(&list.der));
        let lists: Vec<CertRevocationList<'_>> = lists
            .map(|list| list.map(Into::into))
            .collect::<Result<_, _>>()?;
        let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
        verify(self.options(&lists)?)
    }

    /// Whether no other list has the same issuer's name.
    fn is_alone(&self, list: &List) -> bool {
        let same = self
            .lists
            .iter()
            .filter(|other| other.issuer == list.issuer);
        same.count() == 1
    }

    fn options<'a>(
        &self,
        lists: &'a [&'a CertRevocationList<'a>],
    ) -> Result<RevocationOptions<'a>, Error> {
        let builder = RevocationOptionsBuilder::new(lists);
        let builder = builder.map_err(|_| Error::UnknownRevocationStatus)?;
        let depth = match self.check {
            CrlCheck::Leaf => RevocationCheckDepth::EndEntity,
            CrlCheck::Chain => RevocationCheckDepth::Chain,
        };
        let builder = builder.with_depth(depth);
        Ok(builder
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build())
    }

    /// Which list is missing or out of date for a chain whose certificates,
    /// the peer's own last, have these issuers.
    pub fn lacking(&self, issuers: &[&[u8]], now: UnixTime) -> Option<String> {
        let asked = match self.check {
            CrlCheck::Leaf => issuers.len().saturating_sub(1),
            CrlCheck::Chain => 0,
        };
        let mut issuers = issuers.iter().skip(asked);
        issuers.find_map(|issuer| self.lacking_of(issuer, now))
    }

    fn lacking_of(&self, issuer: &[u8], now: UnixTime) -> Option<String> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let mut own = self
            .lists
            .iter()
            .filter(|list| list.issuer == issuer)
            .peekable();
        let missing = own.peek().is_none();
        let outdated = own.all(|list| list.next_update <= now);
        let name = Name(issuer).line().map(|name| quoted(name.as_bytes()));
        let name = name.unwrap_or_else(|| "an issuer without a name".to_owned());
        match (missing, outdated) {
            (true, _) => Some(format!("there is no revocation list of {name}")),
            (_, true) => Some(format!("the revocation list of {name} is out of date")),
            _ => None,
        }
    }
}

/// The name and the key of one who has issued a certificate of a path.
pub struct Issuer<'a> {
    /// The content of a Name.
    pub name: &'a [u8],
    /// The SubjectPublicKeyInfo.
    pub key: SubjectPublicKeyInfoDer<'a>,
}

impl List {
    /// Whether it is signed by one of `issuers`.
    fn is_of(&self, issuers: &[Issuer<'_>]) -> bool {
        let mut named = issuers.iter().filter(|issuer| issuer.name == self.issuer);
        Signed::parse(&self.der)
            .is_some_and(|signed| named.any(|issuer| is_signed_by(&signed, &issuer.key)))
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
            this_update: fields.this_update,
            next_update,
            der,
        })
    }
}

fn is_signed_by(signed: &Signed<'_>, key: &SubjectPublicKeyInfoDer<'_>) -> bool {
    let Ok(key) = RawPublicKeyEntity::try_from(key) else {
        return false;
    };
    let algorithms = crypto::signature_algorithms().all.iter();
    let mut fitting =
        algorithms.filter(|known| known.signature_alg_id().as_ref() == signed.algorithm);
    fitting.any(|known| {
        let verified = key.verify_signature(*known, signed.message, signed.signature);
        verified.is_ok()
    })
}

/// webpki can read it, all of its entries included. They are looked through
/// for each certificate and not kept: a table of them would cost more.
fn readable(der: &[u8]) -> Result<(), Error> {
    let list = BorrowedCertRevocationList::from_der(der)?;
    list.into_iter().try_for_each(|entry| entry.map(drop))
}

/// The newest first; of lists of one issuer, scope and key only that: whoever
/// appends to a file does not mean what is in front of it. Lists that do not say
/// by which key they are signed may be of different ones.
fn newest(mut lists: Vec<List>) -> Vec<List> {
    lists.sort_by(|a, b| {
        let key = |list: &List| (list.issuer.clone(), list.scope.clone());
        key(a).cmp(&key(b)).then(b.this_update.cmp(&a.this_update))
    });
    lists.dedup_by(|later, first| {
        let [_, key] = &later.scope;
        key.is_some() && later.issuer == first.issuer && later.scope == first.scope
    });
    lists.sort_by_key(|list| Reverse(list.this_update));
    lists
}
