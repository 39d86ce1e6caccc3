//! How much work a peer can cause by the certificates that it sends: lists may have many entries.

use std::sync::Mutex;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

use super::*;
use crate::verify::chain::Target;

/// Verifies signatures, and keeps the messages whose signature it has verified.
#[derive(Debug)]
struct Counted {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    messages: &'static Mutex<Vec<Vec<u8>>>,
}

impl SignatureVerificationAlgorithm for Counted {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        unix::lock(self.messages).push(message.to_vec());
        self.algorithm.verify_signature(key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}

/// The algorithms, and where they keep messages.
fn counted() -> (WebPkiSupportedAlgorithms, &'static Mutex<Vec<Vec<u8>>>) {
    let messages: &'static Mutex<Vec<Vec<u8>>> = Box::leak(Box::default());
    let mut algorithms = crypto::signature_algorithms();
    let counted = algorithms.all.iter().map(|algorithm| {
        let counted = Counted {
            algorithm: *algorithm,
            messages,
        };
        &*Box::leak(Box::new(counted)) as &'static dyn SignatureVerificationAlgorithm
    });
    algorithms.all = Box::leak(counted.collect());
    (algorithms, messages)
}

/// The result for the host's certificate, how many paths were tried, and how often the signature
/// of each list was verified.
fn effort(
    world: &World,
    intermediates: &[CertificateDer<'_>],
    ders: &[Vec<u8>],
) -> (Result<(), Error>, usize, Vec<usize>) {
    let chain = Chain {
        end_entity: &world.leaf.signed(&world.issuer_key),
        intermediates,
        usage: KeyUsage::server_auth(),
        common_name_counts: false,
    };
    let anchors = anchors(&[&world.root.signed(&world.root_key)]);
    let paths = std::cell::Cell::new(0);
    let count = |_: &webpki::VerifiedPath<'_>| {
        paths.set(paths.get() + 1);
        true
    };
    let target = Target {
        roots: &chain.roots(&anchors),
        revocations: Some(&lists(ders, CrlCheck::Chain).unwrap()),
        accept: Some(&count),
    };
    let (algorithms, messages) = counted();
    let result = chain.verify_to(&target, now(), &algorithms, &mut |_| ());
    let messages = unix::lock(messages);
    let times = |list: &Vec<u8>| {
        let signed = pki::x509::crl::Signed::parse(list).unwrap();
        let same = |message: &&Vec<u8>| *message == signed.message;
        messages.iter().filter(same).count()
    };
    (result, paths.get(), ders.iter().map(times).collect())
}

#[test]
fn an_intermediate_that_is_sent_again_and_again_makes_one_path() {
    let world = World::new();
    let intermediates = vec![world.issuer.signed(&world.root_key); 20];
    for (of_issuer, expected) in [(&[9][..], revoked()), (&[], Ok(()))] {
        let lists = world.both(&[], of_issuer);
        let (result, paths, _) = effort(&world, &intermediates, &lists);
        assert_eq!((result, paths), (expected, 1));
    }
}

#[test]
fn the_signature_of_a_list_is_verified_once_however_many_paths_there_are() {
    let world = World::new();
    let intermediates: Vec<_> = (20..40)
        .map(|serial| {
            let issuer = Cert {
                serial,
                ..world.issuer.clone()
            };
            issuer.signed(&world.root_key)
        })
        .collect();
    let foreign = Crl::of("issuer", &[]).signed(&Key::new());
    let past = Crl {
        dates: vec!["20240101000000Z", "20240102000000Z"],
        ..Crl::of("issuer", &[])
    };
    let of_root = Crl::of("root", &[]).signed(&world.root_key);
    for (of_issuer, error) in [
        (Crl::of("issuer", &[9]).signed(&world.issuer_key), "Revoked"),
        (past.signed(&world.issuer_key), "ExpiredRevocationList"),
        (foreign, "UnknownRevocationStatus"),
    ] {
        let (result, paths, times) = effort(&world, &intermediates, &[of_root.clone(), of_issuer]);
        assert!(format!("{result:?}").contains(error), "{result:?}");
        assert_eq!((paths, times), (20, vec![1, 1]), "{error}");
    }
}
