//! A relay between two connections that records what goes through it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::{JoinHandle, spawn};

/// What a relay does to a record.
pub type Edit = fn(&mut Vec<u8>);

/// Both directions of a relay, the client's first.
pub struct Relay([JoinHandle<Vec<u8>>; 2]);

/// Carries everything between `client` and `server`, in pieces of at most
/// `piece` bytes; the first TLS record of each side goes through its `edits`.
pub fn relay(client: TcpStream, server: TcpStream, piece: usize, edits: [Edit; 2]) -> Relay {
    let [forth, back] = edits;
    let (from_client, to_client) = (client.try_clone().unwrap(), client);
    let (from_server, to_server) = (server.try_clone().unwrap(), server);
    Relay([
        spawn(move || carry(from_client, to_server, piece, forth)),
        spawn(move || carry(from_server, to_client, piece, back)),
    ])
}

impl Relay {
    /// What each side has sent, when both have ended.
    pub fn heard(self) -> [Vec<u8>; 2] {
        self.0.map(|direction| direction.join().unwrap())
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, piece: usize, edit: Edit) -> Vec<u8> {
    to.set_nodelay(true).unwrap();
    let mut heard = record(&mut from);
    edit(&mut heard);
    let mut bytes = heard.clone();
    loop {
        // A side that has failed no longer reads: the other one must learn of
        // it.
        let sent = bytes
            .chunks(piece)
            .try_for_each(|piece| to.write_all(piece));
        bytes.resize(1 << 14, 0);
        let count = match sent.and_then(|()| from.read(&mut bytes)) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        bytes.truncate(count);
        heard.extend_from_slice(&bytes);
    }
    let _ = from.shutdown(Shutdown::Read);
    let _ = to.shutdown(Shutdown::Write);
    heard
}

/// The next record, or what there is of it.
fn record(from: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut header = from.take(5);
    let _ = header.read_to_end(&mut bytes);
    if let [_, _, _, high, low] = bytes[..] {
        let mut body = from.take(u16::from_be_bytes([high, low]).into());
        let _ = body.read_to_end(&mut bytes);
    }
    bytes
}
