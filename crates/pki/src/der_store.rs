//! Decodes many PEM and DER files into one buffer. Each file is appended to the
//! DER of the files before it and decoded in place: base64 is longer than the DER
//! it stands for, so the output never reaches a block that is not read yet.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;

use crate::error::PemError;
use crate::pem::Block;
use crate::x509::der::{SEQUENCE, is_der_sequence};

/// The decoded content of files, in file order. Not for secrets: decoding is not
/// constant-time.
#[derive(Debug, Default)]
pub struct DerStore {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
    /// The base64 of one block, without line ends.
    text: Vec<u8>,
}

/// A store with one file that is not decoded yet.
impl From<Vec<u8>> for DerStore {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }
}

impl DerStore {
    /// An empty store with room for this many files of one certificate each. The
    /// kernel provides the memory only when it is used.
    pub fn with_room_for(files: usize) -> Self {
        let files = files.min(1024);
        Self {
            bytes: Vec::with_capacity(files * 2048),
            places: Vec::with_capacity(files),
            text: Vec::new(),
        }
    }

    /// The buffer: append a file here, then decode it.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Replaces the file that was appended with its certificates: one in DER, or
    /// one for each CERTIFICATE block. On an error, removes the file. A file that
    /// ends within a certificate is malformed.
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

    /// Replaces the file that was appended with the content of its blocks with
    /// these labels, and returns their number, which may be 0. A last block without
    /// an END line is an error.
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
        // The bytes between these two have been read and may be overwritten.
        let (mut end, mut read) = (start, start);
        while let Some(block) = Block::first(&self.bytes[read..]) {
            read += block.end;
            if labels.contains(&block.label) {
                let text_len = join(block.body, &mut self.text);
                let der_len = decode(&self.text[..text_len], &mut self.bytes[end..read])?;
                self.places.push(end..end + der_len);
                end += der_len;
            }
        }
        let rest = &self.bytes[read..];
        if labels.iter().any(|label| Block::begins(rest, label)) {
            return Err(PemError::Malformed);
        }
        Ok(())
    }

    /// The offset of the first byte that is not decoded yet.
    fn start(&self) -> usize {
        self.places.last().map_or(0, |last| last.end)
    }

    /// Frees memory that is not needed any more.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.text = Vec::new();
    }

    /// The decoded contents, in file order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|place| &self.bytes[place.clone()])
    }
}

/// Whether a file begins like the DER of a SEQUENCE longer than 127 bytes. No text
/// does.
fn begins_as_der(content: &[u8]) -> bool {
    matches!(content, [SEQUENCE, length, ..] if !length.is_ascii())
}

/// Copies the lines of a block without line ends to the beginning of `text`, and
/// returns their total length. Lines of different lengths may leave white space.
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

/// Decodes base64 to the beginning of `output`, and returns the number of bytes.
fn decode(text: &[u8], output: &mut [u8]) -> Result<usize, PemError> {
    let len = STANDARD.decode_slice(text, output).or_else(|_| {
        // Rarely, `join` leaves white space.
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
    fn file_with_an_error_adds_no_certificates() {
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
    #[cfg_attr(miri, ignore = "takes minutes in miri")]
    fn blocks_of_any_length_are_not_overwritten_before_they_are_read() {
        // Contents of different lengths differ in every byte.
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
    #[cfg_attr(miri, ignore = "takes minutes in miri")]
    fn lines_of_different_lengths_are_decoded() {
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
