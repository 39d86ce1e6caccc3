//! Entry points for fuzzing: they panic if an input shows a defect, and say
//! whether it was understood. See fuzz/README.md.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is what is looked for"
)]

mod pump;

use cli::{Context, SniLevel};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use unix::Env;

use crate::crypto;
use crate::files::{key, pem};
use crate::own::choice::Certificates;
use crate::peer::anchors::Anchors;
use crate::peer::verify::ServerVerifier;
use crate::x509::{Certificate, der};

pub use pump::pump;

const KEY: &[u8] = include_bytes!("../testdata/key.pem");
const CERTIFICATE: &[u8] = include_bytes!("../testdata/certificate.pem");
const KEY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/testdata/key.pem");
const CERTIFICATE_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/testdata/certificate.pem");

/// Files of keys and certificates, PEM or DER: what is in DER is taken whole, and a key and a chain out of anything can be put together.
pub fn pem(input: &[u8]) -> bool {
    let der = der::is_der_sequence(input);
    let chain = pem::certificates(input);
    let key = pem::private_key(input);
    if der {
        let whole = CertificateDer::from(input);
        assert_eq!(chain.as_deref(), Ok(&[whole][..]));
        if let Ok(key) = &key {
            // An ECPrivateKey gets a PrivateKeyInfo around it.
            assert!(key.secret_der().ends_with(input));
        }
    }
    let chain = chain.unwrap_or_default();
    if let Some(anchors) = Anchors::parse(input) {
        assert!(chain.iter().any(|certificate| anchors.contain(certificate)));
        // Those that may issue nothing are anchors for themselves alone.
        assert!(anchors.roots.len() <= chain.len());
    }
    if let (Ok(key), Some(shown)) = (&key, chain.first()) {
        let shown = Certificate::parse(shown).and_then(|shown| shown.public_key());
        let whole = key::bare_scalar(key).zip(shown);
        let whole = whole.and_then(|(scalar, public)| key::ec_key(scalar, &public));
        assert!(whole.is_none_or(|key| key::bare_scalar(&key).is_none()));
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

/// One certificate in DER: what is read of it lies in it, and none is
/// trusted but the anchor itself.
pub fn x509(input: &[u8]) -> bool {
    let certificate = Certificate::parse(input);
    if let Some(certificate) = &certificate {
        let key = certificate.public_key_info();
        assert!(input.windows(key.len()).any(|window| window == key));
        let order = [0, 1 << 31, u64::MAX].map(|now| certificate.validity(now));
        assert!(order.is_sorted(), "{order:?}");
        let subject = certificate.subject().line();
        assert!(!subject.is_some_and(|subject| subject.is_empty() || subject.contains('\0')));
        let _ = (
            certificate.subject().common_name(),
            certificate.has_alternative_names(),
            certificate.limits_host_names(),
            certificate.may_issue(),
            certificate.public_key().and_then(|key| key.rsa_bits()),
        );
    }
    let anchors = Anchors::parse(CERTIFICATE).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let der = CertificateDer::from(input);
    let itself = anchors.contain(&der);
    let verifier = ServerVerifier {
        anchors: Some(anchors),
        name: Some(name.clone()),
        algorithms: crypto::signature_algorithms(),
    };
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1 << 31));
    let verdict = verifier.verify_server_cert(&der, &[], &name, &[], now);
    assert!(verdict.is_ok() == itself, "{verdict:?}");
    certificate.is_some()
}

/// A level, the name that a client asks for, and names of variables, each
/// ended by NUL: KEYFILE:x and CERTFILE:x are files that can be used.
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
    let context = Context {
        prog: "prog".into(),
        args: Vec::new(),
        env,
        verbosity: 1,
    };
    let Ok(certificates) = Certificates::load(&context, level) else {
        return false;
    };
    let Some(asked) = asked else {
        assert_eq!(
            certificates.choose(None).is_some(),
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
        certificates.choose(Some(asked)).is_some(),
        expected,
        "{asked}"
    );
    true
}

/// Whether `pattern` is `name`, or a wildcard for its first label; a final dot
/// does not count.
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

#[cfg(test)]
mod tests {
    #[test]
    fn pem() {
        inputs::run("pem", 1000, super::pem);
    }

    #[test]
    fn x509() {
        inputs::run("x509", 1000, super::x509);
    }

    #[test]
    fn sni() {
        inputs::run("sni", 500, super::sni);
    }

    #[test]
    fn pump() {
        inputs::run("pump", 700, super::pump);
    }
}
