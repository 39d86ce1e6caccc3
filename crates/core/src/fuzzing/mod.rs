//! Entry points for fuzzing. They panic if an input shows a defect, and return
//! whether it was valid. See fuzz/README.md.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic reports a defect"
)]

pub mod chain;
pub mod check;
pub mod crl;
mod distinguished_name;
pub mod engine;
pub mod guard;
pub mod log_line;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cli::{Context, Group, SniLevel};
use pki::der_store::DerStore;
use pki::x509::{Certificate, der, strict};
use pki::{private_key, read};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{Error, PeerMisbehaved};
use tunnel::hello::Hellos;
use tunnel::record_status::RecordStatus;
use unix::Env;
use webpki::EndEntityCert;

use crate::credentials::resolver::Certificates;
use crate::crypto;
use crate::files::retry::Files;
use crate::report::channel_binding::server_end_point;
use crate::report::env_block::EnvBlock;
use crate::report::peer_info::{self, Verification};
use crate::verify::policy::{TrustCell, VerificationPolicy};
use crate::verify::trust_anchors::Anchors;
use crate::verify::verifiers::ServerVerifier;

const CERTIFICATE: &[u8] = include_bytes!("../../../pki/src/testdata/certificate.pem");
const KEY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pki/src/testdata/key.pem");
const CERTIFICATE_FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../pki/src/testdata/certificate.pem"
);

/// Files of keys and certificates, PEM or DER: DER is taken whole, what is written again as PEM
/// is read alike, and any key and chain can be put together.
pub fn pem(input: &[u8]) -> bool {
    let der = der::is_der_sequence(input);
    let chain = read::certificates(input);
    let key = read::private_key(input);
    if der {
        let whole = CertificateDer::from(input);
        assert_eq!(chain.as_deref(), Ok(&[whole][..]));
        if let Ok(key) = &key {
            assert_eq!(key.secret_der(), input);
        }
    }
    // Decoding a file after others changes neither its certificates nor theirs.
    let mut listed = DerStore::default();
    for file in [CERTIFICATE, input, CERTIFICATE] {
        listed.bytes().extend_from_slice(file);
        let _ = listed.decode_certificates();
    }
    let chain = chain.unwrap_or_default();
    let own = read::certificates(CERTIFICATE).unwrap();
    let expected = [&own[..], &chain, &own].concat();
    assert!(listed.iter().eq(expected.iter().map(|der| der.as_ref())));
    if !chain.is_empty() {
        let again: String = chain.iter().map(|der| block("CERTIFICATE", der)).collect();
        assert_eq!(read::certificates(again.as_bytes()).as_ref(), Ok(&chain));
        let anchors =
            |file: &[u8]| Anchors::parse(file).map(|anchors| format!("{:?}", anchors.subjects()));
        assert_eq!(anchors(again.as_bytes()), anchors(input));
    }
    if let Ok(key) = &key {
        for label in ["PRIVATE KEY", "EC PRIVATE KEY"] {
            let again = block(label, key.secret_der());
            assert_eq!(read::private_key(again.as_bytes()).as_ref(), Ok(key));
        }
    }
    if let Some(anchors) = Anchors::parse(input) {
        assert!(chain.iter().any(|certificate| anchors.contain(certificate)));
        // Certificates that may issue nothing are anchors only for themselves.
        assert!(anchors.roots(|_| true).len() <= chain.len());
    }
    if let (Ok(key), Some(shown)) = (&key, chain.first()) {
        let shown = Certificate::parse(shown).and_then(|shown| shown.public_key());
        let scalar = private_key::scalar(key);
        let whole =
            (scalar.zip(shown)).and_then(|(scalar, public)| private_key::ec_key(scalar, &public));
        assert!(whole.is_none_or(|whole| private_key::scalar(&whole) == scalar));
    }
    let signer = key
        .as_ref()
        .ok()
        .and_then(|key| crypto::signing_key(key).ok());
    if let Some(signer) = signer {
        let _ = CertifiedKey::new(chain, signer).keys_match();
        return true;
    }
    chain.iter().any(|der| Certificate::parse(der).is_some())
}

