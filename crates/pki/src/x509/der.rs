//! Reads and writes DER (ITU-T X.690), element by element.

/// The tag of a BOOLEAN.
pub const BOOLEAN: u8 = 0x01;
/// The tag of an INTEGER.
pub const INTEGER: u8 = 0x02;
/// The tag of a BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// The tag of an OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// The tag of a NULL.
pub const NULL: u8 = 0x05;
/// The tag of an OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// The tag of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// The tag of a SET.
pub const SET: u8 = 0x31;

/// The content of the first element, if its tag is `tag`, and the bytes behind it.
pub fn expect(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(input)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the first element, and the bytes behind it. Accepts lengths
/// that are longer than needed, and tags of one byte only.
pub fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (bytes, after) = rest.split_at_checked(count)?;
        length = bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Tags and contents of elements, up to the first that is malformed.
pub fn elements(mut input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = element(input)?;
        input = rest;
        Some((tag, content))
    })
}

/// Whether `bytes` are exactly one SEQUENCE. Tells DER files from PEM files.
pub fn is_der_sequence(bytes: &[u8]) -> bool {
    matches!(element(bytes), Some((SEQUENCE, _, [])))
}

/// Tag and length of an element whose content has `len` bytes; None above 65535.
fn header(tag: u8, len: usize) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(len).ok()?.to_be_bytes();
    Some(match len {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    })
}

/// An element whose content is the concatenation of `content`; None if that has
/// more than 65535 bytes. Allocates once: the content may be a private key.
pub fn element_of(tag: u8, content: &[&[u8]]) -> Option<Vec<u8>> {
    let len = content.iter().map(|part| part.len()).sum();
    let header = header(tag, len)?;
    let mut element = Vec::with_capacity(header.len() + len);
    element.extend_from_slice(&header);
    content
        .iter()
        .for_each(|part| element.extend_from_slice(part));
    Some(element)
}

/// An element with this content, for tests.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "elements of tests are short")]
pub fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    [&header(tag, content.len()).unwrap(), content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_has_at_most_four_bytes_and_is_definite() {
        for (input, content) in [
            (&[4, 1, 7][..], Some(&[7][..])),
            (&[4, 0x81, 1, 7], Some(&[7])),
            (&[4, 0x84, 0, 0, 0, 1, 7], Some(&[7])),
            (&[4, 0x85, 0, 0, 0, 0, 1, 7], None),
            (&[4, 0x80, 0, 0], None),
            (&[4, 0x82, 1], None),
            (&[4, 2, 7], None),
        ] {
            let found = element(input).map(|(_, content, _)| content);
            assert_eq!(found, content, "{input:x?}");
        }
    }
}
