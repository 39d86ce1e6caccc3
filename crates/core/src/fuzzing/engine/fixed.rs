//! Deterministic cryptography, so that one input always gives the same connection.

use std::cell::Cell;

use rustls::Error;
use rustls::crypto::{
    ActiveKeyExchange, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::{NamedGroup, PeerMisbehaved};

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// A linear congruential generator, of this thread.
#[derive(Debug)]
pub struct Random;

/// Lets [`Random`] begin anew.
pub fn restart() {
    STATE.set(1);
}

impl SecureRandom for Random {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        for byte in buf {
            let next = (STATE.get())
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            STATE.set(next);
            *byte = (next >> 56) as u8;
        }
        Ok(())
    }
}

/// A key exchange without secrets: the shares of both sides are XORed.
#[derive(Debug)]
pub struct Exchange(pub NamedGroup);

/// What a client offers first, and a server that has only [`X25519`] asks it to retry.
pub static SECP256R1: Exchange = Exchange(NamedGroup::secp256r1);

/// What both sides have.
pub static X25519: Exchange = Exchange(NamedGroup::X25519);

struct Share {
    group: NamedGroup,
    share: [u8; 32],
}

impl SupportedKxGroup for Exchange {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut share = [0; 32];
        Random.fill(&mut share)?;
        let group = self.0;
        Ok(Box::new(Share { group, share }))
    }

    fn name(&self) -> NamedGroup {
        self.0
    }
}

impl ActiveKeyExchange for Share {
    fn complete(self: Box<Self>, other: &[u8]) -> Result<SharedSecret, Error> {
        if other.len() != self.share.len() {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        let bytes = self.share.iter().zip(other);
        let secret: Vec<u8> = bytes.map(|(own, other)| own ^ other).collect();
        Ok(secret.into())
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn group(&self) -> NamedGroup {
        self.group
    }
}
