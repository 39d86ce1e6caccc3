//! What PEM and DER files hold, in one piece of memory: each file is read to
//! the end of what the others have left, and decoded in its place. A block is
//! longer than what it stands for, so this comes to lie in front of the blocks
//! that are still to be read.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;

use crate::error::PemError;
use crate::pem::Block;
use crate::x509::der::{SEQUENCE, is_der_sequence};

/// What is no secret, in the order in which it was read.
#[derive(Debug, Default)]
pub struct DerStore {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
    /// Where the text of one block is put together.
    text: Vec<u8>,
}

/// The store of one file, which is still to be decoded.
impl From<Vec<u8>> for DerStore {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }
}

impl DerStore {
    /// Nothing, with room for so many files of one certificate each. Memory
    /// that is not needed is not touched.
    pub fn with_room_for(files: usize) -> Self {
        let files = files.min(1024);
        Self {
            bytes: Vec::with_capacity(files * 2048),
            places: Vec::with_capacity(files),
            text: Vec::new(),
        }
    }

    /// What a file is to be appended to before it is decoded.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Leaves of the file that was appended nothing but its certificates: one
    /// in DER, or those of the CERTIFICATE blocks. Nothing is left of it if
    /// that is an error. A file that ends within a certificate is malformed: what
    /// it would have said is not known.
    pub fn decode_certificates(&mut self) -> Result<(), PemError> {
        let start = self.start();
        if is_der_sequence(&self.bytes[start..]) {
            self.places.push(start..self.bytes.len());
            return Ok(());
        }
        let binary = begins_as_der(&self.bytes[start..]);
        match self.decode_blocks(&[b"CERTIFICATE", b"X509 CERTIFICATE"])? {
            0 if binary => Err(PemError::Malformed),
            0 => Err(PemError::NoCertificate),
            _ => Ok(()),
        }
    }

    /// The same for what the blocks with these labels stand for, if there are
    /// any. How many there are. A last one without its END is an error.
    pub fn decode_blocks(&mut self, labels: &[&[u8]]) -> Result<usize, PemError> {
        let (start, former) = (self.start(), self.places.len());
        let decoded = self.decode_from(start, labels);
        if decoded.is_err() {
            self.places.truncate(former);
        }
        self.bytes.truncate(self.start());
        decoded.map(|()| self.places.len() - former)
    }

    fn decode_from(&mut self, start: usize, labels: &[&[u8]]) -> Result<(), PemError> {
        // What lies between these has been read, and can be overwritten.
        let (mut end, mut read) = (start, start);
        while let Some(block) = Block::first(&self.bytes[read..]) {
            read += block.end;
            if labels.contains(&block.label) {
                let len = join(block.body, &mut self.text);
                let len = decode(&self.text[..len], &mut self.bytes[end..read])?;
                self.places.push(end..end + len);
                end += len;
            }
        }
        match labels
            .iter()
            .any(|label| Block::begins(&self.bytes[read..], label))
        {
            true => Err(PemError::Malformed),
            false => Ok(()),
        }
    }

    /// Where what is not decoded yet begins.
    fn start(&self) -> usize {
        self.places.last().map_or(0, |last| last.end)
    }

    /// Gives back the memory that is not needed.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.text = Vec::new();
    }

    /// One after the other, in DER.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|place| &self.bytes[place.clone()])
    }
}

/// Whether a file begins as the DER of a long SEQUENCE does, and no text can.
fn begins_as_der(content: &[u8]) -> bool {
    matches!(content, [SEQUENCE, length, ..] if !length.is_ascii())
}

/// Joins the lines of a block at the beginning of `text`: without white space,
/// if all but the last have the same length. How many bytes that are.
fn join(body: &[u8], text: &mut Vec<u8>) -> usize {
    let body = body.trim_ascii();
    let line = memchr(b'\n', body).map_or(body.len(), |at| at + 1);
    text.resize(text.len().max(body.len()), 0);
    let mut len = 0;
    for line in body.chunks(line.max(1)) {
        let line = line.trim_ascii_end();
        text[len..len + line.len()].copy_from_slice(line);
        len += line.len();
    }
    len
}

