//! Queries and answers, and their packets (RFC 1035, 4).
//!
//! The crate `simple-dns` writes and parses packets. It gets only the question and the
//! answer section of a packet: a stub resolver needs no others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cli::address::Address;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Label, Packet, PacketFlag, QTYPE, Question, RCODE, ResourceRecord, TYPE};

use crate::{Failure, Name, host_name};

/// The minimum length of a record.
const RECORD: usize = 11;

/// The maximum length of a chain of aliases.
const MAX_CHAIN: usize = 16;

/// A query to the DNS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Query {
    /// For the IPv4 addresses of a name.
    A(Name),
    /// For the IPv6 addresses of a name.
    Aaaa(Name),
    /// For the name of an address.
    Ptr(IpAddr),
    /// For records of a name, and whether DNSSEC secures them (RFC 4035 section 3.2).
    Secured(Name, SecuredKind),
}

/// The type of records about which [`Query::Secured`] asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecuredKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The alias itself, which is not followed.
    Cname,
    /// TLSA records (RFC 6698).
    Tlsa,
}

impl Query {
    /// The answer without a server: the loopback address for `localhost` and names
    /// under it (RFC 6761, 6.3).
    pub(crate) fn without_asking(&self) -> Option<Answer> {
        let (name, ip) = match self {
            Self::A(name) => (name, Ipv4Addr::LOCALHOST.into()),
            Self::Aaaa(name) => (name, Ipv6Addr::LOCALHOST.into()),
            Self::Ptr(_) | Self::Secured(..) => return None,
        };
        name.is_localhost().then(|| Answer::Addresses(vec![ip]))
    }
}

/// The result of a query. It is never empty, except [`Secured::records`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The addresses of a name, in the server's order.
    Addresses(Vec<IpAddr>),
    /// The name of an address, as [`host_name`] returns it.
    HostName(String),
    /// The records of a name.
    Secured(Secured),
}

/// What the server says about the records of a name, or about their absence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Secured {
    /// Whether the server says that DNSSEC secures the whole answer, aliases and the absence of
    /// records included: the AD bit. It means something only if the server and the path to it
    /// are trusted.
    pub authentic: bool,
    /// Whether the name is an alias that was followed.
    pub aliased: bool,
    /// The name at the end of the chain of aliases, as [`host_name`] returns it. None if there
    /// are no records, for TLSA records, and for aliases themselves.
    pub owner: Option<String>,
    /// The data of TLSA records, in the server's order; nothing of other types. The error, if
    /// there are no records, is negative.
    pub records: Result<Vec<Vec<u8>>, Failure>,
    /// The server that says it. None before it is known.
    pub server: Option<Address>,
}

impl Answer {
    /// The addresses, if it has any.
    pub fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Addresses(addresses) => addresses,
            Self::HostName(_) | Self::Secured(_) => &[],
        }
    }
}

/// The owner and the data of records: those of [`Secured`].
type Found = (Option<String>, Vec<Vec<u8>>);

/// What a received packet is.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    /// Not an answer to our query.
    Foreign,
    /// The answer, or that there is none, which ends the query.
    Final(Result<Answer, Failure>),
    /// A truncated answer: the query has to be repeated over TCP.
    Truncated,
    /// An error of the server, which may answer in the next round.
    Broken(Failure),
    /// An error of the server, which will never answer this query.
    Unwilling,
}

/// A query with the id that its answer must have.
#[derive(Debug)]
pub(crate) struct Message {
    id: u16,
    name: Name,
    kind: TYPE,
    /// Whether the query asks for DNSSEC.
    secured: bool,
}

/// The type of TLSA records, which simple-dns does not know.
const TLSA: u16 = 52;

/// The type of OPT records.
const OPT: [u8; 2] = [0, 41];

/// The type that stands for TLSA in a question that simple-dns is to read.
const STAND_IN: TYPE = TYPE::NULL;

/// The OPT record of a query (RFC 6891 section 6.1): answers over UDP may have 1232 bytes, which
/// pass without fragments; the DO bit is set (RFC 3225). simple-dns cannot set that.
const OPT_WITH_DO: [u8; 11] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0];

impl Message {
    pub(crate) fn new(query: &Query, id: u16) -> Self {
        let (name, kind) = match query {
            Query::A(name) => (name.clone(), TYPE::A),
            Query::Aaaa(name) => (name.clone(), TYPE::AAAA),
            Query::Ptr(ip) => (Name::reverse(*ip), TYPE::PTR),
            Query::Secured(name, kind) => (name.clone(), kind.wire()),
        };
        let secured = matches!(query, Query::Secured(..));
        Self {
            id,
            name,
            kind,
            secured,
        }
    }

