//! ACME's challenge TLS-ALPN-01 (RFC 8737): which clients are shown a challenge certificate
//! instead of the server's own.

use cli::{ACME_TLS, answers_challenges};

/// What a ClientHello asks for, by the application protocols that it offers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// The server's certificate.
    Certificate,
    /// The challenge certificate for its name.
    Challenge,
    /// No certificate: the only common protocol is that of challenges, which the server selects
    /// only for clients that offer no other (RFC 8737 section 3).
    Nothing,
}

/// The application protocols of this server.
#[derive(Clone, Debug)]
pub struct Protocols(Vec<Vec<u8>>);

impl Protocols {
    /// These protocols, the preferred one first.
    pub fn new(protocols: &[Vec<u8>]) -> Self {
        Self(protocols.to_vec())
    }

    /// What a client that offers these protocols asks for. Challenges are shown only if
    /// their protocol is one of the server's.
    pub fn asked<'a>(&self, offer: impl Iterator<Item = &'a [u8]>) -> Asked {
        if !answers_challenges(&self.0) {
            return Asked::Certificate;
        }
        let offer: Vec<_> = offer.collect();
        let (challenge, others): (Vec<_>, Vec<_>) =
            offer.into_iter().partition(|name| *name == ACME_TLS);
        match (challenge.is_empty(), others.is_empty()) {
            (true, _) => Asked::Certificate,
            (false, true) => Asked::Challenge,
            (false, false) if others.iter().any(|name| self.has(name)) => Asked::Certificate,
            (false, false) => Asked::Nothing,
        }
    }

    /// The protocols for rustls, which selects the first that the client offers. That of
    /// challenges is last, so that it is selected only if no other is common.
    pub fn for_rustls(&self) -> Vec<Vec<u8>> {
        let mut protocols = self.0.clone();
        protocols.sort_by_key(|name| name == ACME_TLS);
        protocols
    }

    fn has(&self, wanted: &[u8]) -> bool {
        self.0.iter().any(|name| name == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocols(list: &str) -> Protocols {
        let names = list.split(',').filter(|name| !name.is_empty());
        Protocols(names.map(|name| name.as_bytes().to_vec()).collect())
    }

    #[test]
    fn a_challenge_is_for_clients_that_offer_its_protocol_alone() {
        for (ours, theirs, asked) in [
            ("acme-tls/1,h2", "acme-tls/1", Asked::Challenge),
            ("acme-tls/1", "acme-tls/1", Asked::Challenge),
            ("acme-tls/1,h2", "acme-tls/1,h2", Asked::Certificate),
            ("acme-tls/1,h2", "x,h2,acme-tls/1", Asked::Certificate),
            ("acme-tls/1,h2", "acme-tls/1,x", Asked::Nothing),
            ("acme-tls/1", "h2,acme-tls/1", Asked::Nothing),
            ("acme-tls/1,h2", "h2", Asked::Certificate),
            ("acme-tls/1,h2", "x", Asked::Certificate),
            ("acme-tls/1,h2", "ACME-TLS/1", Asked::Certificate),
            ("acme-tls/1,h2", "", Asked::Certificate),
            ("h2", "acme-tls/1", Asked::Certificate),
            ("", "acme-tls/1", Asked::Certificate),
        ] {
            let offer = protocols(theirs);
            let offer = offer.0.iter().map(Vec::as_slice);
            assert_eq!(protocols(ours).asked(offer), asked, "{ours} {theirs}");
        }
    }

    #[test]
    fn the_protocol_of_challenges_is_the_last_for_rustls() {
        for (ours, ordered) in [
            ("acme-tls/1,h2,http/1.1", "h2,http/1.1,acme-tls/1"),
            ("h2,acme-tls/1", "h2,acme-tls/1"),
            ("h2,http/1.1", "h2,http/1.1"),
            ("", ""),
        ] {
            assert_eq!(protocols(ours).for_rustls(), protocols(ordered).0);
        }
    }
}