/// Decodes the text to the beginning of `output`. How many bytes that are.
fn decode(text: &[u8], output: &mut [u8]) -> Result<usize, PemError> {
    let len = STANDARD.decode_slice(text, output).or_else(|_| {
        // White space that is left is rare.
        let mut text = text.to_vec();
        text.retain(|byte| !byte.is_ascii_whitespace());
        STANDARD.decode_slice(&text, output)
    });
    len.map_err(|_| PemError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    const CERTIFICATE: &[u8] = include_bytes!("testdata/certificate.pem");
    const KEY: &[u8] = include_bytes!("testdata/key.pem");

    #[test]
    fn each_file_adds_all_of_its_certificates_or_none() {
        let der = read::certificates(CERTIFICATE).unwrap()[0].to_vec();
        let both = [CERTIFICATE, KEY, CERTIFICATE].concat();
        let half = [
            CERTIFICATE,
            b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
        ];
        let mut store = DerStore::with_room_for(2);
        let mut expected = Vec::new();
        for (file, count) in [
            (CERTIFICATE, Ok(1)),
            (&der, Ok(1)),
            (&half.concat(), Err(PemError::Malformed)),
            (&both[..both.len() - 9], Err(PemError::Malformed)),
            (&both[..CERTIFICATE.len() / 2], Err(PemError::Malformed)),
            (&der[..der.len() - 1], Err(PemError::Malformed)),
            (&both, Ok(2)),
            (KEY, Err(PemError::NoCertificate)),
            (b"", Err(PemError::NoCertificate)),
            (&der, Ok(1)),
        ] {
            store.bytes().extend_from_slice(file);
            assert_eq!(store.decode_certificates(), count.map(drop));
            expected.extend(vec![der.clone(); count.unwrap_or(0)]);
            assert!(store.iter().eq(&expected));
        }
        store.shrink();
        assert_eq!(store.bytes().len(), 5 * der.len());
        assert!(store.iter().eq(&expected));
    }

    fn block(body: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    fn decoded(text: &str) -> Result<Vec<Vec<u8>>, PemError> {
        let mut store = DerStore::from(text.as_bytes().to_vec());
        store.decode_certificates()?;
        Ok(store.iter().map(<[u8]>::to_vec).collect())
    }

    /// A block with lines of this width.
    fn wrapped(der: &[u8], width: usize, end_of_line: &str) -> String {
        let text = STANDARD.encode(der);
        let lines = text.as_bytes().chunks(width).map(str::from_utf8);
        let lines: Vec<&str> = lines.map(Result::unwrap).collect();
        block(&lines.join(end_of_line))
    }

    #[test]
    fn no_block_is_decoded_over_one_behind_it() {
        // Contents that differ in length and everywhere.
        let der = |len: usize| {
            (0..len)
                .map(|i| (i * 7 + i / 256 * 3 + len) as u8)
                .collect()
        };
        let lens = [
            vec![0, 1, 2, 3, 4, 5],
            vec![1; 200],
            (0..100).collect(),
            (0..100).rev().collect(),
            vec![5000],
            vec![1, 5000, 1, 5000, 1],
        ];
        for ders in lens.map(|lens: Vec<usize>| lens.into_iter().map(der).collect::<Vec<_>>()) {
            for width in [1, 3, 4, 64, 75, 76, usize::MAX] {
                for end_of_line in ["\n", "\r\n", " \t\n", "\n  "] {
                    for between in ["", "x", "-----\n", &"a line of text\n".repeat(500)] {
                        let wrap = |der: &Vec<u8>| wrapped(der, width, end_of_line);
                        let blocks: Vec<String> = ders.iter().map(wrap).collect();
                        let text = format!("{between}{}", blocks.join(between));
                        assert_eq!(decoded(&text).as_ref(), Ok(&ders));
                        assert_eq!(decoded(text.trim_end()).as_ref(), Ok(&ders));
                    }
                }
            }
        }
    }

    #[test]
    fn lines_may_have_any_lengths() {
        let der: Vec<u8> = (0..=255).collect();
        let text = STANDARD.encode(&der);
        for first in 1..text.len() {
            for second in [first, 64, text.len()].map(|end| end.clamp(first, text.len())) {
                let lines = [&text[..first], &text[first..second], &text[second..]];
                let text = block(&lines.join("\n"));
                assert_eq!(decoded(&text), Ok(vec![der.clone()]), "{first} {second}");
            }
        }
    }
}
