//! Which requests of the engine the guard grants, and how often: an engine that an
//! attacker has taken over gets no more than a handshake needs. Nothing here does I/O.

use std::sync::Arc;

use cli::Fatal;
use rustls::SignatureScheme;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::sign::{CertifiedKey, Signer, SigningKey};

use super::message::{PublicCredential, Request, Response};
use super::signed_content::is_handshake_content;
use super::{PrivateMaterial, Role};
use crate::credentials::sessions::Sessions;
use crate::crypto::rsa_pss;

/// Every scheme by which the keys that can be loaded may sign.
const SCHEMES: [SignatureScheme; 12] = [
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ED25519,
    rsa_pss::SCHEMES[0],
    rsa_pss::SCHEMES[1],
    rsa_pss::SCHEMES[2],
];

/// The secrets, the choice of the certificate, and what is left of each budget.
pub struct SigningPolicy {
    role: Role,
    material: PrivateMaterial,
    chosen: Option<Choice>,
    signatures: u8,
    seals: u8,
    opens: u8,
}

/// The choice, which is made once for the connection.
struct Choice {
    name: Option<Vec<u8>>,
    /// Whether it is the pair of an ACME challenge.
    challenge: bool,
    pair: Option<Arc<CertifiedKey>>,
}

impl SigningPolicy {
    /// A policy with all of its budgets: what one handshake needs.
    pub fn new(role: Role, material: PrivateMaterial) -> Self {
        Self {
            role,
            material,
            chosen: None,
            signatures: 1,
            seals: 2,
            opens: 1,
        }
    }

    /// The first response. If every client gets the same pair, it is chosen, and told
    /// without a request.
    pub fn ready(&mut self) -> Response {
        let pair = self.material.certificates.only_pair();
        let public = pair.as_deref().map(public);
        self.chosen = pair.map(|pair| Choice {
            name: None,
            challenge: false,
            pair: Some(pair),
        });
        Response::Ready(public)
    }

    /// Whether nothing can be granted any more. Tickets come after the signature.
    pub fn is_spent(&self) -> bool {
        self.signatures == 0 && self.material.sessions.is_none()
    }

    /// Whether the certificate was chosen: no more files are needed.
    pub fn has_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Closes SNIDIR, which only the choice needs.
    pub fn close_files(&mut self) {
        self.material.certificates.close_directory();
    }

    /// The response to a message of this kind and content.
    pub fn respond(&mut self, kind: u8, content: &[u8], now: UnixTime) -> Response {
        let bytes = match Request::parse(kind, content) {
            Some(Request::Pair(name)) => return self.pair(name, false),
            Some(Request::Challenge(name)) => return self.pair(Some(name), true),
            Some(Request::Signature(scheme, text)) => return self.sign(scheme, text),
            Some(Request::Seal(state)) => self.seal(state, now),
            Some(Request::Open(ticket)) => self.open(ticket, now),
            None => None,
        };
        bytes.map_or(Response::None, Response::Bytes)
    }

    /// The first request decides. Later ones, as after a HelloRetryRequest, get the
    /// same certificate if they ask for the same.
    fn pair(&mut self, name: Option<&[u8]>, challenge: bool) -> Response {
        let mut failed = None;
        let material = &self.material;
        let choice = self.chosen.get_or_insert_with(|| Choice {
            name: name.map(<[u8]>::to_vec),
            challenge,
            pair: match name {
                Some(name) if challenge => material.challenge(name),
                name => material.choose(name),
            }
            .unwrap_or_else(|fatal| {
                failed = Some(fatal);
                None
            }),
        });
        let same = choice.name.as_deref() == name && choice.challenge == challenge;
        match (&choice.pair, failed) {
            (_, Some(fatal)) => Response::Failed(fatal.code(), fatal.message().to_owned()),
            (Some(pair), None) if same => Response::Pair(public(pair)),
            _ => Response::None,
        }
    }

