//! Reads fields of certificates and revocation lists (RFC 5280) that rustls and
//! webpki do not show.

pub mod alternative_names;
pub mod crl;
pub mod der;
pub mod distribution_point;
pub mod kind;
pub mod name;
pub mod oid;
pub mod public_key;
pub mod rfc4514;
pub mod strict;
pub mod time;

use std::cmp::Ordering;

use der::{
    BIT_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element, element_of,
    expect,
};
use name::Name;
use public_key::PublicKey;
use time::Date;

/// Some fields of a certificate. webpki checks its signature and the rest.
pub struct Certificate<'a> {
    version: &'a [u8],
    serial_number: &'a [u8],
    dates: [Date; 2],
    issuer: Name<'a>,
    subject: Name<'a>,
    public_key_info: &'a [u8],
    /// The content of Extensions, even if the version must not have them.
    extensions: &'a [u8],
    signature_algorithm: &'a [u8],
}

/// A use of a certificate's key, as its bit in the first byte of keyUsage (RFC 5280
/// section 4.2.1.3).
#[derive(Clone, Copy)]
pub enum KeyUse {
    /// digitalSignature: signs handshakes.
    DigitalSignature = 0x80,
    /// keyCertSign: signs certificates.
    KeyCertSign = 0x04,
    /// cRLSign: signs revocation lists.
    CrlSign = 0x02,
}

const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 15];
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 19];
const NAME_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 30];

/// The tags of optional fields of a TBSCertificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// The version field of a certificate that may have extensions.
const VERSION_3: [u8; 3] = [INTEGER, 1, 2];

impl<'a> Certificate<'a> {
    /// Reads the DER of a certificate of version 1, 2 or 3. Checks only the fields
    /// that it reads.
    pub fn parse(der: &'a [u8]) -> Option<Self> {
        let (outer, _) = expect(der, SEQUENCE)?;
        let (tbs, signature) = expect(outer, SEQUENCE)?;
        let (version, tbs) = expect(tbs, VERSION).unwrap_or((&[], tbs));
        let (serial_number, rest) = expect(tbs, INTEGER)?;
        let (_algorithm, rest) = expect(rest, SEQUENCE)?;
        let (issuer, rest) = expect(rest, SEQUENCE)?;
        let (validity, rest) = expect(rest, SEQUENCE)?;
        let (subject, key) = expect(rest, SEQUENCE)?;
        let (_, rest) = expect(key, SEQUENCE)?;
        let (not_before, after) = Date::read(validity)?;
        let (not_after, _) = Date::read(after)?;
        Some(Self {
            version,
            serial_number,
            dates: [not_before, not_after],
            issuer: Name(issuer),
            subject: Name(subject),
            public_key_info: &key[..key.len() - rest.len()],
            extensions: extensions(rest, EXTENSIONS),
            signature_algorithm: expect(signature, SEQUENCE)
                .map_or(&[], |(algorithm, _)| algorithm),
        })
    }

    /// Reads the DER of a certificate, and checks the syntax of all of it with
    /// [`strict::is_certificate`].
    pub fn parse_strict(der: &'a [u8]) -> Option<Self> {
        Self::parse(der).filter(|_| strict::is_certificate(der))
    }

    /// The version, 1 to 3.
    pub fn version(&self) -> u8 {
        match self.version {
            [INTEGER, 1, number @ 0..=2] => number + 1,
            _ => 1,
        }
    }

