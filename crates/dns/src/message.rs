//! Questions and answers, and how they look on the wire (RFC 1035, 4).
//!
//! The crate `simple-dns` writes and parses packets. It sees no more of an
//! answer than its question and its answer section: the others say nothing
//! to a stub resolver, and what is not parsed cannot go wrong.

use std::net::IpAddr;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Label, Packet, PacketFlag, QTYPE, Question, RCODE, ResourceRecord, TYPE};

use crate::{Failure, Name, host_name};

/// The length of a packet's header, and the least length of a record.
const HEADER: usize = 12;
const RECORD: usize = 11;

/// No sensible chain of aliases is longer.
const MAX_CHAIN: usize = 16;

/// What the DNS can be asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Query {
    /// The IPv4 addresses of a name.
    A(Name),
    /// The IPv6 addresses of a name.
    Aaaa(Name),
    /// The name of an address.
    Ptr(IpAddr),
}

/// What was found. It is never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The addresses of a name, in the server's order.
    Addresses(Vec<IpAddr>),
    /// The name of an address, as [`host_name`] spells it.
    HostName(String),
}

impl Answer {
    /// The addresses, if it has any.
    pub fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Addresses(addresses) => addresses,
            Self::HostName(_) => &[],
        }
    }
}

/// What a packet means to the exchange that waits for it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    /// It is none of ours.
    Foreign,
    /// The answer, or that there is none.
    Final(Result<Answer, Failure>),
    /// It did not fit and has to be asked for over TCP.
    Truncated,
    /// The server could not answer this time.
    Broken(Failure),
    /// The server will not answer this question.
    Unwilling,
}

/// A question with the id that its answer must carry.
#[derive(Debug)]
pub(crate) struct Message {
    id: u16,
    name: Name,
    kind: TYPE,
}

impl Message {
    pub(crate) fn new(query: &Query, id: u16) -> Self {
        let (name, kind) = match query {
            Query::A(name) => (name.clone(), TYPE::A),
            Query::Aaaa(name) => (name.clone(), TYPE::AAAA),
            Query::Ptr(ip) => (Name::reverse(*ip), TYPE::PTR),
        };
        Self { id, name, kind }
    }

    /// The packet that asks.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Failure> {
        let labels = self.name.labels().iter();
        let labels: Result<Vec<_>, _> = labels.map(|label| Label::new(&label[..])).collect();
        let name = simple_dns::Name::new_with_labels(&labels.map_err(|_| Failure::BadName)?);
        let mut packet = Packet::new_query(self.id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        let (kind, class) = (QTYPE::TYPE(self.kind), CLASS::IN.into());
        packet
            .questions
            .push(Question::new(name, kind, class, false));
        packet.build_bytes_vec().map_err(|_| Failure::BadName)
    }

    /// What `packet` says. `whole` if it came over TCP, which truncates
    /// nothing.
    pub(crate) fn decode(&self, packet: &[u8], whole: bool) -> Reply {
        let Some(packet) = without_later_sections(packet) else {
            return Reply::Foreign;
        };
        if packet[..2] != self.id.to_be_bytes() || packet[2] & 0x80 == 0 {
            return Reply::Foreign;
        }
        let truncated = packet[2] & 0x02 != 0 && !whole;
        match Packet::parse(&packet) {
            Ok(packet) if !self.asked_by(&packet) => Reply::Foreign,
            _ if truncated => Reply::Truncated,
            Ok(packet) => self.read(&packet),
            Err(_) => Reply::Broken(Failure::Malformed),
        }
    }

    fn read(&self, packet: &Packet) -> Reply {
        match packet.rcode() {
            RCODE::NoError => Reply::Final(self.find(&packet.answers)),
            RCODE::NameError => Reply::Final(Err(Failure::NoName)),
            RCODE::FormatError | RCODE::NotImplemented | RCODE::Refused => Reply::Unwilling,
            _ => Reply::Broken(Failure::Server),
        }
    }

    /// Whether `packet` repeats our question. A server that did not
    /// understand it may leave it out.
    fn asked_by(&self, packet: &Packet) -> bool {
        match &packet.questions[..] {
            [question] => {
                question.qtype == QTYPE::TYPE(self.kind)
                    && question.qclass == CLASS::IN.into()
                    && same(question.qname.as_bytes(), self.labels())
            }
            [] => packet.rcode() != RCODE::NoError && packet.rcode() != RCODE::NameError,
            _ => false,
        }
    }

    /// The records of our type at the end of the chain of aliases that begins
    /// with our name.
    fn find(&self, records: &[ResourceRecord]) -> Result<Answer, Failure> {
        let mut name: Vec<&[u8]> = self.labels().collect();
        for _ in 0..MAX_CHAIN {
            let here = |record: &&ResourceRecord| {
                record.class == CLASS::IN && same(record.name.as_bytes(), name.iter().copied())
            };
            if let Some(answer) = self.collect(records.iter().filter(here)) {
                return answer;
            }
            let mut aliases = records.iter().filter(here);
            let Some(target) = aliases.find_map(|record| match &record.rdata {
                RData::CNAME(target) => Some(&target.0),
                _ => None,
            }) else {
                return Err(Failure::NoData);
            };
            name = target.as_bytes().collect();
        }
        Err(Failure::Malformed)
    }

    /// The answer that `records`, all of one name, hold; None if none of
    /// them has our type. The first name of an address counts, and one that
    /// is no host name is none.
    fn collect<'a>(
        &self,
        mut records: impl Iterator<Item = &'a ResourceRecord<'a>>,
    ) -> Option<Result<Answer, Failure>> {
        if self.kind == TYPE::PTR {
            let name = records.find_map(|record| match &record.rdata {
                RData::PTR(name) => Some(&name.0),
                _ => None,
            })?;
            let name = host_name(name.as_bytes());
            return Some(name.map(Answer::HostName).ok_or(Failure::NoData));
        }
        let addresses = records.filter_map(|record| match &record.rdata {
            RData::A(a) if self.kind == TYPE::A => Some(IpAddr::from(a.address.to_be_bytes())),
            RData::AAAA(a) if self.kind == TYPE::AAAA => {
                Some(IpAddr::from(a.address.to_be_bytes()))
            }
            _ => None,
        });
        let addresses: Vec<IpAddr> = addresses.collect();
        (!addresses.is_empty()).then_some(Ok(Answer::Addresses(addresses)))
    }

    fn labels(&self) -> impl Iterator<Item = &[u8]> {
        self.name.labels().iter().map(Vec::as_slice)
    }
}

/// `packet` with a header that knows only questions and answers. None if it
/// is too short for a header or for the records that it promises.
fn without_later_sections(packet: &[u8]) -> Option<Vec<u8>> {
    let header = packet.get(..HEADER)?;
    let answers = usize::from(u16::from_be_bytes([header[6], header[7]]));
    let questions = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let truncated = header[2] & 0x02 != 0;
    let mut packet = packet.to_vec();
    packet[8..HEADER].fill(0);
    if truncated || HEADER + questions * 5 + answers * RECORD > packet.len() {
        packet[6..8].fill(0);
    }
    (HEADER + questions * 5 <= packet.len()).then_some(packet)
}

/// Whether two names are the same, regardless of case.
fn same<'a>(a: impl Iterator<Item = &'a [u8]>, b: impl Iterator<Item = &'a [u8]>) -> bool {
    a.map(<[u8]>::to_ascii_lowercase)
        .eq(b.map(<[u8]>::to_ascii_lowercase))
}