/// A PEM block (RFC 7468 section 2).
fn block(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

/// One certificate in DER: its fields lie inside of it and are those that webpki reads, and only
/// the anchor itself is trusted.
pub fn x509(input: &[u8]) -> bool {
    let certificate = Certificate::parse(input);
    if strict::is_certificate(input) {
        assert!(der::is_der_sequence(input) && certificate.is_some());
    }
    if let Some(certificate) = &certificate {
        let key = certificate.public_key_info();
        assert!(input.windows(key.len()).any(|window| window == key));
        let order = [0, 1 << 31, u64::MAX].map(|now| certificate.validity(now));
        assert!(order.is_sorted(), "{order:?}");
        let subject = certificate.subject().line();
        let bad = char::is_control;
        assert!(!subject.is_some_and(|subject| subject.is_empty() || subject.contains(bad)));
        let _ = (
            certificate.identities(),
            certificate.subject().common_name(),
            certificate.has_alternative_names(),
            certificate.limits_host_names(),
            certificate.may_issue(),
            certificate.public_key().and_then(|key| key.rsa_bits()),
        );
    }
    let der = CertificateDer::from(input);
    // webpki reads dates only later.
    if let (Some(ours), Ok(theirs)) = (&certificate, EndEntityCert::try_from(&der)) {
        read_alike(ours, &theirs);
    }
    let anchors = Anchors::parse(CERTIFICATE).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let itself = anchors.contain(&der);
    let verifier = ServerVerifier {
        policy: TrustCell::from(VerificationPolicy {
            anchors: Some(anchors),
            ..VerificationPolicy::default()
        }),
        name: Some(name.clone()),
        algorithms: crypto::signature_algorithms(),
    };
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1 << 31));
    let verdict = verifier.verify_server_cert(&der, &[], &name, &[], now);
    assert!(verdict.is_ok() == itself, "{verdict:?}");
    certificate.is_some()
}

/// What we show of a certificate is what webpki judges.
fn read_alike(ours: &Certificate<'_>, theirs: &EndEntityCert<'_>) {
    assert_eq!(ours.subject().0, theirs.subject());
    assert_eq!(ours.issuer().0, theirs.issuer());
    assert_eq!(ours.serial_number(), theirs.serial());
    let key = theirs.subject_public_key_info();
    assert_eq!(ours.public_key_info(), key.as_ref());
    let names = ours.identities();
    for name in theirs.valid_dns_names() {
        assert!(names.iter().any(|own| own == name.as_bytes()), "{name}");
    }
}

/// Certificates in DER, each after its length in two bytes.
fn certificates(mut input: &[u8]) -> Vec<CertificateDer<'static>> {
    let mut chain = Vec::new();
    while let Some((length, after)) = input.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (der, after) = after.split_at(length);
        chain.push(CertificateDer::from(der.to_vec()));
        input = after;
    }
    chain
}

/// A chain of certificates in DER, each after its length in two bytes: the variables
/// are well-formed, each is set once, the PEM is the certificate, and names can be read back.
pub fn peer_info(input: &[u8]) -> bool {
    let chain = certificates(input);
    let _ = chain
        .first()
        .and_then(|der| server_end_point::of_certificate(der));
    let mut env_block = EnvBlock::default();
    peer_info::add(&mut env_block, "X", &chain, Verification::Verified);
    let block = String::from_utf8(env_block.finish()).unwrap();
    let strings = block.strip_suffix("\0\0").unwrap().split('\0');
    let mut names = BTreeSet::new();
    let mut certificates = Vec::new();
    let own = chain.first().and_then(|der| Certificate::parse_strict(der));
    for string in strings {
        let (name, value) = string.split_once('=').unwrap_or((string, ""));
        assert!(name.starts_with("X_") && names.insert(name), "{name}");
        if name.starts_with("X_CERT") {
            certificates.extend(read::certificates(value.as_bytes()).unwrap_or_default());
        } else {
            assert!(!value.contains(char::is_control), "{string}");
        }
        match (name, &own) {
            ("X_S_DN", Some(own)) => distinguished_name::check(own.subject(), value),
            ("X_I_DN", Some(own)) => distinguished_name::check(own.issuer(), value),
            _ => {}
        }
    }
    assert_eq!(certificates, chain);
    block.contains("X_V_END=")
}

/// Checks that a notification is well-formed, and sets each variable once, with a name that
/// begins with `prefix`.
fn check_block(block: &[u8], prefix: &str) {
    let strings = block.strip_suffix(b"\0\0").unwrap();
    let mut names = BTreeSet::new();
    for string in strings.split(|byte| *byte == 0) {
        let name = string
            .split(|byte| *byte == b'=')
            .next()
            .unwrap_or_default();
        assert!(name.starts_with(prefix.as_bytes()) && names.insert(name));
    }
}