    /// The content of the INTEGER of the serial number.
    pub fn serial_number(&self) -> &'a [u8] {
        self.serial_number
    }

    /// notBefore and notAfter.
    pub fn dates(&self) -> [Date; 2] {
        self.dates
    }

    /// The content of the AlgorithmIdentifier of the signature.
    pub fn signature_algorithm(&self) -> &'a [u8] {
        self.signature_algorithm
    }

    /// Compares `now`, in seconds since 1970, with the dates: Less is before
    /// notBefore, Greater after notAfter.
    pub fn validity(&self, now: u64) -> Ordering {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let [not_before, not_after] = self.dates.map(|date| date.seconds());
        if now < not_before {
            Ordering::Less
        } else if now > not_after {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    /// Whether notBefore is before 1970. webpki refuses such a date.
    pub fn begins_before_1970(&self) -> bool {
        self.dates[0].seconds() < 0
    }

    /// The SubjectPublicKeyInfo, in DER.
    pub fn public_key_info(&self) -> &'a [u8] {
        self.public_key_info
    }

    /// The fields of the SubjectPublicKeyInfo.
    pub fn public_key(&self) -> Option<PublicKey<'a>> {
        PublicKey::parse(self.public_key_info)
    }

    /// The issuer.
    pub fn issuer(&self) -> Name<'a> {
        self.issuer
    }

    /// The subject.
    pub fn subject(&self) -> Name<'a> {
        self.subject
    }

    /// Whether there is a subjectAltName, valid or not.
    pub fn has_alternative_names(&self) -> bool {
        self.extension(&SUBJECT_ALT_NAME).is_some()
    }

    /// Builds a certificate that has only the subjectAltName of this one, or None if
    /// there is none. webpki can match names with it when the original has a critical
    /// extension that webpki does not know.
    pub fn san_only_certificate(&self) -> Option<Vec<u8>> {
        let names = self.extension(&SUBJECT_ALT_NAME)?;
        let oid = element_of(OBJECT_IDENTIFIER, &[&SUBJECT_ALT_NAME])?;
        let extension = element_of(SEQUENCE, &[&oid, &element_of(OCTET_STRING, &[names])?])?;
        let extensions = element_of(EXTENSIONS, &[&element_of(SEQUENCE, &[&extension])?])?;
        let version = element_of(VERSION, &[&VERSION_3])?;
        let algorithm = [SEQUENCE, 0];
        // The algorithm, the issuer, the dates, the subject and its key.
        let others = algorithm.repeat(5);
        let tbs = [&version, &[INTEGER, 1, 1][..], &others, &extensions];
        let signature = [BIT_STRING, 1, 0];
        element_of(
            SEQUENCE,
            &[&element_of(SEQUENCE, &tbs)?, &algorithm, &signature],
        )
    }

    /// Whether it may issue certificates: basicConstraints say that it is a CA's, or
    /// its version has no extensions, and keyUsage allows the key to sign certificates.
    pub fn may_issue(&self) -> bool {
        let is_ca = || self.extension(&BASIC_CONSTRAINTS).is_some_and(is_ca);
        (!self.has_extensions() || is_ca()) && self.allows(KeyUse::KeyCertSign)
    }

    /// Whether keyUsage allows this use. Without keyUsage all uses are allowed.
    pub fn allows(&self, wanted: KeyUse) -> bool {
        let Some(usage) = self.extension(&KEY_USAGE) else {
            return true;
        };
        let bits = expect(usage, BIT_STRING).and_then(|(bits, _)| bits.get(1));
        bits.is_some_and(|bits| bits & wanted as u8 != 0)
    }

    /// Whether nameConstraints limit the host names that it may issue for.
    pub fn limits_host_names(&self) -> bool {
        let constraints = self.extension(&NAME_CONSTRAINTS);
        constraints.is_some_and(|value| match expect(value, SEQUENCE) {
            Some((constraints, _)) => limit_host_names(constraints),
            None => true,
        })
    }

    /// The value of extension `oid`, if the version has extensions: see
    /// [`extension`].
    fn extension(&self, oid: &[u8]) -> Option<&'a [u8]> {
        self.has_extensions()
            .then(|| extension(self.extensions, oid))?
    }

    /// Whether it is of the version that has extensions.
    fn has_extensions(&self) -> bool {
        self.version == VERSION_3
    }
}

/// The value of the first extension `oid` in the content of Extensions: the content
/// of its OCTET STRING. Empty, not None, if the extension is malformed.
fn extension<'a>(mut extensions: &'a [u8], oid: &[u8]) -> Option<&'a [u8]> {
    while let Some((extension, next)) = expect(extensions, SEQUENCE) {
        match expect(extension, OBJECT_IDENTIFIER) {
            Some((found, value)) if found == oid => {
                let value = expect(value, BOOLEAN).map_or(value, |(_critical, value)| value);
                return Some(expect(value, OCTET_STRING).map_or(&[], |(value, _)| value));
            }
            _ => extensions = next,
        }
    }
    None
}

