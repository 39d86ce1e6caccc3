//! Certificates in every detail that a test may want to change, and how they are encoded.

use super::super::*;

/// The places in [`Spec::certificates`] that every chain has.
pub const LEAF: usize = 0;
/// The issuer of the leaf.
pub const ISSUER: usize = 1;
/// The issuer of the issuer, which issued itself.
pub const ROOT: usize = 2;
/// An authority that nobody trusts. It is not sent.
pub const STRANGER: usize = 3;

/// The tag of an INTEGER that is implicit and context-specific 0.
const IMPLICIT_0: u8 = 0x80;
const UTC_TIME: u8 = 0x17;

/// The numbers of further extensions under 2.5.29.
pub const SUBJECT_KEY_ID: u8 = 14;
/// authorityKeyIdentifier.
pub const AUTHORITY_KEY_ID: u8 = 35;

/// A certificate before it is encoded.
#[derive(Clone)]
pub struct Entity {
    /// The Name.
    pub subject: Vec<u8>,
    /// The Name of the issuer, if it is not the issuer's subject.
    pub issuer_name: Option<Vec<u8>>,
    /// The place of the certificate whose key signs it.
    pub issuer: usize,
    /// Its own key.
    pub key: usize,
    /// None: the field is absent, which means version 1. 2 means version 3.
    pub version: Option<u8>,
    /// The content of the INTEGER.
    pub serial: Vec<u8>,
    /// UTCTimes, or with a leading `=` GeneralizedTimes.
    pub dates: [&'static str; 2],
    /// The AlgorithmIdentifier in the signed part.
    pub algorithm: Vec<u8>,
    /// Numbers and encoded extensions, in their order.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// Whether the last byte of the signature is changed.
    pub tampered: bool,
}

impl Entity {
    fn new(subject: &str, issuer: usize, key: usize) -> Self {
        Self {
            subject: name(subject),
            issuer_name: None,
            issuer,
            key,
            version: Some(2),
            serial: vec![0x40 + key as u8],
            dates: ["200101000000Z", "491231235959Z"],
            algorithm: ecdsa_with_sha256(),
            extensions: Vec::new(),
            tampered: false,
        }
    }

    fn authority(subject: &str, issuer: usize, key: usize) -> Self {
        let mut new = Self::new(subject, issuer, key);
        new.set(BASIC_CONSTRAINTS, true, &basic_constraints(true, None));
        new.set(KEY_USAGE, true, &der(BIT_STRING, &[&[1, 0x06]]));
        new
    }

    /// Puts this extension into the place of the one with the same number, or at the end.
    pub fn set(&mut self, number: u8, critical: bool, value: &[u8]) {
        let encoded = encoded(&[0x55, 0x1d, number], critical, value);
        match self
            .extensions
            .iter_mut()
            .find(|(known, _)| *known == number)
        {
            Some((_, old)) => *old = encoded,
            None => self.extensions.push((number, encoded)),
        }
    }

    /// Removes an extension.
    pub fn unset(&mut self, number: u8) {
        self.extensions.retain(|(known, _)| *known != number);
    }

    /// Appends an extension, whatever is there.
    pub fn append(&mut self, extension: Vec<u8>) {
        self.extensions.push((0, extension));
    }
}

/// An extension.
pub fn encoded(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = critical.then(|| der(BOOLEAN, &[&[0xff]]));
    let value = der(OCTET_STRING, &[value]);
    let oid = der(OBJECT_IDENTIFIER, &[oid]);
    der(SEQUENCE, &[&oid, &critical.unwrap_or_default(), &value])
}

/// The value of a basicConstraints; the limit is the content of an INTEGER.
pub fn basic_constraints(is_ca: bool, limit: Option<u8>) -> Vec<u8> {
    let is_ca = is_ca.then(|| der(BOOLEAN, &[&[0xff]]));
    let limit = limit.map(|limit| der(INTEGER, &[&[limit]]));
    der(
        SEQUENCE,
        &[&is_ca.unwrap_or_default(), &limit.unwrap_or_default()],
    )
}

/// The value of a subjectAltName: kinds and contents of the names.
pub fn alternative_names(names: &[(u8, &[u8])]) -> Vec<u8> {
    let names: Vec<_> = names
        .iter()
        .map(|(kind, name)| der(*kind, &[name]))
        .collect();
    der(SEQUENCE, &[&names.concat()])
}

/// A chain, what it is sent for, and to whom.
#[derive(Clone)]
pub struct Spec {
    /// The certificates; the first ones are those of the constants above.
    pub certificates: Vec<Entity>,
    /// The places of those that the peer sends, its own one first.
    pub sent: Vec<usize>,
    /// The places of those that are trusted.
    pub anchors: Vec<usize>,
    /// The name that the peer must have.
    pub wanted: Option<String>,
    /// Whether the peer is a client.
    pub of_client: bool,
}

impl Spec {
    /// A chain with one intermediate that everybody accepts.
    pub fn new() -> Self {
        let mut leaf = Entity::new("leaf", ISSUER, LEAF);
        leaf.set(
            SUBJECT_ALT_NAME,
            false,
            &alternative_names(&[(DNS_NAME, b"host.test")]),
        );
        Self {
            certificates: vec![
                leaf,
                Entity::authority("issuer", ROOT, ISSUER),
                Entity::authority("root", ROOT, ROOT),
                Entity::authority("stranger", STRANGER, STRANGER),
            ],
            sent: vec![LEAF, ISSUER],
            anchors: vec![ROOT],
            wanted: Some("host.test".to_owned()),
            of_client: false,
        }
    }

