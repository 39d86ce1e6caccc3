//! Verification of a server by its TLSA records (DANE: RFC 6698, RFC 7671).
//!
//! A record of usage 3 describes the server's certificate or key, and nothing else is
//! checked. One of usage 2 describes a trust anchor, which may be in the record itself or
//! among the certificates that the server sends. Records of usage 0 and 1 limit what the
//! usual trust anchors accept. One record that matches is enough.

use std::cell::Cell;
use std::os::unix::ffi::OsStrExt;

use cli::tlsa::{self, Matching, Selector, TlsaRecord, Usage};
use cli::{Context, Fatal};
use pki::x509::public_key::PublicKey;
use pki::x509::{Certificate, der};
use rustls::pki_types::{CertificateDer, Der, ServerName, TrustAnchor};
use rustls::{CertificateError, Error};
use webpki::{VerifiedPath, anchor_from_trusted_cert};

use crate::crypto::{self, Hash};
use crate::verify::chain::{Chain, anchor_key};
use crate::verify::pins;
use crate::verify::verifiers::PresentedServer;

/// The TLSA records of a server, of which at least one is usable.
#[derive(Debug)]
pub struct Dane {
    records: Vec<Record>,
    /// The TLSA base domain, under which the records were found. The certificate may have this
    /// name instead of the one that the caller wants.
    pub domain: Option<ServerName<'static>>,
}

/// A usable record.
#[derive(Debug)]
struct Record {
    usage: Usage,
    selector: Selector,
    matching: Matching,
    record: TlsaRecord,
}

/// A trust anchor that a record of usage 2 describes.
struct OwnAnchor<'a, 'c> {
    root: TrustAnchor<'c>,
    /// How many intermediate certificates there may be below it. None: any number.
    path_length: Option<usize>,
    record: &'a Record,
}

impl Dane {
    /// The usable records in the variable TLSA. None if the variable is unset, or with a
    /// warning if no record is usable: then a server is verified as if there were none (RFC
    /// 6698 section 4.1). `anchored`: the client has trust anchors, without which records of
    /// usage 0 and 1 are unusable.
    ///
    /// # Errors
    /// A line of TLSA is malformed. Or TLSAREQUIRED is set, and there is no usable record.
    pub fn from_environment(context: &Context, anchored: bool) -> Result<Option<Self>, Fatal> {
        let name = tlsa::RECORDS;
        let required = context.env.get(tlsa::REQUIRED).is_some();
        let Some(value) = context.env.get(name) else {
            return if required {
                let required = tlsa::REQUIRED;
                Err(Fatal::user(format!("{required} is set, but {name} is not")))
            } else {
                Ok(None)
            };
        };
        let invalid = |why| Fatal::user(format!("invalid {name}: {why}"));
        let records = TlsaRecord::parse_all(value.as_bytes()).map_err(invalid)?;
        let meant = records.iter().any(|record| record.meaning().is_some());
        let dane = Self::new(records, anchored);
        if dane.is_none() {
            let without = if meant {
                " without verification by trust anchors"
            } else {
                ""
            };
            let why = format!("no record in {name} is usable{without}");
            if required {
                return Err(Fatal::user(format!("{why}, but {} is set", tlsa::REQUIRED)));
            }
            context.warn(&format!("{why}: the variable is ignored"));
        }
        Ok(dane)
    }

    /// The usable ones of `records`. None if there are none.
    fn new(records: Vec<TlsaRecord>, anchored: bool) -> Option<Self> {
        let usable = records.into_iter().filter_map(|record| {
            let (usage, selector, matching) = record.meaning()?;
            let with_anchors = matches!(usage, Usage::PkixTa | Usage::PkixEe);
            (anchored || !with_anchors).then_some(Record {
                usage,
                selector,
                matching,
                record,
            })
        });
        let mut records: Vec<Record> = usable.collect();
        keep_strongest(&mut records);
        (!records.is_empty()).then_some(Self {
            records,
            domain: None,
        })
    }

    /// Whether a record needs the trust anchors of the client: usage 0 or 1.
    pub fn needs_anchors(&self) -> bool {
        self.has(Usage::PkixTa) || self.has(Usage::PkixEe)
    }

    /// Whether a record describes a trust anchor of its own: usage 2.
    pub fn has_anchors(&self) -> bool {
        self.has(Usage::DaneTa)
    }

    fn has(&self, usage: Usage) -> bool {
        self.of(usage).next().is_some()
    }

    fn of(&self, usage: Usage) -> impl Iterator<Item = &Record> {
        self.records
            .iter()
            .filter(move |record| record.usage == usage)
    }

