//! Pins, certificates that are themselves anchors, and messages about lists.

use cli::{CrlCheck, Pin};
use pki::x509::KeyUse::KeyCertSign;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::server::danger::ClientCertVerifier;

use super::lists::Crl;
use super::*;
use crate::verify::crl::RevocationLists;
use crate::verify::policy::VerificationPolicy;
use crate::verify::verifiers::{ClientVerifier, ServerVerifier};

/// The results on both sides for a certificate under the policy that `make` makes, and
/// what was recorded for the message.
fn results(
    leaf: &CertificateDer<'_>,
    seconds: u64,
    make: impl Fn() -> VerificationPolicy,
) -> [(Result<(), Error>, Option<String>); 2] {
    let (of_client, of_server) = (make(), make());
    let facts = [of_client.facts.clone(), of_server.facts.clone()];
    let client = ClientVerifier::new(of_client, true);
    let server = ServerVerifier {
        policy: of_server.into(),
        name: None,
        algorithms: crypto::signature_algorithms(),
    };
    let any = ServerName::try_from("any.test").unwrap();
    let results = [
        client
            .verify_client_cert(leaf, &[], time(seconds))
            .map(drop),
        server
            .verify_server_cert(leaf, &[], &any, &[], time(seconds))
            .map(drop),
    ];
    let mut facts = facts.into_iter();
    results.map(|result| (result, facts.next().and_then(|facts| facts.refusal())))
}

#[test]
fn without_anchors_and_pins_any_certificate_is_accepted() {
    let leaf = Cert::leaf("x", "nobody", &Key::new()).signed(&Key::new());
    for (result, _) in results(&leaf, NOW, VerificationPolicy::default) {
        assert_eq!(result, Ok(()));
    }
}

#[test]
fn only_a_certificate_with_a_pin_is_accepted() {
    let sign = |name| Cert::leaf(name, "nobody", &Key::new()).signed(&Key::new());
    let (leaf, other) = (sign("x"), sign("y"));
    let pinned = || VerificationPolicy {
        pins: vec![Pin::Certificate(crypto::sha256(&leaf))],
        ..VerificationPolicy::default()
    };
    for (result, why) in results(&leaf, NOW, pinned) {
        assert_eq!((result, why), (Ok(()), None));
    }
    for (result, why) in results(&other, NOW, pinned) {
        assert_eq!(result, Err(CertificateError::NotValidForName.into()));
        let hash = crypto::fingerprint(&other);
        assert_eq!(
            why,
            Some(format!("remote certificate {hash} is not among the pins"))
        );
    }
}

#[test]
fn a_pin_does_not_replace_the_chain() {
    let leaf = Cert::leaf("x", "nobody", &Key::new()).signed(&Key::new());
    let root_key = Key::new();
    let root = Cert::authority("root", "root", &root_key).signed(&root_key);
    let policy = || VerificationPolicy {
        anchors: Some(anchors(&[&root])),
        pins: vec![Pin::Certificate(crypto::sha256(&leaf))],
        ..VerificationPolicy::default()
    };
    for (result, _) in results(&leaf, NOW, policy) {
        assert_eq!(result, Err(CertificateError::UnknownIssuer.into()));
    }
}

#[test]
fn of_a_certificate_that_is_an_anchor_only_the_dates_are_checked() {
    let key = Key::new();
    // It could not be verified by a chain.
    let listed = Cert::leaf("x", "x", &key)
        .with(key_usage(&[KeyCertSign]))
        .signed(&key);
    let root_key = Key::new();
    let root = Cert::authority("root", "root", &root_key).signed(&root_key);
    let policy = || VerificationPolicy {
        anchors: Some(anchors(&[&root, &listed])),
        ..VerificationPolicy::default()
    };
    const DAY: u64 = 24 * 60 * 60;
    let [from, to] = [NOW - 366 * DAY, NOW + 365 * DAY];
    for (seconds, expected) in [
        (from - 1, Err(CertificateError::NotValidYet.into())),
        (from, Ok(())),
        (to, Ok(())),
        (to + 1, Err(CertificateError::Expired.into())),
    ] {
        for (result, _) in results(&listed, seconds, policy) {
            assert_eq!(result, expected, "{seconds}");
        }
    }
}

#[test]
fn a_certificate_among_the_anchors_whose_key_cannot_verify_is_not_accepted() {
    let ed448 = info(&[0x2b, 0x65, 0x71], &[1; 57]);
    let mut listed = Cert::leaf("x", "x", &Key::new());
    listed.key = ed448;
    let listed = listed.signed(&Key::new());
    let root_key = Key::new();
    let root = Cert::authority("root", "root", &root_key).signed(&root_key);
    let policy = || VerificationPolicy {
        anchors: Some(anchors(&[&root, &listed])),
        ..VerificationPolicy::default()
    };
    for (result, _) in results(&listed, NOW, policy) {
        assert_eq!(result, Err(CertificateError::UnknownIssuer.into()));
    }
}

#[test]
fn the_message_names_the_list_for_which_a_certificate_is_refused() {
    let root_key = Key::new();
    let root = Cert::authority("root", "root", &root_key).signed(&root_key);
    let leaf = Cert::leaf("x", "root", &Key::new()).signed(&root_key);
    let policy = |of: &'static str| {
        let list = Crl::of(of, &[]).signed(&root_key);
        let lists = RevocationLists::parse(list, CrlCheck::Leaf).unwrap();
        VerificationPolicy {
            anchors: Some(anchors(&[&root])),
            revocations: Some(lists),
            ..VerificationPolicy::default()
        }
    };
    for (result, why) in results(&leaf, NOW, || policy("root")) {
        assert_eq!((result, why), (Ok(()), None));
    }
    let text = r"certificate of remote refused: there is no revocation list of CN\x3droot";
    for (result, why) in results(&leaf, NOW, || policy("other")) {
        assert_eq!(
            result,
            Err(CertificateError::UnknownRevocationStatus.into())
        );
        assert_eq!(why.as_deref(), Some(text));
    }
}
