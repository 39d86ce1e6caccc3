//! Who may issue certificates, and for which names and purposes.

use pki::x509::KeyUse::{CrlSign, DigitalSignature, KeyCertSign};
use webpki::KeyUsage;

use super::*;
use crate::verify::chain::Chain;

/// The usual public exponent of RSA keys: 65537.
const F4: &[u8] = &[1, 0, 1];

impl World {
    fn verify(&self) -> Result<(), Error> {
        self.with_others(&[], false)
    }

    /// Verifies the chain of the host, who also sends `others`.
    fn with_others(&self, others: &[CertificateDer<'_>], by_name: bool) -> Result<(), Error> {
        let root = self.root.signed(&self.root_key);
        let issuer = self.issuer.signed(&self.root_key);
        let leaf = self.leaf.signed(&self.issuer_key);
        verify(&root, &leaf, &[&[issuer], others].concat(), by_name)
    }

    /// Whether the chain is valid for a host that is known by its common name alone.
    fn by_common_name(&self) -> bool {
        self.with_others(&[], true).is_ok()
    }
}

fn verify(
    root: &CertificateDer<'_>,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    common_name_counts: bool,
) -> Result<(), Error> {
    let chain = Chain {
        end_entity: leaf,
        intermediates,
        usage: KeyUsage::server_auth(),
        common_name_counts,
    };
    let algorithms = crypto::signature_algorithms();
    chain.verify(&anchors(&[root]), None, now(), &algorithms, |_| ())
}

fn is(result: &Result<(), Error>, error: CertificateError) -> bool {
    *result == Err(error.into())
}

#[test]
fn a_chain_by_authorities_is_accepted() {
    let mut world = World::new();
    assert_eq!(world.verify(), Ok(()));
    world.issuer = world.issuer.with(key_usage(&[KeyCertSign, CrlSign]));
    world.leaf = world.leaf.with(key_usage(&[DigitalSignature]));
    assert_eq!(world.verify(), Ok(()));
}

#[test]
fn a_chain_without_its_issuer_is_refused() {
    let world = World::new();
    let root = world.root.signed(&world.root_key);
    let leaf = world.leaf.signed(&world.issuer_key);
    assert!(is(
        &verify(&root, &leaf, &[], false),
        CertificateError::UnknownIssuer
    ));
}

#[test]
fn a_chain_whose_issuer_may_not_sign_certificates_is_refused() {
    let mut world = World::new();
    world.issuer = world.issuer.with(key_usage(&[DigitalSignature, CrlSign]));
    assert_eq!(reason(world.verify()), Some(Refusal::IssuerKeyUsage));
}

#[test]
fn a_chain_whose_issuer_is_no_authority_is_refused() {
    let mut world = World::new();
    world.issuer = Cert::leaf("issuer", "root", &world.issuer_key);
    assert!(world.verify().is_err());
}

#[test]
fn an_anchor_that_is_no_authority_issues_nothing() {
    let mut world = World::new();
    world.root = Cert::leaf("root", "root", &world.root_key);
    assert!(is(&world.verify(), CertificateError::UnknownIssuer));
}

#[test]
fn an_unfit_certificate_that_issued_nothing_is_not_the_reason() {
    let world = World::new();
    let root = world.root.signed(&world.root_key);
    let leaf = world.leaf.signed(&world.issuer_key);
    let other = Cert::authority("other", "root", &Key::new()).with(key_usage(&[CrlSign]));
    let refused = verify(&root, &leaf, &[other.signed(&world.root_key)], false);
    assert!(is(&refused, CertificateError::UnknownIssuer), "{refused:?}");
}

#[test]
fn each_name_of_an_issuer_in_a_chain_is_given_once() {
    let world = World::new();
    let signed = |cert: &Cert| cert.signed(&world.root_key);
    let chain = Chain {
        end_entity: &signed(&world.leaf),
        intermediates: &[&world.issuer, &world.leaf, &world.root, &world.leaf].map(signed),
        usage: KeyUsage::server_auth(),
        common_name_counts: false,
    };
    let mut names = chain.named_issuers();
    names.sort_by_key(|name| name.len());
    let sequences = ["root", "issuer"].map(name);
    let contents = sequences.each_ref().map(|name| {
        let (content, _) = pki::x509::der::expect(name, SEQUENCE).unwrap();
        content
    });
    assert_eq!(names, contents);
}

#[test]
fn a_certificate_whose_key_may_not_sign_handshakes_is_refused() {
    let mut world = World::new();
    world.leaf = world.leaf.with(key_usage(&[KeyCertSign]));
    assert_eq!(reason(world.verify()), Some(Refusal::KeyUsage));
}

#[test]
fn a_certificate_for_another_purpose_is_refused() {
    for (number, accepted) in [(1, true), (2, false)] {
        let mut world = World::new();
        world.leaf = world.leaf.with(purpose(number));
        assert_eq!(world.verify().is_ok(), accepted, "{number}");
    }
}

#[test]
fn a_chain_outside_its_dates_is_refused() {
    for (dates, error) in [
        (["20240101000000Z", "20241231235959Z"], "Expired"),
        (["20250101000001Z", "20260101000000Z"], "NotValidYet"),
    ] {
        let (mut of_leaf, mut of_issuer) = (World::new(), World::new());
        of_leaf.leaf.dates = dates;
        of_issuer.issuer.dates = dates;
        for world in [of_leaf, of_issuer] {
            let refused = format!("{:?}", world.verify());
            assert!(refused.contains(error), "{refused}");
        }
    }
}

#[test]
fn a_date_before_1970_is_the_reason_wherever_it_is() {
    let early = ["19691231235959Z", DATES[1]];
    let (mut of_leaf, mut of_issuer) = (World::new(), World::new());
    of_leaf.leaf.dates = early;
    of_issuer.issuer.dates = early;
    for world in [of_leaf, of_issuer] {
        assert_eq!(reason(world.verify()), Some(Refusal::BeforeEpoch));
    }
    // webpki has the same error for a date that is none.
    let mut world = World::new();
    world.leaf.dates = [DATES[0], "20260101000060Z"];
    let refused = world.verify();
    assert!(refused.is_err());
    assert_ne!(reason(refused), Some(Refusal::BeforeEpoch));
}

#[test]
fn an_issuer_whose_rsa_key_cannot_verify_is_the_reason() {
    for (bits, exponent, why) in [
        (2047, F4, Some(Refusal::IssuerKeySize(2047))),
        (8193, F4, Some(Refusal::IssuerKeySize(8193))),
        (2048, &[2, 0, 0, 0, 1], Some(Refusal::IssuerKeyExponent(34))),
        // The key can verify signatures, but has not made this one.
        (2048, F4, None),
        (2048, &[1, 0, 0, 0, 1], None),
    ] {
        let mut world = World::new();
        world.issuer.key = rsa_info(&modulus(bits), exponent);
        let root = world.root.signed(&world.root_key);
        let issuer = world.issuer.signed(&world.root_key);
        let leaf = with_sha256_rsa(&world.leaf.signed(&world.issuer_key));
        let refused = verify(&root, &leaf, &[issuer], false);
        assert!(refused.is_err());
        assert_eq!(
            reason(refused.clone()),
            why,
            "{bits} {exponent:?} {refused:?}"
        );
    }
}

#[test]
fn an_issuer_whose_key_has_an_unknown_type_is_the_reason() {
    let ed448 = [0x2b, 0x65, 0x71];
    let mut world = World::new();
    world.issuer.key = info(&ed448, &[1; 57]);
    let why = reason(world.verify());
    assert!(matches!(why, Some(Refusal::IssuerKeyType(_))), "{why:?}");
    // The signature of the leaf has an algorithm that does not fit a known key.
    let world = World::new();
    let root = world.root.signed(&world.root_key);
    let issuer = world.issuer.signed(&world.root_key);
    let leaf = with_sha256_rsa(&world.leaf.signed(&world.issuer_key));
    let refused = verify(&root, &leaf, &[issuer], false);
    assert!(refused.is_err() && reason(refused).is_none());
}

/// The same certificate with another algorithm: sha256WithRSAEncryption. Its
/// signature is wrong then.
fn with_sha256_rsa(certificate: &CertificateDer<'_>) -> CertificateDer<'static> {
    let (outer, _) = pki::x509::der::expect(certificate, SEQUENCE).unwrap();
    let (tbs, _) = pki::x509::der::expect(outer, SEQUENCE).unwrap();
    let rsa = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    let rsa = der(SEQUENCE, &[&der(OBJECT_IDENTIFIER, &[&rsa]), &[5, 0]]);
    let ecdsa = ecdsa_with_sha256();
    let at = (tbs.windows(ecdsa.len()))
        .position(|part| part == ecdsa)
        .unwrap();
    let tbs = der(SEQUENCE, &[&tbs[..at], &rsa, &tbs[at + ecdsa.len()..]]);
    let signature = der(BIT_STRING, &[&[0; 257]]);
    der(SEQUENCE, &[&tbs, &rsa, &signature]).into()
}

#[test]
fn a_common_name_is_no_host_name_under_an_issuer_with_limits_on_host_names() {
    for (kind, base, by_name) in [
        (DNS_NAME, &b"other.test"[..], false),
        (IP_ADDRESS, &[127, 0, 0, 0, 255, 0, 0, 0], true),
    ] {
        let (mut of_root, mut of_issuer) = (World::new(), World::new());
        of_root.root = of_root.root.with(permits_only(kind, base));
        of_issuer.issuer = of_issuer.issuer.with(permits_only(kind, base));
        for world in [of_root, of_issuer] {
            assert_eq!(world.by_common_name(), by_name);
            assert_eq!(world.verify(), Ok(()), "no name is wanted");
        }
    }
    assert!(World::new().by_common_name());
}