    /// Checks that a record accepts `server`, and notes which one.
    pub fn verify(&self, server: &PresentedServer<'_>) -> Result<(), Error> {
        if let Some(record) = self.matching(Usage::DaneEe, server.end_entity) {
            return accepted(server, record);
        }
        let by_own = self.verify_to_own_anchor(server);
        if let Ok(Some(record)) = by_own {
            return accepted(server, record);
        }
        // Another usage may accept what usage 2 refuses.
        let by_usual = self.verify_to_usual_anchor(server);
        if let Ok(Some(record)) = by_usual {
            return accepted(server, record);
        }
        by_own.and(by_usual)?;
        Err(refused(server))
    }

    /// The first record of this usage that describes `der`.
    fn matching(&self, usage: Usage, der: &[u8]) -> Option<&Record> {
        self.of(usage).find(|record| record.describes(der))
    }

    /// Usage 2: the record whose anchor the chain leads to. None if no record has an
    /// anchor for it.
    fn verify_to_own_anchor(&self, server: &PresentedServer<'_>) -> Result<Option<&Record>, Error> {
        if !self.has_anchors() {
            return Ok(None);
        }
        let accepted: Cell<Option<&Record>> = Cell::new(None);
        let mut any = false;
        let verified = server.verify(&mut |chain| {
            let anchors = self.own_anchors(chain);
            let roots: Vec<_> = anchors.iter().map(|own| own.root.clone()).collect();
            any = !roots.is_empty();
            let note = |path: &VerifiedPath<'_>| {
                let mut all = anchors.iter();
                let below = path.intermediate_certificates().count();
                let fits = |own: &OwnAnchor<'_, '_>| own.path_length.is_none_or(|n| below <= n);
                let found = all.find(|own| own.root == *path.anchor() && fits(own));
                accepted.set(found.map(|own| own.record));
                found.is_some()
            };
            if !any {
                return Err(CertificateError::UnknownIssuer.into());
            }
            let policy = server.policy;
            policy.verify_to(chain, &roots, &note, server.now, server.algorithms)
        });
        if !any {
            return Ok(None);
        }
        verified.map(|()| accepted.get())
    }

    /// The anchors of usage 2, with their records: certificates that the server sent
    /// besides its own, and certificates and keys in records. A key in a record has no name: it
    /// is an anchor under each name that the chain gives as an issuer, unless the server sent a
    /// certificate with this name and key. That certificate counts then, with its constraints.
    fn own_anchors<'a: 'c, 'c>(&'a self, chain: &'c Chain<'_>) -> Vec<OwnAnchor<'a, 'c>> {
        let mut anchors = Vec::new();
        let certificate = |der: &'c [u8], record: &'a Record| {
            Some(OwnAnchor {
                root: anchor(der)?,
                path_length: Certificate::parse(der)?.path_length(),
                record,
            })
        };
        for record in self.of(Usage::DaneTa) {
            let sent = chain.intermediates.iter().map(AsRef::as_ref);
            let sent = sent.filter(|der| record.describes(der));
            anchors.extend(sent.filter_map(|der| certificate(der, record)));
            match (record.matching, record.selector) {
                (Matching::Full, Selector::Certificate) => {
                    anchors.extend(certificate(record.record.data(), record));
                }
                (Matching::Full, Selector::PublicKey) => {
                    let sent = chain.intermediates.iter();
                    let sent = sent.filter(|der| record.describes(der));
                    let sent = sent.filter_map(|der| Certificate::parse(der));
                    let known: Vec<&[u8]> = sent.map(|sent| sent.subject().0).collect();
                    let issuers = chain.named_issuers().into_iter();
                    let unknown = issuers.filter(|name| !known.contains(name));
                    let named = unknown.filter_map(|name| bare_key(name, record.record.data()));
                    anchors.extend(named.map(|root| OwnAnchor {
                        root,
                        path_length: None,
                        record,
                    }));
                }
                _ => {}
            }
        }
        anchors
    }

    /// Usages 1 and 0: the record that describes the server's certificate, or an issuer on its
    /// path to a trust anchor of the client. None if no record describes one of these.
    fn verify_to_usual_anchor(
        &self,
        server: &PresentedServer<'_>,
    ) -> Result<Option<&Record>, Error> {
        let (policy, now, algorithms) = (server.policy, server.now, server.algorithms);
        // Without anchors a policy accepts any certificate.
        let Some(anchors) = &policy.anchors else {
            return Ok(None);
        };
        if let Some(record) = self.matching(Usage::PkixEe, server.end_entity) {
            server.verify(&mut |chain| policy.verify(chain, now, algorithms))?;
            return Ok(Some(record));
        }
        if !self.has(Usage::PkixTa) {
            return Ok(None);
        }
        let accepted: Cell<Option<&Record>> = Cell::new(None);
        let refused_all = Cell::new(false);
        let on_path = |path: &VerifiedPath<'_>| {
            accepted.set(self.issuer_on(path, server));
            refused_all.set(accepted.get().is_none());
            accepted.get().is_some()
        };
        let verified = server.verify(&mut |chain| {
            policy.verify_to(chain, &chain.roots(anchors), &on_path, now, algorithms)
        });
        match verified {
            Ok(()) => Ok(accepted.get()),
            Err(_) if refused_all.get() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The record of usage 0 that describes an issuer on this path, the anchor included.
    fn issuer_on(&self, path: &VerifiedPath<'_>, server: &PresentedServer<'_>) -> Option<&Record> {
        let mut issuers = path.intermediate_certificates();
        let by_issuer = issuers.find_map(|issuer| self.matching(Usage::PkixTa, &issuer.der()));
        by_issuer.or_else(|| {
            let listed = server
                .policy
                .anchors
                .iter()
                .flat_map(|anchors| anchors.listed());
            let sent = server.intermediates.iter().map(AsRef::as_ref);
            let mut same = listed
                .chain(sent)
                .filter(|der| is_anchor(der, path.anchor()));
            same.find_map(|der| self.matching(Usage::PkixTa, der))
                .or_else(|| self.matching_key(path.anchor()))
        })
    }

    /// The record of usage 0 that describes the key of an anchor, whose certificate need not be
    /// known.
    fn matching_key(&self, anchor: &TrustAnchor<'_>) -> Option<&Record> {
        let key = anchor_key(anchor).ok()?;
        let mut records = self.of(Usage::PkixTa);
        records.find(|record| record.selector == Selector::PublicKey && record.is(key.as_ref()))
    }
}

