//! The sessions that are resumed: their state, as rustls encodes it, is checked
//! before it is sealed into a ticket and after it was opened.

use std::fmt;
use std::sync::Mutex;

use pki::x509::Certificate;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ProducesTickets;
use tunnel::handshake_facts::HandshakeFacts;

use crate::credentials::ticketer::{Content, LIFETIME, TicketKeys};
use crate::crypto;
use crate::wall_clock;

/// A server's sessions, in tickets.
pub struct Sessions {
    keys: TicketKeys,
    versions: Versions,
}

/// The versions of TLS whose sessions are resumed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Versions {
    /// TLS 1.2 and 1.3. A ticket of TLS 1.2 is sent in the clear, and whoever can
    /// open it can decrypt the connection that it was made in.
    Both,
    /// TLS 1.3 only, where a resumed session has a key exchange of its own (RFC
    /// 8446 section 2.2).
    Tls13,
}

impl Sessions {
    /// Sessions of these `versions`, in tickets under these `keys`.
    pub fn new(keys: TicketKeys, versions: Versions) -> Self {
        Self { keys, versions }
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.keys.count()
    }

    /// A ticket of this `content`, made at `now`. It opens only for a server that shows a
    /// certificate with the same key as `shown`. None if the session may not be resumed.
    pub fn seal(
        &self,
        shown: &CertificateDer<'_>,
        content: &Content,
        now: UnixTime,
    ) -> Option<Vec<u8>> {
        is_resumable(&content.state, self.versions).then_some(())?;
        self.keys.seal(&identity(shown)?, content, now)
    }

    /// What a ticket of [`Sessions::seal`] holds, if neither the ticket nor the full
    /// handshake is too old, and the session may be resumed.
    pub fn open(
        &self,
        shown: &CertificateDer<'_>,
        ticket: &[u8],
        now: UnixTime,
    ) -> Option<Content> {
        let content = self.keys.open(&identity(shown)?, ticket, now)?;
        is_resumable(&content.state, self.versions).then_some(content)
    }
}

/// Makes tickets for the rustls of one connection, and opens them.
///
/// A secret from a ticket is not sealed again. In TLS 1.2 a resumed session keeps the
/// secret of the first one: a new ticket would be valid for another 12 hours, and under
/// a key that may be newer than the connections that the secret decrypts.
///
/// Upstream (doc/upstream.md, The secret of a resumed session): rustls has it sealed
/// again.
///
/// After a ticket was opened, all new ones have the time of its full handshake: rustls
/// does not say that it makes a full handshake instead, as for another server name. These
/// are valid for a shorter time than they could be.
pub struct Ticketer {
    sessions: Sessions,
    /// Which certificate is shown.
    facts: HandshakeFacts,
    /// The last ticket that was opened.
    opened: Mutex<Option<Opened>>,
}

#[derive(Clone, Copy)]
struct Opened {
    /// The SHA-256 of the secret in it.
    secret: [u8; 32],
    /// The time of the full handshake that its session comes from.
    authenticated: UnixTime,
}

impl Ticketer {
    /// Tickets of these `sessions`, on the connection of these `facts`.
    pub fn new(sessions: Sessions, facts: HandshakeFacts) -> Self {
        let opened = Mutex::default();
        Self {
            sessions,
            facts,
            opened,
        }
    }
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    /// If it is None in TLS 1.2, rustls sends an empty ticket (RFC 5077 section 3.3). The
    /// client keeps the one that it has.
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let shown = self.facts.certificate()?;
        let opened = *unix::lock(&self.opened);
        let known = opened.map(|opened| opened.secret);
        (known != secret_hash(plain)).then_some(())?;
        let now = wall_clock::now();
        let content = Content {
            state: plain.to_vec(),
            authenticated: opened.map_or(now, |opened| opened.authenticated),
        };
        self.sessions.seal(&shown, &content, now)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let shown = self.facts.certificate()?;
        let content = self.sessions.open(&shown, cipher, wall_clock::now())?;
        *unix::lock(&self.opened) = Some(Opened {
            secret: secret_hash(&content.state)?,
            authenticated: content.authenticated,
        });
        Some(content.state)
    }
}

impl fmt::Debug for Ticketer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticketer")
    }
}

