//! The pair of an ACME challenge is chosen instead of the pair of its name, never beside it.

use std::fs;
use std::path::PathBuf;

use super::*;

/// A SNIDIR with the test's pair as a.test and as the challenge of a.test, and a policy that
/// answers challenges or does not.
fn with_challenge(answers: bool) -> (SigningPolicy, PathBuf) {
    let name = format!("s6-tls-challenge-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(directory.join(".acme-tls-alpn")).unwrap();
    for (file, content) in [
        (".acme-tls-alpn/a.test.key.pem", testing::KEY),
        (".acme-tls-alpn/a.test.crt.pem", testing::CERTIFICATE),
        ("a.test.key", testing::KEY),
        ("a.test.crt", testing::CERTIFICATE),
    ] {
        fs::write(directory.join(file), content).unwrap();
    }
    let mut context = testing::context();
    context.env.set("SNIDIR", &directory);
    let files = Files::at_once(&context);
    let mut certificates = Certificates::load(&context, &files, SniLevel::Require).unwrap();
    if answers {
        certificates.answer_challenges();
    }
    let material = PrivateMaterial {
        certificates,
        sessions: Some(Sessions::new(TicketKeys::for_tests(), Versions::Tls13)),
    };
    (SigningPolicy::new(Role::Server, material), directory)
}

#[test]
fn a_challenge_and_the_pair_of_its_name_exclude_each_other() {
    let [challenge, pair] = [
        Request::Challenge(b"a.test"),
        Request::Pair(Some(b"a.test")),
    ];
    let state = sessions::for_tests(0x0304);
    for (first, second, tickets) in [(&challenge, &pair, false), (&pair, &challenge, true)] {
        let (mut policy, directory) = with_challenge(true);
        let chosen = ask(&mut policy, first);
        assert!(matches!(chosen, Response::Pair(_)), "{chosen:?}");
        assert_eq!(ask(&mut policy, second), Response::None);
        assert_eq!(ask(&mut policy, first), chosen);
        let text = verify();
        let signature = Request::Signature(P256, &text);
        let signed = (0..4).filter(|_| is_bytes(&ask(&mut policy, &signature)));
        assert_eq!(signed.count(), 1);
        let ticket = ask(&mut policy, &Request::Seal(&state));
        assert_eq!(is_bytes(&ticket), tickets);
        fs::remove_dir_all(directory).unwrap();
    }
    let (mut policy, directory) = with_challenge(true);
    for name in [&b"b.test"[..], b"\xff", b"../a.test"] {
        assert_eq!(ask(&mut policy, &Request::Challenge(name)), Response::None);
    }
    let (mut policy, _) = with_challenge(false);
    assert_eq!(ask(&mut policy, &challenge), Response::None);
    fs::remove_dir_all(directory).unwrap();
}
