//! How a conversation copes with servers that are slow, silent or hostile.

use std::io::{Read, Write};
use std::net::{IpAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use cli::address::Ip;
use unix::tasks::turn;

use super::*;
use crate::{Name, Secured, SecuredKind};

/// A conversation in this state. It has one server, which gets one chance, so the next
/// failure is its result.
fn conversation(state: State) -> Conversation {
    about(&Query::A(Name::parse(b"host.test").unwrap()), state)
}

fn about(query: &Query, state: State) -> Conversation {
    let config = Config {
        servers: vec![Ip::V4([127, 0, 0, 1]).into()],
        suffixes: Vec::new(),
        ndots: None,
        rounds: vec![Duration::from_secs(60)],
    };
    let now = Instant::now();
    let mut conversation = Conversation::new(&config, query, now);
    conversation.state = state;
    conversation.until = now + Duration::from_secs(60);
    conversation
}

/// A conversation that waits for an answer over UDP, and the server's socket.
pub(crate) fn waiting(query: &Query) -> (Conversation, UdpSocket) {
    let (ours, server) = udp();
    (about(query, State::Datagram(ours)), server)
}

/// The server's answer, with one address.
pub(crate) fn address(conversation: &Conversation, ip: IpAddr) -> Vec<u8> {
    let (kind, bytes) = match ip {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (28, ip.octets().to_vec()),
    };
    let mut packet = conversation.packet.clone();
    packet[2] |= 0x80;
    packet[7] = 1;
    packet.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, bytes.len() as u8]);
    packet.extend(bytes);
    packet
}

/// A connection to a server; both ends do not block.
fn pair() -> (OwnedFd, UnixStream) {
    let (ours, server) = UnixStream::pair().unwrap();
    for end in [&ours, &server] {
        end.set_nonblocking(true).unwrap();
    }
    (ours.into(), server)
}

fn connected(socket: OwnedFd, send: &[u8]) -> State {
    State::Stream {
        socket,
        send: send.to_vec(),
        received: Vec::new(),
    }
}

#[test]
fn a_query_over_tcp_is_sent_whole_though_the_socket_takes_parts() {
    let (ours, mut server) = pair();
    let query: Vec<u8> = (0..1 << 20)
        .map(|byte: u32| byte.to_le_bytes()[1])
        .collect();
    let (mut rest, mut received, mut arrived) = (query.clone(), Vec::new(), Vec::new());
    while !rest.is_empty() {
        match stream(&ours, &mut rest, &mut received) {
            Ok(None) | Err(Errno::EAGAIN) => {}
            other => panic!("{other:?}"),
        }
        let _ = server.read_to_end(&mut arrived);
    }
    drop(ours);
    server.read_to_end(&mut arrived).unwrap();
    assert!(
        arrived == query,
        "{} bytes of {}",
        arrived.len(),
        query.len()
    );
}

#[test]
fn an_answer_over_tcp_may_come_in_any_pieces() {
    let (ours, mut server) = pair();
    let (mut rest, mut received) = (Vec::new(), Vec::new());
    let mut next = || stream(&ours, &mut rest, &mut received);
    assert_eq!(next(), Err(Errno::EAGAIN));
    for byte in b"\0\x05hell" {
        server.write_all(&[*byte]).unwrap();
        assert_eq!(next(), Ok(None));
    }
    server.write_all(b"o and more").unwrap();
    assert_eq!(next(), Ok(Some(b"hello".to_vec())));
}

#[test]
fn a_socket_that_is_not_yet_connected_is_waited_for() {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    let (family, kind) = (AddressFamily::Unix, SockType::Stream);
    let ours = socket(family, kind, SockFlag::empty(), None).unwrap();
    let mut query = vec![1];
    let sent = stream(&ours, &mut query, &mut Vec::new());
    assert_eq!((sent, query), (Err(Errno::EAGAIN), vec![1]));
}

