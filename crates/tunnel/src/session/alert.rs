//! The end of a session after an error: the alert that tells the peer.
//!
//! Upstream (doc/upstream.md, Sending an alert): rustls sends alerts only for errors
//! that it has found itself, some of them with another description than RFC 8446
//! section 6.2 has, and cannot be asked for one. `provoke` and the changed descriptions
//! can go when it has a function for that.

use rustls::{AlertDescription, Error};

use super::{Buffers, MAX_RECORD, Session, ToSend, has_space_for_record};
use crate::buffer::Buffer;
use crate::explain::{self, Alert};
use crate::handshake_facts::HandshakeAbort;

/// A handshake message without content.
const SMALLEST_MESSAGE: usize = 4;

/// How long the record of an unencrypted alert is.
const PLAIN_ALERT: usize = 7;

/// The content type of an alert (RFC 8446 section 5.1).
const ALERT: u8 = 21;

impl Session {
    /// Ends the session after an error: puts the alert for the peer into
    /// `outgoing`, and clears `incoming`. `wanted` says which alert, if it is
    /// to be another one than that of rustls, or if rustls has none.
    pub fn alert(&mut self, buffers: &mut Buffers, wanted: Option<Alert>) {
        buffers.clear_incoming();
        let Buffers {
            incoming, outgoing, ..
        } = buffers;
        let mut plain = self.flush(outgoing);
        let Some(wanted) = wanted else {
            return;
        };
        let alerted = plain || self.facts().records().alerted();
        if !alerted {
            self.facts().records().set_alert(wanted.description());
            self.provoke(incoming.space(), outgoing);
            plain = self.flush(outgoing);
        }
        let replaces = !alerted || matches!(wanted, Alert::Instead(_));
        match outgoing.content_mut().last_mut() {
            Some(description) if plain && replaces => *description = wanted.description().into(),
            _ => {}
        }
    }

    /// The alert for `error`.
    pub fn wanted_alert(&self, error: &Error) -> Alert {
        match (self.facts().abort_reason(), self.facts().no_certificate()) {
            (Some(HandshakeAbort::NoProtocol), _) => {
                Alert::Instead(AlertDescription::NoApplicationProtocol)
            }
            (Some(_), _) => Alert::Instead(AlertDescription::InternalError),
            (None, Some(_)) => Alert::Instead(AlertDescription::UnrecognisedName),
            (None, None) => explain::alert(error),
        }
    }

    /// Moves what rustls still has to send into `outgoing`. Returns whether the
    /// last of it is an unencrypted alert.
    fn flush(&mut self, outgoing: &mut Buffer) -> bool {
        let mut plain = false;
        while self.state().wants_write() && has_space_for_record(outgoing) {
            let before = outgoing.len();
            // rustls sends what is queued before it looks at new bytes, so it
            // needs to see none.
            let (_, progress) = self.advance(&mut [], None, outgoing, ToSend::Nothing);
            if progress.is_err() {
                break;
            }
            let sent = outgoing.content().get(before..).unwrap_or_default();
            plain = sent.len() == PLAIN_ALERT && sent.starts_with(&[ALERT]);
        }
        plain
    }

