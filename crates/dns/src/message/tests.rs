//! Packets, good and bad, for one query.

use std::net::IpAddr;

use simple_dns::ResourceRecord;
use simple_dns::rdata::{A, AAAA, CNAME, NULL, PTR, RData};

use super::*;
use crate::Secured;

const ID: u16 = 0x1234;
const RECURSION_AVAILABLE: u8 = 0x80;

fn asked(kind: fn(Name) -> Query) -> Message {
    Message::new(&kind(Name::parse(b"www.Good.test").unwrap()), ID)
}

fn wire(name: &'static str) -> simple_dns::Name<'static> {
    simple_dns::Name::new_unchecked(name)
}

fn cname(from: &'static str, to: &'static str) -> (&'static str, RData<'static>) {
    (from, RData::CNAME(CNAME(wire(to))))
}

fn a(name: &'static str, last: u8) -> (&'static str, RData<'static>) {
    let address = u32::from_be_bytes([127, 0, 0, last]);
    (name, RData::A(A { address }))
}

/// The answer to `message` with these records.
fn answer(message: &Message, records: &[(&'static str, RData<'static>)]) -> Vec<u8> {
    let labels: Vec<Label> = message.labels().map(Label::new_unchecked).collect();
    let mut packet = Packet::new_reply(ID);
    packet.questions.push(message.question(&labels));
    for (name, data) in records {
        let record = ResourceRecord::new(wire(name), CLASS::IN, 60, data.clone());
        packet.answers.push(record);
    }
    let mut packet = packet.build_bytes_vec_compressed().unwrap();
    packet[3] = RECURSION_AVAILABLE;
    packet
}

fn found(records: &[(&'static str, RData<'static>)]) -> Result<Vec<u8>, Failure> {
    let message = asked(Query::A);
    match message.decode(&answer(&message, records), false) {
        Reply::Final(Ok(Answer::Addresses(ips))) => Ok(ips
            .iter()
            .map(|ip| match ip {
                IpAddr::V4(ip) => ip.octets()[3],
                IpAddr::V6(_) => 0,
            })
            .collect()),
        Reply::Final(Err(failure)) => Err(failure),
        other => panic!("{other:?}"),
    }
}

#[test]
fn addresses_are_at_the_end_of_the_chain_of_aliases() {
    let name = "WWW.good.test";
    assert_eq!(found(&[a(name, 1), a(name, 2)]), Ok(vec![1, 2]));
    assert_eq!(
        found(&[a("b", 3), cname("A", "b"), cname(name, "a")]),
        Ok(vec![3])
    );
    assert_eq!(found(&[a("other.test", 1)]), Err(Failure::NoData));
    assert_eq!(found(&[cname(name, "a")]), Err(Failure::NoData));
    assert_eq!(found(&[]), Err(Failure::NoData));
    let circle = [cname(name, "a"), cname("a", name)];
    assert_eq!(found(&circle), Err(Failure::Malformed));
}

#[test]
fn a_query_has_one_question_and_asks_for_recursion_and_dnssec_only_if_it_is_to_be_secured() {
    const PLAIN: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x04Good\x04test\0\0\x1c\0\x01";
    assert_eq!(asked(Query::Aaaa).encode().unwrap(), PLAIN);
    let secured = asked(|name| Query::Secured(name, SecuredKind::Aaaa));
    let mut expected = PLAIN.to_vec();
    expected[11] = 1;
    expected.extend(OPT_WITH_DO);
    assert_eq!(secured.encode().unwrap(), expected);
}

#[test]
fn addresses_of_a_family_that_was_not_asked_for_do_not_count() {
    let name = "www.good.test";
    let six = (name, RData::AAAA(AAAA { address: 1 }));
    let both = [a(name, 1), six.clone()];
    let check = |message: Message, ip: &str, other| {
        let reply = |records| message.decode(&answer(&message, records), false);
        let found = Answer::Addresses(vec![ip.parse().unwrap()]);
        assert_eq!(reply(&both), Reply::Final(Ok(found)));
        assert_eq!(reply(&[other]), Reply::Final(Err(Failure::NoData)));
    };
    check(asked(Query::A), "127.0.0.1", six);
    check(asked(Query::Aaaa), "::1", a(name, 1));
}

#[test]
fn first_name_of_an_address_counts_if_it_is_a_host_name() {
    let name = |first: &'static [u8]| {
        let message = Message::new(&Query::Ptr([127, 0, 0, 1].into()), ID);
        let labels = [
            Label::new_unchecked(first),
            Label::new_unchecked(&b"Test"[..]),
        ];
        let names = [simple_dns::Name::new_with_labels(&labels), wire("b")];
        let records = names.map(|name| ("1.0.0.127.in-addr.arpa", RData::PTR(PTR(name))));
        message.decode(&answer(&message, &records), false)
    };
    let host = Answer::HostName("a.test.".into());
    assert_eq!(name(b"A"), Reply::Final(Ok(host)));
    for bad in [&b"../x"[..], b"a.b", b"a\0"] {
        assert_eq!(name(bad), Reply::Final(Err(Failure::NoData)));
    }
}

