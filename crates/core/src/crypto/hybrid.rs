//! X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem): key exchange by ML-KEM-768 (FIPS 203)
//! and X25519 together. An attacker has to break both.
//!
//! In each share and in the secret, the part of ML-KEM comes first.
//!
//! Upstream (doc/upstream.md, X25519MLKEM768 with ring): ring has no ML-KEM, so rustls
//! has this group only with aws-lc-rs.

use fips203::SharedSecretKey;
use fips203::ml_kem_768::{CT_LEN, CipherText, DecapsKey, EK_LEN, EncapsKey, KG};
use fips203::traits::{Decaps, Encaps, KeyGen, SerDes};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::crypto::ring::kx_group::X25519;
use rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};
use zeroize::Zeroizing;

/// The group, in TLS 1.3 only. Keys are generated only when a handshake needs them.
#[derive(Debug)]
pub struct X25519MlKem768;

/// A client's share, and the private keys for the server's share.
struct Offer {
    x25519: Box<dyn ActiveKeyExchange>,
    ml_kem: DecapsKey,
    share: Vec<u8>,
}

impl SupportedKxGroup for X25519MlKem768 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let x25519 = X25519.start()?;
        let (d, z) = (random()?, random()?);
        let (key, ml_kem) = KG::keygen_from_seed(*d, *z);
        let share = [&key.into_bytes()[..], x25519.pub_key()].concat();
        Ok(Box::new(Offer {
            x25519,
            ml_kem,
            share,
        }))
    }

    fn start_and_complete(&self, offer: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (key, x25519_share) = split::<EK_LEN>(offer)?;
        // Refuses coefficients that are not reduced (FIPS 203 section 7.2).
        let key = EncapsKey::try_from_bytes(*key).map_err(|_| invalid_share())?;
        let x25519 = X25519.start_and_complete(x25519_share)?;
        let (ml_kem, ciphertext) = key.encaps_from_seed(&*random()?);
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: [&ciphertext.into_bytes()[..], &x25519.pub_key].concat(),
            secret: combined(ml_kem, &x25519.secret),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

impl ActiveKeyExchange for Offer {
    fn complete(self: Box<Self>, answer: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, x25519_share) = split::<CT_LEN>(answer)?;
        let ciphertext = CipherText::try_from_bytes(*ciphertext).map_err(|_| invalid_share())?;
        let x25519 = self.x25519.complete(x25519_share)?;
        // A ciphertext for another key gives a secret that the peer does not have:
        // then Finished does not verify.
        let ml_kem = self.ml_kem.try_decaps(&ciphertext);
        Ok(combined(ml_kem.map_err(|_| invalid_share())?, &x25519))
    }

    /// X25519 is also offered alone, with the same share.
    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((self.x25519.group(), self.x25519.pub_key()))
    }

    fn complete_hybrid_component(self: Box<Self>, answer: &[u8]) -> Result<SharedSecret, Error> {
        self.x25519.complete(answer)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

/// The parts of a share: `N` bytes of ML-KEM, and X25519's, whose length ring checks. A share that
/// is too short is invalid, and rustls sends illegal_parameter.
fn split<const N: usize>(share: &[u8]) -> Result<(&[u8; N], &[u8]), Error> {
    share.split_first_chunk().ok_or_else(invalid_share)
}

fn invalid_share() -> Error {
    PeerMisbehaved::InvalidKeyShare.into()
}

fn combined(ml_kem: SharedSecretKey, x25519: &SharedSecret) -> SharedSecret {
    let ml_kem = Zeroizing::new(ml_kem.into_bytes());
    SharedSecret::from([&ml_kem[..], x25519.secret_bytes()].concat())
}

/// Random bytes for d, z and m of FIPS 203.
fn random() -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    match SystemRandom::new().fill(&mut *bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(GetRandomFailed.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const KNOWN_ANSWERS: &str = include_str!("../testdata/ml-kem-768.txt");

    #[test]
    fn ml_kem_gives_the_known_answers() {
        let mut counts = HashMap::new();
        let mut fields = HashMap::new();
        for paragraph in KNOWN_ANSWERS.split("\n\n").skip(1) {
            let mut lines = paragraph.lines().filter_map(|line| line.split_once(' '));
            let (test, _number) = lines.next().unwrap();
            fields.extend(lines);
            known_answer(test, &fields);
            *counts.entry(test).or_insert(0) += 1;
        }
        assert_eq!(counts["keygen"], 2);
        assert_eq!(counts["encapsulate"], 2);
        assert_eq!(counts["decapsulate"], 4);
    }

    /// Runs one test. `fields` are in hexadecimal digits, and include those of earlier
    /// tests.
    fn known_answer(test: &str, fields: &HashMap<&str, &str>) {
        match test {
            "keygen" => {
                let (ek, dk) = KG::keygen_from_seed(bytes(fields["d"]), bytes(fields["z"]));
                assert_eq!(ek.into_bytes(), bytes(fields["ek"]));
                assert_eq!(dk.into_bytes(), bytes(fields["dk"]));
            }
            "encapsulate" => {
                let ek = EncapsKey::try_from_bytes(bytes(fields["ek"])).unwrap();
                let (secret, ciphertext) = ek.encaps_from_seed(&bytes(fields["m"]));
                assert_eq!(ciphertext.into_bytes(), bytes(fields["c"]));
                assert_eq!(secret.into_bytes(), bytes(fields["k"]));
            }
            "decapsulate" => {
                let dk = DecapsKey::try_from_bytes(bytes(fields["dk"])).unwrap();
                let ciphertext = CipherText::try_from_bytes(bytes(fields["c"])).unwrap();
                let secret = dk.try_decaps(&ciphertext).unwrap();
                assert_eq!(secret.into_bytes(), bytes(fields["k"]));
            }
            other => panic!("no test of {other}"),
        }
    }

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        assert_eq!(hex.len(), 2 * N);
        std::array::from_fn(|n| u8::from_str_radix(&hex[2 * n..][..2], 16).unwrap())
    }

    #[test]
    fn the_group_is_for_tls_1_3_alone() {
        let usable = |version| X25519MlKem768.usable_for_version(version);
        assert!(usable(ProtocolVersion::TLSv1_3) && !usable(ProtocolVersion::TLSv1_2));
    }

    #[test]
    fn both_sides_get_the_same_combined_secret() {
        let offer = X25519MlKem768.start().unwrap();
        assert_eq!(offer.pub_key().len(), 1216);
        let answer = X25519MlKem768.start_and_complete(offer.pub_key()).unwrap();
        assert_eq!(answer.pub_key.len(), 1120);
        let secret = offer.complete(&answer.pub_key).unwrap();
        assert_eq!(secret.secret_bytes(), answer.secret.secret_bytes());
        assert_eq!(secret.secret_bytes().len(), 64);
        assert_ne!(secret.secret_bytes()[..32], secret.secret_bytes()[32..]);
    }

    #[test]
    fn no_two_offers_and_no_two_answers_are_alike() {
        let offers = [(); 2].map(|()| X25519MlKem768.start().unwrap());
        assert_ne!(offers[0].pub_key()[..EK_LEN], offers[1].pub_key()[..EK_LEN]);
        let answer = || X25519MlKem768.start_and_complete(offers[0].pub_key());
        let answers = [answer().unwrap(), answer().unwrap()];
        assert_ne!(answers[0].pub_key[..CT_LEN], answers[1].pub_key[..CT_LEN]);
    }

    #[test]
    fn the_share_of_x25519_can_be_used_alone() {
        let offer = X25519MlKem768.start().unwrap();
        let (group, share) = offer.hybrid_component().unwrap();
        assert_eq!(group, NamedGroup::X25519);
        assert_eq!(share, &offer.pub_key()[EK_LEN..]);
        let answer = X25519.start_and_complete(share).unwrap();
        let secret = offer.complete_hybrid_component(&answer.pub_key).unwrap();
        assert_eq!(secret.secret_bytes(), answer.secret.secret_bytes());
    }

    #[test]
    fn an_invalid_share_is_refused() {
        let invalid = || Some(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare));
        let offer = X25519MlKem768.start().unwrap().pub_key().to_vec();
        let answer = X25519MlKem768.start_and_complete(&offer).unwrap().pub_key;
        // 4095 stands where a coefficient is below 3329.
        let unreduced = [&[0xff, 0xff], &offer[2..]].concat();
        let low_order = [&offer[..EK_LEN], &[0; 32]].concat();
        let longer = [&offer[..], &[0]].concat();
        let shares = [
            &[],
            &offer[1..],
            &offer[..EK_LEN],
            &longer,
            &unreduced,
            &low_order,
        ];
        for wrong in shares {
            let error = X25519MlKem768.start_and_complete(wrong).err();
            assert_eq!(error, invalid(), "{} bytes", wrong.len());
        }
        let low_order = [&answer[..CT_LEN], &[0; 32]].concat();
        for wrong in [&[], &answer[1..], &answer[..CT_LEN], &low_order] {
            let error = X25519MlKem768.start().unwrap().complete(wrong).err();
            assert_eq!(error, invalid(), "{} bytes", wrong.len());
        }
    }

    #[test]
    fn a_changed_ciphertext_gives_another_secret() {
        let offer = X25519MlKem768.start().unwrap();
        let mut answer = X25519MlKem768.start_and_complete(offer.pub_key()).unwrap();
        answer.pub_key[0] ^= 1;
        let secret = offer.complete(&answer.pub_key).unwrap();
        let (ours, theirs) = (secret.secret_bytes(), answer.secret.secret_bytes());
        assert_ne!(ours[..32], theirs[..32]);
        assert_eq!(ours[32..], theirs[32..]);
    }
}
