//! What rustls's callbacks learn during the handshake, and rustls does not report afterwards.
//!
//! Upstream (doc/upstream.md, Failing from a callback): a callback that chooses a
//! certificate or opens a ticket cannot return an error. It leaves the reason here.

use std::sync::{Arc, Mutex, MutexGuard};

use rustls::pki_types::CertificateDer;
use unix::quoted::quoted;

use crate::record_status::RecordStatus;

/// Why a callback ends the handshake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HandshakeAbort {
    /// The key guard has ended.
    GuardGone,
    /// The key guard did not answer within the handshake's time limit.
    TimedOut,
    /// Something failed on our side; the exit code and the message.
    Failed(u8, String),
    /// The client offers no application protocol that it may have.
    NoProtocol,
}

/// The facts of one handshake. Clones share them: the callbacks hold one, the
/// session another. rustls may ask for the certificate twice (HelloRetryRequest,
/// RFC 8446 section 4.1.4), so a later fact replaces an earlier one.
#[derive(Clone, Debug, Default)]
pub struct HandshakeFacts {
    facts: Arc<Mutex<Facts>>,
    records: RecordStatus,
}

#[derive(Debug, Default)]
struct Facts {
    server_name: Option<String>,
    /// The certificate for that name; Some(None) if there is none, None if no
    /// client has asked yet.
    certificate: Option<Option<CertificateDer<'static>>>,
    protocols: Vec<Vec<u8>>,
    challenge: bool,
    tls13: bool,
    abort: Option<HandshakeAbort>,
    refusal: Option<String>,
    tlsa: Option<String>,
}

impl HandshakeFacts {
    /// The facts of a connection whose records have this status.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn new(records: RecordStatus) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }

    /// A client asks for `name`, if any, and gets `certificate`, if there is one.
    pub fn client_asks(&self, name: Option<&str>, certificate: Option<&CertificateDer<'static>>) {
        let mut facts = self.lock();
        facts.server_name = name.map(str::to_owned);
        facts.certificate = Some(certificate.cloned());
    }

