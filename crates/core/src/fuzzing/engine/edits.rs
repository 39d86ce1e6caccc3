//! What the input changes in the records of the peer.

/// A record before encryption: its content type and its content.
pub type Record = (u8, Vec<u8>);

/// The content type of handshake messages (RFC 8446 section 5.1).
pub const HANDSHAKE: u8 = 22;

/// More copies of a record than any limit allows.
const MOST_COPIES: u8 = 64;

/// A change to one record of the peer.
#[derive(Clone, Debug)]
struct Edit {
    /// The number of the record; from 128 on those that are encrypted.
    record: u8,
    kind: u8,
    /// A place in the content; places after its end are its end.
    at: usize,
    data: Vec<u8>,
}

/// The changes that an input describes: each is the number of a record, a kind, a place of two
/// bytes, a length, and so many bytes.
#[derive(Clone, Debug, Default)]
pub struct Edits(Vec<Edit>);

impl Edits {
    /// Reads them from the rest of the input.
    pub fn parse(mut input: &[u8]) -> Self {
        let mut edits = Vec::new();
        while let [record, kind, high, low, length, rest @ ..] = input {
            let (data, rest) = rest.split_at(usize::from(*length).min(rest.len()));
            input = rest;
            edits.push(Edit {
                record: *record,
                kind: *kind,
                at: usize::from(u16::from_be_bytes([*high, *low])),
                data: data.to_vec(),
            });
        }
        Self(edits)
    }

    /// What is sent in place of `record`, which is the one with this number.
    pub fn apply(&self, number: u8, record: Record) -> Vec<Record> {
        let mut records = vec![record];
        for edit in self.0.iter().filter(|edit| edit.record == number) {
            edit.apply(&mut records);
        }
        records
    }
}

impl Edit {
    /// Applies it to the last of `records`.
    fn apply(&self, records: &mut Vec<Record>) {
        let Some((mut typ, mut content)) = records.pop() else {
            return;
        };
        let at = self.at.min(content.len());
        let first = self.data.first().copied().unwrap_or_default();
        match self.kind % 10 {
            0 => overwrite(&mut content, at, &self.data),
            1 => flip(&mut content, at, first),
            2 => drop(content.splice(at..at, self.data.iter().copied())),
            3 => drop(content.drain(at..content.len().min(at + usize::from(first)))),
            4 => typ = first,
            5 => content.clone_from(&self.data),
            6 => return,
            7 => {
                let copies = usize::from(first % MOST_COPIES);
                records.extend(vec![(typ, content.clone()); copies]);
            }
            8 => records.push((first, self.data.get(1..).unwrap_or_default().to_vec())),
            _ => {
                let rest = content.split_off(at);
                records.push((typ, content));
                content = rest;
            }
        }
        records.push((typ, content));
    }
}

fn overwrite(content: &mut [u8], at: usize, data: &[u8]) {
    for (place, byte) in content.iter_mut().skip(at).zip(data) {
        *place = *byte;
    }
}

fn flip(content: &mut [u8], at: usize, bit: u8) {
    if let Some(byte) = content.get_mut(at) {
        *byte ^= 1 << (bit % 8);
    }
}