    /// Adds the certificate of an authority that is sent after the others.
    pub fn add(&mut self, subject: &str, issuer: usize, key: usize) -> usize {
        self.certificates
            .push(Entity::authority(subject, issuer, key));
        self.sent.push(self.certificates.len() - 1);
        self.certificates.len() - 1
    }

    /// Puts `count` more authorities between the issuer and the root.
    pub fn lengthen(&mut self, count: usize) {
        for number in 0..count {
            let below = if number == 0 {
                ISSUER
            } else {
                self.certificates.len() - 1
            };
            let place = self.certificates.len();
            self.add(&format!("between {number}"), ROOT, place);
            self.certificates[below].issuer = place;
        }
    }

    /// All certificates, in their places.
    pub fn signed(&self, keys: &[Key]) -> Vec<CertificateDer<'static>> {
        let places = 0..self.certificates.len();
        places.map(|place| self.certificate(place, keys)).collect()
    }

    fn certificate(&self, place: usize, keys: &[Key]) -> CertificateDer<'static> {
        let own = &self.certificates[place];
        let issuer = &self.certificates[own.issuer];
        let version = own
            .version
            .map(|version| der(0xa0, &[&der(INTEGER, &[&[version]])]));
        let tbs = der(
            SEQUENCE,
            &[
                &version.unwrap_or_default(),
                &der(INTEGER, &[&own.serial]),
                &own.algorithm,
                own.issuer_name.as_ref().unwrap_or(&issuer.subject),
                &der(
                    SEQUENCE,
                    &own.dates.map(time_of).each_ref().map(Vec::as_slice),
                ),
                &own.subject,
                &keys[own.key].info(),
                &self.extensions(own, keys),
            ],
        );
        let mut certificate = keys[issuer.key].envelope(&tbs);
        if let Some(last) = certificate.last_mut().filter(|_| own.tampered) {
            *last ^= 1;
        }
        certificate.into()
    }

    /// The field with all extensions, or nothing.
    fn extensions(&self, own: &Entity, keys: &[Key]) -> Vec<u8> {
        let mut all = own.clone();
        let issuer = self.certificates[own.issuer].key;
        let has = |number| own.extensions.iter().any(|(known, _)| *known == number);
        if own.version == Some(2) && !has(AUTHORITY_KEY_ID) {
            let id = der(IMPLICIT_0, &[&key_id(&keys[issuer])]);
            all.set(AUTHORITY_KEY_ID, false, &der(SEQUENCE, &[&id]));
        }
        if own.version == Some(2) && !has(SUBJECT_KEY_ID) {
            all.set(
                SUBJECT_KEY_ID,
                false,
                &der(OCTET_STRING, &[&key_id(&keys[own.key])]),
            );
        }
        let list: Vec<u8> = all
            .extensions
            .into_iter()
            .flat_map(|(_, one)| one)
            .collect();
        if list.is_empty() {
            list
        } else {
            der(0xa3, &[&der(SEQUENCE, &[&list])])
        }
    }
}

/// An identifier of the key, which need not be its hash.
fn key_id(key: &Key) -> Vec<u8> {
    let info = key.info();
    info[info.len() - 20..].to_vec()
}

fn time_of(text: &str) -> Vec<u8> {
    match text.strip_prefix('=') {
        Some(text) => der(GENERALIZED_TIME, &[text.as_bytes()]),
        None => der(UTC_TIME, &[text.as_bytes()]),
    }
}