    fn sign(&mut self, scheme: SignatureScheme, text: &[u8]) -> Response {
        match self.signer(scheme, text).map(|signer| signer.sign(text)) {
            Some(Ok(signature)) => Response::Bytes(signature),
            // Most likely the system gives no random bytes. The text is that of an
            // engine without guard.
            Some(Err(error)) => {
                let why = tunnel::explain::text(&error);
                Response::Failed(Fatal::SYSTEM, format!("handshake failed: {why}"))
            }
            None => Response::None,
        }
    }

    /// The signer for `text`, if this text may be signed and the budget allows it.
    fn signer(&mut self, scheme: SignatureScheme, text: &[u8]) -> Option<Box<dyn Signer>> {
        let pair = self.chosen.as_ref()?.pair.as_ref()?;
        if !is_handshake_content(self.role, scheme, text) {
            return None;
        }
        let signer = pair.key.choose_scheme(&[scheme])?;
        spend(&mut self.signatures)?;
        Some(signer)
    }

    fn seal(&mut self, state: &[u8], now: UnixTime) -> Option<Vec<u8>> {
        let left = self.seals.checked_sub(1)?;
        let sealed = self.sessions()?.seal(self.shown()?, state, now)?;
        self.seals = left;
        Some(sealed)
    }

    fn open(&mut self, ticket: &[u8], now: UnixTime) -> Option<Vec<u8>> {
        let left = self.opens.checked_sub(1)?;
        // A client may offer several (RFC 8446 section 4.2.11). Those that do not
        // open reveal nothing, so they cost nothing.
        let state = self.sessions()?.open(self.shown()?, ticket, now)?;
        self.opens = left;
        Some(state)
    }

    /// The sessions. Those with an ACME challenge are not resumed.
    fn sessions(&self) -> Option<&Sessions> {
        let challenge = self.chosen.as_ref().is_some_and(|choice| choice.challenge);
        self.material.sessions.as_ref().filter(|_| !challenge)
    }

    /// The chosen certificate.
    fn shown(&self) -> Option<&CertificateDer<'static>> {
        self.chosen.as_ref()?.pair.as_ref()?.cert.first()
    }
}

/// Takes one from a budget; None if the budget is empty.
fn spend(left: &mut u8) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

fn public(pair: &CertifiedKey) -> PublicCredential {
    PublicCredential {
        algorithm: pair.key.algorithm(),
        schemes: schemes(&*pair.key),
        chain: pair.cert.clone(),
        ocsp: pair.ocsp.clone(),
    }
}

