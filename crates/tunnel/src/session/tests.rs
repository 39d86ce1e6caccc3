use super::*;
use crate::explain::end_reason;
use crate::testing::{self, Party};

#[test]
fn data_arrives_and_a_close_notify_closes() {
    let (mut client, mut server) = Party::connected();
    let data = vec![7; 2 * MAX_DATA + 1];
    client.process(ToSend::Data(&data)).unwrap();
    client.process(ToSend::CloseNotify).unwrap();
    server.receive(&client.sent());
    let received = server.process(ToSend::Nothing).unwrap();
    let (closed, stopped) = (true, false);
    assert_eq!(received, Received { closed, stopped });
    assert!(server.buffers.plain.content() == data);
    assert!(server.buffers.incoming.is_empty());
}

#[test]
fn data_before_the_end_of_the_handshake_is_an_error() {
    let mut client = Party::client();
    let sent = client.process(ToSend::Data(b"early"));
    assert_eq!(sent, Err(Error::HandshakeNotComplete));
}

#[test]
fn process_stops_without_space_for_a_record() {
    let mut client = Party::client();
    let space = client.buffers.outgoing.space().len();
    client.buffers.outgoing.commit(space - MAX_RECORD + 1);
    let received = client.process(ToSend::Nothing).unwrap();
    assert!(received.stopped && client.session.is_handshaking());
    assert_eq!(client.sent().len(), space - MAX_RECORD + 1);
    // With some space at the front, the rest moves there.
    client.buffers.outgoing.commit(space - MAX_RECORD + 1);
    client.buffers.outgoing.consume(1000);
    let received = client.process(ToSend::Nothing).unwrap();
    assert!(!received.stopped);
    assert!(client.sent().len() > space - MAX_RECORD + 1 - 1000);
}

#[test]
fn data_before_an_error_are_kept() {
    let (mut client, mut server) = Party::connected();
    client.process(ToSend::Data(b"good")).unwrap();
    server.receive(&client.sent());
    server.receive(&[23, 3, 3, 0, 20]);
    server.receive(&[7; 20]);
    let error = server.process(ToSend::Nothing);
    assert_eq!(error, Err(Error::DecryptError));
    assert_eq!(server.buffers.plain.content(), b"good");
}

#[test]
fn aborted_handshake_ends_for_its_reason() {
    let mut server = Party::server();
    server.session.abort(HandshakeAbort::TimedOut);
    let error = server.process(ToSend::Nothing).unwrap_err();
    assert_eq!(server.session.outcome(&error), Outcome::handshake_timeout());
    assert_eq!(end_reason(&error, true), EndReason::System);
}

#[test]
fn outcome_names_the_handshake_only_during_it() {
    let (client, _) = Party::connected();
    let error = Error::DecryptError;
    let why = "remote sent a record that cannot be decrypted";
    assert_eq!(client.session.outcome(&error).text, why);
    let outcome = Party::client().session.outcome(&error);
    assert_eq!(outcome.text, format!("handshake failed: {why}"));
}

#[test]
fn peer_chain_is_the_verified_one() {
    let (client, server) = Party::connected();
    assert_eq!(client.session.peer_chain(), crate::testing::chain());
    assert_eq!(server.session.peer_chain(), []);
}

#[test]
fn client_without_certificate_for_its_name_is_told_apart_from_one_without_challenge() {
    for (challenge, reason) in [
        (false, EndReason::NoCertificateForName),
        (true, EndReason::NoChallenge),
    ] {
        let server = Party::server().session;
        assert_eq!((server.asked_name(), server.is_challenge()), (None, false));
        server.facts().client_wants_challenge(challenge);
        server.facts().client_asks(Some("a.org"), None);
        assert_eq!(server.asked_name().as_deref(), Some("a.org"));
        assert_eq!(server.is_challenge(), challenge);
        let outcome = server.outcome(&Error::General("no certificate".into()));
        assert_eq!(outcome.reason, reason, "{}", outcome.text);
    }
}

#[test]
fn session_names_the_record_by_which_the_server_was_accepted() {
    let client = Party::client().session;
    assert_eq!(client.tlsa(), None);
    client.facts().accept_by("3 1 1".to_owned());
    assert_eq!(client.tlsa().as_deref(), Some("3 1 1"));
}

#[test]
fn server_knows_whether_the_client_offers_tls13() {
    let (_, server) = Party::connected();
    assert!(server.session.facts().has_tls13());
    let (facts, provider) = testing::facts_and_provider();
    let tls12 = &[&rustls::version::TLS12][..];
    let config = testing::client_config(provider, tls12, testing::Verifier::any());
    let client = UnbufferedClientConnection::new(config.into(), testing::server_name());
    let mut client = Party::new(Session::Client(Box::new(client.unwrap()), facts));
    client.process(ToSend::Nothing).unwrap();
    let mut server = Party::server();
    server.receive(&client.sent());
    server.process(ToSend::Nothing).unwrap();
    assert!(!server.session.facts().has_tls13());
}