#[test]
fn secured_query_asks_for_dnssec_and_the_answer_says_whether_it_is_authentic() {
    const RDATA: [u8; 4] = [3, 1, 1, 0xab];
    let tlsa = |name| (name, RData::NULL(TLSA, NULL::new(&RDATA).unwrap()));
    let message = asked(|name| Query::Secured(name, SecuredKind::Tlsa));
    assert!(message.encode().unwrap().ends_with(&OPT_WITH_DO));
    let records = [cname("www.good.test", "b"), tlsa("b")];
    let mut packet = answer(&message, &records);
    for authentic in [false, true] {
        packet[3] = RECURSION_AVAILABLE | if authentic { 0x20 } else { 0 };
        let found = Secured {
            authentic,
            aliased: true,
            owner: None,
            records: Ok(vec![RDATA.to_vec()]),
            server: None,
        };
        let expected = Reply::Final(Ok(Answer::Secured(found)));
        assert_eq!(message.decode(&packet, false), expected);
    }
    let mut other_type = packet.clone();
    let start = Header::LEN + "www.good.test".len() + 2;
    other_type[start..start + 2].copy_from_slice(&u16::from(STAND_IN).to_be_bytes());
    assert_eq!(message.decode(&other_type, false), Reply::Foreign);
    let none = answer(&message, &[a("www.good.test", 1)]);
    assert_eq!(secured(&message, &none).records, Err(Failure::NoData));
}

/// What `packet` says to `message`.
fn secured(message: &Message, packet: &[u8]) -> Secured {
    match message.decode(packet, false) {
        Reply::Final(Ok(Answer::Secured(found))) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn absence_of_records_is_authentic_or_not_and_may_be_that_of_an_alias() {
    let message = asked(|name| Query::Secured(name, SecuredKind::A));
    let aliases = [cname("www.good.test", "b"), cname("b", "c")];
    for (code, why) in [(0, Failure::NoData), (3, Failure::NoName)] {
        for records in [&[][..], &aliases[..1], &aliases] {
            for authentic in [false, true] {
                let mut packet = answer(&message, records);
                packet[3] = RECURSION_AVAILABLE | code | if authentic { 0x20 } else { 0 };
                let expected = Secured {
                    authentic,
                    aliased: !records.is_empty(),
                    owner: None,
                    records: Err(why),
                    server: None,
                };
                assert_eq!(secured(&message, &packet), expected);
            }
        }
    }
    // Records of a name that does not exist do not count.
    let mut packet = answer(&message, &[a("www.good.test", 1)]);
    packet[3] = RECURSION_AVAILABLE | 3;
    let found = secured(&message, &packet);
    assert_eq!((found.owner, found.records), (None, Err(Failure::NoName)));
}

#[test]
fn secured_addresses_have_the_name_at_the_end_of_the_aliases_if_there_are_any() {
    let owner = |records: &[(&'static str, RData<'static>)]| {
        let message = asked(|name| Query::Secured(name, SecuredKind::A));
        match message.decode(&answer(&message, records), false) {
            Reply::Final(Ok(Answer::Secured(found))) => {
                let owner = found.records.map(|_| found.owner.unwrap());
                owner.map(|owner| (owner.to_string(), found.aliased))
            }
            Reply::Final(Err(failure)) => Err(failure),
            other => panic!("{other:?}"),
        }
    };
    let name = "www.good.test";
    assert_eq!(owner(&[a(name, 1)]), Ok(("www.good.test".into(), false)));
    let target = owner(&[cname(name, "B"), a("b", 1)]);
    assert_eq!(target, Ok(("b".into(), true)));
    let no_host = owner(&[cname(name, "b c"), a("b c", 1)]);
    assert_eq!(no_host, Ok(("b\\x20c".into(), true)));
}

#[test]
fn alias_without_data_is_none() {
    let message = asked(|name| Query::Secured(name, SecuredKind::Cname));
    let empty = ("www.good.test", RData::Empty(TYPE::CNAME));
    let found = secured(&message, &answer(&message, &[empty]));
    assert_eq!(found.records, Err(Failure::NoData));
}

#[test]
fn addresses_of_another_length_are_malformed_even_beside_a_good_one() {
    let malformed = Reply::Broken(Failure::Malformed);
    for (kind, whole, message) in [
        (1, 4, asked(Query::A)),
        (28, 16, asked(Query::Aaaa)),
        (1, 4, asked(|name| Query::Secured(name, SecuredKind::A))),
        (
            28,
            16,
            asked(|name| Query::Secured(name, SecuredKind::Aaaa)),
        ),
    ] {
        for length in 0..=20 {
            for good in [&[][..], &[a("www.good.test", 1)]] {
                let mut packet = answer(&message, good);
                packet.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, length]);
                packet.extend(vec![127; length.into()]);
                packet[7] += 1;
                let reply = message.decode(&packet, false);
                if length == whole {
                    assert!(matches!(reply, Reply::Final(Ok(_))), "{reply:?}");
                } else {
                    assert_eq!(reply, malformed, "{kind} {length}");
                }
            }
        }
    }
}

