//! The packets of queries and answers (RFC 1035, 4).
//!
//! The crate `simple-dns` writes and parses packets. It gets only the question and the
//! answer section of a packet: a stub resolver needs no others.

mod answer;
mod header;

use simple_dns::{CLASS, Label, Packet, PacketFlag, QTYPE, Question, RCODE, TYPE};

use header::{Header, without_later_sections};

use crate::{Answer, Failure, Name, Query, SecuredKind};

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
            RCODE::NameError => match self.find(&parsed.answers, authentic) {
                Ok((aliased, _)) => Reply::Final(self.absent(Failure::NoName, aliased, authentic)),
                Err(failure) => Reply::Final(Err(failure)),
            },
            RCODE::FormatError | RCODE::NotImplemented | RCODE::Refused => Reply::Unwilling,
            _ => Reply::Broken(Failure::Server),
        }
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

#[cfg(test)]
mod tests;
