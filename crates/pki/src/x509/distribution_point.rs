//! Which certificates of its issuer a revocation list is about (RFC 5280
//! sections 4.2.1.13 and 5.2.5).

use crate::x509::Certificate;
use crate::x509::der::{SEQUENCE, element, expect};

const CRL_DISTRIBUTION_POINTS: [u8; 3] = [0x55, 0x1d, 31];

/// The distributionPoint of both extensions, and its fullName.
const DISTRIBUTION_POINT: u8 = 0xa0;
const FULL_NAME: u8 = 0xa0;

/// Fields of an IssuingDistributionPoint.
const ONLY_USER_CERTS: u8 = 0x81;
const ONLY_CA_CERTS: u8 = 0x82;

/// A GeneralName that is a URI.
const URI: u8 = 0x86;

/// Whether a list with this issuingDistributionPoint, if it has any, is about
/// `certificate`; `is_ca` says whether that has issued another one. Both must
/// name the same URI, unless the certificate has no distribution points. What
/// cannot be read covers nothing.
pub fn covers(point: Option<&[u8]>, certificate: &Certificate<'_>, is_ca: bool) -> bool {
    let Some(point) = point else {
        return true;
    };
    let Some((fields, _)) = expect(point, SEQUENCE) else {
        return false;
    };
    let has = |tag| elements(fields).any(|(found, value)| found == tag && value != [0]);
    let excluded = if is_ca {
        ONLY_USER_CERTS
    } else {
        ONLY_CA_CERTS
    };
    if has(excluded) {
        return false;
    }
    let Some(points) = certificate.extension(&CRL_DISTRIBUTION_POINTS) else {
        return true;
    };
    let points = expect(points, SEQUENCE).map_or(&[][..], |(points, _)| points);
    let mut points = elements(points).filter(|(tag, point)| *tag == SEQUENCE && is_whole(point));
    points.any(|(_, point)| uris(point).any(|uri| uris(fields).any(|own| own == uri)))
}

/// Whether a DistributionPoint is for all reasons, and for lists of the
/// certificate's issuer: it has a name and no other field.
fn is_whole(point: &[u8]) -> bool {
    elements(point).all(|(tag, _)| tag == DISTRIBUTION_POINT)
}

/// The URIs of the distributionPoint among these fields.
fn uris(fields: &[u8]) -> impl Iterator<Item = &[u8]> {
    let points = elements(fields).filter(|(tag, _)| *tag == DISTRIBUTION_POINT);
    let names = points.flat_map(|(_, point)| elements(point).filter(|(tag, _)| *tag == FULL_NAME));
    let names = names.flat_map(|(_, names)| elements(names));
    names.filter_map(|(tag, name)| (tag == URI).then_some(name))
}

/// The elements of `content`, as far as they can be read.
fn elements(mut content: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, value, rest) = element(content)?;
        content = rest;
        Some((tag, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, encode as der};

    /// A distributionPoint with this URI.
    fn named(uri: &[u8]) -> Vec<u8> {
        der(DISTRIBUTION_POINT, &der(FULL_NAME, &der(URI, uri)))
    }

    fn issuing(fields: &[Vec<u8>]) -> Vec<u8> {
        der(SEQUENCE, &fields.concat())
    }

    /// A certificate with these distribution points, or without the extension.
    fn certificate(points: Option<&[Vec<u8>]>) -> Vec<u8> {
        let points = points.map_or(vec![], |points| {
            let points = points.iter().map(|point| der(SEQUENCE, point));
            let value = der(SEQUENCE, &points.collect::<Vec<_>>().concat());
            let oid = der(OBJECT_IDENTIFIER, &CRL_DISTRIBUTION_POINTS);
            der(SEQUENCE, &[oid, der(OCTET_STRING, &value)].concat())
        });
        let dates = der(0x17, b"700101000010Z").repeat(2);
        let tbs = [
            der(0xa0, &der(INTEGER, &[2])),
            der(INTEGER, &[1]),
            der(SEQUENCE, &[]).repeat(2),
            der(SEQUENCE, &dates),
            der(SEQUENCE, &[]).repeat(2),
            der(0xa3, &der(SEQUENCE, &points)),
        ];
        der(SEQUENCE, &der(SEQUENCE, &tbs.concat()))
    }

    #[test]
    fn a_list_covers_certificates_of_its_kind() {
        let bytes = certificate(None);
        let certificate = Certificate::parse(&bytes).unwrap();
        let [user, ca] = [ONLY_USER_CERTS, ONLY_CA_CERTS].map(|tag| der(tag, &[0xff]));
        for (fields, of_end_entity, of_ca) in [
            (vec![named(b"x")], true, true),
            (vec![named(b"x"), user], true, false),
            (vec![named(b"x"), ca], false, true),
            (vec![named(b"x"), der(ONLY_CA_CERTS, &[0])], true, true),
        ] {
            let point = issuing(&fields);
            assert_eq!(covers(Some(&point), &certificate, false), of_end_entity);
            assert_eq!(covers(Some(&point), &certificate, true), of_ca);
        }
        assert!(covers(None, &certificate, false));
        assert!(!covers(Some(&[]), &certificate, false));
    }

    #[test]
    fn a_list_covers_certificates_that_name_its_uri() {
        let point = issuing(&[named(b"x")]);
        let reasons = [named(b"x"), der(0x81, &[0, 0x80])].concat();
        let issuer = [named(b"x"), der(0xa2, &[])].concat();
        for (points, covered) in [
            (vec![named(b"x")], true),
            (vec![named(b"y"), named(b"x")], true),
            (vec![named(b"y")], false),
            (vec![named(b"")], false),
            (vec![reasons], false),
            (vec![issuer], false),
            (vec![vec![]], false),
            (vec![], false),
        ] {
            let bytes = certificate(Some(&points));
            let certificate = Certificate::parse(&bytes).unwrap();
            assert_eq!(covers(Some(&point), &certificate, false), covered);
            assert!(covers(None, &certificate, false));
        }
    }
}
