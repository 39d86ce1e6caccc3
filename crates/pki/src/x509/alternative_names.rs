//! The names in a subjectAltName (RFC 5280 section 4.2.1.6).

use std::net::IpAddr;

use crate::x509::der::{SEQUENCE, elements, expect};
use crate::x509::extensions::{SUBJECT_ALT_NAME, extension};
use crate::x509::{Certificate, strict};

/// The tags of the kinds of GeneralName that can name a server.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// The tags that GeneralName has in DER, each at the number of its kind. Those of the
/// kinds that are strings must not be constructed, as BER allows.
const TAGS: [u8; 9] = [
    0xa0, 0x81, DNS_NAME, 0xa3, 0xa4, 0xa5, 0x86, IP_ADDRESS, 0x88,
];

impl<'a> Certificate<'a> {
    /// The host names and addresses of the subjectAltName, or the common name if the
    /// certificate has no such extension (RFC 9525 section 2). For messages: host
    /// names may hold any bytes.
    pub fn identities(&self) -> Vec<Vec<u8>> {
        match self.extension(&SUBJECT_ALT_NAME) {
            Some(names) => identities(names),
            None => {
                let name = self.subject().common_name();
                name.map(String::into_bytes).into_iter().collect()
            }
        }
    }

    /// All names of the subjectAltName, each with the number of its kind in
    /// GeneralName. Reads it in certificates of all versions. Gives no names at all if
    /// one is malformed.
    pub fn alternative_names(&self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let is_valid = |names: &&[u8]| {
            strict::is_sequence(names) && general_names(names).all(|(tag, _)| TAGS.contains(&tag))
        };
        let names = extension(self.extensions, &SUBJECT_ALT_NAME).filter(is_valid);
        general_names(names.unwrap_or_default()).map(|(tag, name)| (tag & 0x1f, name))
    }
}

/// The content of an iPAddress; None if its length fits neither IPv4 nor IPv6.
pub fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Tags and contents in a GeneralNames, up to the first that is malformed.
fn general_names(names: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    elements(expect(names, SEQUENCE).map_or(&[], |(names, _)| names))
}

fn identities(names: &[u8]) -> Vec<Vec<u8>> {
    let identity = |(tag, name): (u8, &[u8])| match tag {
        DNS_NAME => Some(name.to_vec()),
        IP_ADDRESS => ip_address(name).map(|ip| ip.to_string().into_bytes()),
        _ => None,
    };
    general_names(names).filter_map(identity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::{OBJECT_IDENTIFIER, OCTET_STRING, encode};
    use crate::x509::tests::certificate;

    /// A certificate of version 3 with subject CN=x and this subjectAltName.
    fn named(names: &[u8]) -> Vec<u8> {
        let oid = encode(OBJECT_IDENTIFIER, &SUBJECT_ALT_NAME);
        let extension = [oid, encode(OCTET_STRING, names)].concat();
        certificate(Some(&encode(SEQUENCE, &extension)))
    }

    #[test]
    fn identities_are_the_alternative_names_or_else_the_common_name() {
        let host = named(&encode(SEQUENCE, &encode(DNS_NAME, b"a.test")));
        let nobody = named(&encode(SEQUENCE, &[]));
        for (bytes, expected) in [
            (host, &[&b"a.test"[..]][..]),
            (nobody, &[]),
            (certificate(Some(&[])), &[b"x"]),
            (certificate(None), &[b"x"]),
        ] {
            let found = Certificate::parse(&bytes).unwrap().identities();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn alternative_names_are_given_only_if_each_has_a_tag_of_der() {
        for tag in 0..=u8::MAX {
            let names = [encode(tag, b"a.test"), encode(DNS_NAME, b"b.test")].concat();
            let bytes = named(&encode(SEQUENCE, &names));
            let certificate = Certificate::parse(&bytes).unwrap();
            let found: Vec<_> = certificate.alternative_names().collect();
            // otherName, x400Address, directoryName and ediPartyName are constructed.
            let expected = match tag {
                0xa0 | 0x81 | 0x82 | 0xa3 | 0xa4 | 0xa5 | 0x86 | 0x87 | 0x88 => {
                    vec![(tag & 0xf, &b"a.test"[..]), (2, b"b.test")]
                }
                _ => vec![],
            };
            assert_eq!(found, expected, "{tag:x}");
        }
    }

    #[test]
    fn identities_are_host_names_and_addresses_only() {
        let names = [
            encode(0x81, b"joe@example.org"),
            encode(DNS_NAME, b"*.example.org"),
            encode(0x86, b"http://example.org"),
            encode(IP_ADDRESS, &[192, 0, 2, 1]),
            encode(IP_ADDRESS, &[0; 16]),
            encode(IP_ADDRESS, &[1; 5]),
            encode(DNS_NAME, b"\xff\n"),
            vec![DNS_NAME, 9, b'x'],
        ];
        let found = identities(&encode(SEQUENCE, &names.concat()));
        let expected = [&b"*.example.org"[..], b"192.0.2.1", b"::", b"\xff\n"];
        assert_eq!(found, expected);
        for none in [&b""[..], &[SEQUENCE, 0], b"junk"] {
            assert!(identities(none).is_empty());
        }
    }
}