/// A level, the name that a client asks for, and names of variables (KEYFILE:x,
/// CERTFILE:x) that are set to usable files. Each is ended by NUL.
pub fn sni(input: &[u8]) -> bool {
    let mut strings = input.split(|byte| *byte == 0);
    let level = match strings.next() {
        Some(b"require") => SniLevel::Require,
        Some(b"prefer") => SniLevel::Prefer,
        _ => SniLevel::Ignore,
    };
    let asked = strings
        .next()
        .and_then(|name| std::str::from_utf8(name).ok());
    let variables: Vec<&[u8]> = strings
        .filter(|name| !name.contains(&b'='))
        .take(8)
        .collect();
    let mut env = Env::default();
    for name in &variables {
        let key = name.starts_with(b"KEYFILE");
        env.set(name, if key { KEY_FILE } else { CERTIFICATE_FILE });
    }
    let context = Context::new(&cli::tables::TLSD_IO, Vec::new(), env);
    let Ok(certificates) = Certificates::load(&context, &Files::at_once(&context), level) else {
        return false;
    };
    let Some(asked) = asked else {
        assert_eq!(
            certificates.choose(None).is_ok_and(|pair| pair.is_some()),
            level != SniLevel::Require
        );
        return true;
    };
    let names = variables
        .iter()
        .filter_map(|name| name.strip_prefix(b"KEYFILE:"));
    let fits = names.filter(|name| covers(name, asked.as_bytes())).count() > 0;
    let expected = level != SniLevel::Require || fits;
    assert_eq!(
        certificates
            .choose(Some(asked))
            .is_ok_and(|pair| pair.is_some()),
        expected,
        "{asked}"
    );
    true
}

/// Whether `pattern` is `name`, or has a wildcard for its first label. A final dot
/// does not count. Written apart from `host_name`, to check that.
fn covers(pattern: &[u8], name: &[u8]) -> bool {
    let text = std::str::from_utf8(pattern).is_ok() && !pattern.is_empty();
    let [pattern, name] = [pattern, name].map(|name| name.strip_suffix(b".").unwrap_or(name));
    let dot = name.iter().position(|byte| *byte == b'.');
    let parent = dot.map(|dot| &name[dot..]).filter(|parent| {
        let labels = parent.split(|byte| *byte == b'.');
        labels.filter(|label| !label.is_empty()).count() >= 2
    });
    let wildcard = pattern.strip_prefix(b"*").zip(parent);
    text && (pattern.eq_ignore_ascii_case(name)
        || wildcard.is_some_and(|(suffix, parent)| suffix.eq_ignore_ascii_case(parent)))
}

/// A share of X25519MLKEM768, of a client or of a server: if it is accepted it has
/// the right length and gives a secret, otherwise the error is an invalid share.
pub fn key_share(input: &[u8]) -> bool {
    let invalid = Error::from(PeerMisbehaved::InvalidKeyShare);
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    // Its suites live for ever, so one provider is for all inputs.
    let hybrid = || crypto::provider(&[Group::X25519MlKem768], &RecordStatus::default());
    let group = &PROVIDER.get_or_init(hybrid).kx_groups[0];
    let answered = group.start_and_complete(input);
    let completed = group.start().unwrap().complete(input);
    match &answered {
        Ok(answer) => {
            assert_eq!((input.len(), answer.pub_key.len()), (1216, 1120));
            assert_eq!(answer.secret.secret_bytes().len(), 64);
        }
        Err(error) => assert_eq!(*error, invalid),
    }
    match &completed {
        Ok(secret) => assert_eq!((input.len(), secret.secret_bytes().len()), (1120, 64)),
        Err(error) => assert_eq!(*error, invalid),
    }
    answered.is_ok() || completed.is_ok()
}

/// The size of pieces, and what a peer sends in place of its hellos. The result is
/// the same whole and in pieces, up to the first hello, and only a hello is refused.
pub fn hello(input: &[u8]) -> bool {
    let Some((size, messages)) = input.split_first() else {
        return false;
    };
    let own = [&[0; 9][..], &[3, 3], &[7; 32], b"\x02id"].concat();
    let look = |size: usize| {
        let mut hellos = Hellos::default();
        hellos.sent(&own);
        let judged = messages
            .chunks(size)
            .try_for_each(|piece| hellos.received(piece));
        (judged, hellos.are_over())
    };
    let (whole, _) = look(usize::MAX);
    let (in_pieces, over) = look(usize::from(*size).max(1));
    if whole.is_err() {
        assert_eq!(whole, in_pieces);
        assert!(matches!(messages, [1 | 2, ..]));
    }
    over || in_pieces.is_err()
}

#[cfg(test)]
mod tests {
    #[test]
    fn guard() {
        inputs::run("guard", 1000, super::guard::conversation);
    }

    #[test]
    fn snidir() {
        inputs::run("snidir", 1000, super::guard::directory);
    }

    #[test]
    fn tickets() {
        inputs::run("tickets", 1000, super::guard::tickets);
    }

    #[test]
    fn pem() {
        inputs::run("pem", 1000, super::pem);
    }

    #[test]
    fn x509() {
        inputs::run("x509", 1000, super::x509);
    }

    #[test]
    fn peer_info() {
        inputs::run("peer_info", 1000, super::peer_info);
    }

    #[test]
    fn sni() {
        inputs::run("sni", 500, super::sni);
    }

    #[test]
    fn hello() {
        inputs::run("hello", 2000, super::hello);
    }

    #[test]
    fn key_share() {
        inputs::run("key_share", 400, super::key_share);
    }
}
