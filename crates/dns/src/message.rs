//! Queries and answers, and their packets (RFC 1035, 4).
//!
//! The crate `simple-dns` writes and parses packets. It gets only the question and the
//! answer section of a packet: a stub resolver needs no others.

mod header;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cli::address::Address;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Label, Packet, PacketFlag, QTYPE, Question, RCODE, ResourceRecord, TYPE};

use header::{Header, without_later_sections};

use crate::{Failure, Name, host_name};

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
    /// The name at the end of the chain of aliases, in lower case. None if there are no records,
    /// for TLSA records, and for aliases themselves.
    pub owner: Option<Name>,
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
type Found = (Option<Name>, Vec<Vec<u8>>);

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

/// The class of the internet.
const IN: [u8; 2] = [0, 1];

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
        if header.id != self.id || !header.response || !self.asked_by(&header, packet) {
            return Reply::Foreign;
        }
        // A truncated answer may end anywhere: only its question is read.
        if header.truncated && !whole {
            return Reply::Truncated;
        }
        if !header.has_whole_addresses(packet) {
            return Reply::Broken(Failure::Malformed);
        }
        let mut readable = without_later_sections(packet);
        if header.questions == 1 {
            self.stand_in(&mut readable);
        }
        let unsound = self.secured && !header.is_error() && !header.is_sound(packet);
        match Packet::parse(&readable) {
            Ok(_) if unsound => Reply::Broken(Failure::Server),
            Ok(parsed) => self.read(&parsed, &header, packet),
            Err(_) => Reply::Broken(Failure::Malformed),
        }
    }

    /// Reads the answer in `parsed`, whose header and bytes are those of `packet`.
    fn read(&self, parsed: &Packet, header: &Header, packet: &[u8]) -> Reply {
        let authentic = header.authentic;
        match parsed.rcode() {
            RCODE::NoError => match self.find(&parsed.answers, authentic) {
                Ok((_, Some(answer))) => Reply::Final(Ok(answer)),
                Ok((aliased, None)) => match header.is_denial(packet, aliased) {
                    Some(true) => Reply::Final(self.absent(Failure::NoData, aliased, authentic)),
                    Some(false) => Reply::Broken(Failure::Server),
                    None => Reply::Broken(Failure::Malformed),
                },
                Err(failure) => Reply::Final(Err(failure)),
            },
            RCODE::NameError if self.secured => match self.find(&parsed.answers, authentic) {
                Ok((aliased, _)) => Reply::Final(self.absent(Failure::NoName, aliased, authentic)),
                Err(failure) => Reply::Final(Err(failure)),
            },
            RCODE::NameError => Reply::Final(Err(Failure::NoName)),
            RCODE::FormatError | RCODE::NotImplemented | RCODE::Refused => Reply::Unwilling,
            _ => Reply::Broken(Failure::Server),
        }
    }

    /// The result if the server says that there are no records.
    fn absent(&self, why: Failure, aliased: bool, authentic: bool) -> Result<Answer, Failure> {
        if !self.secured {
            return Err(why);
        }
        Ok(Answer::Secured(Secured {
            authentic,
            aliased,
            owner: None,
            records: Err(why),
            server: None,
        }))
    }

    /// Whether `packet` repeats our question, whatever follows. A server may leave it out with an
    /// error.
    fn asked_by(&self, header: &Header, packet: &[u8]) -> bool {
        match header.questions {
            0 => header.is_error(),
            1 => {
                let rest = packet.get(Header::LEN..).unwrap_or_default();
                let name = self.wire_name();
                let kind = u16::from(self.kind).to_be_bytes();
                let asked = rest.split_at_checked(name.len());
                asked.is_some_and(|(asked, rest)| {
                    let same = asked.eq_ignore_ascii_case(&name);
                    same && rest.starts_with(&[kind, IN].concat())
                })
            }
            _ => false,
        }
    }

    /// Replaces the type TLSA in the question of `packet`, which is ours: simple-dns cannot read
    /// it there.
    fn stand_in(&self, packet: &mut [u8]) {
        let start = Header::LEN + self.wire_name().len();
        if let Some(kind) = packet.get_mut(start..start + 2)
            && self.kind == TYPE::Unknown(TLSA)
        {
            kind.copy_from_slice(&u16::from(STAND_IN).to_be_bytes());
        }
    }

    /// Our name in the wire format (RFC 1035 section 3.1).
    fn wire_name(&self) -> Vec<u8> {
        let mut wire = Vec::new();
        for label in self.labels() {
            wire.extend(u8::try_from(label.len()));
            wire.extend(label);
        }
        wire.push(0);
        wire
    }

    /// The answer in `records`, if there is one, at the end of the chain of aliases that starts
    /// with our name. Also returns whether there is an alias.
    fn find(
        &self,
        records: &[ResourceRecord],
        authentic: bool,
    ) -> Result<(bool, Option<Answer>), Failure> {
        if !self.secured {
            let (aliased, found) =
                self.follow(records, |_, here| self.collect(here.iter().copied()))?;
            return Ok((aliased, found.transpose()?));
        }
        let (aliased, found) =
            self.follow(records, |name, here| self.collect_secured(here, name))?;
        let secured = |(owner, data)| {
            Answer::Secured(Secured {
                authentic,
                aliased,
                owner,
                records: Ok(data),
                server: None,
            })
        };
        Ok((aliased, found.transpose()?.map(secured)))
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

    /// The owner and the data in `records` of `name`: see [`Secured`]; None if none has our type.
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
            RData::A(_) | RData::AAAA(_) => match Name::of_labels(name.iter().copied()) {
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

/// Whether two names are equal, regardless of case.
fn same<'a>(a: impl Iterator<Item = &'a [u8]>, b: impl Iterator<Item = &'a [u8]>) -> bool {
    a.map(<[u8]>::to_ascii_lowercase)
        .eq(b.map(<[u8]>::to_ascii_lowercase))
}

#[cfg(test)]
mod tests;
