//! Seals session tickets by AES-256-GCM. Each has its own key, which HKDF-SHA-256
//! derives from a secret and a random salt (RFC 5077 section 4, RFC 5869). So one
//! secret can seal any number of tickets.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};

/// Length of the key name at the start of a ticket.
const NAME: usize = 16;

/// Length of the salt that follows it.
const SALT: usize = 32;

/// A key that seals and opens tickets. They begin with its name.
pub struct SealingKey {
    name: [u8; NAME],
    secret: Prk,
}

/// How many bytes HKDF is to derive.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl SealingKey {
    /// Derives key and name from `secret`, equally on every machine. None if ring fails, which no
    /// secret causes.
    pub fn derive(secret: &[u8]) -> Option<Self> {
        let secret = Salt::new(HKDF_SHA256, &[]).extract(secret);
        let name = expand(&secret, &[b"s6-tls ticket name"])?;
        Some(Self { name, secret })
    }

    /// The name, a random salt, and `plain` sealed; it opens only for the same
    /// `context`. None if the system has no random bytes.
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let mut salt = [0; SALT];
        SystemRandom::new().fill(&mut salt).ok()?;
        let mut sealed = [&self.name, &salt[..], plain].concat();
        let text = &mut sealed[NAME + SALT..];
        let key = self.key(&salt)?;
        let aad = Aad::from(self.associated_data(context));
        let tag = key.seal_in_place_separate_tag(nonce(), aad, text).ok()?;
        sealed.extend_from_slice(tag.as_ref());
        Some(sealed)
    }

    /// The plaintext of [`SealingKey::seal`]. None if this key did not make `sealed` for
    /// this `context`, or it was changed.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let rest = sealed.strip_prefix(&self.name)?;
        let (salt, text) = rest.split_first_chunk()?;
        let mut plain = text.to_vec();
        let aad = Aad::from(self.associated_data(context));
        let opened = self.key(salt)?.open_in_place(nonce(), aad, &mut plain);
        let length = opened.ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    /// The key for one ticket.
    fn key(&self, salt: &[u8; SALT]) -> Option<LessSafeKey> {
        let key = expand::<32>(&self.secret, &[b"s6-tls ticket key", salt])?;
        let key = UnboundKey::new(&AES_256_GCM, &*zeroize::Zeroizing::new(key)).ok()?;
        Some(LessSafeKey::new(key))
    }

    /// The associated data of a ticket.
    fn associated_data(&self, context: &[u8]) -> Vec<u8> {
        [&self.name, context].concat()
    }
}

/// A fixed nonce: each key seals only once.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn expand<const N: usize>(secret: &Prk, info: &[&[u8]]) -> Option<[u8; N]> {
    let mut out = [0; N];
    secret.expand(info, Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_with_the_same_secret_and_context_only() {
        let key = SealingKey::derive(&[7; 32]).unwrap();
        let sealed = key.seal(b"who", b"state").unwrap();
        let same = SealingKey::derive(&[7; 32]).unwrap();
        assert_eq!(same.open(b"who", &sealed).as_deref(), Some(&b"state"[..]));
        let other = SealingKey::derive(&[8; 32]).unwrap();
        assert_eq!(other.open(b"who", &sealed), None);
        assert_eq!(same.open(b"whom", &sealed), None);
        assert_eq!(same.open(b"", &sealed), None);
        let again = key.seal(b"who", b"state").unwrap();
        assert_eq!(again[..NAME], sealed[..NAME]);
        assert_ne!(again[NAME..][..SALT], sealed[NAME..][..SALT]);
        // Another salt gives another key, and so another ciphertext.
        assert_ne!(again[NAME + SALT..], sealed[NAME + SALT..]);
    }

    #[test]
    fn a_changed_or_cut_ticket_does_not_open() {
        let key = SealingKey::derive(&[7; 32]).unwrap();
        let sealed = key.seal(b"who", b"state").unwrap();
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert_eq!(key.open(b"who", &changed), None, "byte {i}");
            assert_eq!(key.open(b"who", &sealed[..i]), None, "{i} bytes");
        }
        assert_eq!(key.open(b"who", &[&sealed[..], &[0]].concat()), None);
    }
}