impl Record {
    /// Whether it describes this certificate.
    fn describes(&self, der: &[u8]) -> bool {
        match self.selector {
            Selector::Certificate => self.is(der),
            Selector::PublicKey => Certificate::parse(der)
                .is_some_and(|certificate| self.is(certificate.public_key_info())),
        }
    }

    /// Whether its data are equal to `selected`, or to the digest of `selected`.
    fn is(&self, selected: &[u8]) -> bool {
        match self.matching {
            Matching::Full => self.record.data() == selected,
            Matching::Sha256 => self.record.data() == crypto::digest(Hash::Sha256, selected),
            Matching::Sha512 => self.record.data() == crypto::digest(Hash::Sha512, selected),
        }
    }
}

/// Leaves out each record with a SHA-256 digest if another one with the same usage and selector
/// has a SHA-512 digest (RFC 7671 section 9).
fn keep_strongest(records: &mut Vec<Record>) {
    let sha512 = records
        .iter()
        .filter(|record| record.matching == Matching::Sha512);
    let strong: Vec<_> = sha512
        .map(|record| (record.usage, record.selector))
        .collect();
    records.retain(|record| {
        record.matching != Matching::Sha256 || !strong.contains(&(record.usage, record.selector))
    });
}

/// A certificate as an anchor. None unless it may issue others.
fn anchor(der: &[u8]) -> Option<TrustAnchor<'_>> {
    if !Certificate::parse(der)?.may_issue() {
        return None;
    }
    let der = CertificateDer::from(der);
    Some(anchor_from_trusted_cert(&der).ok()?.to_owned())
}

/// A SubjectPublicKeyInfo as an anchor of this name.
fn bare_key<'a>(name: &'a [u8], info: &'a [u8]) -> Option<TrustAnchor<'a>> {
    let (content, _) = der::expect(info, der::SEQUENCE)?;
    PublicKey::parse_content(content)?;
    Some(TrustAnchor {
        subject: Der::from_slice(name),
        subject_public_key_info: Der::from_slice(content),
        name_constraints: None,
    })
}

/// Whether this certificate has the name and the key of `anchor`.
fn is_anchor(der: &[u8], anchor: &TrustAnchor<'_>) -> bool {
    Certificate::parse(der).is_some_and(|certificate| {
        let key = anchor_key(anchor).ok();
        certificate.subject().0 == anchor.subject.as_ref()
            && key.is_some_and(|key| key.as_ref() == certificate.public_key_info())
    })
}

fn accepted(server: &PresentedServer<'_>, record: &Record) -> Result<(), Error> {
    server.policy.facts.accept_by(record.record.label());
    Ok(())
}

