//! Revocation lists: which of them count, and when.

mod dates;
mod effort;

use cli::CrlCheck;
use pki::x509::KeyUse::{CrlSign, KeyCertSign};
use webpki::KeyUsage;

use super::lists::{
    Crl, DELTA_CRL_INDICATOR, INDIRECT, ISSUING_DISTRIBUTION_POINT, ONLY_CA_CERTS,
    ONLY_SOME_REASONS, ONLY_USER_CERTS,
};
use super::*;
use crate::verify::chain::Chain;
use crate::verify::crl::RevocationLists;

fn lists(lists: &[Vec<u8>], check: CrlCheck) -> Result<RevocationLists, &'static str> {
    RevocationLists::parse(pem("X509 CRL", lists), check)
}

impl World {
    /// A list of each authority.
    fn both(&self, of_root: &[u8], of_issuer: &[u8]) -> [Vec<u8>; 2] {
        [
            Crl::of("root", of_root).signed(&self.root_key),
            Crl::of("issuer", of_issuer).signed(&self.issuer_key),
        ]
    }

    /// The result under these lists, and the text for the message.
    fn at(&self, now: u64, ders: &[Vec<u8>], check: CrlCheck) -> (Result<(), Error>, String) {
        let chain = Chain {
            end_entity: &self.leaf.signed(&self.issuer_key),
            intermediates: &[self.issuer.signed(&self.root_key)],
            usage: KeyUsage::server_auth(),
            common_name_counts: false,
        };
        let lists = lists(ders, check).unwrap();
        let anchors = anchors(&[&self.root.signed(&self.root_key)]);
        let algorithms = crypto::signature_algorithms();
        let mut why = String::new();
        let explain = |text| why = text;
        let result = chain.verify(&anchors, Some(&lists), time(now), &algorithms, explain);
        (result, why)
    }

    fn chain(&self, ders: &[Vec<u8>]) -> Result<(), Error> {
        self.at(NOW, ders, CrlCheck::Chain).0
    }

    /// The result for the host's own certificate, and the text.
    fn leaf(&self, ders: &[Vec<u8>]) -> (Result<(), Error>, String) {
        self.at(NOW, ders, CrlCheck::Leaf)
    }
}

fn revoked() -> Result<(), Error> {
    Err(CertificateError::Revoked.into())
}

fn unknown() -> Result<(), Error> {
    Err(CertificateError::UnknownRevocationStatus.into())
}

#[test]
fn every_certificate_of_a_chain_may_be_revoked() {
    let world = World::new();
    for (of_root, of_issuer, leaf, chain) in [
        (&[][..], &[][..], Ok(()), Ok(())),
        (&[8], &[7, 8, 10], Ok(()), Ok(())),
        (&[9], &[7], Ok(()), Ok(())),
        (&[7], &[], Ok(()), revoked()),
        (&[], &[1, 9], revoked(), revoked()),
    ] {
        let both = world.both(of_root, of_issuer);
        assert_eq!(world.leaf(&both).0, leaf, "{of_root:?} {of_issuer:?}");
        assert_eq!(world.chain(&both), chain, "{of_root:?} {of_issuer:?}");
    }
}

#[test]
fn a_certificate_that_no_list_covers_is_refused_with_the_reason() {
    let world = World::new();
    let by = |key: &Key, crl: Crl| vec![crl.signed(key)];
    let of_cas = Crl::of("issuer", &[]).only(ONLY_CA_CERTS);
    for (ders, text) in [
        (
            by(&world.root_key, Crl::of("root", &[])),
            "there is no revocation list of",
        ),
        (by(&world.issuer_key, of_cas), "covers the certificate"),
        (
            by(&world.root_key, Crl::of("issuer", &[])),
            "signed by the key",
        ),
    ] {
        let (result, why) = world.leaf(&ders);
        assert_eq!(result, unknown(), "{why}");
        assert!(why.contains(text) && why.contains("issuer"), "{why}");
    }
}

