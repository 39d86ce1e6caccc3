//! Pins: the values of `--pin`.

use std::ffi::OsStr;

/// The hash that a peer's own certificate must match. Hashes are SHA-256.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pin {
    /// The hash of the whole certificate.
    Certificate([u8; 32]),
    /// The hash of its SubjectPublicKeyInfo, as in TLSA records 3 1 1 (RFC 6698).
    PublicKey([u8; 32]),
}

const CERTIFICATE: &str = "SHA256:";
const PUBLIC_KEY: &str = "SPKI-SHA256:";

impl Pin {
    /// Reads `SHA256:` or `SPKI-SHA256:` and 64 hex digits in any case. The error says what it
    /// must be.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        let pin = text.to_str().and_then(|text| {
            let hash_after = |prefix| text.strip_prefix(prefix).and_then(hash);
            let public_key = hash_after(PUBLIC_KEY).map(Self::PublicKey);
            public_key.or_else(|| hash_after(CERTIFICATE).map(Self::Certificate))
        });
        pin.ok_or_else(|| format!("must be {CERTIFICATE} or {PUBLIC_KEY} and 64 hex digits"))
    }

    /// The pin as text, its digits in lower case.
    pub fn text(&self) -> String {
        let (prefix, hash) = match self {
            Self::Certificate(hash) => (CERTIFICATE, hash),
            Self::PublicKey(hash) => (PUBLIC_KEY, hash),
        };
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{prefix}{digits}")
    }
}

/// 64 hex digits.
fn hash(digits: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        for digit in digits {
            let digit = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(digit).ok()?;
        }
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_the_hash_of_a_certificate_or_of_its_key_in_any_case() {
        let digits = "00ff".repeat(16);
        let hash = [[0, 255]; 16].concat().try_into().unwrap();
        for digits in [digits.clone(), digits.to_uppercase()] {
            for (prefix, pin) in [
                ("SHA256:", Pin::Certificate(hash)),
                ("SPKI-SHA256:", Pin::PublicKey(hash)),
            ] {
                let text = format!("{prefix}{digits}");
                assert_eq!(Pin::parse(text.as_ref()), Ok(pin));
                assert_eq!(pin.text(), text.replace("FF", "ff"));
            }
        }
    }

    #[test]
    fn other_text_is_no_pin() {
        let digits = "0".repeat(64);
        for text in [
            String::new(),
            digits.clone(),
            "SHA256:".to_owned(),
            format!("sha256:{digits}"),
            format!("SHA1:{digits}"),
            format!("SPKI:{digits}"),
            format!("SHA256:{digits}0"),
            format!("SHA256:{}", &digits[1..]),
            format!("SHA256:{}", &digits[2..]),
            format!("SHA256:{digits}\n"),
            format!("SHA256:g{}", &digits[1..]),
            format!("SHA256:\u{ff10}{}", &digits[3..]),
            format!("SHA256:+{}", &digits[1..]),
            format!("SHA256:{}", ["00"; 32].join(":")),
            format!("SHA256:{digits},SHA256:{digits}"),
        ] {
            let complaint = "must be SHA256: or SPKI-SHA256: and 64 hex digits";
            assert_eq!(
                Pin::parse(text.as_ref()),
                Err(complaint.to_owned()),
                "{text}"
            );
        }
    }
}