    /// The certificate that the client gets.
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.lock().certificate.clone().flatten()
    }

    /// A client offers these application protocols (RFC 7301 section 3.1).
    pub fn client_offers<'a>(&self, protocols: impl Iterator<Item = &'a [u8]>) {
        self.lock().protocols = protocols.map(<[u8]>::to_vec).collect();
    }

    /// Sets whether the client asks for an ACME challenge (RFC 8737) instead of the
    /// server's certificate.
    pub fn client_wants_challenge(&self, challenge: bool) {
        self.lock().challenge = challenge;
    }

    /// Whether the client asks for an ACME challenge.
    pub fn is_challenge(&self) -> bool {
        self.lock().challenge
    }

    /// Sets whether the client offers TLS 1.3.
    pub fn client_has_tls13(&self, tls13: bool) {
        self.lock().tls13 = tls13;
    }

    /// Whether the client offers TLS 1.3.
    pub fn has_tls13(&self) -> bool {
        self.lock().tls13
    }

    /// The message for a client that offers none of our application protocols.
    pub fn no_protocol(&self) -> String {
        let offer = quoted(&self.lock().protocols.join(&b','));
        format!("no common ALPN protocol; client offers {offer}")
    }

    /// The name that the client asked for, as sent (RFC 6066 section 3).
    pub fn server_name(&self) -> Option<String> {
        self.lock().server_name.clone()
    }

    /// The message for a client that gets no certificate; None if it gets one.
    pub fn no_certificate(&self) -> Option<String> {
        let facts = self.lock();
        let name = facts.server_name.as_ref();
        let text = match (name.map(|name| quoted(name.as_bytes())), facts.challenge) {
            (Some(name), false) => format!("remote asked for {name}, which has no certificate"),
            (Some(name), true) => {
                format!("remote asked for the ACME challenge of {name}, which has none")
            }
            (None, false) => {
                "remote asked for no name, and there is no default certificate".to_owned()
            }
            (None, true) => "remote asked for an ACME challenge, but for no name".to_owned(),
        };
        matches!(facts.certificate, Some(None)).then_some(text)
    }

    /// Ends the handshake. The first reason counts.
    pub fn abort(&self, reason: HandshakeAbort) {
        self.lock().abort.get_or_insert(reason);
    }

    /// Why the handshake was ended, if it was.
    pub fn abort_reason(&self) -> Option<HandshakeAbort> {
        self.lock().abort.clone()
    }

    /// Sets the message for a refused certificate of the peer, where rustls's
    /// error has the right alert but no reason.
    pub fn refuse(&self, why: String) {
        self.lock().refusal = Some(why);
    }

    /// The message for a refused certificate, if it was set.
    pub fn refusal(&self) -> Option<String> {
        self.lock().refusal.clone()
    }

    /// Sets the fields of the TLSA record by which the peer's certificate is accepted,
    /// though other records may have refused it.
    pub fn accept_by(&self, record: String) {
        let mut facts = self.lock();
        facts.tlsa = Some(record);
        facts.refusal = None;
    }

    /// The fields of that record, if there is one.
    pub fn tlsa(&self) -> Option<String> {
        self.lock().tlsa.clone()
    }

    /// The status of the connection's records.
    pub fn records(&self) -> &RecordStatus {
        &self.records
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        unix::lock(&self.facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_that_asks_twice_counts_as_asked_last() {
        let certificate = CertificateDer::from(vec![1]);
        let facts = HandshakeFacts::default();
        let session = facts.clone();
        assert_eq!(
            (session.server_name(), session.no_certificate()),
            (None, None)
        );
        facts.client_asks(Some("a.org"), None);
        let refused = "remote asked for a.org, which has no certificate";
        assert_eq!(session.no_certificate().as_deref(), Some(refused));
        for _ in 0..2 {
            facts.client_asks(None, None);
            let refused = "remote asked for no name, and there is no default certificate";
            assert_eq!(session.no_certificate().as_deref(), Some(refused));
        }
        facts.client_wants_challenge(true);
        let refused = "remote asked for an ACME challenge, but for no name";
        assert_eq!(session.no_certificate().as_deref(), Some(refused));
        facts.client_asks(Some("a.org"), None);
        let refused = "remote asked for the ACME challenge of a.org, which has none";
        assert_eq!(session.no_certificate().as_deref(), Some(refused));
        facts.client_asks(Some("b.org"), Some(&certificate));
        assert_eq!(session.server_name().as_deref(), Some("b.org"));
        assert_eq!(session.no_certificate(), None);
        assert_eq!(session.certificate(), Some(certificate));
    }

    #[test]
    fn facts_are_those_that_were_set_last() {
        let facts = HandshakeFacts::default();
        assert!(!facts.is_challenge() && !facts.has_tls13());
        facts.client_wants_challenge(true);
        facts.client_has_tls13(true);
        assert!(facts.is_challenge() && facts.has_tls13());
        facts.client_wants_challenge(false);
        facts.client_has_tls13(false);
        assert!(!facts.is_challenge() && !facts.has_tls13());
        facts.client_offers([&b"h2"[..], b"a\n"].into_iter());
        let message = "no common ALPN protocol; client offers h2,a\\x0a";
        assert_eq!(facts.no_protocol(), message);
    }

    #[test]
    fn accepting_record_withdraws_the_refusal_of_others() {
        let facts = HandshakeFacts::default();
        assert_eq!((facts.refusal(), facts.tlsa()), (None, None));
        facts.refuse("by a record".to_owned());
        assert_eq!(facts.refusal().as_deref(), Some("by a record"));
        facts.accept_by("3 1 1".to_owned());
        assert_eq!(
            (facts.refusal(), facts.tlsa().as_deref()),
            (None, Some("3 1 1"))
        );
    }
}
