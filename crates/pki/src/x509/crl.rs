//! The fields of a certificate revocation list (RFC 5280 section 5) that
//! webpki does not show.

use crate::x509::der::{BIT_STRING, INTEGER, SEQUENCE, expect};
use crate::x509::extensions::{self, extension};
use crate::x509::name::Name;
use crate::x509::time::Date;

const ISSUING_DISTRIBUTION_POINT: [u8; 3] = [0x55, 0x1d, 28];
const AUTHORITY_KEY_IDENTIFIER: [u8; 3] = [0x55, 0x1d, 35];

/// The version field of a list that may have extensions.
const VERSION_2: [u8; 1] = [1];

/// Some fields of a list. webpki reads its entries and checks its signature.
pub struct RevocationList<'a> {
    /// Whether it is of version 2.
    pub extended: bool,
    /// The issuer of the list.
    pub issuer: Name<'a>,
    /// The date of issue.
    pub this_update: Date,
    /// The date of issue of the next list.
    pub next_update: Option<Date>,
    extensions: &'a [u8],
}

/// The signed part of a list, and the signature.
pub struct Signed<'a> {
    /// The TBSCertList, in DER.
    pub message: &'a [u8],
    /// The content of the AlgorithmIdentifier of the signature.
    pub algorithm: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Splits the DER of a list.
    pub fn parse(der: &'a [u8]) -> Option<Self> {
        let (outer, _) = expect(der, SEQUENCE)?;
        let (_, rest) = expect(outer, SEQUENCE)?;
        let message = &outer[..outer.len() - rest.len()];
        let (algorithm, rest) = expect(rest, SEQUENCE)?;
        let (bits, _) = expect(rest, BIT_STRING)?;
        let (_unused, signature) = bits.split_first()?;
        Some(Self {
            message,
            algorithm,
            signature,
        })
    }
}

impl<'a> RevocationList<'a> {
    /// Reads the DER of a list.
    pub fn parse(der: &'a [u8]) -> Option<Self> {
        let (outer, _) = expect(der, SEQUENCE)?;
        let (tbs, _) = expect(outer, SEQUENCE)?;
        // Version 1 has no version field.
        let (version, rest) = expect(tbs, INTEGER).unwrap_or((&[], tbs));
        let (_algorithm, rest) = expect(rest, SEQUENCE)?;
        let (issuer, rest) = expect(rest, SEQUENCE)?;
        let (this_update, rest) = Date::read(rest)?;
        Some(Self {
            extended: version == VERSION_2,
            issuer: Name(issuer),
            this_update,
            next_update: Date::read(rest).map(|(next_update, _)| next_update),
            extensions: extensions::content(rest, 0xa0),
        })
    }

    /// The values of issuingDistributionPoint and authorityKeyIdentifier. A newer
    /// list of the same issuer and scope replaces an older one.
    pub fn scope(&self) -> [Option<&'a [u8]>; 2] {
        [ISSUING_DISTRIBUTION_POINT, AUTHORITY_KEY_IDENTIFIER]
            .map(|oid| extension(self.extensions, &oid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::{OBJECT_IDENTIFIER, OCTET_STRING, encode as der};

    /// A list of version `version`, issued in 1970.
    fn list(version: Option<u8>, next: Option<&[u8]>, extensions: &[u8]) -> Vec<u8> {
        let tbs = [
            version.map_or(vec![], |version| der(INTEGER, &[version])),
            der(SEQUENCE, b"algorithm"),
            der(SEQUENCE, b"issuer"),
            der(0x17, b"700101000010Z"),
            next.map_or(vec![], |next| der(0x18, next)),
            der(SEQUENCE, &der(SEQUENCE, b"entry")),
            der(0xa0, &der(SEQUENCE, extensions)),
        ];
        der(SEQUENCE, &der(SEQUENCE, &tbs.concat()))
    }

    fn with(oid: &[u8], value: &[u8]) -> Vec<u8> {
        let oid = der(OBJECT_IDENTIFIER, oid);
        der(SEQUENCE, &[oid, der(OCTET_STRING, value)].concat())
    }

    #[test]
    fn list_version_dates_and_issuer_are_read() {
        let next: &[u8] = b"19700101000020Z";
        for (version, extended) in [(None, false), (Some(0), false), (Some(1), true)] {
            for (next, seconds) in [(None, None), (Some(next), Some(20))] {
                let bytes = list(version, next, &[]);
                let list = RevocationList::parse(&bytes).unwrap();
                assert_eq!(list.extended, extended);
                assert_eq!(list.this_update.seconds(), 10);
                assert_eq!(list.next_update.map(|date| date.seconds()), seconds);
                assert_eq!((list.issuer.0, list.scope()), (&b"issuer"[..], [None; 2]));
            }
        }
    }

    #[test]
    fn list_scope_is_its_distribution_point_and_key() {
        let key = with(&AUTHORITY_KEY_IDENTIFIER, b"key");
        let point = with(&ISSUING_DISTRIBUTION_POINT, b"point");
        let bytes = list(Some(1), None, &[key, with(&[0x55], b"x"), point].concat());
        let list = RevocationList::parse(&bytes).unwrap();
        assert_eq!(list.scope(), [Some(&b"point"[..]), Some(b"key")]);
    }

    #[test]
    fn list_cut_anywhere_is_refused() {
        let bytes = list(Some(1), None, &[]);
        for cut in 0..bytes.len() {
            assert!(RevocationList::parse(&bytes[..cut]).is_none(), "{cut}");
        }
    }
}