#[test]
fn tlsa_record_without_data_is_a_record() {
    let message = asked(|name| Query::Secured(name, SecuredKind::Tlsa));
    let empty = ("www.good.test", RData::Empty(TYPE::Unknown(TLSA)));
    let found = secured(&message, &answer(&message, &[empty]));
    assert_eq!(found.records, Ok(vec![vec![]]));
}

#[test]
fn part_of_an_answer_referral_and_extended_error_are_not_absence() {
    let message = asked(|name| Query::Secured(name, SecuredKind::Tlsa));
    let good = answer(&message, &[]);
    let broken = Reply::Broken(Failure::Server);
    let absent = |packet: &[u8]| match message.decode(packet, true) {
        Reply::Final(Ok(Answer::Secured(said))) => said.records == Err(Failure::NoData),
        reply => {
            assert_eq!(reply, broken);
            false
        }
    };
    assert!(absent(&good));
    let mut part = good.clone();
    part[2] |= 2;
    assert!(!absent(&part));
    let mut referral = good.clone();
    referral[3] = 0;
    assert!(!absent(&referral));
    assert!(!absent(&with_authority(good.clone(), &[2])));
    for (code, fine) in [(0, true), (1, false)] {
        // A record in the authority section comes first.
        let mut packet = with_authority(good.clone(), &[6]);
        packet.extend([0, 0, 41, 4, 0xd0, code, 0, 0, 0, 0, 0]);
        packet[11] = 1;
        assert_eq!(absent(&packet), fine);
        packet[3] |= 3;
        assert_eq!(message.decode(&packet, true) != broken, fine);
        packet.pop();
        assert_eq!(message.decode(&packet, true), broken);
    }
}

/// `packet` with these types of records, which are those of its authority section.
fn with_authority(mut packet: Vec<u8>, kinds: &[u8]) -> Vec<u8> {
    for kind in kinds {
        packet.extend([0xc0, 12, 0, *kind, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12]);
    }
    packet[9] = kinds.len() as u8;
    packet
}

#[test]
fn referral_and_ignorance_are_not_absence_and_the_word_of_an_authoritative_server_is() {
    const AUTHORITATIVE: u8 = 4;
    let absent = Reply::Final(Err(Failure::NoData));
    let broken = Reply::Broken(Failure::Server);
    let (ns, soa) = (2, 6);
    for (recursive, authoritative, authority, denies, of_alias) in [
        (true, false, &[][..], true, true),
        (true, false, &[soa], true, true),
        (true, false, &[ns, soa], true, true),
        (true, false, &[ns], false, false),
        (true, true, &[ns], false, false),
        (false, true, &[], true, false),
        (false, true, &[soa], true, true),
        (false, true, &[ns, soa], true, true),
        (false, true, &[ns], false, false),
        (false, false, &[], false, false),
        (false, false, &[ns], false, false),
        (false, false, &[soa], false, false),
    ] {
        let aliases: &[_] = &[cname("www.good.test", "b")];
        for (records, denies) in [(&[][..], denies), (aliases, of_alias)] {
            let message = asked(Query::A);
            let mut packet = with_authority(answer(&message, records), authority);
            packet[2] |= if authoritative { AUTHORITATIVE } else { 0 };
            packet[3] = if recursive { RECURSION_AVAILABLE } else { 0 };
            let expected = if denies { &absent } else { &broken };
            let case = format!("{recursive} {authoritative} {authority:?} {records:?}");
            assert_eq!(&message.decode(&packet, false), expected, "{case}");
        }
    }
}

#[test]
fn records_count_whatever_the_authority_section_and_absence_only_if_that_can_be_read() {
    let message = asked(Query::A);
    let found = Answer::Addresses(vec![[127, 0, 0, 1].into()]);
    let with = |records: &[_]| {
        let mut packet = with_authority(answer(&message, records), &[2]);
        packet[3] = 0;
        packet.pop();
        message.decode(&packet, false)
    };
    assert_eq!(with(&[a("www.good.test", 1)]), Reply::Final(Ok(found)));
    assert_eq!(with(&[]), Reply::Broken(Failure::Malformed));
}

