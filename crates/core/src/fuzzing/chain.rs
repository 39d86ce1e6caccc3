//! Chains of certificates whose signatures all count as valid, so that changed ones are judged.

use std::sync::Arc;

use cli::Context;
use pki::x509::Certificate;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName,
    SignatureVerificationAlgorithm, UnixTime, alg_id,
};
use unix::Env;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::crypto;
use crate::verify::chain::Chain;
use crate::verify::dane::Dane;
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
/// anchor. If the engine accepts it for a server's name, or for a client, webpki accepts it, too.
/// A TLSA record accepts nothing else.
pub fn chain(input: &[u8]) -> bool {
    let chain = super::certificates(input);
    let Some((own, anchor)) = chain.first().zip(chain.last()) else {
        return false;
    };
    let usual = || Anchors::parse(anchor);
    let by_anchor = accepted(&chain, usual(), None, ANY_SIGNATURE);
    if by_anchor {
        webpki_accepts(&chain, KeyUsage::server_auth());
        has_name(own);
    }
    let dane = |usage, der, anchors| accepted(&chain, anchors, Some((usage, der)), ANY_SIGNATURE);
    assert_eq!(dane(1, own, usual()), by_anchor, "usage 1");
    assert!(!dane(0, anchor, usual()) || by_anchor, "usage 0");
    assert!(!dane(2, anchor, None) || by_anchor, "usage 2");
    let client = client_accepted(&chain);
    if client {
        webpki_accepts(&chain, KeyUsage::client_auth());
    }
    by_anchor || client
}

/// webpki accepts what the engine accepts. An anchor itself is always accepted.
fn webpki_accepts(chain: &[CertificateDer<'_>], purpose: KeyUsage) {
    let (Some((anchor, rest)), Some(own)) = (chain.split_last(), chain.first()) else {
        unreachable!("nothing is accepted")
    };
    if own == anchor {
        return;
    }
    let roots = [anchor_from_trusted_cert(anchor).unwrap()];
    let (parsed, now) = (EndEntityCert::try_from(own).unwrap(), now());
    let all = ANY_SIGNATURE.all;
    let verdict = parsed.verify_for_usage(all, &roots, &rest[1..], now, purpose, None, None);
    assert!(verdict.is_ok(), "{:?}", verdict.err());
}

fn has_name(own: &CertificateDer<'_>) {
    let fields = Certificate::parse(own).unwrap();
    let named = if fields.has_alternative_names() {
        let parsed = EndEntityCert::try_from(own).unwrap();
        parsed.verify_is_valid_for_subject_name(&name()).is_ok()
    } else {
        let common_name = fields.subject().common_name();
        common_name.is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    };
    assert!(named, "it is not for {NAME}");
}

/// A TLSA record: its usage, and the certificate that it describes.
pub type Record<'a> = (u8, &'a CertificateDer<'a>);

/// Whether a client accepts the chain. Without `anchors` the server sends its anchor, too.
fn accepted(
    chain: &[CertificateDer<'_>],
    anchors: Option<Anchors>,
    record: Option<Record<'_>>,
    algorithms: WebPkiSupportedAlgorithms,
) -> bool {
    let (Some((_, others)), Some((own, sent))) = (chain.split_last(), chain.split_first()) else {
        return false;
    };
    let intermediates = match &anchors {
        Some(_) => others.get(1..).unwrap_or_default(),
        None => sent,
    };
    let policy = VerificationPolicy {
        dane: record.map(|record| Arc::new(dane(record))),
        anchors,
        ..VerificationPolicy::default()
    };
    if policy.anchors.is_none() && policy.dane.is_none() {
        return false;
    }
    let verifier = ServerVerifier {
        policy: policy.into(),
        name: Some(name()),
        algorithms,
    };
    let verdict = verifier.verify_server_cert(own, intermediates, &name(), &[], now());
    verdict.is_ok()
}

/// Whether a server accepts the chain of a client.
fn client_accepted(chain: &[CertificateDer<'_>]) -> bool {
    let (Some((anchor, others)), Some(end_entity)) = (chain.split_last(), chain.first()) else {
        return false;
    };
    let Some(anchors) = Anchors::parse(anchor) else {
        return false;
    };
    let policy = VerificationPolicy {
        anchors: Some(anchors),
        ..VerificationPolicy::default()
    };
    let chain = Chain {
        end_entity,
        intermediates: others.get(1..).unwrap_or_default(),
        usage: KeyUsage::client_auth(),
        common_name_counts: false,
    };
    policy.verify(&chain, now(), &ANY_SIGNATURE).is_ok()
}

/// The record for a verifier.
pub fn dane((usage, der): Record<'_>) -> Dane {
    let digest = crypto::sha256(der);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut env = Env::default();
    env.set("TLSA", format!("{usage} 0 1 {digits}"));
    let context = Context {
        verbosity: 0,
        ..Context::new(&cli::tables::TLSC_IO, Vec::new(), env)
    };
    let dane = Dane::from_environment(&context, true);
    dane.ok().flatten().unwrap()
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
            if chain.is_empty() {
                continue;
            }
            let anchors = chain.last().and_then(|anchor| Anchors::parse(anchor));
            let ours = accepted(&chain, anchors, None, crypto::signature_algorithms());
            // To us an anchor has no path length (doc/verification.md).
            let theirs = openssl_accepts(&directory, &chain) || name == "anchor-too-long";
            assert_eq!(ours, theirs, "{name}");
            both.extend(ours.then_some(name));
        }
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(both.len() >= 5, "{both:?}");
    }
}
