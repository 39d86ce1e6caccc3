//! Chains of certificates whose signatures all count as valid, so that changed ones are judged.

use pki::x509::Certificate;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName,
    SignatureVerificationAlgorithm, UnixTime, alg_id,
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::verify::policy::VerificationPolicy;
use crate::verify::trust_anchors::Anchors;
use crate::verify::verifiers::ServerVerifier;

/// The name of the servers in the seeds.
const NAME: &str = "b.test";

/// Any signature of Ed25519.
#[derive(Debug)]
struct AnySignature;

impl SignatureVerificationAlgorithm for AnySignature {
    fn verify_signature(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }
}

const ANY_SIGNATURE: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[&AnySignature],
    mapping: &[],
};

/// A chain in DER, each certificate after its length in two bytes; the last one is the trust
/// anchor. If the engine accepts it for a server's name, webpki accepts it, too.
pub fn chain(input: &[u8]) -> bool {
    let presented = super::certificates(input);
    if !accepted(&presented, ANY_SIGNATURE) {
        return false;
    }
    let (Some((anchor, rest)), Some(own)) = (presented.split_last(), presented.first()) else {
        unreachable!("nothing is accepted")
    };
    if own == anchor {
        return true;
    }
    let roots = [anchor_from_trusted_cert(anchor).unwrap()];
    let (parsed, now) = (EndEntityCert::try_from(own).unwrap(), now());
    let (all, purpose) = (ANY_SIGNATURE.all, KeyUsage::server_auth());
    let verdict = parsed.verify_for_usage(all, &roots, &rest[1..], now, purpose, None, None);
    assert!(verdict.is_ok(), "{:?}", verdict.err());
    let fields = Certificate::parse(own).unwrap();
    let named = if fields.has_alternative_names() {
        parsed.verify_is_valid_for_subject_name(&name()).is_ok()
    } else {
        let common_name = fields.subject().common_name();
        common_name.is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    };
    assert!(named, "it is not for {NAME}");
    true
}

/// Whether a client accepts the chain.
fn accepted(chain: &[CertificateDer<'_>], algorithms: WebPkiSupportedAlgorithms) -> bool {
    let [own, rest @ ..] = chain else {
        return false;
    };
    let (anchor, intermediates) = rest.split_last().unwrap_or((own, &[]));
    let Some(anchors) = Anchors::parse(anchor) else {
        return false;
    };
    let policy = VerificationPolicy {
        anchors: Some(anchors),
        ..VerificationPolicy::default()
    };
    let verifier = ServerVerifier {
        policy: policy.into(),
        name: Some(name()),
        algorithms,
    };
    let verdict = verifier.verify_server_cert(own, intermediates, &name(), &[], now());
    verdict.is_ok()
}

fn name() -> ServerName<'static> {
    ServerName::try_from(NAME).unwrap()
}

/// In 2038.
fn now() -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(1 << 31))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::crypto;

    #[test]
    fn chain() {
        inputs::run("chain", 3000, super::chain);
    }

    /// The certificates as PEM, in a new file.
    fn pem(directory: &Path, name: &str, certificates: &[CertificateDer<'_>]) -> String {
        let blocks = certificates.iter().map(|der| {
            let text = STANDARD.encode(der);
            let lines: Vec<&str> = (0..text.len().div_ceil(64))
                .map(|line| &text[line * 64..text.len().min(line * 64 + 64)])
                .collect();
            let lines = lines.join("\n");
            format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
        });
        let path = directory.join(name);
        std::fs::write(&path, blocks.collect::<String>()).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    fn openssl_accepts(directory: &Path, chain: &[CertificateDer<'_>]) -> bool {
        let anchor = chain.len() - 1;
        let own = pem(directory, "own", &chain[..1]);
        let others = pem(
            directory,
            "others",
            chain.get(1..anchor).unwrap_or_default(),
        );
        let anchor = pem(directory, "anchor", &chain[anchor..]);
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-purpose", "sslserver", "-attime", "2147483648"]);
        openssl.args([
            "-verify_hostname",
            NAME,
            "-partial_chain",
            "-CAfile",
            &anchor,
        ]);
        if std::fs::metadata(&others).unwrap().len() != 0 {
            openssl.args(["-untrusted", &others]);
        }
        openssl.arg(&own).output().unwrap().status.success()
    }

    #[test]
    fn openssl_agrees_about_the_seeds() {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: no openssl");
            return;
        }
        let directory = std::env::temp_dir().join(format!("chains-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let mut both = Vec::new();
        for (name, seed) in inputs::seeds("chain") {
            let chain = crate::fuzzing::certificates(&seed);
            let ours = accepted(&chain, crypto::signature_algorithms());
            assert_eq!(ours, openssl_accepts(&directory, &chain), "{name}");
            both.extend(ours.then_some(name));
        }
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(both.len() >= 5, "{both:?}");
    }
}
