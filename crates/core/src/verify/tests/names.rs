//! Which certificates of servers and clients are accepted, and for which names.

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::server::danger::ClientCertVerifier;

use super::*;
use crate::verify::policy::VerificationPolicy;
use crate::verify::verifiers::{ClientVerifier, ServerVerifier};

/// A root, its key, and the key of a peer.
struct World {
    root_key: Key,
    root: Cert,
    key: Key,
}

impl World {
    fn new() -> Self {
        let root_key = Key::new();
        Self {
            root: Cert::authority("root", "root", &root_key),
            root_key,
            key: Key::new(),
        }
    }

    /// One whose root may issue certificates only for other hosts.
    fn limited() -> Self {
        let mut world = Self::new();
        world.root = world.root.with(permits_only(DNS_NAME, b"other.test"));
        world
    }

    fn leaf(&self, subject: &'static str) -> Cert {
        Cert::leaf(subject, "root", &self.key)
    }

    fn policy(&self) -> VerificationPolicy {
        VerificationPolicy {
            anchors: Some(anchors(&[&self.root.signed(&self.root_key)])),
            ..VerificationPolicy::default()
        }
    }

    fn verifier(&self, wanted: Option<&'static str>) -> ServerVerifier {
        ServerVerifier {
            policy: self.policy().into(),
            name: wanted.map(|name| name.try_into().unwrap()),
            algorithms: crypto::signature_algorithms(),
        }
    }

    /// The result for a server with this certificate where `wanted` is its name.
    fn server(&self, leaf: &Cert, wanted: Option<&'static str>) -> Result<(), Error> {
        server(&self.verifier(wanted), &leaf.signed(&self.root_key))
    }

    fn client(&self, leaf: &Cert) -> Result<(), Error> {
        let verifier = ClientVerifier::new(self.policy(), true);
        let leaf = leaf.signed(&self.root_key);
        verifier.verify_client_cert(&leaf, &[], now()).map(drop)
    }
}

fn server(verifier: &ServerVerifier, leaf: &CertificateDer<'_>) -> Result<(), Error> {
    let ignored = ServerName::try_from("ignored.test").unwrap();
    verifier
        .verify_server_cert(leaf, &[], &ignored, &[], now())
        .map(drop)
}

#[test]
fn a_server_is_known_by_its_alternative_names_alone_if_there_are_any() {
    let world = World::new();
    let leaf = world
        .leaf("common.test")
        .with(alternative_name(DNS_NAME, b"host.test"));
    for (wanted, accepted) in [
        (Some("host.test"), true),
        (Some("other.test"), false),
        (Some("common.test"), false),
        (None, true),
    ] {
        assert_eq!(world.server(&leaf, wanted).is_ok(), accepted, "{wanted:?}");
    }
}

#[test]
fn a_server_without_alternative_names_is_known_by_its_common_name() {
    let world = World::new();
    for (common, wanted, accepted) in [
        ("host.test", "host.test", true),
        ("*.host.test", "a.host.test", true),
        ("host.test", "other.test", false),
        // Only names of hosts, not their addresses, are in common names.
        ("127.0.0.1", "127.0.0.1", false),
    ] {
        let result = world.server(&world.leaf(common), Some(wanted));
        assert_eq!(result.is_ok(), accepted, "{common} {wanted}");
    }
}

#[test]
fn limits_on_host_names_hold_for_common_names_of_servers_with_a_name() {
    let world = World::limited();
    let leaf = world.leaf("host.test");
    assert!(world.server(&leaf, Some("host.test")).is_err());
    // No host name is in question.
    assert_eq!(world.server(&leaf, None), Ok(()));
    let address = leaf.with(alternative_name(IP_ADDRESS, &[127, 0, 0, 1]));
    assert_eq!(world.server(&address, Some("127.0.0.1")), Ok(()));
    // webpki checks these itself.
    let fits = world
        .leaf("x")
        .with(alternative_name(DNS_NAME, b"other.test"));
    assert_eq!(world.server(&fits, Some("other.test")), Ok(()));
}