/// The SHA-256 of the SubjectPublicKeyInfo of the certificate, to which a ticket is
/// bound.
fn identity(shown: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let certificate = Certificate::parse(shown)?;
    Some(crypto::sha256(certificate.public_key_info()))
}

/// Whether the session of this `state`, as rustls encodes it, may be resumed: its
/// version is among `versions`, and it has no client certificate, as a server that
/// asks for one makes no tickets.
///
/// Upstream (doc/upstream.md, The certificates of a resumed session): rustls tells
/// whoever makes a ticket neither of them.
pub fn is_resumable(state: &[u8], versions: Versions) -> bool {
    let allowed = |version| match versions {
        Versions::Both => matches!(version, TLS12 | TLS13),
        Versions::Tls13 => version == TLS13,
    };
    matches!(
        Head::parse(state),
        Some(Head { version, certificate: NO_CERTIFICATE, .. }) if allowed(version)
    )
}

/// The SHA-256 of the secret in a session's `state`.
fn secret_hash(state: &[u8]) -> Option<[u8; 32]> {
    Some(crypto::sha256(Head::parse(state)?.secret))
}

const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

/// The byte that says that no client certificate follows.
const NO_CERTIFICATE: u8 = 0;

/// The fields at the beginning of a session's state: server name, if there is one;
/// version; cipher suite; secret; whether that is an extended master secret (RFC 7627);
/// whether a client certificate follows.
struct Head<'a> {
    version: u16,
    secret: &'a [u8],
    certificate: u8,
}

impl<'a> Head<'a> {
    fn parse(state: &'a [u8]) -> Option<Self> {
        let rest = match state.split_first()? {
            (0, rest) => rest,
            (1, rest) => counted(rest)?.1,
            _ => return None,
        };
        let (version, rest) = rest.split_first_chunk()?;
        let (_suite, rest) = rest.split_first_chunk::<2>()?;
        let (secret, rest) = counted(rest)?;
        let [_extended, certificate, ..] = *rest else {
            return None;
        };
        Some(Self {
            version: u16::from_be_bytes(*version),
            secret,
            certificate,
        })
    }
}

