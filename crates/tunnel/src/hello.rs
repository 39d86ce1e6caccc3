//! Checks of the peer's ClientHello or ServerHello. The input is the content of the
//! peer's plaintext handshake records, in any pieces.
//!
//! Upstream (doc/upstream.md, Checks of the handshake): rustls does not make these
//! checks. Each can go when it does.

use crate::explain::Violation;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Extensions (RFC 8446 section 4.2).
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

const SSL3: u16 = 0x0300;
const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

/// The header of a handshake message.
const HEADER: usize = 4;

/// The longest message that rustls accepts.
const MAX_MESSAGE: usize = 0xffff;

/// The random of a HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The peer's hellos. With a HelloRetryRequest there are two.
#[derive(Clone, Debug)]
pub struct Hellos {
    /// A handshake record has come.
    begun: bool,
    /// How many more hellos may come.
    left: u8,
    /// The bytes of an incomplete hello.
    pieces: Vec<u8>,
    /// Client: the session id of our ClientHello.
    session_id: Option<Vec<u8>>,
    /// Whether the client's last hello offers TLS 1.3.
    offers_tls13: bool,
}

enum Message<'a> {
    Incomplete,
    Hello(u8, &'a [u8]),
    Other,
}

impl Default for Hellos {
    /// None has come yet.
    fn default() -> Self {
        Self {
            begun: false,
            left: 2,
            pieces: Vec::new(),
            session_id: None,
            offers_tls13: false,
        }
    }
}

impl Hellos {
    /// Whether a handshake record has come: the peer speaks TLS.
    pub fn have_begun(&self) -> bool {
        self.begun
    }

    /// Whether no other hello can come.
    pub fn are_over(&self) -> bool {
        self.left == 0
    }

    /// Whether supported_versions of the last complete ClientHello contains TLS
    /// 1.3 (RFC 8446 section 4.2.1).
    pub fn offers_tls13(&self) -> bool {
        self.offers_tls13
    }

    /// This client has sent `records`, which begin with its ClientHello. Only the
    /// first call counts.
    pub fn sent(&mut self, records: &[u8]) {
        if self.session_id.is_none() {
            self.session_id = own_session_id(records).map(<[u8]>::to_vec);
        }
    }

    /// Checks the content of the next plaintext handshake record. rustls refuses
    /// malformed ones.
    pub fn received(&mut self, content: &[u8]) -> Result<(), Violation> {
        self.begun = true;
        if self.are_over() {
            return Ok(());
        }
        let mut pieces = std::mem::take(&mut self.pieces);
        let bytes = if pieces.is_empty() {
            content
        } else {
            pieces.extend_from_slice(content);
            &pieces
        };
        match message(bytes) {
            Message::Incomplete if pieces.is_empty() => self.pieces = content.to_vec(),
            Message::Incomplete => self.pieces = pieces,
            Message::Other => self.left = 0,
            Message::Hello(kind, body) => {
                let another = match kind {
                    // rustls refuses it at a client.
                    CLIENT_HELLO if self.session_id.is_some() => false,
                    CLIENT_HELLO => {
                        self.offers_tls13 = client_hello(body)?;
                        self.offers_tls13
                    }
                    _ => server_hello(body, self.session_id.as_deref())?,
                };
                self.left = if another { self.left - 1 } else { 0 };
            }
        }
        Ok(())
    }
}

fn message(bytes: &[u8]) -> Message<'_> {
    let Some((&[kind, a, b, c], rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Message::Incomplete;
    };
    let length = usize::from(a) << 16 | usize::from(u16::from_be_bytes([b, c]));
    match rest.get(..length) {
        _ if !matches!(kind, CLIENT_HELLO | SERVER_HELLO) || length > MAX_MESSAGE => Message::Other,
        Some(body) => Message::Hello(kind, body),
        None => Message::Incomplete,
    }
}

/// Whether TLS 1.3 is offered, so that another ClientHello may follow.
fn client_hello(body: &[u8]) -> Result<bool, Violation> {
    let Some(hello) = ClientHello::parse(body) else {
        return Ok(false);
    };
    let offers = |wanted| {
        let mut versions = numbers(hello.versions.unwrap_or_default());
        versions.any(|version| version == wanted)
    };
    match hello.versions {
        Some(_) if hello.legacy_version <= SSL3 => return Err(Violation::LegacyVersion),
        Some(_) if offers(TLS13) => {}
        Some(_) if offers(TLS12) => return Ok(false),
        None if hello.legacy_version >= TLS12 => return Ok(false),
        _ => return Err(Violation::OldVersion),
    }
    match (hello.schemes, hello.groups, hello.shares) {
        (None, ..) => Err(Violation::MissingExtension("signature_algorithms")),
        (_, None, _) => Err(Violation::MissingExtension("supported_groups")),
        (.., None) => Err(Violation::MissingExtension("key_share")),
        (_, Some(groups), Some(shares)) => shares_are_of(groups, shares).map(|()| true),
    }
}