#[test]
fn packet_that_does_not_answer_the_query_is_foreign() {
    let message = asked(Query::A);
    let good = answer(&message, &[a("www.good.test", 1)]);
    let mut other = good.clone();
    other[1] ^= 1;
    assert_eq!(message.decode(&other, false), Reply::Foreign);
    let mut query = good.clone();
    query[2] &= 0x7f;
    assert_eq!(message.decode(&query, false), Reply::Foreign);
    assert_eq!(asked(Query::Aaaa).decode(&good, false), Reply::Foreign);
    assert_eq!(message.decode(&good[..11], false), Reply::Foreign);
    let cut = &good[..good.len() - 1];
    assert_eq!(
        message.decode(cut, false),
        Reply::Broken(Failure::Malformed)
    );
    // The question twice, and, without an error, not at all.
    let end = 12 + good[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let mut twice = [&good[..end], &good[12..]].concat();
    twice[5] = 2;
    assert_eq!(message.decode(&twice, false), Reply::Foreign);
    let mut none = good[..12].to_vec();
    (none[5], none[7]) = (0, 0);
    assert_eq!(message.decode(&none, false), Reply::Foreign);
    let mut many = good;
    many[6] = 0xff;
    assert_eq!(
        message.decode(&many, false),
        Reply::Broken(Failure::Malformed)
    );
}

#[test]
fn packet_with_another_question_is_foreign_even_if_the_rest_is_malformed() {
    let secured = asked(|name| Query::Secured(name, SecuredKind::Tlsa));
    for message in [asked(Query::A), asked(Query::Aaaa), secured] {
        let good = answer(&message, &[a("www.good.test", 1)]);
        let (name, kind) = (Header::LEN + 1, Header::LEN + "www.good.test".len() + 2);
        // Too many records, and a part of one.
        let mut many = good.clone();
        many[6] = 0xff;
        for malformed in [&many[..], &good[..good.len() - 1]] {
            let broken = Reply::Broken(Failure::Malformed);
            assert_eq!(message.decode(malformed, false), broken);
            for at in [name - 1, name, kind - 1, kind, kind + 1, kind + 2, kind + 3] {
                let mut forged = malformed.to_vec();
                forged[at] ^= 1;
                assert_eq!(message.decode(&forged, false), Reply::Foreign, "{at}");
            }
        }
        for length in 0..kind + 4 {
            let part = message.decode(&good[..length], false);
            assert_eq!(part, Reply::Foreign, "{length}");
        }
    }
}

#[test]
fn a_refusal_may_leave_out_the_question() {
    let secured = asked(|name| Query::Secured(name, SecuredKind::Tlsa));
    for message in [asked(Query::A), secured] {
        // Not even the flag that tells recursion is needed.
        let refusal = [0x12, 0x34, 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(message.decode(&refusal, false), Reply::Unwilling);
    }
}

#[test]
fn response_codes_and_truncation_are_told_apart() {
    let message = asked(Query::A);
    let with = |flags: u8, code: u8| {
        let mut packet = answer(&message, &[]);
        packet[2] |= flags;
        packet[3] |= code;
        packet
    };
    for (code, reply) in [
        (1, Reply::Unwilling),
        (2, Reply::Broken(Failure::Server)),
        (3, Reply::Final(Err(Failure::NoName))),
        (4, Reply::Unwilling),
        (5, Reply::Unwilling),
        (9, Reply::Broken(Failure::Server)),
    ] {
        assert_eq!(message.decode(&with(0, code), false), reply);
    }
    assert_eq!(message.decode(&with(2, 0), false), Reply::Truncated);
    let nothing = Reply::Final(Err(Failure::NoData));
    assert_eq!(message.decode(&with(2, 0), true), nothing);
    // It may end anywhere after the question, even inside a record.
    let mut cut = answer(&message, &[a("www.good.test", 1)]);
    cut[2] |= 2;
    cut.truncate(cut.len() - 3);
    assert_eq!(message.decode(&cut, false), Reply::Truncated);
}

#[test]
fn mutated_answer_causes_no_panic() {
    let message = asked(Query::A);
    let good = answer(&message, &[cname("www.good.test", "a.b"), a("a.b", 1)]);
    let mut seed = 1u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    for _ in 0..100_000 {
        let mut packet = good.clone();
        for _ in 0..=random(4) {
            let at = 2 + random(packet.len() - 2);
            packet[at] = random(256) as u8;
        }
        packet.truncate(packet.len() - random(4) * random(8));
        message.decode(&packet, random(2) == 0);
    }
}
