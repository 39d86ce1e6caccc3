//! Entry points for fuzzing. Each panics if an input shows a defect, and returns whether the input
//! was understood. See fuzz/README.md.

mod packet;

use std::net::IpAddr;
use std::time::Duration;

use cli::address::Ip;
use cli::tlsa::TlsaRecord;

use crate::message::{Message, Reply};
use crate::{Answer, Config, Failure, Hosts, Name, Query, SecuredKind};

/// The id in the seeds.
const ID: u16 = 0x1234;

/// The input is a byte that chooses the query and the transport, and the server's packet.
/// Whatever that contains, an answer is one to the query, and a packet written from the answer
/// gives the same answer, unless an address in it has surplus bytes.
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
        let question = packet::question(&query);
        let asked = &packet[12..packet.len().min(12 + question.len())];
        assert!(packet[4..6] == [0, 0] || asked.eq_ignore_ascii_case(&question));
    }
    match &reply {
        Reply::Final(Ok(answer)) => {
            check(&query, answer);
            let mut written = packet::written(&query, answer);
            assert_eq!(message.decode(&written, whole), reply);
            if packet::with_surplus(&mut written, &query, answer) {
                let malformed = Reply::Broken(Failure::Malformed);
                assert_eq!(message.decode(&written, whole), malformed);
            }
        }
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
            assert!(name.len() <= 255);
            check_host_name(name);
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

/// Checks that `name` is safe in a path, a variable and a line of a log.
fn check_host_name(name: &str) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    assert!(name.ends_with('.') && !name.starts_with('.'), "{name:?}");
    assert!(!name.contains("..") && name.chars().all(plain), "{name:?}");
}

/// A resolv.conf, and after a NUL each the variables DNSCACHEIP and DNSQUALIFY: what was
/// understood and is written again is understood alike.
pub fn resolv_conf(input: &[u8]) -> bool {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let file = parts.next().unwrap_or_default();
    let Ok(config) = Config::new(file, parts.next(), parts.next()) else {
        return false;
    };
    assert!((1..=16).contains(&config.servers.len()));
    assert!((config.servers.iter()).all(|server| server.ip == server.ip.unmapped()));
    assert!((1..=5).contains(&config.rounds.len()));
    let limits = Duration::from_secs(1)..=Duration::from_secs(45);
    assert!(config.rounds.iter().all(|round| limits.contains(round)));
    let again = Config::new(&written(&config), None, None);
    let understood = |config: Config| (config.servers, config.ndots, config.suffixes);
    assert_eq!(again.map(understood), Ok(understood(config.clone())));
    Ok(config) != Config::new(b"", None, None)
}

/// `config` as a resolv.conf, without the timeouts, which may differ from round to round.
fn written(config: &Config) -> Vec<u8> {
    let mut file = Vec::new();
    for server in &config.servers {
        file.extend(format!("nameserver {server}\n").bytes());
    }
    file.extend(b"search");
    for suffix in &config.suffixes {
        file.push(b' ');
        file.extend(suffix.labels().join(&b'.'));
    }
    let ndots = config.ndots.map(|ndots| format!("\noptions ndots:{ndots}"));
    file.extend(ndots.unwrap_or_default().bytes());
    file
}

/// A hosts file: what was understood and is written again is understood alike, and the name of
/// an address is a host name of its lines.
pub fn hosts(input: &[u8]) -> bool {
    let hosts = Hosts::parse(input);
    let mut file = String::new();
    for (ip, names) in hosts.lines() {
        file += &Ip::from(*ip).to_string();
        for name in names {
            assert!(hosts.addresses(&format!("{name}.")).contains(ip), "{name}");
            file += &format!(" {name}.");
        }
        file.push('\n');
        if let Some(name) = hosts.name(*ip) {
            check_host_name(&name);
            assert!(hosts.addresses(&name).contains(ip), "{name}");
        }
    }
    let again = Hosts::parse(file.as_bytes());
    assert_eq!(again.lines(), hosts.lines(), "{file}");
    !file.is_empty()
}

#[cfg(test)]
mod tests {
    #[test]
    fn dns() {
        inputs::run("dns", 4000, super::dns);
    }

    #[test]
    fn resolv_conf() {
        inputs::run("resolv_conf", 4000, super::resolv_conf);
    }

    #[test]
    fn hosts() {
        inputs::run("hosts", 4000, super::hosts);
    }
}