#[test]
fn a_list_covers_the_certificates_that_it_says() {
    let world = World::new();
    let of_root = Crl::of("root", &[])
        .only(ONLY_CA_CERTS)
        .signed(&world.root_key);
    let of_issuer = Crl::of("issuer", &[])
        .only(ONLY_USER_CERTS)
        .signed(&world.issuer_key);
    assert_eq!(world.chain(&[of_root, of_issuer.clone()]), Ok(()));
    let of_root = Crl::of("root", &[])
        .only(ONLY_USER_CERTS)
        .signed(&world.root_key);
    assert_eq!(world.chain(&[of_root, of_issuer]), unknown());
}

#[test]
fn an_issuer_that_may_not_sign_lists_revokes_and_clears_nothing() {
    for (uses, accepted) in [(&[KeyCertSign, CrlSign][..], true), (&[KeyCertSign], false)] {
        let mut world = World::new();
        world.issuer = world.issuer.with(key_usage(uses));
        let result = world.chain(&world.both(&[], &[]));
        assert_eq!(result.is_ok(), accepted, "{result:?}");
    }
}

#[test]
fn of_several_lists_of_one_issuer_the_newest_counts() {
    let world = World::new();
    let list = |revoked, date| {
        let list = Crl::of("issuer", revoked).issued(date);
        [list.clone(), list.of_key(b"a key")].map(|list| list.signed(&world.issuer_key))
    };
    let (old, new) = ("20240601000000Z", "20240602000000Z");
    for (first, second, expected) in [
        (list(&[], old), list(&[9], new), revoked()),
        (list(&[9], new), list(&[], old), revoked()),
        (list(&[9], old), list(&[], new), Ok(())),
        (list(&[], new), list(&[9], old), Ok(())),
    ] {
        for (first, second) in first.into_iter().zip(second) {
            assert_eq!(world.leaf(&[first, second]).0, expected);
        }
    }
}

#[test]
fn a_newer_list_replaces_only_those_of_its_issuer_scope_and_key() {
    let world = World::new();
    let (old, new) = ("20240601000000Z", "20240602000000Z");
    let own = Crl::of("issuer", &[9]).issued(old).of_key(b"a key");
    let scoped = own.clone().only(ONLY_USER_CERTS);
    let others = [
        Crl::of("root", &[])
            .issued(new)
            .of_key(b"a key")
            .signed(&world.issuer_key),
        Crl::of("issuer", &[])
            .issued(new)
            .of_key(b"another")
            .signed(&world.root_key),
        Crl::of("issuer", &[]).issued(new).signed(&world.root_key),
        own.clone()
            .issued(new)
            .only(ONLY_CA_CERTS)
            .signed(&world.issuer_key),
    ];
    for own in [own, scoped] {
        for other in &others {
            let own = own.signed(&world.issuer_key);
            assert_eq!(world.leaf(&[own.clone(), other.clone()]).0, revoked());
            assert_eq!(world.leaf(&[other.clone(), own]).0, revoked());
        }
    }
}

#[test]
fn of_lists_with_different_scopes_the_newest_that_covers_the_certificate_counts() {
    let world = World::new();
    let lists = |old: bool, revoked: &[u8]| {
        let date = if old {
            "20240601000000Z"
        } else {
            "20240602000000Z"
        };
        let whole = Crl::of("issuer", revoked).issued(date);
        let scoped = whole.clone().only(ONLY_USER_CERTS);
        [whole, scoped].map(|list| list.signed(&world.issuer_key))
    };
    for (of_old, of_new, expected) in [(&[][..], &[9][..], revoked()), (&[9], &[], Ok(()))] {
        let ([old, old_scoped], [new, new_scoped]) = (lists(true, of_old), lists(false, of_new));
        for (old, new) in [(&old, &new_scoped), (&old_scoped, &new)] {
            assert_eq!(world.leaf(&[old.clone(), new.clone()]).0, expected);
            assert_eq!(world.leaf(&[new.clone(), old.clone()]).0, expected);
        }
    }
}