#[test]
fn a_server_that_closes_the_connection_has_failed() {
    let (ours, server) = pair();
    let mut conversation = conversation(connected(ours, b""));
    conversation.step(Instant::now());
    assert_eq!(conversation.result(), None);
    drop(server);
    conversation.step(Instant::now());
    let failed = Err(Failure::System(Errno::EPIPE));
    assert_eq!(conversation.result(), Some(&failed));
}

#[test]
fn a_foreign_answer_over_tcp_is_a_failure_and_over_udp_it_is_ignored() {
    let (ours, mut server) = pair();
    let mut over_tcp = conversation(connected(ours, b""));
    server.write_all(b"\0\x03abc").unwrap();
    over_tcp.step(Instant::now());
    assert_eq!(over_tcp.result(), Some(&Err(Failure::Malformed)));
    let (ours, server) = udp();
    let mut over_udp = conversation(State::Datagram(ours));
    server.send(b"abc").unwrap();
    over_udp.step(Instant::now());
    assert_eq!(over_udp.result(), None);
}

/// A socket of ours and one of a server, over UDP.
fn udp() -> (OwnedFd, UdpSocket) {
    let [ours, server] = [(), ()].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    ours.connect(server.local_addr().unwrap()).unwrap();
    server.connect(ours.local_addr().unwrap()).unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours.into(), server)
}

#[test]
fn a_flood_of_answers_does_not_keep_the_caller_from_its_deadline() {
    // It never ends, and is no answer.
    let flood = std::fs::File::open("/dev/zero").unwrap();
    let mut conversation = conversation(State::Datagram(flood.into()));
    conversation.turn(Instant::now());
    assert_eq!(conversation.result(), None);
}

#[test]
fn a_conversation_waits_for_room_while_it_sends_and_then_for_the_answer() {
    let (ours, mut server) = pair();
    let mut sending = conversation(connected(ours, b"query"));
    let far = Instant::now() + Duration::from_secs(20);
    assert_eq!(turn(&mut [&mut sending], Some(far)), Ok(true));
    assert!(Instant::now() < far, "there is room at once");
    let State::Stream { send, .. } = &sending.state else {
        panic!("it has ended");
    };
    assert!(send.is_empty());
    // Nothing comes: the wait ends only at its deadline.
    let deadline = Instant::now() + Duration::from_millis(50);
    assert_eq!(turn(&mut [&mut sending], Some(deadline)), Ok(true));
    assert!(Instant::now() >= deadline);
    server.write_all(b"\0").unwrap();
    let far = Instant::now() + Duration::from_secs(20);
    assert_eq!(turn(&mut [&mut sending], Some(far)), Ok(true));
    assert!(Instant::now() < far, "the answer has begun");
}

#[test]
fn a_server_that_is_silent_too_long_has_failed() {
    let (ours, _server) = udp();
    let mut conversation = conversation(State::Datagram(ours));
    let until = conversation.until;
    conversation.step(until - Duration::from_millis(1));
    assert_eq!(conversation.result(), None);
    conversation.step(until);
    assert_eq!(conversation.result(), Some(&Err(Failure::TimedOut)));
}

#[test]
fn a_conversation_over_udp_waits_for_the_answer_and_no_longer_than_its_server_may_take() {
    let far = Instant::now() + Duration::from_secs(20);
    let (ours, server) = udp();
    let mut answered = conversation(State::Datagram(ours));
    assert!(!answered.is_finished());
    server.send(&refusal(&answered)).unwrap();
    assert_eq!(turn(&mut [&mut answered], Some(far)), Ok(true));
    assert_eq!(answered.result(), Some(&Err(Failure::Refused)));
    assert!(answered.is_finished());
    let mut silent = conversation(State::Datagram(udp().0));
    silent.until = Instant::now() + Duration::from_millis(20);
    assert_eq!(turn(&mut [&mut silent], Some(far)), Ok(true));
    assert_eq!(silent.result(), Some(&Err(Failure::TimedOut)));
    assert!(Instant::now() < far);
}

/// A server's refusal of a query.
fn refusal(conversation: &Conversation) -> Vec<u8> {
    let mut packet = conversation.packet.clone();
    packet[2] |= 0x80;
    packet[3] |= 5;
    packet
}

