//! A name server for tests, on port 53 of an address of 127.0.0.0/8.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Barrier};

/// What the server does with a question.
#[derive(Clone)]
pub enum Answer {
    /// Addresses.
    Addresses(Vec<IpAddr>),
    /// The name of an address.
    Name(&'static str),
    /// An alias, and the address of what it stands for.
    Alias(&'static str, IpAddr),
    /// This response code and nothing else.
    Code(u8),
    /// The name of another name server, and no recursion.
    Referral,
    /// It does not fit over UDP; over TCP it is this.
    Truncated(IpAddr),
    /// Random bytes.
    Garbage,
    /// First with a wrong id, then malformed and for another name, then this address.
    WrongFirst(IpAddr),
    /// The name of an address, once another thread waits at the barrier, too.
    Together(Arc<Barrier>, &'static str),
    /// Silence.
    Nothing,
}

/// A running server; it ends with the process of the tests.
pub struct DnsServer {
    /// Where it listens.
    pub ip: Ipv4Addr,
}

impl DnsServer {
    /// A server with these answers; the key is the question's name in lower
    /// case with its type, as in `host.test. A`. Everything else does not
    /// exist. None if the port cannot be had.
    pub fn start(answers: &[(&str, Answer)]) -> Option<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let process = std::process::id().to_be_bytes();
        let ip = Ipv4Addr::new(127, 53, process[3], NEXT.fetch_add(1, Ordering::Relaxed));
        let (Ok(udp), Ok(tcp)) = (UdpSocket::bind((ip, 53)), TcpListener::bind((ip, 53))) else {
            super::skip(&format!("port 53 of {ip} cannot be bound"));
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"));
            return None;
        };
        let answers: BTreeMap<String, Answer> = answers
            .iter()
            .map(|(key, answer)| (key.to_string(), answer.clone()))
            .collect();
        let again = answers.clone();
        std::thread::spawn(move || {
            let mut buf = [0; 512];
            while let Ok((count, peer)) = udp.recv_from(&mut buf) {
                for reply in replies(&answers, &buf[..count], false) {
                    let _ = udp.send_to(&reply, peer);
                }
            }
        });
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = tcp.accept() {
                let mut length = [0; 2];
                if stream.read_exact(&mut length).is_err() {
                    continue;
                }
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                if stream.read_exact(&mut question).is_err() {
                    continue;
                }
                for reply in replies(&again, &question, true) {
                    let length = (reply.len() as u16).to_be_bytes();
                    // In two pieces, as TCP may.
                    let _ = stream.write_all(&length);
                    let _ = stream.write_all(&reply);
                }
            }
        });
        Some(Self { ip })
    }
}

fn replies(answers: &BTreeMap<String, Answer>, question: &[u8], tcp: bool) -> Vec<Vec<u8>> {
    let mut at = 12;
    let mut name = String::new();
    while question[at] != 0 {
        let len = usize::from(question[at]);
        name += &String::from_utf8_lossy(&question[at + 1..at + 1 + len]).to_lowercase();
        name.push('.');
        at += len + 1;
    }
    let kind = question[at + 2];
    let name_of_kind = [(1, "A"), (12, "PTR"), (28, "AAAA")]
        .into_iter()
        .find(|(k, _)| *k == kind);
    let key = format!("{name} {}", name_of_kind.map_or("?", |(_, name)| name));
    let head = |id_change: u8, flags: u8, code: u8, count: u8| {
        let mut reply = question[..at + 5].to_vec();
        reply[1] ^= id_change;
        reply[2] = 0x80 | flags;
        reply[3] = 0x80 | code;
        reply[7] = count;
        reply[8..12].fill(0);
        reply
    };
    let record = |reply: &mut Vec<u8>, owner: &[u8], kind: u8, data: &[u8]| {
        reply.extend_from_slice(owner);
        reply.extend([0, kind, 0, 1, 0, 0, 0, 1, 0, data.len() as u8]);
        reply.extend_from_slice(data);
    };
    let itself = [0xc0, 12];
    let address = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    match answers.get(&key) {
        None => vec![head(0, 0, 3, 0)],
        Some(Answer::Nothing) => vec![],
        Some(Answer::Garbage) => vec![[&question[..12], &[0xff; 40]].concat()],
        Some(Answer::Code(code)) => vec![head(0, 0, *code, 0)],
        Some(Answer::Referral) => {
            let mut reply = head(0, 0, 0, 0);
            reply[3] = 0;
            reply[9] = 1;
            record(&mut reply, &itself, 2, &wire("ns.test"));
            vec![reply]
        }
        Some(Answer::Truncated(ip)) if tcp => {
            let mut reply = head(0, 0, 0, 1);
            record(&mut reply, &itself, kind, &address(ip));
            vec![reply]
        }
        Some(Answer::Truncated(_)) => vec![head(0, 2, 0, 0)],
        Some(Answer::WrongFirst(ip)) => {
            let mut wrong = head(1, 0, 0, 1);
            record(&mut wrong, &itself, kind, &[127, 6, 6, 6]);
            let mut right = head(0, 0, 0, 1);
            record(&mut right, &itself, kind, &address(ip));
            let mut other = head(0, 0, 0, 0xff);
            other[13] ^= 1;
            vec![wrong, other, right]
        }
        Some(Answer::Addresses(ips)) => {
            let mut reply = head(0, 0, 0, ips.len() as u8);
            ips.iter()
                .for_each(|ip| record(&mut reply, &itself, kind, &address(ip)));
            vec![reply]
        }
        Some(Answer::Name(name) | Answer::Together(_, name)) => {
            if let Some(Answer::Together(barrier, _)) = answers.get(&key) {
                barrier.wait();
            }
            let mut reply = head(0, 0, 0, 1);
            record(&mut reply, &itself, kind, &wire(name));
            vec![reply]
        }
        Some(Answer::Alias(target, ip)) => {
            let mut reply = head(0, 0, 0, 2);
            record(&mut reply, &itself, 5, &wire(target));
            record(&mut reply, &wire(target), kind, &address(ip));
            vec![reply]
        }
    }
}

/// A name on the wire. A label may hold anything but a dot.
fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.trim_end_matches('.').split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