#[test]
fn a_newer_list_of_the_same_key_identifier_replaces_the_older_whoever_signed_it() {
    let world = World::new();
    let list = |date| Crl::of("issuer", &[]).issued(date).of_key(b"a key");
    let old = list("20240601000000Z").signed(&world.issuer_key);
    let new = list("20240602000000Z").signed(&Key::new());
    assert_eq!(world.leaf(std::slice::from_ref(&old)).0, Ok(()));
    assert_eq!(world.leaf(&[old, new]).0, unknown());
}

#[test]
fn lists_without_key_identifiers_count_by_the_keys_that_signed_them() {
    let world = World::new();
    let old = Crl::of("issuer", &[9])
        .issued("20240601000000Z")
        .signed(&world.issuer_key);
    let new = Crl::of("issuer", &[])
        .issued("20240602000000Z")
        .signed(&Key::new());
    assert_eq!(world.leaf(&[new, old]).0, revoked());
}

#[test]
fn a_list_that_says_less_than_a_whole_one_is_refused_when_it_is_read() {
    let key = Key::new();
    let whole = Crl::of("issuer", &[1]);
    let mut version_1 = whole.clone();
    version_1.version = None;
    let mut endless = whole.clone();
    endless.dates.truncate(1);
    let delta = der(INTEGER, &[&[1]]);
    for (list, why) in [
        (
            version_1,
            "a revocation list of version 1, and only version 2 can be read",
        ),
        (endless, "a revocation list without nextUpdate"),
        (
            whole.clone().with(extension(DELTA_CRL_INDICATOR, &delta)),
            "a delta revocation list",
        ),
        (whole.clone().only(INDIRECT), "a partial revocation list"),
        (
            whole.clone().only(ONLY_SOME_REASONS),
            "a partial revocation list",
        ),
        (
            (whole.clone()).with(extension(ISSUING_DISTRIBUTION_POINT, &der(SEQUENCE, &[]))),
            "a partial revocation list",
        ),
        (
            whole.clone().with(extension(99, &[])),
            "a revocation list with an unknown critical extension",
        ),
    ] {
        let read = lists(&[whole.signed(&key), list.signed(&key)], CrlCheck::Chain);
        assert_eq!(read.map(drop), Err(why));
    }
    assert!(lists(&[whole.signed(&key)], CrlCheck::Chain).is_ok());
}

#[test]
fn a_list_whose_entries_cannot_be_read_is_malformed() {
    let key = Key::new();
    let mut list = Crl::of("issuer", &[1]);
    assert!(lists(&[list.signed(&key)], CrlCheck::Leaf).is_ok());
    list.revoked = der(SEQUENCE, &[&der(BOOLEAN, &[&[1]])]);
    let malformed = lists(&[list.signed(&key)], CrlCheck::Leaf).map(drop);
    assert_eq!(malformed, Err(pki::PemError::Malformed.text()));
}

#[test]
fn a_signature_of_an_unknown_algorithm_is_the_reason() {
    let world = World::new();
    let list = Crl::of("issuer", &[]).signed(&world.issuer_key);
    // ecdsa-with-SHA256 becomes ecdsa-with-SHA224.
    let unknown: Vec<u8> = {
        let (known, unknown) = (ecdsa_with_sha256(), [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1]);
        let unknown = der(SEQUENCE, &[&der(OBJECT_IDENTIFIER, &[&unknown])]);
        let mut list = list;
        while let Some(at) = list.windows(known.len()).position(|part| part == known) {
            list[at..at + known.len()].copy_from_slice(&unknown);
        }
        list
    };
    let (result, _) = world.leaf(&[unknown]);
    let result = format!("{result:?}");
    assert!(
        result.contains("UnsupportedCrlSignatureAlgorithm"),
        "{result}"
    );
}