/// A vector with a length of one byte, and the bytes behind it.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// The state of a session of this version, without name and certificate.
#[cfg(test)]
pub fn for_tests(version: u16) -> Vec<u8> {
    let suite = [0x13, 0x01];
    let secret = [&[32][..], &[7; 32]].concat();
    let rest = [0, 0, 0, 0, 0];
    let version = version.to_be_bytes();
    [&[0][..], &version, &suite, &secret, &[0, 0], &rest].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing;

    const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1));

    fn sessions(versions: Versions) -> Sessions {
        Sessions::new(TicketKeys::for_tests(), versions)
    }

    fn shown() -> CertificateDer<'static> {
        testing::pair().cert.remove(0)
    }

    fn content(state: &[u8]) -> Content {
        Content {
            state: state.to_vec(),
            authenticated: NOW,
        }
    }

    /// A state with this name, version and byte for the client certificate.
    fn state(name: Option<&[u8]>, version: u16, certificate: u8) -> Vec<u8> {
        let plain = for_tests(version);
        let name = match name {
            Some(name) => [&[1, u8::try_from(name.len()).unwrap()], name].concat(),
            None => vec![0],
        };
        let mut state = [&name, &plain[1..]].concat();
        state[name.len() + 2 + 2 + 33 + 1] = certificate;
        state
    }

    #[test]
    fn a_session_is_resumable_by_its_version() {
        for (version, both, tls13) in [
            (TLS12, true, false),
            (TLS13, true, true),
            (0x0302, false, false),
            (0x0305, false, false),
            (0xfefd, false, false),
        ] {
            for name in [None, Some(&b"a.example"[..]), Some(b"")] {
                let state = state(name, version, 0);
                assert_eq!(is_resumable(&state, Versions::Both), both, "{version:x}");
                assert_eq!(is_resumable(&state, Versions::Tls13), tls13, "{version:x}");
            }
        }
    }

    #[test]
    fn a_ticket_of_tls_1_2_does_not_open_for_tls_1_3_alone() {
        let [both, guarded] = [Versions::Both, Versions::Tls13].map(sessions);
        let content = content(&for_tests(TLS12));
        let ticket = both.seal(&shown(), &content, NOW).unwrap();
        assert_eq!(guarded.seal(&shown(), &content, NOW), None);
        assert_eq!(both.open(&shown(), &ticket, NOW), Some(content));
        assert_eq!(guarded.open(&shown(), &ticket, NOW), None);
    }

    #[test]
    fn a_session_with_a_client_certificate_is_neither_sealed_nor_opened() {
        for certificate in [1, 2, 255] {
            let content = content(&state(None, TLS13, certificate));
            let sessions = sessions(Versions::Both);
            assert_eq!(sessions.seal(&shown(), &content, NOW), None);
            let identity = identity(&shown()).unwrap();
            let ticket = sessions.keys.seal(&identity, &content, NOW).unwrap();
            assert_eq!(sessions.open(&shown(), &ticket, NOW), None);
        }
    }

    #[test]
    fn a_ticket_opens_for_certificates_with_the_same_key_only() {
        let sessions = sessions(Versions::Both);
        let content = content(&for_tests(TLS13));
        let ticket = sessions.seal(&shown(), &content, NOW).unwrap();
        let mut other = shown().to_vec();
        let key = Certificate::parse(&shown())
            .unwrap()
            .public_key_info()
            .to_vec();
        let at = other.windows(key.len()).position(|part| part == key);
        let end = at.unwrap() + key.len();
        // A certificate that was renewed with its key has another signature.
        *other.last_mut().unwrap() ^= 1;
        let renewed = CertificateDer::from(other.clone());
        assert!(sessions.open(&renewed, &ticket, NOW).is_some());
        other[end - 1] ^= 1;
        let other = CertificateDer::from(other);
        assert_eq!(sessions.open(&other, &ticket, NOW), None);
        let broken = CertificateDer::from(vec![0x30, 0]);
        assert_eq!(sessions.open(&broken, &ticket, NOW), None);
        assert_eq!(sessions.seal(&broken, &content, NOW), None);
    }

    #[test]
    fn the_secret_of_an_opened_ticket_is_not_sealed_again() {
        let facts = HandshakeFacts::default();
        facts.client_asks(None, Some(&shown()));
        let ticketer = || Ticketer::new(sessions(Versions::Both), facts.clone());
        // The state differs only after the secret, in the time for example.
        let first = for_tests(TLS12);
        let mut later = first.clone();
        *later.last_mut().unwrap() += 1;
        let mut other = first.clone();
        other[6] += 1;
        let ticket = ticketer().encrypt(&first).unwrap();
        let ticketer = ticketer();
        assert_eq!(ticketer.decrypt(b"no ticket"), None);
        assert!(ticketer.encrypt(&later).is_some());
        assert_eq!(ticketer.decrypt(&ticket), Some(first));
        assert_eq!(ticketer.encrypt(&later), None);
        // That of a full handshake on the same connection is.
        assert!(ticketer.encrypt(&other).is_some());
    }

    #[test]
    fn a_new_ticket_is_no_newer_than_the_full_handshake_of_the_opened_one() {
        let facts = HandshakeFacts::default();
        facts.client_asks(None, Some(&shown()));
        let ticketer = Ticketer::new(sessions(Versions::Both), facts);
        let before = wall_clock::now();
        let opened = |ticket: &[u8]| {
            let now = wall_clock::now();
            ticketer.sessions.open(&shown(), ticket, now).unwrap()
        };
        let first = ticketer.encrypt(&for_tests(TLS13)).unwrap();
        assert!(opened(&first).authenticated >= before);
        let hours_ago = before.as_secs() - 20 * 3600;
        let old = Content {
            authenticated: UnixTime::since_unix_epoch(Duration::from_secs(hours_ago)),
            state: for_tests(TLS13),
        };
        let ticket = ticketer.sessions.seal(&shown(), &old, before).unwrap();
        ticketer.decrypt(&ticket).unwrap();
        let mut later = for_tests(TLS13);
        later[6] += 1;
        let new = ticketer.encrypt(&later).unwrap();
        assert_eq!(opened(&new).authenticated, old.authenticated);
    }

    #[test]
    fn an_invalid_state_is_not_resumable() {
        let state = state(Some(b"a.example"), TLS13, 0);
        for length in 0..state.len() - 5 {
            assert!(!is_resumable(&state[..length], Versions::Both), "{length}");
        }
        assert!(!is_resumable(&[&[2], &state[1..]].concat(), Versions::Both));
        assert!(!is_resumable(b"state", Versions::Both));
    }
}
