//! Entry point for fuzzing: see fuzz/README.md.

use std::net::IpAddr;

use cli::tlsa::TlsaRecord;

use crate::message::{Message, Reply, SecuredKind};
use crate::{Answer, Failure, Name, Query};

/// The id in the seeds.
const ID: u16 = 0x1234;

/// The input is a byte that chooses the query and the transport, and the server's packet.
/// Whatever that contains, an answer is one to the query.
pub fn dns(input: &[u8]) -> bool {
    let Some((how, packet)) = input.split_first() else {
        return false;
    };
    let Some(name) = Name::parse(b"www.good.test") else {
        unreachable!("it is a name")
    };
    let query = match how & 0b1011 {
        0 => Query::A(name),
        1 => Query::Aaaa(name),
        2 | 3 => Query::Ptr(IpAddr::from([192, 0, 2, 17])),
        8 => Query::Secured(name, SecuredKind::A),
        9 => Query::Secured(name, SecuredKind::Aaaa),
        10 => Query::Secured(name, SecuredKind::Cname),
        _ => Query::Secured(name, SecuredKind::Tlsa),
    };
    let whole = how & 4 != 0;
    let message = Message::new(&query, ID);
    let reply = message.decode(packet, whole);
    if reply != Reply::Foreign {
        assert!(packet.starts_with(&ID.to_be_bytes()));
    }
    match &reply {
        Reply::Final(Ok(answer)) => check(&query, answer),
        Reply::Truncated => assert!(!whole),
        _ => {}
    }
    // The query itself is not an answer.
    if let Ok(question) = message.encode() {
        assert_eq!(message.decode(&question, whole), Reply::Foreign);
    }
    let understood = Reply::Final(Err(Failure::Malformed)) != reply;
    understood && matches!(reply, Reply::Final(_) | Reply::Truncated | Reply::Unwilling)
}

/// Checks that `answer` is one to `query`.
fn check(query: &Query, answer: &Answer) {
    match (query, answer) {
        (Query::A(_), Answer::Addresses(ips)) => {
            assert!(!ips.is_empty() && ips.iter().all(IpAddr::is_ipv4));
        }
        (Query::Aaaa(_), Answer::Addresses(ips)) => {
            assert!(!ips.is_empty() && ips.iter().all(IpAddr::is_ipv6));
        }
        (Query::Ptr(_), Answer::HostName(name)) => {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
            assert!(name.len() <= 255 && name.ends_with('.') && !name.starts_with('.'));
            assert!(!name.contains("..") && name.chars().all(plain), "{name:?}");
        }
        (Query::Secured(_, kind), Answer::Secured(found)) => {
            let Ok(records) = &found.records else {
                assert_eq!(found.owner, None);
                return;
            };
            let tlsa = *kind == SecuredKind::Tlsa;
            let addresses = matches!(kind, SecuredKind::A | SecuredKind::Aaaa);
            assert_eq!(records.is_empty(), !tlsa);
            assert_eq!(found.owner.is_some(), addresses);
            for data in records {
                if let Some(record) = TlsaRecord::from_rdata(data) {
                    assert_eq!(
                        TlsaRecord::parse(record.to_string().as_bytes()),
                        Some(record)
                    );
                }
            }
        }
        _ => unreachable!("{answer:?} to {query:?}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn dns() {
        inputs::run("dns", 4000, super::dns);
    }
}
