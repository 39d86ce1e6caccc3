//! Which certificates are revoked: the lists of CRLFILE (RFC 5280 section 5).
//! webpki reads and verifies them.

use std::ffi::OsStr;

use cli::message::quoted;
use cli::{CrlCheck, Fatal};
use rustls::pki_types::UnixTime;
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, Error, ExpirationPolicy, RevocationCheckDepth,
    RevocationOptions, RevocationOptionsBuilder,
};

use crate::files::patience::Files;
use crate::files::pem;
use crate::files::problem::{Defect, unreadable, unusable};
use crate::x509::name::Name;
use crate::x509::revocation_list::RevocationList;

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
        let lists = pem::revocation_lists(content).map_err(Defect::text)?;
        let lists: Result<Vec<List>, _> = lists.into_iter().map(List::new).collect();
        Ok(Self {
            lists: newest(lists?),
            check,
        })
    }

    /// What `verify` says of a chain when it is given the lists to ask.
    ///
    /// webpki asks the first list of an issuer's name, whoever has signed it.
    /// Authorities of one name, or an old and a new key of one, have a list
    /// each: if the first is not that of the right key, the next one has its
    /// turn at the front.
    pub fn consult<T>(
        &self,
        verify: impl Fn(RevocationOptions<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let lists = self.lists.iter().map(|list| &list.der);
        let lists = lists.map(|der| BorrowedCertRevocationList::from_der(der));
        let lists: Vec<CertRevocationList<'_>> = lists
            .map(|list| list.map(Into::into))
            .collect::<Result<_, _>>()?;
        let mut order: Vec<&CertRevocationList<'_>> = lists.iter().collect();
        let mut verdict = verify(self.options(&order)?);
        for (first, own) in self.lists.iter().enumerate().skip(1) {
            let wrong_key = matches!(verdict, Err(Error::InvalidCrlSignatureForPublicKey));
            let others = &self.lists[..first];
            if wrong_key && others.iter().any(|other| other.issuer == own.issuer) {
                order = lists[first..].iter().chain(&lists[..first]).collect();
                verdict = verify(self.options(&order)?);
            }
        }
        verdict
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

impl List {
    fn new(der: Vec<u8>) -> Result<Self, &'static str> {
        let malformed = Defect::Malformed.text();
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

/// webpki can read it, all of its entries included. They are looked through
/// for each certificate and not kept: a table of them would cost more.
fn readable(der: &[u8]) -> Result<(), Error> {
    let list = BorrowedCertRevocationList::from_der(der)?;
    list.into_iter().try_for_each(|entry| entry.map(drop))
}

/// Of lists of one issuer, scope and key the newest: whoever appends to a file
/// does not mean what is in front of it.
fn newest(mut lists: Vec<List>) -> Vec<List> {
    lists.sort_by(|a, b| {
        let key = |list: &List| (list.issuer.clone(), list.scope.clone());
        key(a).cmp(&key(b)).then(b.this_update.cmp(&a.this_update))
    });
    lists.dedup_by(|later, first| later.issuer == first.issuer && later.scope == first.scope);
    lists
}
