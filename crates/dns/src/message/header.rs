//! What is read of a packet before it is parsed: its header and its OPT record.

/// The type of OPT records.
pub const OPT: [u8; 2] = [0, 41];

/// The fields of a header that are checked before a packet is parsed.
pub struct Header {
    pub id: u16,
    pub response: bool,
    pub truncated: bool,
    pub recursion_available: bool,
    pub authentic: bool,
    pub questions: u16,
    /// The number of records in the answer, authority and additional sections.
    pub records: [u16; 3],
}

impl Header {
    pub const LEN: usize = 12;

    pub fn read(packet: &[u8]) -> Option<Self> {
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
    pub fn is_sound(&self, packet: &[u8]) -> bool {
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
pub fn with_answers(packet: &[u8], answers: u16) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if let Some(counts) = packet.get_mut(6..Header::LEN) {
        counts.fill(0);
        counts[..2].copy_from_slice(&answers.to_be_bytes());
    }
    packet
}