    /// Makes rustls send a fatal alert: shows it an invalid record, for which it
    /// sends decode_error.
    ///
    /// rustls may hold positions of messages, or of a part of one, in the bytes
    /// that it saw last, and reads those first, whatever is there now. So
    /// `bytes` must be at least as long as those were, with
    /// [`SPARE`](super::SPARE) bytes behind them for the invalid record.
    fn provoke(&mut self, bytes: &mut [u8], outgoing: &mut Buffer) {
        bytes.fill(0xff);
        for _ in 0..MAX_RECORD / SMALLEST_MESSAGE {
            let (_, progress) = self.advance(bytes, None, outgoing, ToSend::Nothing);
            if progress.is_ok() || self.state().wants_write() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Received;
    use crate::testing::Party;

    /// An unencrypted fatal alert.
    fn plain_alert(description: AlertDescription) -> [u8; PLAIN_ALERT] {
        [ALERT, 3, 3, 0, 2, 2, description.into()]
    }

    /// The error of a server that has received `bytes`.
    fn server_after(bytes: &[u8]) -> (Party, Error) {
        let mut server = Party::server();
        server.receive(bytes);
        let error = server.process(ToSend::Nothing).unwrap_err();
        (server, error)
    }

    /// A record with a handshake message of no kind, for which rustls sends
    /// decode_error.
    const BAD_MESSAGE: [u8; 9] = [22, 3, 1, 0, 4, 1, 0, 0, 0];

    #[test]
    fn alert_without_error_of_rustls_is_provoked() {
        let wanted = Alert::Otherwise(AlertDescription::AccessDenied);
        let mut server = Party::server();
        server.alert(Some(wanted));
        assert_eq!(server.sent(), plain_alert(AlertDescription::AccessDenied));
        let mut client = Party::client();
        client.alert(Some(wanted));
        let sent = client.sent();
        let end = plain_alert(AlertDescription::AccessDenied);
        assert!(sent.ends_with(&end), "{sent:?}");
    }

    #[test]
    fn alert_of_rustls_is_replaced_only_by_instead() {
        for (wanted, description) in [
            (
                Alert::Otherwise(AlertDescription::AccessDenied),
                AlertDescription::DecodeError,
            ),
            (
                Alert::Instead(AlertDescription::AccessDenied),
                AlertDescription::AccessDenied,
            ),
        ] {
            let (mut server, _) = server_after(&BAD_MESSAGE);
            server.alert(Some(wanted));
            assert_eq!(server.sent(), plain_alert(description), "{wanted:?}");
        }
    }

    #[test]
    fn alert_not_wanted_is_not_provoked_and_input_is_cleared() {
        let mut server = Party::server();
        server.receive(&BAD_MESSAGE[..7]);
        server.alert(None);
        assert_eq!(server.sent(), []);
        assert!(server.buffers.incoming.is_empty());
    }

    #[test]
    fn alert_after_the_handshake_is_encrypted() {
        let (mut client, mut server) = Party::connected();
        server.alert(Some(Alert::Otherwise(AlertDescription::RecordOverflow)));
        client.receive(&server.sent());
        let error = client.process(ToSend::Nothing);
        let alert = Error::AlertReceived(AlertDescription::RecordOverflow);
        assert_eq!(error, Err(alert));
    }

    #[test]
    fn alert_after_a_part_of_a_message_is_provoked() {
        let mut server = Party::server();
        server.receive(&[22, 3, 1, 0, 6, 1, 0, 1, 0, 3, 3]);
        assert_eq!(server.process(ToSend::Nothing), Ok(Received::default()));
        server.alert(Some(Alert::Otherwise(AlertDescription::InternalError)));
        assert_eq!(server.sent(), plain_alert(AlertDescription::InternalError));
    }

    #[test]
    fn alert_is_put_behind_what_is_left_in_a_full_buffer() {
        let mut server = Party::server();
        let outgoing = &mut server.buffers.outgoing;
        let space = outgoing.space().len();
        outgoing.commit(space);
        outgoing.consume(MAX_RECORD);
        server.alert(Some(Alert::Otherwise(AlertDescription::AccessDenied)));
        let sent = server.sent();
        assert_eq!(sent.len(), space - MAX_RECORD + PLAIN_ALERT);
        assert!(sent.ends_with(&plain_alert(AlertDescription::AccessDenied)));
    }

    #[test]
    fn wanted_alert_of_an_aborted_handshake_is_that_of_its_reason() {
        let (server, error) = server_after(&BAD_MESSAGE);
        let wanted = server.session.wanted_alert(&error);
        assert_eq!(wanted, Alert::Otherwise(AlertDescription::DecodeError));
        server.session.facts().client_asks(Some("a.org"), None);
        let wanted = server.session.wanted_alert(&error);
        assert_eq!(wanted, Alert::Instead(AlertDescription::UnrecognisedName));
        for (reason, alert) in [
            (HandshakeAbort::GuardGone, AlertDescription::InternalError),
            (
                HandshakeAbort::NoProtocol,
                AlertDescription::NoApplicationProtocol,
            ),
        ] {
            let (server, error) = server_after(&BAD_MESSAGE);
            server.session.abort(reason);
            let wanted = server.session.wanted_alert(&error);
            assert_eq!(wanted, Alert::Instead(alert));
        }
    }
}