    /// The packet to send.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Failure> {
        let labels: Vec<Label> = self.labels().map(Label::new_unchecked).collect();
        let mut packet = Packet::new_query(self.id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(self.question(&labels));
        let mut packet = packet.build_bytes_vec().map_err(|_| Failure::BadName)?;
        if self.secured {
            packet.extend(OPT_WITH_DO);
            if let Some(count) = packet.get_mut(Header::LEN - 2..Header::LEN) {
                count.copy_from_slice(&[0, 1]);
            }
        }
        Ok(packet)
    }

    fn question<'a>(&self, labels: &[Label<'a>]) -> Question<'a> {
        let name = simple_dns::Name::new_with_labels(labels);
        Question::new(name, QTYPE::TYPE(self.kind), CLASS::IN.into(), false)
    }

    /// Reads a received packet. `whole` if it came over TCP, which truncates nothing.
    pub(crate) fn decode(&self, packet: &[u8], whole: bool) -> Reply {
        let Some(header) = Header::read(packet) else {
            return Reply::Foreign;
        };
        if header.id != self.id || !header.response || header.questions > 1 {
            return Reply::Foreign;
        }
        let truncated = header.truncated && !whole;
        // A truncated answer may end anywhere: only its question is read.
        let answers = if truncated { 0 } else { header.records[0] };
        if usize::from(answers) * RECORD > packet.len() {
            return Reply::Broken(Failure::Malformed);
        }
        let unsound = self.secured && !truncated && !header.is_sound(packet);
        let mut packet = with_answers(packet, answers);
        if self.kind == TYPE::Unknown(TLSA) && !self.stand_in(&mut packet) {
            return Reply::Foreign;
        }
        match Packet::parse(&packet) {
            Ok(packet) if !self.asked_by(&packet) => Reply::Foreign,
            Ok(_) if truncated => Reply::Truncated,
            Ok(packet) if unsound && !is_error(&packet) => Reply::Broken(Failure::Server),
            Ok(packet) => self.read(&packet, header.authentic),
            Err(_) => Reply::Broken(Failure::Malformed),
        }
    }

    fn read(&self, packet: &Packet, authentic: bool) -> Reply {
        match packet.rcode() {
            RCODE::NoError | RCODE::NameError if self.secured => {
                let found = self.find_secured(&packet.answers).map(|mut found| {
                    found.authentic = authentic;
                    if packet.rcode() == RCODE::NameError {
                        found.owner = None;
                        found.records = Err(Failure::NoName);
                    }
                    Answer::Secured(found)
                });
                Reply::Final(found)
            }
            RCODE::NoError => Reply::Final(self.find(&packet.answers)),
            RCODE::NameError => Reply::Final(Err(Failure::NoName)),
            RCODE::FormatError | RCODE::NotImplemented | RCODE::Refused => Reply::Unwilling,
            _ => Reply::Broken(Failure::Server),
        }
    }

    /// Replaces the type TLSA in the question of `packet`: simple-dns cannot read it there. False
    /// if there is a question, and not one of our length for this type.
    fn stand_in(&self, packet: &mut [u8]) -> bool {
        let name: usize = self.labels().map(|label| label.len() + 1).sum();
        let start = Header::LEN + name + 1;
        let asked = packet.get(4..6).is_some_and(|count| count != [0, 0]);
        match packet.get_mut(start..start + 2) {
            Some(kind) if asked && kind == TLSA.to_be_bytes() => {
                kind.copy_from_slice(&u16::from(STAND_IN).to_be_bytes());
                true
            }
            _ => !asked,
        }
    }

    /// Whether `packet` repeats our question. A server may leave it out with an error.
    fn asked_by(&self, packet: &Packet) -> bool {
        match &packet.questions[..] {
            [question] => {
                let kind = match self.kind {
                    TYPE::Unknown(TLSA) => STAND_IN,
                    kind => kind,
                };
                question.qtype == QTYPE::TYPE(kind)
                    && question.qclass == CLASS::IN.into()
                    && same(question.qname.as_bytes(), self.labels())
            }
            [] => is_error(packet),
            _ => false,
        }
    }

    /// The answer in `records`, at the end of the chain of aliases that starts with our
    /// name.
    fn find(&self, records: &[ResourceRecord]) -> Result<Answer, Failure> {
        let (_, found) = self.follow(records, |_, here| self.collect(here.iter().copied()))?;
        found.unwrap_or(Err(Failure::NoData))
    }

    /// As [`Message::find`], for a query that asks for DNSSEC.
    fn find_secured(&self, records: &[ResourceRecord]) -> Result<Secured, Failure> {
        let (aliased, found) =
            self.follow(records, |name, here| self.collect_secured(here, name))?;
        let (owner, records) = match found.transpose()? {
            Some((owner, data)) => (owner, Ok(data)),
            None => (None, Err(Failure::NoData)),
        };
        Ok(Secured {
            authentic: false,
            aliased,
            owner,
            records,
            server: None,
        })
    }

    /// Follows the chain of aliases that starts with our name until `collect` finds something in
    /// the records of a name, or to its end. Also returns whether there is an alias.
    fn follow<T>(
        &self,
        records: &[ResourceRecord],
        collect: impl Fn(&[&[u8]], &[&ResourceRecord]) -> Option<T>,
    ) -> Result<(bool, Option<T>), Failure> {
        let mut name: Vec<&[u8]> = self.labels().collect();
        for followed in 0..MAX_CHAIN {
            let here = records.iter().filter(|record| {
                record.class == CLASS::IN && same(record.name.as_bytes(), name.iter().copied())
            });
            let here: Vec<&ResourceRecord> = here.collect();
            if let Some(found) = collect(&name, &here) {
                return Ok((followed > 0, Some(found)));
            }
            let Some(target) = here.iter().find_map(|record| match &record.rdata {
                RData::CNAME(target) => Some(&target.0),
                _ => None,
            }) else {
                return Ok((followed > 0, None));
            };
            name = target.as_bytes().collect();
        }
        Err(Failure::Malformed)
    }

    /// The answer in `records`, which all have the same name; None if none has our type.
    /// Of several names of an address the first counts: no data if it is not a host name.
    fn collect<'a>(
        &self,
        mut records: impl Iterator<Item = &'a ResourceRecord<'a>>,
    ) -> Option<Result<Answer, Failure>> {
        if self.kind == TYPE::PTR {
            let name = records.find_map(|record| match &record.rdata {
                RData::PTR(name) => Some(&name.0),
                _ => None,
            })?;
            let answer = host_name(name.as_bytes()).map(Answer::HostName);
            return Some(answer.ok_or(Failure::NoData));
        }
        let address = |record: &ResourceRecord| match &record.rdata {
            RData::A(a) if self.kind == TYPE::A => Some(IpAddr::from(a.address.to_be_bytes())),
            RData::AAAA(a) if self.kind == TYPE::AAAA => {
                Some(IpAddr::from(a.address.to_be_bytes()))
            }
            _ => None,
        };
        let addresses: Vec<IpAddr> = records.filter_map(address).collect();
        (!addresses.is_empty()).then_some(Ok(Answer::Addresses(addresses)))
    }

    /// The owner and the data in `records` of `name`: see [`Secured`]; None if none has our
    /// type. A host whose name is not one cannot be secured.
    fn collect_secured(
        &self,
        records: &[&ResourceRecord],
        name: &[&[u8]],
    ) -> Option<Result<Found, Failure>> {
        // A TLSA record without data is malformed, but there.
        let empty =
            |data: &RData| matches!(data, RData::Empty(_)) && self.kind != TYPE::Unknown(TLSA);
        let is_ours = |data: &&RData| data.type_code() == self.kind && !empty(data);
        let ours: Vec<_> = (records.iter().map(|record| &record.rdata))
            .filter(is_ours)
            .collect();
        let owner = match ours.first()? {
            RData::A(_) | RData::AAAA(_) => match host_name(name.iter().copied()) {
                None => return Some(Err(Failure::Malformed)),
                owner => owner,
            },
            _ => None,
        };
        let data = ours.iter().filter_map(|data| match data {
            RData::NULL(_, data) => Some(data.get_data().to_vec()),
            RData::Empty(_) => Some(Vec::new()),
            _ => None,
        });
        Some(Ok((owner, data.collect())))
    }

    fn labels(&self) -> impl Iterator<Item = &[u8]> {
        self.name.labels().iter().map(Vec::as_slice)
    }
}

