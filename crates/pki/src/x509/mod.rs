//! Reads fields of certificates and revocation lists (RFC 5280) that rustls and
//! webpki do not show.

pub mod alternative_names;
pub mod crl;
pub mod der;
pub mod distribution_point;
mod extensions;
pub mod kind;
pub mod name;
pub mod ocsp;
pub mod oid;
pub mod public_key;
pub mod rfc4514;
pub mod strict;
pub mod time;

use std::cmp::Ordering;

use der::{INTEGER, SEQUENCE, expect};
pub use extensions::{KeyUse, limit_host_names};
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
            extensions: extensions::content(rest, EXTENSIONS),
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

    /// Whether notBefore is before 1970.
    ///
    /// Upstream (doc/upstream.md, Dates before 1970): webpki cannot read such a time.
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::{OBJECT_IDENTIFIER, SET, encode as der};

    /// A certificate with subject CN=x; of version 1 if `extensions` is None.
    pub(super) fn certificate(extensions: Option<&[u8]>) -> Vec<u8> {
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
    fn certificate_cut_anywhere_is_refused() {
        let bytes = certificate(Some(&[]));
        assert!(der::is_der_sequence(&bytes));
        for cut in 0..bytes.len() {
            assert!(Certificate::parse(&bytes[..cut]).is_none(), "{cut}");
            assert!(!der::is_der_sequence(&bytes[..cut]));
        }
    }
}