/// The content of Extensions, which have tag `own` among the optional fields at the
/// end of a TBSCertificate or TBSCertList. Empty if there are none.
fn extensions(mut rest: &[u8], own: u8) -> &[u8] {
    while let Some((tag, content, more)) = element(rest) {
        if tag == own {
            return expect(content, SEQUENCE).map_or(&[], |(extensions, _)| extensions);
        }
        rest = more;
    }
    &[]
}

/// Whether cA is true in the value of basicConstraints.
fn is_ca(value: &[u8]) -> bool {
    let constraints = expect(value, SEQUENCE);
    let ca = constraints.and_then(|(constraints, _)| expect(constraints, BOOLEAN));
    matches!(ca, Some(([flag], _)) if *flag != 0)
}

/// Whether the content of NameConstraints (RFC 5280 section 4.2.1.10) has a subtree
/// of dNSName. Malformed content counts as one.
pub fn limit_host_names(mut constraints: &[u8]) -> bool {
    const DNS_NAME: u8 = 0x82;
    while !constraints.is_empty() {
        let Some((_permitted_or_excluded, mut subtrees, rest)) = element(constraints) else {
            return true;
        };
        while !subtrees.is_empty() {
            let subtree = expect(subtrees, SEQUENCE);
            let base = subtree.and_then(|(subtree, rest)| Some((element(subtree)?.0, rest)));
            match base {
                None | Some((DNS_NAME, _)) => return true,
                Some((_, rest)) => subtrees = rest,
            }
        }
        constraints = rest;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::{SET, encode as der};

    /// A critical extension with this value.
    fn critical(oid: &[u8], value: &[u8]) -> Vec<u8> {
        let critical = der(BOOLEAN, &[0xff]);
        let value = der(OCTET_STRING, value);
        let oid = der(OBJECT_IDENTIFIER, oid);
        der(SEQUENCE, &[oid, critical, value].concat())
    }

    /// A certificate with subject CN=x; of version 1 if `extensions` is None.
    fn certificate(extensions: Option<&[u8]>) -> Vec<u8> {
        let algorithm = der(SEQUENCE, &der(OBJECT_IDENTIFIER, &[1, 2, 3]));
        let dates = [der(0x17, b"700101000010Z"), der(0x18, b"20380119031407Z")].concat();
        let common_name = [der(OBJECT_IDENTIFIER, &[0x55, 4, 3]), der(0x0c, b"x")].concat();
        let tbs = [
            extensions.map_or(vec![], |_| der(0xa0, &VERSION_3)),
            der(INTEGER, &[1]),
            algorithm.clone(),
            der(SEQUENCE, &[]),
            der(SEQUENCE, &dates),
            der(SEQUENCE, &der(SET, &der(SEQUENCE, &common_name))),
            der(SEQUENCE, b"key"),
            extensions.map_or(vec![], |list| der(0xa3, &der(SEQUENCE, list))),
        ]
        .concat();
        der(SEQUENCE, &[der(SEQUENCE, &tbs), algorithm].concat())
    }

    #[test]
    fn validity_is_between_the_dates() {
        let bytes = certificate(None);
        let certificate = Certificate::parse(&bytes).unwrap();
        for (now, order) in [
            (9, Ordering::Less),
            (10, Ordering::Equal),
            (i32::MAX as u64, Ordering::Equal),
            (i32::MAX as u64 + 1, Ordering::Greater),
            (u64::MAX, Ordering::Greater),
        ] {
            assert_eq!(certificate.validity(now), order, "{now}");
        }
    }

    #[test]
    fn alternative_names_are_found_in_version_3_only() {
        let san = critical(&SUBJECT_ALT_NAME, &[]);
        for (extensions, has) in [(None, false), (Some(&[][..]), false), (Some(&san), true)] {
            let bytes = certificate(extensions);
            let certificate = Certificate::parse(&bytes).unwrap();
            assert_eq!(certificate.has_alternative_names(), has);
            assert_eq!(certificate.subject().line().as_deref(), Some("CN=x"));
            assert_eq!(certificate.public_key_info(), der(SEQUENCE, b"key"));
        }
    }

    #[test]
    fn san_only_certificate_is_read_by_webpki() {
        let names = critical(&SUBJECT_ALT_NAME, &der(SEQUENCE, &der(0x82, b"a.b.org")));
        let unknown = critical(&[1, 2, 3], &[]);
        let bytes = certificate(Some(&[unknown, names].concat()));
        let alone = Certificate::parse(&bytes)
            .unwrap()
            .san_only_certificate()
            .unwrap();
        let der = alone.into();
        let read = webpki::EndEntityCert::try_from(&der).unwrap();
        assert!(read.valid_dns_names().eq(["a.b.org"]));
        let nameless = certificate(Some(&[]));
        assert!(
            Certificate::parse(&nameless)
                .unwrap()
                .san_only_certificate()
                .is_none()
        );
    }

    #[test]
    fn certificate_of_a_ca_or_of_version_1_may_issue() {
        let yes = der(BOOLEAN, &[0xff]);
        for (constraints, may_issue) in [
            (yes.clone(), true),
            ([yes, der(INTEGER, &[0])].concat(), true),
            (vec![], false),
            (der(BOOLEAN, &[0]), false),
        ] {
            let extension = critical(&BASIC_CONSTRAINTS, &der(SEQUENCE, &constraints));
            let bytes = certificate(Some(&extension));
            assert_eq!(Certificate::parse(&bytes).unwrap().may_issue(), may_issue);
        }
        let broken = critical(&BASIC_CONSTRAINTS, &[]);
        for (extensions, may_issue) in
            [(None, true), (Some(&[][..]), false), (Some(&broken), false)]
        {
            let bytes = certificate(extensions);
            assert_eq!(Certificate::parse(&bytes).unwrap().may_issue(), may_issue);
        }
    }

    #[test]
    fn key_is_allowed_the_uses_in_key_usage() {
        let ca = critical(&BASIC_CONSTRAINTS, &der(SEQUENCE, &der(BOOLEAN, &[0xff])));
        for (usage, signs, issues) in [
            (None, true, true),
            (Some(der(BIT_STRING, &[7, 0x80])), true, false),
            (Some(der(BIT_STRING, &[2, 0x04])), false, true),
            (Some(der(BIT_STRING, &[1, 0x86])), true, true),
            (Some(der(BIT_STRING, &[7, 0x00, 0x80])), false, false),
            (Some(der(BIT_STRING, &[0])), false, false),
            (Some(der(INTEGER, &[0, 0xff])), false, false),
            (Some(vec![]), false, false),
        ] {
            let usage = usage.map(|value| critical(&KEY_USAGE, &value));
            let bytes = certificate(Some(&[ca.clone(), usage.unwrap_or_default()].concat()));
            let certificate = Certificate::parse(&bytes).unwrap();
            assert_eq!(certificate.allows(KeyUse::DigitalSignature), signs);
            assert_eq!(certificate.may_issue(), issues);
        }
    }

    #[test]
    fn name_constraints_with_host_names_are_found() {
        let host = der(SEQUENCE, &der(0x82, b"example.org"));
        let address = der(SEQUENCE, &der(0x87, &[127, 0, 0, 1, 255, 0, 0, 0]));
        let both = [address.clone(), host.clone()].concat();
        for (constraints, limited) in [
            (vec![], false),
            (der(0xa0, &address), false),
            (der(0xa0, &host), true),
            (der(0xa1, &host), true),
            ([der(0xa0, &address), der(0xa1, &both)].concat(), true),
            (der(0xa0, b"\x30"), true),
            (vec![0xa0], true),
        ] {
            let value = critical(&NAME_CONSTRAINTS, &der(SEQUENCE, &constraints));
            let bytes = certificate(Some(&value));
            let certificate = Certificate::parse(&bytes).unwrap();
            assert_eq!(certificate.limits_host_names(), limited, "{constraints:?}");
        }
        let none = certificate(Some(&[]));
        assert!(!Certificate::parse(&none).unwrap().limits_host_names());
    }

    #[test]
    fn certificate_cut_anywhere_is_refused() {
        let bytes = certificate(Some(&critical(&SUBJECT_ALT_NAME, &[])));
        assert!(der::is_der_sequence(&bytes));
        for cut in 0..bytes.len() {
            assert!(Certificate::parse(&bytes[..cut]).is_none(), "{cut}");
            assert!(!der::is_der_sequence(&bytes[..cut]));
        }
    }
}