#[test]
fn a_certificate_that_limits_host_names_itself_has_no_common_name() {
    let world = World::new();
    let leaf = world
        .leaf("host.test")
        .with(permits_only(DNS_NAME, b"host.test"));
    assert!(world.server(&leaf, Some("host.test")).is_err());
}

#[test]
fn a_server_with_another_name_is_refused_with_both_names() {
    let world = World::new();
    let leaf = world
        .leaf("common.test")
        .with(alternative_name(DNS_NAME, b"host.test"));
    let nameless = world
        .leaf("")
        .with(alternative_name(IP_ADDRESS, &[127, 0, 0, 1]));
    for (leaf, has) in [(leaf, "host.test"), (nameless, "127.0.0.1")] {
        let policy = world.policy();
        let facts = policy.facts.clone();
        let verifier = ServerVerifier {
            policy: policy.into(),
            ..world.verifier(Some("wanted.test"))
        };
        assert!(server(&verifier, &leaf.signed(&world.root_key)).is_err());
        let why = facts.refusal().unwrap();
        assert!(
            why.contains("wanted.test is wanted") && why.contains(has),
            "{why}"
        );
    }
}

#[test]
fn limits_on_host_names_do_not_concern_clients() {
    let world = World::limited();
    assert_eq!(world.client(&world.leaf("A Person")), Ok(()));
}

#[test]
fn a_certificate_is_accepted_only_on_the_side_that_it_is_for() {
    let world = World::new();
    for (number, of_server, of_client) in [(1, true, false), (2, false, true), (3, false, false)] {
        let leaf = world.leaf("host.test").with(purpose(number));
        assert_eq!(world.server(&leaf, None).is_ok(), of_server, "{number}");
        assert_eq!(world.client(&leaf).is_ok(), of_client, "{number}");
    }
}

#[test]
fn a_client_of_another_authority_is_refused() {
    let world = World::new();
    let leaf = world.leaf("A Person");
    assert_eq!(world.client(&leaf), Ok(()));
    let verifier = ClientVerifier::new(world.policy(), true);
    let leaf = leaf.signed(&Key::new());
    assert!(verifier.verify_client_cert(&leaf, &[], now()).is_err());
}

#[test]
fn clients_are_told_the_anchors_and_whether_a_certificate_is_mandatory() {
    let world = World::new();
    for mandatory in [true, false] {
        let verifier = ClientVerifier::new(world.policy(), mandatory);
        assert_eq!(verifier.client_auth_mandatory(), mandatory);
        let names: Vec<_> = verifier
            .root_hint_subjects()
            .iter()
            .map(AsRef::as_ref)
            .collect();
        assert_eq!(names, [&name("root")[..]]);
    }
    let schemes = crypto::signature_algorithms().supported_schemes();
    let verifier = ClientVerifier::new(world.policy(), true);
    assert_eq!(verifier.supported_verify_schemes(), schemes);
    assert_eq!(world.verifier(None).supported_verify_schemes(), schemes);
}

#[test]
fn who_validates_an_acme_challenge_is_not_asked_for_a_certificate() {
    let policy = World::new().policy();
    let facts = policy.facts.clone();
    let verifier = ClientVerifier::new(policy, true);
    assert!(verifier.offer_client_auth());
    facts.client_wants_challenge(true);
    assert!(!verifier.offer_client_auth());
}

#[test]
fn without_anchors_a_server_may_have_any_name() {
    let world = World::new();
    let leaf = world.leaf("other.test").signed(&world.root_key);
    let verifier = world.verifier(Some("host.test"));
    assert!(server(&verifier, &leaf).is_err());
    verifier.policy.set(VerificationPolicy::default());
    assert_eq!(server(&verifier, &leaf), Ok(()));
}

#[test]
fn a_server_is_verified_only_once_by_one_policy() {
    let world = World::new();
    let leaf = world.leaf("host.test").signed(&world.root_key);
    let verifier = world.verifier(None);
    assert_eq!(server(&verifier, &leaf), Ok(()));
    assert!(server(&verifier, &leaf).is_err(), "the policy is gone");
    // A client sets it once its ClientHello is sent.
    verifier.policy.set(world.policy());
    assert_eq!(server(&verifier, &leaf), Ok(()));
}
