//! TLSA records beside trust anchors and revocation lists.

mod judgement;

use std::ffi::OsStr;

use cli::EngineOptions;
use rustls::pki_types::ServerName;
use webpki::anchor_from_trusted_cert;

use super::*;
use crate::crypto::Hash;
use crate::files::retry::Files;
use crate::testing;
use crate::verify::compiled_in::Packed;
use crate::verify::dane::Dane;
use crate::verify::policy::{Sources, VerificationPolicy};
use crate::verify::trust_anchors::Source;
use crate::verify::verifiers::PresentedServer;

/// The record with these fields and the SHA-256 digest of `selected`.
fn dane(fields: &str, selected: &[u8]) -> Dane {
    let digest = crypto::digest(Hash::Sha256, selected);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut context = testing::context();
    context.env.set("TLSA", format!("{fields} {hex}"));
    Dane::from_environment(&context, true).unwrap().unwrap()
}

/// Whether the host of the world, who sends its issuer, is accepted with these anchors.
fn accepts(world: &World, dane: &Dane, anchors: Anchors) -> bool {
    let policy = VerificationPolicy {
        anchors: Some(anchors),
        ..VerificationPolicy::default()
    };
    let name = ServerName::try_from("host.test").unwrap();
    let alternative = alternative_name(DNS_NAME, b"host.test");
    let leaf = world.leaf.clone().with(alternative);
    let server = PresentedServer {
        end_entity: &leaf.signed(&world.issuer_key),
        intermediates: &[world.issuer.signed(&world.root_key)],
        names: vec![&name],
        policy: &policy,
        now: now(),
        algorithms: &crypto::signature_algorithms(),
    };
    dane.verify(&server).is_ok()
}

#[test]
fn a_record_of_usage_0_describes_only_an_issuer_on_the_path() {
    let world = World::new();
    let root = world.root.signed(&world.root_key);
    let other_key = Key::new();
    let others = [
        Cert::authority("other", "other", &other_key).signed(&other_key),
        // It has the name of the root, and one has its key.
        Cert::authority("root", "root", &other_key).signed(&other_key),
        Cert::authority("other", "other", &world.root_key).signed(&world.root_key),
    ];
    for other in &others {
        let both = || anchors(&[other, &root]);
        assert!(accepts(&world, &dane("0 0 1", &root), both()));
        assert!(!accepts(&world, &dane("0 0 1", other), both()));
    }
    let by_issuer = dane("0 1 1", &world.issuer_key.info());
    assert!(accepts(&world, &by_issuer, anchors(&[&root])));
}

#[test]
fn a_record_of_usage_0_describes_an_anchor_without_certificate_by_its_key() {
    let world = World::new();
    let root = world.root.signed(&world.root_key);
    let compiled_in = Packed::one(&anchor_from_trusted_cert(&root).unwrap());
    let key = world.root_key.info();
    for (fields, selected, accepted) in [
        ("0 1 1", key.clone(), true),
        ("0 1 1", Key::new().info(), false),
        // The data are the key's, but the record is about a certificate.
        ("0 0 1", key, false),
        ("0 0 1", root.to_vec(), false),
    ] {
        let files = Files::at_once(&testing::context());
        let anchors = Anchors::load(&files, &Source::CompiledIn(compiled_in)).unwrap();
        let dane = dane(fields, &selected);
        assert_eq!(accepts(&world, &dane, anchors), accepted, "{dane:?}");
    }
}

#[test]
fn revocation_lists_are_read_if_anchors_or_records_of_usage_2_need_chains() {
    let context = testing::context();
    let files = Files::at_once(&context);
    let world = World::new();
    let root = world.root.signed(&world.root_key);
    // An empty path is an error, if it counts.
    let reads = |anchors: Option<Source>, dane: Option<Dane>| {
        let mut sources = Sources::new(&context, &files, anchors);
        sources.crl_file = Some(OsStr::new("").to_owned());
        sources.dane = dane.map(Arc::new);
        let facts = HandshakeFacts::default();
        VerificationPolicy::load(&sources, &EngineOptions::default(), facts).is_err()
    };
    assert!(!reads(None, None));
    assert!(!reads(None, Some(dane("3 0 1", &root))));
    assert!(reads(None, Some(dane("2 0 1", &root))));
    assert!(reads(Some(Source::CompiledIn(Packed(&[]))), None));
}