/// The schemes by which `key` can sign, in its order of preference.
fn schemes(key: &dyn SigningKey) -> Vec<SignatureScheme> {
    let mut offered = SCHEMES.to_vec();
    let mut schemes = Vec::new();
    while let Some(signer) = key.choose_scheme(&offered) {
        schemes.push(signer.scheme());
        offered.retain(|scheme| *scheme != signer.scheme());
    }
    schemes
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use rustls::SignatureAlgorithm;

    use super::*;
    use crate::credentials::resolver::Certificates;
    use crate::credentials::sessions::{self, Versions};
    use crate::credentials::ticketer::TicketKeys;
    use crate::files::retry::Files;
    use crate::keyguard::message::HEADER;
    use crate::testing;
    use crate::wall_clock;
    use cli::SniLevel;

    const P256: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

    fn policy() -> SigningPolicy {
        let material = PrivateMaterial {
            certificates: Certificates::only(testing::pair()),
            sessions: Some(Sessions::new(TicketKeys::for_tests(), Versions::Tls13)),
        };
        SigningPolicy::new(Role::Server, material)
    }

    fn ask(policy: &mut SigningPolicy, request: &Request<'_>) -> Response {
        let message = request.encode();
        policy.respond(message[0], &message[HEADER..], wall_clock::now())
    }

    fn verify() -> Vec<u8> {
        [
            &[0x20; 64],
            &b"TLS 1.3, server CertificateVerify\0"[..],
            &[7; 32],
        ]
        .concat()
    }

    fn is_bytes(response: &Response) -> bool {
        matches!(response, Response::Bytes(_))
    }

    #[test]
    fn the_budget_is_one_signature_two_seals_and_one_open() {
        let mut policy = policy();
        let text = verify();
        let state = sessions::for_tests(0x0304);
        ask(&mut policy, &Request::Pair(None));
        let signature = Request::Signature(P256, &text);
        let Response::Bytes(ticket) = ask(&mut policy, &Request::Seal(&state)) else {
            panic!("no ticket");
        };
        for (request, left) in [
            (signature, 1),
            (Request::Seal(&state), 1),
            (Request::Open(&ticket), 1),
        ] {
            let responses: Vec<_> = (0..4).map(|_| ask(&mut policy, &request)).collect();
            let granted = responses
                .iter()
                .filter(|response| is_bytes(response))
                .count();
            assert_eq!(granted, left, "{request:?}");
            assert!(
                responses[left..]
                    .iter()
                    .all(|response| *response == Response::None)
            );
        }
    }

    #[test]
    fn a_ticket_that_does_not_open_is_not_counted() {
        let mut policy = policy();
        let state = sessions::for_tests(0x0304);
        ask(&mut policy, &Request::Pair(None));
        let Response::Bytes(ticket) = ask(&mut policy, &Request::Seal(&state)) else {
            panic!("no ticket");
        };
        for _ in 0..3 {
            assert_eq!(ask(&mut policy, &Request::Open(b"stale")), Response::None);
        }
        assert!(is_bytes(&ask(&mut policy, &Request::Open(&ticket))));
        assert_eq!(ask(&mut policy, &Request::Open(&ticket)), Response::None);
    }

    #[test]
    fn tickets_need_a_chosen_pair_and_tls_1_3() {
        let state = sessions::for_tests(0x0304);
        let mut other = policy();
        ask(&mut other, &Request::Pair(None));
        let Response::Bytes(ticket) = ask(&mut other, &Request::Seal(&state)) else {
            panic!("no ticket");
        };
        let mut policy = policy();
        for request in [Request::Seal(&state), Request::Open(&ticket)] {
            assert_eq!(ask(&mut policy, &request), Response::None);
        }
        ask(&mut policy, &Request::Pair(None));
        let tls12 = sessions::for_tests(0x0303);
        assert_eq!(ask(&mut policy, &Request::Seal(&tls12)), Response::None);
        // A ticket of a server without a guard that has the same TICKETKEYFILE.
        let both = Sessions::new(TicketKeys::for_tests(), Versions::Both);
        let shown = &testing::pair().cert[0];
        let foreign = both.seal(shown, &tls12, wall_clock::now()).unwrap();
        assert_eq!(ask(&mut policy, &Request::Open(&foreign)), Response::None);
        assert!(is_bytes(&ask(&mut policy, &Request::Open(&ticket))));
    }

    #[test]
    fn a_signature_needs_a_chosen_pair_and_handshake_content() {
        let mut policy = policy();
        let text = verify();
        let signature = Request::Signature(P256, &text);
        assert_eq!(ask(&mut policy, &signature), Response::None);
        ask(&mut policy, &Request::Pair(None));
        let other = Request::Signature(P256, &text[1..]);
        assert_eq!(ask(&mut policy, &other), Response::None);
        let scheme = Request::Signature(SignatureScheme::ED25519, &text);
        assert_eq!(ask(&mut policy, &scheme), Response::None);
        assert!(is_bytes(&ask(&mut policy, &signature)));
    }

    /// A key that cannot sign, as ring's cannot without random bytes.
    #[derive(Debug)]
    struct NoRandom;

    impl SigningKey for NoRandom {
        fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
            offered.contains(&P256).then(|| Box::new(Self) as _)
        }

        fn algorithm(&self) -> SignatureAlgorithm {
            SignatureAlgorithm::ECDSA
        }
    }

    impl Signer for NoRandom {
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rustls::Error> {
            Err(rustls::Error::General("signing failed".to_owned()))
        }

        fn scheme(&self) -> SignatureScheme {
            P256
        }
    }

    #[test]
    fn a_signature_that_fails_is_a_failure_of_the_system() {
        let pair = CertifiedKey::new(testing::pair().cert, Arc::new(NoRandom));
        let material = PrivateMaterial {
            certificates: Certificates::only(pair),
            sessions: None,
        };
        let mut policy = SigningPolicy::new(Role::Server, material);
        ask(&mut policy, &Request::Pair(None));
        let response = ask(&mut policy, &Request::Signature(P256, &verify()));
        let why = "handshake failed: signing failed";
        assert_eq!(response, Response::Failed(111, why.to_owned()));
    }

    #[test]
    fn the_first_name_decides_the_choice() {
        let mut policy = policy();
        let first = ask(&mut policy, &Request::Pair(Some(b"a.example")));
        assert!(matches!(first, Response::Pair(_)));
        assert_eq!(ask(&mut policy, &Request::Pair(Some(b"a.example"))), first);
        for name in [None, Some(&b"b.example"[..])] {
            assert_eq!(ask(&mut policy, &Request::Pair(name)), Response::None);
        }
    }

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
            let ticket = ask(&mut policy, &Request::Seal(&state));
            assert_eq!(is_bytes(&ticket), tickets);
            let text = verify();
            let signature = Request::Signature(P256, &text);
            let signed = (0..4).filter(|_| is_bytes(&ask(&mut policy, &signature)));
            assert_eq!(signed.count(), 1);
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

    #[test]
    fn the_only_pair_is_told_without_a_request_and_then_signs() {
        let mut policy = policy();
        let shown = testing::pair().cert;
        let told = policy.ready();
        assert!(matches!(told, Response::Ready(Some(public)) if public.chain == shown));
        let text = verify();
        let signature = ask(&mut policy, &Request::Signature(P256, &text));
        assert!(is_bytes(&signature));
    }

    #[test]
    fn a_pair_for_one_name_is_not_told_without_a_request() {
        let material = PrivateMaterial {
            certificates: Certificates::for_name("a.example", testing::pair()),
            sessions: None,
        };
        let mut policy = SigningPolicy::new(Role::Server, material);
        assert_eq!(policy.ready(), Response::Ready(None));
        assert!(!policy.has_chosen());
        let text = verify();
        let signature = ask(&mut policy, &Request::Signature(P256, &text));
        assert_eq!(signature, Response::None);
    }

    #[test]
    fn a_pair_that_cannot_be_used_is_a_failure_with_its_reason() {
        let mut context = testing::context();
        let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/../pki/src/testdata");
        context.env.set("SNIDIR", testdata);
        let files = Files::at_once(&context);
        let material = PrivateMaterial {
            certificates: Certificates::load(&context, &files, SniLevel::Require).unwrap(),
            sessions: None,
        };
        let mut policy = SigningPolicy::new(Role::Server, material);
        // key.pem in it has no certificate.
        let Response::Failed(96, why) = ask(&mut policy, &Request::Pair(Some(b"key"))) else {
            panic!("it is no failure");
        };
        assert!(why.contains("/key.pem"), "{why}");
        assert_eq!(
            ask(&mut policy, &Request::Pair(Some(b"key"))),
            Response::None
        );
    }

    #[test]
    fn an_invalid_request_gets_nothing() {
        let mut policy = policy();
        for kind in 0..=255 {
            for content in [&[][..], &[0], &[0xff; 40]] {
                let response = policy.respond(kind, content, wall_clock::now());
                assert!(!is_bytes(&response), "{kind}");
            }
        }
    }

    #[test]
    fn the_schemes_of_a_p256_key_are_its_own() {
        let pair = testing::pair();
        assert_eq!(schemes(&*pair.key), [P256]);
    }
}
