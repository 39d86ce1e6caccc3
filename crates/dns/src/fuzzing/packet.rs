//! Packets of answers, written without the crate that reads them.

use std::net::IpAddr;

use super::ID;
use crate::{Answer, Failure, Name, Query, Secured, SecuredKind};

const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const AAAA: u16 = 28;
const TLSA: u16 = 52;

/// Where an alias without records leads.
const NOWHERE: &str = "nowhere.test.";

/// A record: its owner, its type and its data.
type Record = (Vec<u8>, u16, Vec<u8>);

/// The name and the type about which `query` asks.
fn asked(query: &Query) -> (Vec<u8>, u16) {
    let (name, kind) = match query {
        Query::A(name) | Query::Secured(name, SecuredKind::A) => (name.clone(), A),
        Query::Aaaa(name) | Query::Secured(name, SecuredKind::Aaaa) => (name.clone(), AAAA),
        Query::Secured(name, SecuredKind::Cname) => (name.clone(), CNAME),
        Query::Secured(name, SecuredKind::Tlsa) => (name.clone(), TLSA),
        Query::Ptr(ip) => (Name::reverse(*ip), PTR),
    };
    (of_labels(name.labels()), kind)
}

/// The question of `query`.
pub fn question(query: &Query) -> Vec<u8> {
    let (name, kind) = asked(query);
    [&name, &kind.to_be_bytes()[..], &IN].concat()
}

/// A packet with this answer to `query`.
pub fn written(query: &Query, answer: &Answer) -> Vec<u8> {
    let (name, kind) = asked(query);
    let (records, flags) = match answer {
        Answer::Addresses(ips) => {
            let record = |ip: &IpAddr| match ip {
                IpAddr::V4(ip) => (name.clone(), A, ip.octets().to_vec()),
                IpAddr::V6(ip) => (name.clone(), AAAA, ip.octets().to_vec()),
            };
            (ips.iter().map(record).collect(), 0)
        }
        Answer::HostName(host) => (vec![(name.clone(), PTR, wire(host))], 0),
        Answer::Secured(found) => secured(&name, kind, found),
    };
    let count = (records.len() as u16).to_be_bytes();
    let header = [
        &ID.to_be_bytes()[..],
        &[0x81, 0x80 | flags, 0, 1],
        &count,
        &[0; 4],
    ]
    .concat();
    let records = records.into_iter().map(|(owner, kind, data)| {
        let length = (data.len() as u16).to_be_bytes();
        [
            &owner,
            &kind.to_be_bytes()[..],
            &IN,
            &[0; 4],
            &length,
            &data,
        ]
        .concat()
    });
    [header, question(query)]
        .into_iter()
        .chain(records)
        .flatten()
        .collect()
}

/// Appends a byte to the last address in `packet`, which was [`written`] from `answer`. False if
/// there is none.
pub fn with_surplus(packet: &mut Vec<u8>, query: &Query, answer: &Answer) -> bool {
    let size = match query {
        Query::A(_) | Query::Secured(_, SecuredKind::A) => 4,
        Query::Aaaa(_) | Query::Secured(_, SecuredKind::Aaaa) => 16,
        _ => return false,
    };
    if matches!(answer, Answer::Secured(found) if found.records.is_err()) {
        return false;
    }
    let length = packet.len() - size - 1;
    packet[length] += 1;
    packet.push(0);
    true
}

/// The class of the internet.
const IN: [u8; 2] = [0, 1];

/// The records and the flags of an answer to a query of this type that asks for DNSSEC.
fn secured(name: &[u8], kind: u16, found: &Secured) -> (Vec<Record>, u8) {
    let mut records = Vec::new();
    let mut owner = name.to_vec();
    if found.aliased {
        let target = found.owner.as_ref();
        owner = target.map_or_else(|| wire(NOWHERE), |target| of_labels(target.labels()));
        records.push((name.to_vec(), CNAME, owner.clone()));
    }
    let data = match (kind, &found.records) {
        (_, Err(_)) => Vec::new(),
        (TLSA, Ok(data)) => data.clone(),
        (A, _) => vec![vec![7; 4]],
        (AAAA, _) => vec![vec![7; 16]],
        _ => vec![wire(NOWHERE)],
    };
    records.extend(data.into_iter().map(|data| (owner.clone(), kind, data)));
    let code = if found.records == Err(Failure::NoName) {
        3
    } else {
        0
    };
    let authentic = if found.authentic { 0x20 } else { 0 };
    (records, authentic | code)
}

/// The wire format of a name with a final dot.
fn wire(name: &str) -> Vec<u8> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let labels: Vec<Vec<u8>> = name.split('.').map(|label| label.into()).collect();
    of_labels(&labels)
}

/// The wire format of a name (RFC 1035 section 3.1).
fn of_labels(labels: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in labels {
        wire.push(label.len() as u8);
        wire.extend(label);
    }
    wire.push(0);
    wire
}
