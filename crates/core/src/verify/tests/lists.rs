//! Makes revocation lists.

use super::*;

/// The numbers of extensions of lists.
const CRL_NUMBER: u8 = 20;
pub const DELTA_CRL_INDICATOR: u8 = 27;
pub const ISSUING_DISTRIBUTION_POINT: u8 = 28;
const AUTHORITY_KEY_IDENTIFIER: u8 = 35;

/// Fields of an IssuingDistributionPoint (RFC 5280 section 5.2.5).
pub const ONLY_USER_CERTS: &[u8] = &[0x81, 1, 0xff];
pub const ONLY_CA_CERTS: &[u8] = &[0x82, 1, 0xff];
pub const ONLY_SOME_REASONS: &[u8] = &[0x83, 2, 6, 0x40];
pub const INDIRECT: &[u8] = &[0x84, 1, 0xff];

/// Tags in the name of a distribution point.
const DISTRIBUTION_POINT: u8 = 0xa0;
const FULL_NAME: u8 = 0xa0;
const URI: u8 = 0x86;

/// A list before it is signed.
#[derive(Clone)]
pub struct Crl {
    pub issuer: &'static str,
    pub version: Option<u8>,
    /// thisUpdate and nextUpdate.
    pub dates: Vec<&'static str>,
    /// The entries, in DER.
    pub revoked: Vec<u8>,
    pub extensions: Vec<u8>,
}

impl Crl {
    /// A list of the day, with these serial numbers.
    pub fn of(issuer: &'static str, revoked: &[u8]) -> Self {
        let date = der(GENERALIZED_TIME, &[DATES[0].as_bytes()]);
        let entry = |serial: &u8| der(SEQUENCE, &[&der(INTEGER, &[&[*serial]]), &date]);
        Self {
            issuer,
            version: Some(1),
            dates: DATES.to_vec(),
            revoked: revoked.iter().flat_map(entry).collect(),
            extensions: extension(CRL_NUMBER, &der(INTEGER, &[&[1]])),
        }
    }

    pub fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.extend(extension);
        self
    }

    /// One of a distribution point that covers only what this field says.
    pub fn only(self, field: &[u8]) -> Self {
        let uri = der(URI, &[b"http://host.test/list"]);
        let point = der(DISTRIBUTION_POINT, &[&der(FULL_NAME, &[&uri])]);
        let value = der(SEQUENCE, &[&point, field]);
        self.with(extension(ISSUING_DISTRIBUTION_POINT, &value))
    }

    /// One of the key with this identifier.
    pub fn of_key(self, identifier: &[u8]) -> Self {
        let value = der(SEQUENCE, &[&der(0x80, &[identifier])]);
        self.with(extension(AUTHORITY_KEY_IDENTIFIER, &value))
    }

    pub fn issued(mut self, this_update: &'static str) -> Self {
        self.dates[0] = this_update;
        self
    }

    pub fn signed(&self, by: &Key) -> Vec<u8> {
        let date = |date: &&str| der(GENERALIZED_TIME, &[date.as_bytes()]);
        let entries = (!self.revoked.is_empty()).then(|| der(SEQUENCE, &[&self.revoked]));
        let version = self.version.map(|version| der(INTEGER, &[&[version]]));
        let dates: Vec<u8> = self.dates.iter().flat_map(date).collect();
        let extensions = self
            .version
            .map(|_| der(0xa0, &[&der(SEQUENCE, &[&self.extensions])]));
        by.envelope(&der(
            SEQUENCE,
            &[
                &version.unwrap_or_default(),
                &ecdsa_with_sha256(),
                &name(self.issuer),
                &dates,
                &entries.unwrap_or_default(),
                &extensions.unwrap_or_default(),
            ],
        ))
    }
}
