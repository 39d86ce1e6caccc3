//! What rustls's callbacks learn during the handshake, and nothing says
//! afterwards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::CertificateDer;
use unix::quoted::quoted;

use crate::record_status::RecordStatus;

/// Why the handshake cannot go on, though the peer has done nothing wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HandshakeAbort {
    /// The key guard is gone.
    GuardGone,
    /// The key guard did not answer within the handshake's time limit.
    TimedOut,
    /// Something failed on our side: an exit code and a message.
    Failed(u8, String),
}

/// Shared between a callback, which has no other way to report, and the
/// session. rustls may ask for the certificate twice (HelloRetryRequest,
/// RFC 8446 section 4.1.4), so each fact is set as a whole: the last counts.
#[derive(Clone, Debug, Default)]
pub struct HandshakeFacts {
    facts: Arc<Mutex<Facts>>,
    records: RecordStatus,
}

#[derive(Debug, Default)]
struct Facts {
    server_name: Option<String>,
    /// What was chosen for that; the outer None: nothing was asked yet.
    certificate: Option<Option<CertificateDer<'static>>>,
    protocols: Vec<Vec<u8>>,
    tls13: bool,
    abort: Option<HandshakeAbort>,
    refusal: Option<String>,
}

impl HandshakeFacts {
    /// A client asks for `name`, or for none; there is a `certificate` for it
    /// or not.
    pub fn client_asks(&self, name: Option<&str>, certificate: Option<&CertificateDer<'static>>) {
        let mut facts = self.lock();
        facts.server_name = name.map(str::to_owned);
        facts.certificate = Some(certificate.cloned());
    }

    /// The certificate that the client is shown.
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.lock().certificate.clone().flatten()
    }

    /// A client offers these application protocols (RFC 7301 section 3.1).
    pub fn client_offers<'a>(&self, protocols: impl Iterator<Item = &'a [u8]>) {
        self.lock().protocols = protocols.map(<[u8]>::to_vec).collect();
    }

    /// A client has cipher suites of TLS 1.3, without which there is no TLS 1.3.
    pub fn client_has_tls13(&self, tls13: bool) {
        self.lock().tls13 = tls13;
    }

    /// Whether the client has.
    pub fn has_tls13(&self) -> bool {
        self.lock().tls13
    }

    /// None of the protocols that the client offers is ours: that, in words.
    pub fn no_protocol(&self) -> String {
        let offer = quoted(&self.lock().protocols.join(&b','));
        format!("no common ALPN protocol; client offers {offer}")
    }

    /// The name that the client asked for, as it was sent (RFC 6066 section 3).
    pub fn server_name(&self) -> Option<String> {
        self.lock().server_name.clone()
    }

    /// If there was no certificate to show: that, in words.
    pub fn no_certificate(&self) -> Option<String> {
        let facts = self.lock();
        let text = match &facts.server_name {
            Some(name) => {
                let name = quoted(name.as_bytes());
                format!("remote asked for {name}, which has no certificate")
            }
            None => "remote asked for no name, and there is no default certificate".to_owned(),
        };
        matches!(facts.certificate, Some(None)).then_some(text)
    }

    /// The handshake cannot go on.
    pub fn abort(&self, reason: HandshakeAbort) {
        self.lock().abort.get_or_insert(reason);
    }

    /// Why the handshake cannot go on: the first reason.
    pub fn abort_reason(&self) -> Option<HandshakeAbort> {
        self.lock().abort.clone()
    }

    /// The peer's certificate is refused, and rustls's error, which has to
    /// stand for the alert, cannot say why: that, in words.
    pub fn refuse(&self, why: String) {
        self.lock().refusal = Some(why);
    }

    /// Why the peer's certificate was refused, if that was said.
    pub fn refusal(&self) -> Option<String> {
        self.lock().refusal.clone()
    }

    /// What the protection of records has noted.
    pub fn records(&self) -> &RecordStatus {
        &self.records
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_asks_twice_leaves_what_it_said_last() {
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
        facts.client_asks(Some("b.org"), Some(&certificate));
        assert_eq!(session.server_name().as_deref(), Some("b.org"));
        assert_eq!(session.no_certificate(), None);
        assert_eq!(session.certificate(), Some(certificate));
    }
}