impl SecuredKind {
    fn wire(self) -> TYPE {
        match self {
            Self::A => TYPE::A,
            Self::Aaaa => TYPE::AAAA,
            Self::Cname => TYPE::CNAME,
            Self::Tlsa => TYPE::Unknown(TLSA),
        }
    }
}

/// The fields of a header that are checked before a packet is parsed.
struct Header {
    id: u16,
    response: bool,
    truncated: bool,
    recursion_available: bool,
    authentic: bool,
    questions: u16,
    /// The number of records in the answer, authority and additional sections.
    records: [u16; 3],
}

impl Header {
    const LEN: usize = 12;

    fn read(packet: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LEN] = packet.first_chunk()?;
        Some(Self {
            id: u16::from_be_bytes([bytes[0], bytes[1]]),
            response: bytes[2] & 0x80 != 0,
            truncated: bytes[2] & 0x02 != 0,
            recursion_available: bytes[3] & 0x80 != 0,
            authentic: bytes[3] & 0x20 != 0,
            questions: u16::from_be_bytes([bytes[4], bytes[5]]),
            records: [
                [bytes[6], bytes[7]],
                [bytes[8], bytes[9]],
                [bytes[10], bytes[11]],
            ]
            .map(u16::from_be_bytes),
        })
    }

    /// Whether `packet` can be the whole answer of a recursive server: it is not a part of one, no
    /// referral, and no error that only its OPT record tells (RFC 6891 section 6.1.3).
    fn is_sound(&self, packet: &[u8]) -> bool {
        let complete = !self.truncated && self.recursion_available;
        complete && self.extended_code(packet) == Some(0)
    }

    /// The upper bits of the response code: those in the OPT record; 0 without one. None if
    /// `packet` is malformed.
    fn extended_code(&self, packet: &[u8]) -> Option<u8> {
        let mut rest = packet.get(Self::LEN..)?;
        for _ in 0..self.questions {
            rest = after_name(rest)?.get(4..)?;
        }
        let mut code = 0;
        for _ in 0..self.records.iter().map(|count| u32::from(*count)).sum() {
            let (fields, data) = after_name(rest)?.split_first_chunk::<10>()?;
            if fields[..2] == OPT {
                code = fields[4];
            }
            let length = u16::from_be_bytes([fields[8], fields[9]]);
            rest = data.get(usize::from(length)..)?;
        }
        Some(code)
    }
}

