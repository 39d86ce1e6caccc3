//! Which names and addresses are looked up, and which answers count.

use cli::address::Address;

use super::*;
use crate::conversation::tests::{address, waiting};

fn v4() -> Option<Result<Answer, Failure>> {
    Some(Ok(Answer::Addresses(vec![IpAddr::from([127, 0, 0, 1])])))
}

fn v6() -> Option<Result<Answer, Failure>> {
    Some(Ok(Answer::Addresses(vec!["::1".parse().unwrap()])))
}

fn took(choice: Choice) -> Vec<String> {
    match choice {
        Choice::Take(ips) => ips.iter().map(IpAddr::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn addresses_of_both_families_are_taken_ipv6_first() {
    assert_eq!(took(choose(&[v6(), v4()], 2, true)), ["::1", "127.0.0.1"]);
    let no_v6 = Some(Err(Failure::TimedOut));
    assert_eq!(took(choose(&[no_v6, v4()], 2, true)), ["127.0.0.1"]);
}

/// A resolver that knows this hosts file, and whose servers do not exist.
fn with_hosts(file: &[u8]) -> Resolver {
    Resolver {
        config: Config {
            servers: Vec::new(),
            suffixes: vec![Name::parse(b"suffix.test").unwrap()],
            ndots: Some(2),
            rounds: Vec::new(),
        },
        hosts: Hosts::parse(file),
        deadline: None,
    }
}

#[test]
fn addresses_of_the_hosts_file_are_of_the_wanted_family_ipv6_first() {
    let resolver = with_hosts(b"127.0.0.1 both four\n::1 both six\n127.0.0.2 both");
    let both = ["::1", "127.0.0.1", "127.0.0.2"];
    for (name, families, expected) in [
        ("both", Families::Both, &both[..]),
        ("both", Families::V4, &both[1..]),
        ("both", Families::V6, &both[..1]),
        ("four", Families::Both, &both[1..2]),
    ] {
        let found = resolver.addresses(name, families, true).unwrap();
        let expected: Vec<IpAddr> = expected.iter().map(|ip| ip.parse().unwrap()).collect();
        assert_eq!(found, expected, "{name} {families:?}");
    }
    // There only a server may know it, and there is none.
    let six = resolver.addresses("six", Families::V4, true);
    assert_eq!(six, Err(Failure::NoServer));
}

#[test]
fn localhost_has_the_loopback_addresses_though_no_server_can_be_asked() {
    let resolver = with_hosts(b"");
    for (families, expected) in [
        (Families::Both, &["::1", "127.0.0.1"][..]),
        (Families::V4, &["127.0.0.1"]),
        (Families::V6, &["::1"]),
    ] {
        let found = resolver.addresses("a.LocalHost", families, true).unwrap();
        let found: Vec<String> = found.iter().map(IpAddr::to_string).collect();
        assert_eq!(found, expected, "{families:?}");
    }
}

#[test]
fn only_servers_on_this_machine_are_kept_where_dnssec_has_to_be_trusted() {
    let kept = |ips: &[&str]| {
        let mut resolver = with_hosts(b"");
        let parse = |ip: &&str| Address::parse(ip.as_bytes()).unwrap();
        resolver.config.servers = ips.iter().map(parse).collect();
        let any = resolver.keep_local_servers();
        let servers = resolver.config.servers.iter();
        (any, servers.map(Address::to_string).collect::<Vec<_>>())
    };
    let (any, local) = kept(&["192.0.2.1", "127.0.0.53", "::1", "2001:db8::1", "fe80::1"]);
    assert!(any);
    assert_eq!(local, ["127.0.0.53", "::1"]);
    assert_eq!(kept(&["192.0.2.1", "::2"]), (false, vec![]));
}

#[test]
fn a_name_that_cannot_be_looked_up_is_told_before_any_lookup() {
    let resolver = with_hosts(b"127.0.0.1 a..b");
    assert_eq!(resolver.check("a..c"), Err(Failure::BadName));
    assert_eq!(resolver.check("a..b"), Ok(()));
    assert_eq!(resolver.check("a.c"), Ok(()));
}

#[test]
fn names_and_failures_are_in_the_order_of_the_addresses() {
    let resolver = with_hosts(b"127.0.0.1 One\n127.0.0.3 three");
    let ips = [1, 2, 3].map(|last| IpAddr::from([127, 0, 0, last]));
    let known = |name: &str| Ok(name.to_string());
    let expected = [known("one."), Err(Failure::NoServer), known("three.")];
    assert_eq!(resolver.names(&ips, None), expected);
}

#[test]
fn a_name_is_tried_first_without_suffixes_if_it_has_enough_dots() {
    let resolver = with_hosts(b"");
    let candidates = |name, qualify| resolver.candidates(name, qualify).unwrap();
    let parse = |names: &[&str]| -> Vec<Name> {
        let names = names.iter().map(|name| Name::parse(name.as_bytes()));
        names.map(Option::unwrap).collect()
    };
    let (short, long) = (["a.b.suffix.test", "a.b"], ["a.b.c", "a.b.c.suffix.test"]);
    assert_eq!(candidates("a.b", true), parse(&short));
    assert_eq!(candidates("a.b.c", true), parse(&long));
    assert_eq!(candidates("a.b", false), parse(&["a.b"]));
    assert_eq!(candidates("a.b.", true), parse(&["a.b"]));
    assert_eq!(candidates("localhost", true), parse(&["localhost"]));
    assert_eq!(resolver.candidates("a..b", true), Err(Failure::BadName));
}

/// The addresses of a name whose IPv4 address has come, but not yet the IPv6 address; if
/// `answers`, that is on its way.
fn waited_for(answers: bool, deadline: Option<Instant>) -> Vec<String> {
    let name = Name::parse(b"host.test").unwrap();
    let (mut v4, server) = waiting(&Query::A(name.clone()));
    let packet = address(&v4, [127, 0, 0, 1].into());
    server.send(&packet).unwrap();
    v4.step(Instant::now());
    let (v6, other) = waiting(&Query::Aaaa(name));
    let packet = address(&v6, "::1".parse().unwrap());
    // What is no answer to the query ends no wait.
    other.send(b"?").unwrap();
    if answers {
        other.send(&packet).unwrap();
    }
    let found = wait_for_addresses(&mut [v6, v4], 2, deadline).unwrap();
    found.iter().map(IpAddr::to_string).collect()
}

#[test]
fn the_other_family_is_waited_for_until_the_deadline() {
    assert_eq!(waited_for(true, None), ["::1", "127.0.0.1"]);
    let deadline = Instant::now() + Duration::from_millis(50);
    assert_eq!(waited_for(false, Some(deadline)), ["127.0.0.1"]);
    assert!(Instant::now() >= deadline);
}

#[test]
fn no_address_before_the_deadline_is_a_failure_of_its_own() {
    let name = Name::parse(b"host.test").unwrap();
    let (silent, _server) = waiting(&Query::A(name));
    let deadline = Instant::now() + Duration::from_millis(20);
    let found = wait_for_addresses(&mut [silent], 1, Some(deadline));
    assert_eq!(found, Err(Failure::Deadline));
    assert!(Instant::now() >= deadline);
}

#[test]
fn silent_family_is_waited_for_only_for_a_while() {
    assert_eq!(choose(&[None, v4()], 2, true), Choice::WaitForOther);
    assert_eq!(took(choose(&[None, v4()], 2, false)), ["127.0.0.1"]);
    assert_eq!(
        choose(&[None, Some(Err(Failure::NoData))], 2, false),
        Choice::Wait
    );
}

#[test]
fn first_name_wins_even_if_a_later_one_answers_first() {
    assert_eq!(choose(&[None, v4()], 1, true), Choice::Wait);
    let missing = Some(Err(Failure::NoName));
    assert_eq!(took(choose(&[missing, v4()], 1, true)), ["127.0.0.1"]);
}

#[test]
fn failure_counts_for_more_than_a_negative_answer() {
    let nothing = |a, b| choose(&[Some(Err(a)), Some(Err(b))], 2, true);
    let (no, late) = (Failure::NoData, Failure::TimedOut);
    assert_eq!(nothing(no, late), Choice::Nothing(late));
    assert_eq!(nothing(late, no), Choice::Nothing(late));
    assert_eq!(nothing(no, no), Choice::Nothing(no));
}
