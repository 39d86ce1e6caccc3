//! The certificates that a revocation list covers (RFC 5280 sections 4.2.1.13 and
//! 5.2.5).

use crate::x509::Certificate;
use crate::x509::der::{SEQUENCE, elements, expect};

const CRL_DISTRIBUTION_POINTS: [u8; 3] = [0x55, 0x1d, 31];

/// distributionPoint, which both extensions have, and its fullName.
const DISTRIBUTION_POINT: u8 = 0xa0;
const FULL_NAME: u8 = 0xa0;

/// Fields of an IssuingDistributionPoint.
const ONLY_USER_CERTS: u8 = 0x81;
const ONLY_CA_CERTS: u8 = 0x82;

/// The kind of GeneralName that is a URI.
const URI: u8 = 0x86;

/// Whether a list with this issuingDistributionPoint, or without one, covers
/// `certificate`. `is_ca`: the certificate has issued another one. If the certificate
/// has distribution points, one of them must have the URI of `point`. A malformed
/// `point` covers nothing.
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
    let mut whole = elements(points).filter(|(tag, point)| *tag == SEQUENCE && is_whole(point));
    whole.any(|(_, point)| uris(point).any(|uri| uris(fields).any(|own| own == uri)))
}

/// Whether a DistributionPoint has only a name: its lists cover all reasons, and come
/// from the certificate's issuer.
fn is_whole(point: &[u8]) -> bool {
    elements(point).all(|(tag, _)| tag == DISTRIBUTION_POINT)
}

/// The URIs of distributionPoint in `fields`.
fn uris(fields: &[u8]) -> impl Iterator<Item = &[u8]> {
    let points = elements(fields).filter(|(tag, _)| *tag == DISTRIBUTION_POINT);
    let full = points.flat_map(|(_, point)| elements(point).filter(|(tag, _)| *tag == FULL_NAME));
    let names = full.flat_map(|(_, names)| elements(names));
    names.filter_map(|(tag, name)| (tag == URI).then_some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, encode as der};

    /// A distributionPoint with the fullName `uri`.
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
    fn list_covers_certificates_of_its_kind() {
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
    fn list_covers_certificates_with_its_uri() {
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
