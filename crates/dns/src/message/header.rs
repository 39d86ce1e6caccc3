//! What is read of a packet beside what simple-dns parses: its header, its OPT record, the
//! types in its authority section, and the lengths of addresses.

/// Types of records.
const A: [u8; 2] = [0, 1];
const NS: [u8; 2] = [0, 2];
const SOA: [u8; 2] = [0, 6];
const AAAA: [u8; 2] = [0, 28];
const OPT: [u8; 2] = [0, 41];

/// The indices of sections.
const ANSWER: usize = 0;
const AUTHORITY: usize = 1;
const ADDITIONAL: usize = 2;

/// The fields of a header that are checked before a packet is parsed.
pub struct Header {
    pub id: u16,
    pub response: bool,
    pub authoritative: bool,
    pub truncated: bool,
    pub recursion_available: bool,
    pub authentic: bool,
    /// The response code, without the upper bits in an OPT record.
    code: u8,
    pub questions: u16,
    /// The number of records in the answer, authority and additional sections.
    records: [u16; 3],
}

impl Header {
    pub const LEN: usize = 12;

    pub fn read(packet: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LEN] = packet.first_chunk()?;
        Some(Self {
            id: u16::from_be_bytes([bytes[0], bytes[1]]),
            response: bytes[2] & 0x80 != 0,
            authoritative: bytes[2] & 0x04 != 0,
            truncated: bytes[2] & 0x02 != 0,
            recursion_available: bytes[3] & 0x80 != 0,
            authentic: bytes[3] & 0x20 != 0,
            code: bytes[3] & 0x0f,
            questions: u16::from_be_bytes([bytes[4], bytes[5]]),
            records: [
                [bytes[6], bytes[7]],
                [bytes[8], bytes[9]],
                [bytes[10], bytes[11]],
            ]
            .map(u16::from_be_bytes),
        })
    }

    /// Whether the code says neither that the name exists nor that it does not.
    pub fn is_error(&self) -> bool {
        const NXDOMAIN: u8 = 3;
        !matches!(self.code, 0 | NXDOMAIN)
    }

    /// Whether `packet` can be the whole answer of a recursive server: it is not a part of one, no
    /// referral, and no error that only its OPT record tells (RFC 6891 section 6.1.3).
    pub fn is_sound(&self, packet: &[u8]) -> bool {
        let complete = !self.truncated && self.recursion_available;
        complete && self.extended_code(packet) == Some(0)
    }

    /// The upper bits of the response code: those in the OPT record; 0 without one. None if
    /// `packet` is malformed.
    fn extended_code(&self, packet: &[u8]) -> Option<u8> {
        let records = self.records(packet, ADDITIONAL)?;
        let opt = records.iter().rfind(|record| record.kind == OPT);
        Some(opt.map_or(0, |record| record.extended_code))
    }

    /// Whether `packet`, which has no error and no record that was asked for, says that there is
    /// none (RFC 2308 section 2.2): it is no referral to other servers. A server that asks no
    /// others does not know, unless it is authoritative: for the end of an alias if the SOA
    /// record says so, since the AA bit is about the alias. None if `packet` is malformed.
    pub fn is_denial(&self, packet: &[u8], aliased: bool) -> Option<bool> {
        let records = self.records(packet, AUTHORITY)?;
        let has = |kind| {
            let mut authority = records.iter().filter(|record| record.section == AUTHORITY);
            authority.any(|record| record.kind == kind)
        };
        let authoritative = self.authoritative && (has(SOA) || !aliased);
        Some((self.recursion_available || authoritative) && (has(SOA) || !has(NS)))
    }

    /// Whether the addresses in the answer section of `packet` have the length of one (RFC 1035
    /// section 3.4.1, RFC 3596 section 2.2), and all its records are there. simple-dns drops what
    /// is too much, and takes memory for as many records as the header says.
    pub fn has_whole_addresses(&self, packet: &[u8]) -> bool {
        let whole = |record: &Record| match record.kind {
            A => record.length == 4,
            AAAA => record.length == 16,
            _ => true,
        };
        (self.records(packet, ANSWER)).is_some_and(|records| records.iter().all(whole))
    }

    /// The records of the sections up to `last`. None if `packet` is malformed there.
    fn records(&self, packet: &[u8], last: usize) -> Option<Vec<Record>> {
        let mut rest = packet.get(Self::LEN..)?;
        for _ in 0..self.questions {
            rest = after_name(rest)?.get(4..)?;
        }
        let mut records = Vec::new();
        for (section, count) in self.records.iter().enumerate().take(last + 1) {
            for _ in 0..*count {
                let (fields, data) = after_name(rest)?.split_first_chunk::<10>()?;
                let length = u16::from_be_bytes([fields[8], fields[9]]);
                records.push(Record {
                    section,
                    kind: [fields[0], fields[1]],
                    extended_code: fields[4],
                    length,
                });
                rest = data.get(usize::from(length)..)?;
            }
        }
        Some(records)
    }
}

/// The fields of a record that are checked before a packet is parsed.
struct Record {
    /// The index of the section.
    section: usize,
    kind: [u8; 2],
    /// The upper bits of the response code, if it is an OPT record.
    extended_code: u8,
    /// That of its data.
    length: u16,
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

/// `packet` with the counts of the sections after the answer section set to 0.
pub fn without_later_sections(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if let Some(counts) = packet.get_mut(8..Header::LEN) {
        counts.fill(0);
    }
    packet
}
