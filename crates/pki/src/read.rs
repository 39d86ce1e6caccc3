//! Decodes single files in PEM (RFC 7468) or DER.

use pki_types::pem::{PemObject, SectionKind};
use pki_types::{CertificateDer, PrivateKeyDer};

use crate::der_store::DerStore;
use crate::error::PemError;
use crate::pem::{BEGIN, Block, DASHES, find};
use crate::private_key;
use crate::x509::der::{SEQUENCE, element, is_der_sequence};

/// All certificates of a file, in file order: one in DER, or one for each
/// CERTIFICATE block.
pub fn certificates(content: impl Into<Vec<u8>>) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let mut store = DerStore::from(content.into());
    store.decode_certificates()?;
    let ders = store.iter().map(<[u8]>::to_vec);
    Ok(ders.map(CertificateDer::from).collect())
}

/// All revocation lists of a file: concatenated DER, or one for each X509 CRL
/// block. A file that ends within a block is malformed: it may still be being
/// written, and the missing list may revoke a certificate.
pub fn revocation_lists(content: impl Into<Vec<u8>>) -> Result<Vec<Vec<u8>>, PemError> {
    const LABEL: &[u8] = b"X509 CRL";
    let content = content.into();
    let lists = der_sequences(&content);
    if !lists.is_empty() {
        return Ok(lists.into_iter().map(<[u8]>::to_vec).collect());
    }
    let begin = [BEGIN, LABEL, DASHES].concat();
    let mut rest = &content[..];
    let mut begun = 0;
    while let Some(at) = find(rest, &begin) {
        rest = &rest[at + begin.len()..];
        begun += 1;
    }
    let mut store = DerStore::from(content);
    match store.decode_blocks(&[LABEL])? {
        0 if begun == 0 => Err(PemError::NoRevocationList),
        complete if complete < begun => Err(PemError::Malformed),
        _ => Ok(store.iter().map(<[u8]>::to_vec).collect()),
    }
}

/// The DER SEQUENCEs that `content` consists of; empty if it has anything else.
fn der_sequences(mut content: &[u8]) -> Vec<&[u8]> {
    let mut sequences = Vec::new();
    while let Some((SEQUENCE, _, rest)) = element(content) {
        let (sequence, _) = content.split_at(content.len() - rest.len());
        sequences.push(sequence);
        content = rest;
    }
    if !content.is_empty() {
        sequences.clear();
    }
    sequences
}

/// The first private key of a file. A block's label only says that it is a key;
/// the form is found from the content.
pub fn private_key(content: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    if is_der_sequence(content) {
        return private_key::of_der(content.to_vec());
    }
    let keys: [&[u8]; 4] = [
        b"PRIVATE KEY",
        b"RSA PRIVATE KEY",
        b"EC PRIVATE KEY",
        b"ENCRYPTED PRIVATE KEY",
    ];
    let mut rest = content;
    loop {
        let Some(block) = Block::first(rest) else {
            let is_cut = keys.iter().any(|label| Block::begins(rest, label));
            return Err(if is_cut {
                PemError::Malformed
            } else {
                PemError::NoKey
            });
        };
        if !keys.contains(&block.label) {
            rest = &rest[block.end..];
            continue;
        }
        // RFC 1421 marks encrypted keys with a header.
        return match find(block.body, b"ENCRYPTED") {
            Some(_) => Err(PemError::Encrypted),
            None => private_key::of_der(secret(block.body)?),
        };
    }
}

