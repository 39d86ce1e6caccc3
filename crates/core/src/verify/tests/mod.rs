//! The promises of verification, with certificates and lists that the tests make.

mod chain;
mod dane;
mod described;
mod differential;
mod lists;
mod names;
mod policy;
mod revocation;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pki::x509::KeyUse;
use pki::x509::der::{
    BIT_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, element_of,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::sign::SigningKey;
use rustls::{CertificateError, Error, SignatureScheme};
use tunnel::explain::refusal::Refusal;
use tunnel::handshake_facts::HandshakeFacts;

use crate::crypto;
use crate::verify::trust_anchors::Anchors;

/// Tags that pki has no use for.
const UTF8_STRING: u8 = 0x0c;
const GENERALIZED_TIME: u8 = 0x18;
/// dNSName and iPAddress, as kinds of GeneralName.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// The numbers of extensions under 2.5.29.
const KEY_USAGE: u8 = 15;
const SUBJECT_ALT_NAME: u8 = 17;
const BASIC_CONSTRAINTS: u8 = 19;
const NAME_CONSTRAINTS: u8 = 30;
const EXTENDED_KEY_USAGE: u8 = 37;

/// 2025-01-01 00:00:00, when the tests take place.
const NOW: u64 = 1_735_689_600;

/// A year before and a year after [`NOW`].
const DATES: [&str; 2] = ["20240101000000Z", "20260101000000Z"];

fn time(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn now() -> UnixTime {
    time(NOW)
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    element_of(tag, parts).unwrap()
}

/// The Name with this common name.
fn name(common_name: &str) -> Vec<u8> {
    let kind = der(OBJECT_IDENTIFIER, &[&[0x55, 4, 3]]);
    let value = der(UTF8_STRING, &[common_name.as_bytes()]);
    der(SEQUENCE, &[&der(SET, &[&der(SEQUENCE, &[&kind, &value])])])
}

/// The extension 2.5.29.`number`, critical.
fn extension(number: u8, value: &[u8]) -> Vec<u8> {
    let oid = der(OBJECT_IDENTIFIER, &[&[0x55, 0x1d, number]]);
    let critical = der(BOOLEAN, &[&[0xff]]);
    der(SEQUENCE, &[&oid, &critical, &der(OCTET_STRING, &[value])])
}

fn key_usage(uses: &[KeyUse]) -> Vec<u8> {
    let bits = uses.iter().fold(0, |bits, usage| bits | *usage as u8);
    extension(KEY_USAGE, &der(BIT_STRING, &[&[0, bits]]))
}

/// A subjectAltName with one name of this kind.
fn alternative_name(kind: u8, name: &[u8]) -> Vec<u8> {
    extension(SUBJECT_ALT_NAME, &der(SEQUENCE, &[&der(kind, &[name])]))
}

/// nameConstraints that permit only this name of this kind.
fn permits_only(kind: u8, base: &[u8]) -> Vec<u8> {
    let subtrees = der(0xa0, &[&der(SEQUENCE, &[&der(kind, &[base])])]);
    extension(NAME_CONSTRAINTS, &der(SEQUENCE, &[&subtrees]))
}

/// An extendedKeyUsage with one purpose: 1 is a server's, 2 a client's.
fn purpose(number: u8) -> Vec<u8> {
    let oid = [0x2b, 6, 1, 5, 5, 7, 3, number];
    extension(
        EXTENDED_KEY_USAGE,
        &der(SEQUENCE, &[&der(OBJECT_IDENTIFIER, &[&oid])]),
    )
}

/// The algorithm of a signature, with its AlgorithmIdentifier: ecdsa-with-SHA256.
fn ecdsa_with_sha256() -> Vec<u8> {
    let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    der(SEQUENCE, &[&der(OBJECT_IDENTIFIER, &[&oid])])
}

/// A SubjectPublicKeyInfo with an RSA key of these numbers.
fn rsa_info(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    let numbers = [der(INTEGER, &[modulus]), der(INTEGER, &[exponent])];
    info(&oid, &der(SEQUENCE, &[&numbers[0], &numbers[1]]))
}

/// An RSA modulus of this many bits; nobody knows its factors.
fn modulus(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= (8 - bits % 8) % 8;
    modulus
}

/// A SubjectPublicKeyInfo with a key of the type `oid`.
fn info(oid: &[u8], key: &[u8]) -> Vec<u8> {
    let algorithm = [der(OBJECT_IDENTIFIER, &[oid]), vec![5, 0]].concat();
    let key = der(BIT_STRING, &[&[0], key]);
    der(SEQUENCE, &[&der(SEQUENCE, &[&algorithm]), &key])
}

/// A key, ECDSA P-256, that signs certificates, lists and handshakes.
#[derive(Clone)]
struct Key(Arc<dyn SigningKey>);

impl Key {
    fn new() -> Self {
        Self(crypto::signing_key(&crypto::new_key()).unwrap())
    }

    /// Its SubjectPublicKeyInfo.
    fn info(&self) -> Vec<u8> {
        self.0.public_key().unwrap().as_ref().to_vec()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let scheme = [SignatureScheme::ECDSA_NISTP256_SHA256];
        self.0
            .choose_scheme(&scheme)
            .unwrap()
            .sign(message)
            .unwrap()
    }

    /// Signs `to_be_signed`, as in certificates and lists.
    fn envelope(&self, to_be_signed: &[u8]) -> Vec<u8> {
        let signature = der(BIT_STRING, &[&[0], &self.sign(to_be_signed)]);
        der(SEQUENCE, &[to_be_signed, &ecdsa_with_sha256(), &signature])
    }
}

/// A certificate before it is signed.
#[derive(Clone)]
struct Cert {
    subject: &'static str,
    issuer: &'static str,
    serial: u8,
    dates: [&'static str; 2],
    /// The SubjectPublicKeyInfo.
    key: Vec<u8>,
    /// None: it is of version 1.
    extensions: Option<Vec<u8>>,
}

impl Cert {
    /// The certificate of a host or a client, without extensions, but of version 3.
    fn leaf(subject: &'static str, issuer: &'static str, key: &Key) -> Self {
        Self {
            subject,
            issuer,
            serial: 1,
            dates: DATES,
            key: key.info(),
            extensions: Some(Vec::new()),
        }
    }

    /// The certificate of an authority.
    fn authority(subject: &'static str, issuer: &'static str, key: &Key) -> Self {
        let is_ca = der(SEQUENCE, &[&der(BOOLEAN, &[&[0xff]])]);
        Self::leaf(subject, issuer, key).with(extension(BASIC_CONSTRAINTS, &is_ca))
    }

    fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.get_or_insert_default().extend(extension);
        self
    }

    fn version_1(self) -> Self {
        Self {
            extensions: None,
            ..self
        }
    }

    fn signed(&self, by: &Key) -> CertificateDer<'static> {
        let [from, to] = self
            .dates
            .map(|date| der(GENERALIZED_TIME, &[date.as_bytes()]));
        let version = self
            .extensions
            .as_ref()
            .map(|_| der(0xa0, &[&der(INTEGER, &[&[2]])]));
        let extensions = self.extensions.as_ref().filter(|list| !list.is_empty());
        let extensions = extensions.map(|list| der(0xa3, &[&der(SEQUENCE, &[list])]));
        let tbs = der(
            SEQUENCE,
            &[
                &version.unwrap_or_default(),
                &der(INTEGER, &[&[self.serial]]),
                &ecdsa_with_sha256(),
                &name(self.issuer),
                &der(SEQUENCE, &[&from, &to]),
                &name(self.subject),
                &self.key,
                &extensions.unwrap_or_default(),
            ],
        );
        by.envelope(&tbs).into()
    }
}

/// PEM blocks with these contents.
fn pem<T: AsRef<[u8]>>(label: &str, contents: &[T]) -> String {
    let block = |content: &T| {
        let text = BASE64_STANDARD.encode(content);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    contents.iter().map(block).collect()
}

fn anchors(certificates: &[&CertificateDer<'_>]) -> Anchors {
    Anchors::parse(pem("CERTIFICATE", certificates).as_bytes()).unwrap()
}

/// The reason of ours for which a certificate was refused.
fn reason<T>(result: Result<T, Error>) -> Option<Refusal> {
    match result.err()? {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            other.0.downcast_ref::<Refusal>().cloned()
        }
        _ => None,
    }
}

/// A root, an issuer under it with the serial number 7, and a host with a certificate of
/// the issuer, number 9.
struct World {
    root_key: Key,
    issuer_key: Key,
    root: Cert,
    issuer: Cert,
    leaf: Cert,
}

impl World {
    fn new() -> Self {
        let (root_key, issuer_key) = (Key::new(), Key::new());
        let mut issuer = Cert::authority("issuer", "root", &issuer_key);
        let mut leaf = Cert::leaf("host.test", "issuer", &Key::new());
        (issuer.serial, leaf.serial) = (7, 9);
        Self {
            root: Cert::authority("root", "root", &root_key),
            root_key,
            issuer_key,
            issuer,
            leaf,
        }
    }
}
