//! The sessions that are resumed: their state, as rustls encodes it, is checked
//! before it is sealed into a ticket and after it was opened.

use std::fmt;

use pki::x509::Certificate;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ProducesTickets;
use tunnel::handshake_facts::HandshakeFacts;

use crate::credentials::ticketer::{LIFETIME, TicketKeys};
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

    /// A ticket of a session's `state`, made at `now`. It opens only for a server that
    /// shows a certificate with the same key as `shown`. None if the session may not be
    /// resumed.
    pub fn seal(&self, shown: &CertificateDer<'_>, state: &[u8], now: UnixTime) -> Option<Vec<u8>> {
        is_resumable(state, self.versions).then_some(())?;
        self.keys.seal(&identity(shown)?, state, now)
    }

    /// The state in a ticket of [`Sessions::seal`], if the ticket is not too old and
    /// the session may be resumed.
    pub fn open(
        &self,
        shown: &CertificateDer<'_>,
        ticket: &[u8],
        now: UnixTime,
    ) -> Option<Vec<u8>> {
        let state = self.keys.open(&identity(shown)?, ticket, now)?;
        is_resumable(&state, self.versions).then_some(state)
    }
}

/// Makes tickets for rustls, and opens them.
pub struct Ticketer {
    /// The sessions in them.
    pub sessions: Sessions,
    /// Which certificate is shown.
    pub facts: HandshakeFacts,
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let shown = self.facts.certificate()?;
        self.sessions.seal(&shown, plain, wall_clock::now())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let shown = self.facts.certificate()?;
        self.sessions.open(&shown, cipher, wall_clock::now())
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
    matches!(head(state), Some((version, NO_CERTIFICATE)) if allowed(version))
}

const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

/// The byte that says that no client certificate follows.
const NO_CERTIFICATE: u8 = 0;

/// The version of a session, and the byte that says whether a client certificate
/// follows. The fields are: server name, if there is one; version; cipher suite;
/// secret; whether that is an extended master secret (RFC 7627); that byte.
fn head(state: &[u8]) -> Option<(u16, u8)> {
    let rest = match state.split_first()? {
        (0, rest) => rest,
        (1, rest) => after_counted(rest)?,
        _ => return None,
    };
    let (version, rest) = rest.split_first_chunk()?;
    let (_suite, rest) = rest.split_first_chunk::<2>()?;
    let [_extended, certificate, ..] = after_counted(rest)? else {
        return None;
    };
    Some((u16::from_be_bytes(*version), *certificate))
}

/// The bytes behind a vector with a length of one byte.
fn after_counted(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first()?;
    rest.get(usize::from(*length)..)
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
    use super::*;
    use crate::testing;

    const NOW: UnixTime = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1));

    fn sessions(versions: Versions) -> Sessions {
        Sessions::new(TicketKeys::for_tests(), versions)
    }

    fn shown() -> CertificateDer<'static> {
        testing::pair().cert.remove(0)
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
        let state = for_tests(TLS12);
        let ticket = both.seal(&shown(), &state, NOW).unwrap();
        assert_eq!(both.open(&shown(), &ticket, NOW), Some(state.clone()));
        assert_eq!(guarded.seal(&shown(), &state, NOW), None);
        assert_eq!(guarded.open(&shown(), &ticket, NOW), None);
    }

    #[test]
    fn a_session_with_a_client_certificate_is_neither_sealed_nor_opened() {
        for certificate in [1, 2, 255] {
            let state = state(None, TLS13, certificate);
            let sessions = sessions(Versions::Both);
            assert_eq!(sessions.seal(&shown(), &state, NOW), None);
            let identity = identity(&shown()).unwrap();
            let ticket = sessions.keys.seal(&identity, &state, NOW).unwrap();
            assert_eq!(sessions.open(&shown(), &ticket, NOW), None);
        }
    }

    #[test]
    fn a_ticket_opens_for_certificates_with_the_same_key_only() {
        let sessions = sessions(Versions::Both);
        let state = for_tests(TLS13);
        let ticket = sessions.seal(&shown(), &state, NOW).unwrap();
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
        assert_eq!(sessions.open(&renewed, &ticket, NOW), Some(state.clone()));
        other[end - 1] ^= 1;
        let other = CertificateDer::from(other);
        assert_eq!(sessions.open(&other, &ticket, NOW), None);
        let broken = CertificateDer::from(vec![0x30, 0]);
        assert_eq!(sessions.open(&broken, &ticket, NOW), None);
        assert_eq!(sessions.seal(&broken, &state, NOW), None);
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
