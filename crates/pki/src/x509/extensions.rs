//! Extensions of certificates (RFC 5280 section 4.2).

use crate::x509::der::{
    BIT_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element, element_of,
    expect,
};
use crate::x509::{Certificate, EXTENSIONS, VERSION, VERSION_3};

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
pub(super) const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 19];
const NAME_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 30];

impl<'a> Certificate<'a> {
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

    /// How many certificates of CAs may be below this one: pathLenConstraint (RFC 5280 section
    /// 4.2.1.9). None: any number. A malformed one allows none.
    pub fn path_length(&self) -> Option<usize> {
        let (constraints, _) = expect(self.extension(&BASIC_CONSTRAINTS)?, SEQUENCE)?;
        let rest = expect(constraints, BOOLEAN).map_or(constraints, |(_ca, rest)| rest);
        if rest.is_empty() {
            return None;
        }
        let length = expect(rest, INTEGER).map_or(&[][..], |(length, _)| length);
        match length {
            [length @ 0..=0x7f] => Some(usize::from(*length)),
            // No chain has as many certificates as a larger number allows.
            [0..=0x7f, ..] => None,
            _ => Some(0),
        }
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
    pub(super) fn extension(&self, oid: &[u8]) -> Option<&'a [u8]> {
        if self.has_extensions() {
            extension(self.extensions, oid)
        } else {
            None
        }
    }

    /// Whether it is of the version that has extensions.
    fn has_extensions(&self) -> bool {
        self.version == VERSION_3
    }
}

/// The value of the first extension `oid` in the content of Extensions: the content
/// of its OCTET STRING. Empty, not None, if the extension is malformed.
pub(super) fn extension<'a>(mut extensions: &'a [u8], oid: &[u8]) -> Option<&'a [u8]> {
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
pub(super) fn content(mut rest: &[u8], own: u8) -> &[u8] {
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
    use crate::x509::der::encode as der;
    use crate::x509::tests::certificate;

    /// A critical extension with this value.
    fn critical(oid: &[u8], value: &[u8]) -> Vec<u8> {
        let critical = der(BOOLEAN, &[0xff]);
        let value = der(OCTET_STRING, value);
        let oid = der(OBJECT_IDENTIFIER, oid);
        der(SEQUENCE, &[oid, critical, value].concat())
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
    fn path_length_is_that_of_basic_constraints() {
        let ca = [BOOLEAN, 1, 0xff];
        for (constraints, length) in [
            (ca.to_vec(), None),
            ([&ca[..], &[INTEGER, 1, 0]].concat(), Some(0)),
            ([&ca[..], &[INTEGER, 1, 3]].concat(), Some(3)),
            ([&ca[..], &[INTEGER, 2, 1, 0]].concat(), None),
            ([&ca[..], &[INTEGER, 1, 0xff]].concat(), Some(0)),
            ([&ca[..], &[INTEGER, 0]].concat(), Some(0)),
            ([&ca[..], &[INTEGER, 5]].concat(), Some(0)),
        ] {
            let extension = critical(&BASIC_CONSTRAINTS, &der(SEQUENCE, &constraints));
            let bytes = certificate(Some(&extension));
            let found = Certificate::parse(&bytes).unwrap().path_length();
            assert_eq!(found, length, "{constraints:?}");
        }
        let bytes = certificate(None);
        assert_eq!(Certificate::parse(&bytes).unwrap().path_length(), None);
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
}