/// A conversation about TLSA records with two servers.
fn about_tlsa() -> Conversation {
    about_tlsa_with(Ip::V4([127, 0, 0, 1]).into())
}

/// The same, with this server first.
fn about_tlsa_with(first: Address) -> Conversation {
    let config = Config {
        servers: vec![first, Ip::V4([127, 0, 0, 2]).into()],
        suffixes: Vec::new(),
        ndots: None,
        rounds: vec![Duration::from_secs(60); 2],
    };
    let query = Query::Secured(Name::parse(b"host.test").unwrap(), SecuredKind::Tlsa);
    Conversation::new(&config, &query, Instant::now())
}

/// The same, after the failure of the first server.
fn after(failure: Failure) -> Conversation {
    let mut conversation = about_tlsa();
    conversation.failed(failure);
    conversation
}

fn said(authentic: bool) -> Result<Answer, Failure> {
    Ok(Answer::Secured(Secured {
        authentic,
        aliased: false,
        owner: None,
        records: Err(Failure::NoData),
        server: None,
    }))
}

/// The last number of the server that said the result.
fn by(conversation: &Conversation) -> Option<u8> {
    match conversation.result()? {
        Ok(Answer::Secured(said)) => said.server.map(|server| server.ip.bytes()[3]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_insecure_answer_does_not_count_after_the_failure_of_another_server() {
    for failure in [Failure::Server, Failure::TimedOut, Failure::Malformed] {
        let mut secure = after(failure);
        secure.answered(said(true));
        assert_eq!(by(&secure), Some(2));
        let mut never = after(failure);
        never.answered(said(false));
        assert_eq!(never.result(), None);
        never.failed(failure);
        never.answered(said(false));
        never.start(Instant::now());
        assert_eq!(never.result(), Some(&Err(failure)));
        // The server that has failed answers later.
        let mut late = after(failure);
        late.answered(said(false));
        late.answered(said(false));
        assert_eq!(by(&late), Some(1));
    }
    // Nor is that server's socket read again.
    let mut over_udp = after(Failure::Server);
    over_udp.state = State::Datagram(udp().0);
    over_udp.answered(said(false));
    assert!(matches!(over_udp.state, State::Start));
    let mut absent = after(Failure::System(Errno::ECONNREFUSED));
    absent.answered(said(false));
    assert_eq!(by(&absent), Some(2));
}

#[test]
fn an_insecure_answer_does_not_count_after_the_refusal_of_another_server() {
    let refused = || {
        let mut conversation = about_tlsa();
        conversation.refused();
        conversation
    };
    let mut secure = refused();
    secure.answered(said(true));
    assert_eq!(by(&secure), Some(2));
    let mut insecure = refused();
    insecure.answered(said(false));
    assert_eq!(insecure.result(), None);
    insecure.answered(said(false));
    insecure.start(Instant::now());
    assert_eq!(insecure.result(), Some(&Err(Failure::Refused)));
}

#[test]
fn an_insecure_answer_does_not_count_if_the_whole_answer_of_another_server_cannot_be_fetched() {
    // No connection to it can be made.
    let first = Address::parse(b"fe80::1%nowhere0").unwrap();
    let truncated = || {
        let mut conversation = about_tlsa_with(first);
        conversation.state = State::Datagram(udp().0);
        conversation.start_stream();
        assert!(matches!(conversation.state, State::Start));
        conversation
    };
    let mut secure = truncated();
    secure.answered(said(true));
    assert_eq!(by(&secure), Some(2));
    let mut insecure = truncated();
    insecure.answered(said(false));
    assert_eq!(insecure.result(), None);
}

#[test]
fn a_server_that_cannot_be_queried_is_skipped_at_once() {
    let mut conversation = about_tlsa_with(Address::parse(b"fe80::1%nowhere0").unwrap());
    conversation.start(Instant::now());
    let (second, _) = conversation.exchange.current().unwrap();
    assert_eq!(second, Ip::V4([127, 0, 0, 2]).into());
    conversation.answered(said(false));
    assert_eq!(by(&conversation), Some(2));
}
