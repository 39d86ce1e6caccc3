//! Sealing session tickets: AES-256-GCM under keys that come out of a secret
//! by HKDF-SHA-256 (RFC 5077 section 4, RFC 5869).

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of the name that stands in front of what a key has sealed.
const NAME: usize = 16;

/// A key that seals and opens. What it has sealed begins with its name.
pub struct SealingKey {
    name: [u8; NAME],
    key: LessSafeKey,
}

/// How many bytes HKDF is to give.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl SealingKey {
    /// The key and the name that `secret` gives, the same on every machine.
    /// None if the library refuses, which it does for no secret.
    pub fn derive(secret: &[u8]) -> Option<Self> {
        let secret = Salt::new(HKDF_SHA256, &[]).extract(secret);
        let name = expand(&secret, b"s6-tls ticket name")?;
        let key = zeroize::Zeroizing::new(expand::<32>(&secret, b"s6-tls ticket key")?);
        let key = UnboundKey::new(&AES_256_GCM, &*key).ok()?;
        Some(Self {
            name,
            key: LessSafeKey::new(key),
        })
    }

    /// Name, a random nonce and `plain` sealed. None if the system has no
    /// random bytes.
    pub fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = [&self.name, &nonce[..], plain].concat();
        let text = &mut sealed[NAME + NONCE_LEN..];
        let nonce = Nonce::assume_unique_for_key(nonce);
        let aad = Aad::from(self.name);
        let tag = self.key.seal_in_place_separate_tag(nonce, aad, text).ok()?;
        sealed.extend_from_slice(tag.as_ref());
        Some(sealed)
    }

    /// What [`SealingKey::seal`] was given; None if `sealed` is not wholly
    /// what this key made.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let rest = sealed.strip_prefix(&self.name)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = text.to_vec();
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(self.name), &mut plain);
        let length = opened.ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

fn expand<const N: usize>(secret: &Prk, info: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    secret
        .expand(&[info], Length(N))
        .ok()?
        .fill(&mut out)
        .ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_under_the_same_secret_only() {
        let key = SealingKey::derive(&[7; 32]).unwrap();
        let sealed = key.seal(b"state").unwrap();
        let same = SealingKey::derive(&[7; 32]).unwrap();
        assert_eq!(same.open(&sealed).as_deref(), Some(&b"state"[..]));
        let other = SealingKey::derive(&[8; 32]).unwrap();
        assert_eq!(other.open(&sealed), None);
        assert_ne!(key.seal(b"state").unwrap(), sealed, "nonces are random");
    }

    #[test]
    fn no_byte_can_be_changed_and_none_can_miss() {
        let key = SealingKey::derive(&[7; 32]).unwrap();
        let sealed = key.seal(b"state").unwrap();
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert_eq!(key.open(&changed), None, "byte {i}");
            assert_eq!(key.open(&sealed[..i]), None, "{i} bytes");
        }
        assert_eq!(key.open(&[&sealed[..], &[0]].concat()), None);
    }
}