/// Fails if one of the `shares` is for a group that is not among `groups`.
fn shares_are_of(groups: &[u8], shares: &[u8]) -> Result<(), Violation> {
    let mut groups: Vec<u16> = numbers(groups).collect();
    groups.sort_unstable();
    let mut shares = Reader(shares);
    while let Some(group) = shares.share() {
        if groups.binary_search(&group).is_err() {
            return Err(Violation::KeyShareGroup);
        }
    }
    Ok(())
}

/// Whether another ServerHello may follow. One of TLS 1.2 is not checked.
fn server_hello(body: &[u8], session_id: Option<&[u8]>) -> Result<bool, Violation> {
    let Some(hello) = ServerHello::parse(body).filter(|hello| hello.version == TLS13) else {
        return Ok(false);
    };
    if hello.legacy_version <= SSL3 {
        return Err(Violation::LegacyVersion);
    }
    if session_id.is_some_and(|own| own != hello.session_id) {
        return Err(Violation::SessionId);
    }
    Ok(hello.random == RETRY)
}

/// The fields of a ClientHello that are checked (RFC 8446 section 4.1.2).
struct ClientHello<'a> {
    legacy_version: u16,
    versions: Option<&'a [u8]>,
    schemes: Option<&'a [u8]>,
    groups: Option<&'a [u8]>,
    shares: Option<&'a [u8]>,
}

impl<'a> ClientHello<'a> {
    /// None for one that is malformed.
    fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let legacy_version = reader.u16()?;
        reader.take(RETRY.len())?;
        let (_session_id, _suites, _compression) =
            (reader.vector8()?, reader.vector16()?, reader.vector8()?);
        let mut hello = Self {
            legacy_version,
            versions: None,
            schemes: None,
            groups: None,
            shares: None,
        };
        // Before TLS 1.3 a hello may end here.
        let mut extensions = match reader {
            Reader([]) => reader,
            _ => Reader(reader.vector16()?),
        };
        while let Some((kind, data)) = extensions.extension() {
            let mut data = Reader(data);
            match kind {
                SUPPORTED_VERSIONS => hello.versions = Some(list(data.vector8()?)?),
                SIGNATURE_ALGORITHMS => hello.schemes = Some(list(data.vector16()?)?),
                SUPPORTED_GROUPS => hello.groups = Some(list(data.vector16()?)?),
                KEY_SHARE => hello.shares = Some(data.vector16()?),
                _ => {}
            }
        }
        extensions.0.is_empty().then_some(hello)
    }
}

/// The fields of a ServerHello that are checked (RFC 8446 section 4.1.3).
struct ServerHello<'a> {
    legacy_version: u16,
    random: &'a [u8],
    session_id: &'a [u8],
    /// From supported_versions; 0 without that extension.
    version: u16,
}

impl<'a> ServerHello<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let legacy_version = reader.u16()?;
        let random = reader.take(RETRY.len())?;
        let session_id = reader.vector8()?;
        let (_suite, _compression) = (reader.u16()?, reader.take(1)?);
        let mut extensions = Reader(reader.vector16()?);
        let mut version = 0;
        while let Some((kind, data)) = extensions.extension() {
            if kind == SUPPORTED_VERSIONS {
                version = Reader(data).u16().unwrap_or_default();
            }
        }
        Some(Self {
            legacy_version,
            random,
            session_id,
            version,
        })
    }
}

/// The session id of the ClientHello at the beginning of `records`.
fn own_session_id(records: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(records);
    let (_record, _header) = (reader.take(5)?, reader.take(HEADER)?);
    let (_version, _random) = (reader.u16()?, reader.take(RETRY.len())?);
    reader.vector8()
}

/// `bytes`, if they are numbers of two bytes.
fn list(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty() && bytes.len() % 2 == 0).then_some(bytes)
}

fn numbers(list: &[u8]) -> impl Iterator<Item = u16> {
    let mut reader = Reader(list);
    std::iter::from_fn(move || reader.u16())
}

/// Takes values from the front of bytes; None if there are too few.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*number))
    }

    /// A vector behind its length of one byte.
    fn vector8(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first()?;
        self.0 = rest;
        self.take(usize::from(*length))
    }

    /// A vector behind its length of two bytes.
    fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    fn extension(&mut self) -> Option<(u16, &'a [u8])> {
        Some((self.u16()?, self.vector16()?))
    }

    /// The group of a KeyShareEntry.
    fn share(&mut self) -> Option<u16> {
        let group = self.u16()?;
        self.vector16().map(|_| group)
    }
}

#[cfg(test)]
mod tests;