/// The error for a server that no record describes. Records describe either the certificate or
/// the key, so it names both.
fn refused(server: &PresentedServer<'_>) -> Error {
    let hash = crypto::fingerprint(server.end_entity);
    let key = pins::of_key(server.end_entity);
    let key = key.map_or(String::new(), |key| format!(" or its key {}", key.text()));
    let why = format!("no TLSA record matches the remote certificate {hash}{key}");
    server.policy.facts.refuse(why);
    // The error with the alert bad_certificate that fits best.
    CertificateError::NotValidForName.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pki::read;
    use rustls::pki_types::UnixTime;

    use super::*;
    use crate::verify::policy::VerificationPolicy;

    const CERTIFICATE: &[u8] = include_bytes!("../../../pki/src/testdata/certificate.pem");

    fn record(fields: &str, data: &[u8]) -> TlsaRecord {
        let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        TlsaRecord::parse(format!("{fields} {hex}").as_bytes()).unwrap()
    }

    fn usable(records: Vec<TlsaRecord>, anchored: bool) -> Vec<String> {
        let dane = Dane::new(records, anchored);
        let records = dane.into_iter().flat_map(|dane| dane.records);
        records.map(|record| record.record.label()).collect()
    }

    #[test]
    fn a_record_describes_a_certificate_by_its_selector_and_matching_type() {
        let der = read::certificates(CERTIFICATE).unwrap().remove(0);
        let key = Certificate::parse(&der).unwrap().public_key_info();
        for (selector, selected) in [(0, &der[..]), (1, key)] {
            for (matching, data) in [
                (0, selected.to_vec()),
                (1, crypto::digest(Hash::Sha256, selected)),
                (2, crypto::digest(Hash::Sha512, selected)),
            ] {
                let fields = format!("3 {selector} {matching}");
                let dane = Dane::new(vec![record(&fields, &data)], false).unwrap();
                assert!(dane.records[0].describes(&der), "{fields}");
                assert!(!dane.records[0].describes(&der[1..]), "{fields}");
                let other = format!("3 {} {matching}", 1 - selector);
                let dane = Dane::new(vec![record(&other, &data)], false).unwrap();
                assert!(!dane.records[0].describes(&der), "{other}");
            }
        }
    }

    #[test]
    fn records_of_usage_0_and_1_are_usable_only_with_anchors() {
        let all = || {
            (0..4)
                .map(|usage| record(&format!("{usage} 1 1"), &[0; 32]))
                .collect()
        };
        assert_eq!(usable(all(), true), ["0-1-1", "1-1-1", "2-1-1", "3-1-1"]);
        assert_eq!(usable(all(), false), ["2-1-1", "3-1-1"]);
        assert!(Dane::new(vec![record("1 1 1", &[0; 32])], false).is_none());
        assert!(Dane::new(vec![record("3 1 1", &[0; 31])], true).is_none());
        assert!(Dane::new(vec![], true).is_none());
    }

    #[test]
    fn a_record_of_usage_1_accepts_nothing_without_anchors() {
        let der = read::certificates(CERTIFICATE).unwrap().remove(0);
        let digest = crypto::digest(Hash::Sha256, &der);
        let verdict = |fields: &str| {
            let dane = Dane::new(vec![record(fields, &digest)], true).unwrap();
            dane.verify(&PresentedServer {
                end_entity: &der,
                intermediates: &[],
                names: Vec::new(),
                policy: &VerificationPolicy::default(),
                now: UnixTime::since_unix_epoch(Duration::from_secs(1 << 31)),
                algorithms: &crypto::signature_algorithms(),
            })
        };
        assert_eq!(verdict("3 0 1"), Ok(()));
        assert_eq!(
            verdict("1 0 1"),
            Err(CertificateError::NotValidForName.into())
        );
    }

    #[test]
    fn sha256_digests_do_not_count_beside_sha512_digests_of_the_same_kind() {
        let record = |fields, length| record(fields, &vec![0; length]);
        let sequence = TlsaRecord::parse(b"3 1 0 3000").unwrap();
        let strong = vec![
            record("3 1 1", 32),
            record("3 0 1", 32),
            record("3 1 2", 64),
            sequence,
        ];
        assert_eq!(usable(strong, false), ["3-0-1", "3-1-2", "3-1-0"]);
        // An unusable one is no reason.
        let weak = vec![record("3 1 1", 32), record("3 1 2", 63)];
        assert_eq!(usable(weak, false), ["3-1-1"]);
    }

    #[test]
    fn a_bare_key_is_an_anchor_only_if_it_is_one() {
        let der = read::certificates(CERTIFICATE).unwrap().remove(0);
        let key = Certificate::parse(&der).unwrap().public_key_info();
        let root = bare_key(b"name", key).unwrap();
        assert_eq!(root.subject.as_ref(), b"name");
        assert_eq!(anchor_key(&root).unwrap().as_ref(), key);
        assert!(bare_key(b"name", &[0x30, 1, 0]).is_none());
        assert!(bare_key(b"name", &der[..20]).is_none());
    }
}