/// Whether the code of `packet` says neither that the name exists nor that it does not.
fn is_error(packet: &Packet) -> bool {
    !matches!(packet.rcode(), RCODE::NoError | RCODE::NameError)
}

/// The bytes after the name at the start of `rest`. A pointer ends a name (RFC 1035 section 4.1.4).
fn after_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        match rest.split_first()? {
            (0, after) => return Some(after),
            (0xc0.., _) => return rest.get(2..),
            (length, after) => rest = after.get(usize::from(*length)..)?,
        }
    }
}

/// `packet` with the count of the answer section set to `answers`, and those of the
/// sections after it to 0.
fn with_answers(packet: &[u8], answers: u16) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if let Some(counts) = packet.get_mut(6..Header::LEN) {
        counts.fill(0);
        counts[..2].copy_from_slice(&answers.to_be_bytes());
    }
    packet
}

/// Whether two names are equal, regardless of case.
fn same<'a>(a: impl Iterator<Item = &'a [u8]>, b: impl Iterator<Item = &'a [u8]>) -> bool {
    a.map(<[u8]>::to_ascii_lowercase)
        .eq(b.map(<[u8]>::to_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use simple_dns::rdata::{A, CNAME, NULL, PTR};

    use super::*;

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
    fn secured_addresses_have_the_name_at_the_end_of_the_aliases() {
        let owner = |records: &[(&'static str, RData<'static>)]| {
            let message = asked(|name| Query::Secured(name, SecuredKind::A));
            match message.decode(&answer(&message, records), false) {
                Reply::Final(Ok(Answer::Secured(found))) => {
                    found.records.map(|_| found.owner.unwrap())
                }
                Reply::Final(Err(failure)) => Err(failure),
                other => panic!("{other:?}"),
            }
        };
        let name = "www.good.test";
        assert_eq!(owner(&[a(name, 1)]), Ok("www.good.test.".into()));
        assert_eq!(owner(&[cname(name, "B"), a("b", 1)]), Ok("b.".into()));
        let bad = [cname(name, "b c"), a("b c", 1)];
        assert_eq!(owner(&bad), Err(Failure::Malformed));
        assert_eq!(
            owner(&[(name, RData::Empty(TYPE::A))]),
            Err(Failure::NoData)
        );
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
        for (code, fine) in [(0, true), (1, false)] {
            let mut packet = good.clone();
            // A record in the authority section comes first.
            packet.extend([0xc0, 12, 0, 2, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12]);
            packet.extend([0, 0, 41, 4, 0xd0, code, 0, 0, 0, 0, 0]);
            packet[9] = 1;
            packet[11] = 1;
            assert_eq!(absent(&packet), fine);
            packet[3] |= 3;
            assert_eq!(message.decode(&packet, true) != broken, fine);
            packet.pop();
            assert_eq!(message.decode(&packet, true), broken);
        }
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
        let mut many = good;
        many[6] = 0xff;
        assert_eq!(
            message.decode(&many, false),
            Reply::Broken(Failure::Malformed)
        );
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
}