/// Decodes the base64 text of a secret in constant time. rustls-pki-types has such
/// a decoder, but takes only whole PEM blocks.
pub fn secret(text: &[u8]) -> Result<Vec<u8>, PemError> {
    let digits = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    // That decoder accepts missing padding, and joins text around a second BEGIN.
    if digits.count() % 4 != 0 || find(text, DASHES).is_some() {
        return Err(PemError::Malformed);
    }
    let [begin, end] = [
        "-----BEGIN PRIVATE KEY-----\n",
        "\n-----END PRIVATE KEY-----\n",
    ];
    let block = [begin.as_bytes(), text, end.as_bytes()].concat();
    let decoded: Result<(SectionKind, Vec<u8>), _> = PemObject::from_pem_slice(&block);
    decoded
        .map(|(_, secret)| secret)
        .map_err(|_| PemError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    fn bodies(text: &str) -> Result<Vec<Vec<u8>>, PemError> {
        certificates(text.as_bytes())
            .map(|list| list.iter().map(|der| der.as_ref().to_vec()).collect())
    }

    #[test]
    fn certificates_among_text_and_other_blocks_are_found() {
        let text = [
            "Subject: x\n".to_owned(),
            block("CERTIFICATE", "AAEC"),
            "----- not a block -----\n-----BEGIN nothing\n".to_owned(),
            block("EC PARAMETERS", "BggqhkjOPQMBBw=="),
            block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\n!!!"),
            block("X509 CERTIFICATE", "AwQF"),
            "the end".to_owned(),
        ]
        .concat();
        let expected = Ok(vec![vec![0, 1, 2], vec![3, 4, 5]]);
        assert_eq!(bodies(&text), expected);
        assert_eq!(bodies(&text.replace('\n', "\r\n")), expected);
        for white in [" A A\tEC ", "A\n\n \nAE\rC", "\x0cAAEC\n\n"] {
            assert_eq!(bodies(&text.replace("AAEC", white)), expected);
        }
    }

    #[test]
    fn secret_is_decoded_as_strictly_as_a_certificate() {
        for text in [
            "AAEC",
            "AA==",
            "AAE=",
            "A A\tE\r\nC",
            "",
            "AAECAA==\n",
            "+/+/",
            "AAE",
            "A",
            "AAE==",
            "A===",
            "=",
            "====",
            "AA==AAEC",
            "A_EC",
            "AAEC.",
            "AAEC====",
            "-----",
            "\u{fc}",
        ] {
            let body = block("CERTIFICATE", text);
            let public = bodies(&body).map(|mut bodies| bodies.remove(0));
            assert_eq!(secret(text.as_bytes()), public, "{text:?}");
        }
        // Unused bits that are not zero are accepted in secrets only.
        assert_eq!(secret(b"AB=="), Ok(vec![0]));
        let twice = "AAEC\n-----BEGIN PRIVATE KEY-----\nAAE";
        assert_eq!(secret(twice.as_bytes()), Err(PemError::Malformed));
    }

    #[test]
    fn revocation_lists_cut_or_damaged_are_errors() {
        let lists = |content: &[u8]| revocation_lists(content);
        let [first, second] = [vec![0x30, 1, 7], vec![0x30, 0]];
        let both = Ok(vec![first.clone(), second.clone()]);
        assert_eq!(lists(&first), Ok(vec![first.clone()]));
        assert_eq!(lists(&[first, second].concat()), both);
        let text = [
            block("CERTIFICATE", "AAEC"),
            block("X509 CRL", "MAEH"),
            "0: text\n".to_owned(),
            block("X509 CRL", "MAA="),
        ]
        .concat();
        assert_eq!(lists(text.as_bytes()), both);
        let cut = text.len() - 3;
        assert_eq!(lists(&text.as_bytes()[..cut]), Err(PemError::Malformed));
        let spoilt = text.replace("MAA=", "MA!=");
        assert_eq!(lists(spoilt.as_bytes()), Err(PemError::Malformed));
        for none in [
            "",
            "0",
            "\x30\x05x",
            "\x30\x00\x30",
            &block("CERTIFICATE", "AAEC"),
        ] {
            let found = lists(none.as_bytes());
            assert_eq!(found, Err(PemError::NoRevocationList), "{none:?}");
        }
    }

    #[test]
    fn file_cut_inside_a_block_is_malformed() {
        let list = block("X509 CRL", "MAA=");
        let certificate = block("CERTIFICATE", "AAEC");
        let key = block("EC PRIVATE KEY", "MAYCAQACAQc=");
        // A file without its last line feed is complete.
        for cut in 1..list.len() - 1 {
            let text = [list.as_bytes(), &list.as_bytes()[..cut]].concat();
            assert_eq!(revocation_lists(text), Err(PemError::Malformed), "{cut}");
        }
        // A list without its end is not passed over, wherever it is.
        for lists in ["", &list] {
            let text = [lists, "-----BEGIN X509 CRL-----\nMAA=\n", &certificate].concat();
            assert_eq!(revocation_lists(text), Err(PemError::Malformed));
        }
        for cut in 1..certificate.len() - 1 {
            let text = certificate.clone() + &certificate[..cut];
            assert_eq!(bodies(&text), Err(PemError::Malformed), "{cut}");
        }
        for cut in 1..key.len() - 1 {
            let text = block("EC PARAMETERS", "BggqhkjOPQMBBw==") + &key[..cut];
            let found = private_key(text.as_bytes()).err();
            assert_eq!(found, Some(PemError::Malformed), "{cut}");
        }
        // Last lines that are no beginning of a CERTIFICATE block.
        for end in ["-----BEGIN EC PRIV", "the end", "------", "-----END"] {
            let text = certificate.clone() + end;
            assert_eq!(bodies(&text), Ok(vec![vec![0, 1, 2]]), "{end}");
        }
    }

    #[test]
    fn files_without_content_damaged_or_encrypted_give_different_errors() {
        assert_eq!(bodies(""), Err(PemError::NoCertificate));
        assert_eq!(
            bodies(&block("CERTIFICATE", "!!")),
            Err(PemError::Malformed)
        );
        let private_key = |text: &str| private_key(text.as_bytes()).err();
        assert_eq!(private_key(""), Some(PemError::NoKey));
        assert_eq!(
            private_key(&block("CERTIFICATE", "AAEC")),
            Some(PemError::NoKey)
        );
        assert_eq!(
            private_key(&block("PRIVATE KEY", "!!")),
            Some(PemError::Malformed)
        );
        assert_eq!(
            private_key(&block("PRIVATE KEY", "AAEC")),
            Some(PemError::Malformed)
        );
        // SEQUENCE { SEQUENCE {}, OCTET STRING }
        for label in ["ENCRYPTED PRIVATE KEY", "PRIVATE KEY"] {
            assert_eq!(
                private_key(&block(label, "MAQwAAQA")),
                Some(PemError::Encrypted)
            );
        }
        let old = block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAEC");
        assert_eq!(private_key(&old), Some(PemError::Encrypted));
    }

    #[test]
    fn private_key_behind_parameters_is_the_first_one() {
        let text = [
            block("EC PARAMETERS", "BggqhkjOPQMBBw=="),
            // SEQUENCE { INTEGER 0, INTEGER 7 }, then one with INTEGER 8.
            block("EC PRIVATE KEY", "MAYCAQACAQc="),
            block("PRIVATE KEY", "MAYCAQACAQg="),
        ]
        .concat();
        let private_key = private_key(text.as_bytes()).unwrap();
        assert_eq!(
            private_key.secret_der(),
            b"\x30\x06\x02\x01\x00\x02\x01\x07"
        );
    }
}
