//! PEM (RFC 7468) and DER files. The only module that uses rustls-pemfile,
//! which is archived upstream: what replaces it replaces it here.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_pemfile::{Item, read_one_from_slice};

use crate::x509::{is_der_sequence, is_encrypted_key};

/// Why a file does not give what is looked for in it. Said after its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Defect {
    /// The key is encrypted.
    Encrypted,
    /// A block that should be used cannot be decoded.
    Malformed,
    /// There is nothing of the kind.
    NoCertificate,
    /// There is nothing of the kind.
    NoKey,
}

impl Defect {
    /// What is wrong, to follow the file's name.
    pub fn text(self) -> &'static str {
        match self {
            Self::Encrypted => "the private key is encrypted",
            Self::Malformed => "malformed content",
            Self::NoCertificate => "no certificate inside",
            Self::NoKey => "no private key inside",
        }
    }
}

/// All certificates of a file, in their order: one in DER, or those of the
/// CERTIFICATE blocks.
pub fn certificates(content: &[u8]) -> Result<Vec<CertificateDer<'static>>, Defect> {
    if is_der_sequence(content) {
        return Ok(vec![CertificateDer::from(content.to_vec())]);
    }
    let mut certificates = Vec::new();
    for block in Blocks(content) {
        match block.label {
            b"CERTIFICATE" => certificates.push(certificate(block.text)?),
            b"X509 CERTIFICATE" => certificates.push(certificate(&relabelled(block.text))?),
            _ => {}
        }
    }
    if certificates.is_empty() {
        return Err(Defect::NoCertificate);
    }
    Ok(certificates)
}

/// The first private key of a file.
pub fn private_key(content: &[u8]) -> Result<PrivateKeyDer<'static>, Defect> {
    if is_der_sequence(content) {
        if is_encrypted_key(content) {
            return Err(Defect::Encrypted);
        }
        return PrivateKeyDer::try_from(content)
            .map(|key| key.clone_key())
            .map_err(|_| Defect::Malformed);
    }
    for block in Blocks(content) {
        match block.label {
            b"ENCRYPTED PRIVATE KEY" => return Err(Defect::Encrypted),
            b"PRIVATE KEY" | b"RSA PRIVATE KEY" | b"EC PRIVATE KEY" => return key(block.text),
            _ => {}
        }
    }
    Err(Defect::NoKey)
}

fn certificate(block: &[u8]) -> Result<CertificateDer<'static>, Defect> {
    match read_one_from_slice(block) {
        Ok(Some((Item::X509Certificate(certificate), _))) => Ok(certificate),
        _ => Err(Defect::Malformed),
    }
}

fn key(block: &[u8]) -> Result<PrivateKeyDer<'static>, Defect> {
    // The old style of encryption says so in a header (RFC 1421).
    if find(block, b"ENCRYPTED").is_some() {
        return Err(Defect::Encrypted);
    }
    match read_one_from_slice(block) {
        Ok(Some((Item::Pkcs8Key(key), _))) => Ok(key.into()),
        Ok(Some((Item::Pkcs1Key(key), _))) => Ok(key.into()),
        Ok(Some((Item::Sec1Key(key), _))) => Ok(key.into()),
        _ => Err(Defect::Malformed),
    }
}

/// An `X509 CERTIFICATE` block under the name that the decoder knows.
fn relabelled(block: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(block);
    text.replace("X509 CERTIFICATE", "CERTIFICATE").into_bytes()
}

/// A block from its BEGIN to its END line.
struct Block<'a> {
    label: &'a [u8],
    text: &'a [u8],
}

/// The blocks of a PEM file. Text around them is skipped, and so is a BEGIN
/// without its END.
struct Blocks<'a>(&'a [u8]);

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        const BEGIN: &[u8] = b"-----BEGIN ";
        loop {
            let start = find(self.0, BEGIN)?;
            let input = &self.0[start..];
            let after = &input[BEGIN.len()..];
            self.0 = after;
            let Some(end_of_label) = find(after, b"-----") else {
                continue;
            };
            let label = &after[..end_of_label];
            let end_line = [b"-----END ", label, b"-----"].concat();
            let Some(end) = find(input, &end_line) else {
                continue;
            };
            let (text, rest) = input.split_at(end + end_line.len());
            self.0 = rest;
            return Some(Block { label, text });
        }
    }
}

/// Where `needle` first stands in `hay`.
fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, _) = needle.split_first()?;
    let mut from = 0;
    loop {
        let at = from + hay.get(from..)?.iter().position(|byte| *byte == first)?;
        if hay[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    fn bodies(text: &str) -> Result<Vec<Vec<u8>>, Defect> {
        certificates(text.as_bytes())
            .map(|list| list.iter().map(|der| der.as_ref().to_vec()).collect())
    }

    #[test]
    fn text_around_blocks_and_blocks_of_other_kinds_are_skipped() {
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
    }

    #[test]
    fn each_defect_is_told_apart() {
        assert_eq!(bodies(""), Err(Defect::NoCertificate));
        assert_eq!(bodies(&block("CERTIFICATE", "!!")), Err(Defect::Malformed));
        let key = |text: &str| private_key(text.as_bytes()).err();
        assert_eq!(key(""), Some(Defect::NoKey));
        assert_eq!(key(&block("CERTIFICATE", "AAEC")), Some(Defect::NoKey));
        assert_eq!(key(&block("PRIVATE KEY", "!!")), Some(Defect::Malformed));
        assert_eq!(
            key(&block("ENCRYPTED PRIVATE KEY", "AAEC")),
            Some(Defect::Encrypted)
        );
        let old = block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAEC");
        assert_eq!(key(&old), Some(Defect::Encrypted));
    }

    #[test]
    fn the_first_key_counts_after_its_parameters() {
        let text = [
            block("EC PARAMETERS", "BggqhkjOPQMBBw=="),
            block("EC PRIVATE KEY", "AAEC"),
            block("PRIVATE KEY", "AwQF"),
        ]
        .concat();
        let key = private_key(text.as_bytes()).unwrap();
        assert!(matches!(key, PrivateKeyDer::Sec1(_)));
        assert_eq!(key.secret_der(), [0, 1, 2]);
    }
}
