//! Recognizes signed documents of X.509 and CMS, which no handshake signs. They are
//! read as BER (ITU-T X.690 section 8) as leniently as any verifier may read it.

/// Numbers of the universal class (X.690 section 8.1.2.2).
const INTEGER: u32 = 2;
const SEQUENCE: u32 = 16;
const SET: u32 = 17;
const UTC_TIME: u32 = 23;
const GENERALIZED_TIME: u32 = 24;

/// The highest context-specific tag that a document begins with: `[2]`, a ResponderID
/// by key (RFC 6960 section 4.2.1).
const HIGHEST_IN_BRACKETS: u32 = 2;

/// The first three bits of an identifier: the class of the tag, and whether the element
/// is constructed.
const CLASS: u8 = 0xc0;
const CONSTRUCTED: u8 = 0x20;
const CONTEXT_SPECIFIC: u8 = 0x80;

/// The end of an element of indefinite length.
const END_OF_CONTENTS: &[u8] = &[0, 0];

/// The shortest header: an identifier and a length of one byte each.
const SHORT_HEADER: usize = 2;

/// Whether a verifier may read the whole of `message` as one constructed SEQUENCE or
/// SET.
///
/// One random in 32,768 begins like a header of two bytes. So with such a header the
/// content must also consist of elements, or begin with two fields of a document: some
/// verifiers ignore what follows the fields that they know.
pub fn is_document(message: &[u8]) -> bool {
    let Some((header, content)) = Header::parse(message) else {
        return false;
    };
    if header.flags != CONSTRUCTED || !matches!(header.number, SEQUENCE | SET) {
        return false;
    }
    match header.length {
        None => content.ends_with(END_OF_CONTENTS),
        Some(length) if length != content.len() => false,
        Some(_) if message.len() - content.len() > SHORT_HEADER => true,
        Some(_) => consists_of_elements(content) || begins_with_fields(content),
    }
}

fn consists_of_elements(mut content: &[u8]) -> bool {
    while !content.is_empty() {
        match element(content) {
            Some((_, rest)) => content = rest,
            None => return false,
        }
    }
    true
}

/// Whether `content` begins with two elements that may be the first fields of a
/// TBSCertificate, TBSCertList (RFC 5280), CertificationRequestInfo (RFC 2986),
/// ResponseData (RFC 6960) or of SignedAttributes (RFC 5652).
fn begins_with_fields(content: &[u8]) -> bool {
    let second = |content| element(content).filter(|(header, _)| header.is_field());
    second(content).is_some_and(|(_, rest)| second(rest).is_some())
}

/// The element at the front, and what follows it. The recursion is bounded: each level
/// of indefinite length takes two bytes, and there are at most 127.
fn element(input: &[u8]) -> Option<(Header, &[u8])> {
    let (header, mut content) = Header::parse(input)?;
    if let Some(length) = header.length {
        let (_, rest) = content.split_at_checked(length)?;
        return Some((header, rest));
    }
    loop {
        if let Some(rest) = content.strip_prefix(END_OF_CONTENTS) {
            return Some((header, rest));
        }
        (_, content) = element(content)?;
    }
}

/// The header of an element.
struct Header {
    /// The class of the tag, and whether the element is constructed.
    flags: u8,
    /// The number of the tag.
    number: u32,
    /// The length of its content; None if it is indefinite.
    length: Option<usize>,
}

impl Header {
    /// The header at the front of `input`, and the bytes after it. Numbers may have leading
    /// zeros. Of a number with more than 32 bits the low 32 count, as in a careless reader.
    fn parse(input: &[u8]) -> Option<(Self, &[u8])> {
        let (&identifier, input) = input.split_first()?;
        let (number, input) = match u32::from(identifier & 0x1f) {
            0x1f => high_number(input)?,
            number => (number, input),
        };
        let (&first, input) = input.split_first()?;
        let (length, input) = match first {
            0x80 => (None, input),
            0x81.. => {
                let (bytes, input) = input.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
                (Some(usize::try_from(length).ok()?), input)
            }
            _ => (Some(usize::from(first)), input),
        };
        let flags = identifier & (CLASS | CONSTRUCTED);
        let header = Self {
            flags,
            number,
            length,
        };
        Some((header, input))
    }

    /// Whether a document may begin with a field of this header.
    fn is_field(&self) -> bool {
        match self.flags & CLASS {
            0 => matches!(
                self.number,
                INTEGER | SEQUENCE | SET | UTC_TIME | GENERALIZED_TIME
            ),
            CONTEXT_SPECIFIC => self.number <= HIGHEST_IN_BRACKETS,
            _ => false,
        }
    }
}

/// The number of a tag in the high-tag-number form (X.690 section 8.1.2.4).
fn high_number(input: &[u8]) -> Option<(u32, &[u8])> {
    let last = input.iter().position(|byte| *byte < 0x80)?;
    let (bytes, rest) = input.split_at_checked(last + 1)?;
    let number = bytes
        .iter()
        .fold(0, |sum, byte| sum << 7 | u32::from(*byte & 0x7f));
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of a whole message.
    const LENGTHS: [usize; 3] = [100, 133, 165];

    /// Every way to write the tags of SEQUENCE and SET.
    fn tags() -> Vec<Vec<u8>> {
        let mut tags = vec![vec![0x30], vec![0x31]];
        for number in [0x10, 0x11] {
            for zeros in [0, 1, 2, 5, 20] {
                tags.push([&[0x3f][..], &vec![0x80; zeros], &[number]].concat());
            }
            // 2^32 more.
            tags.push(vec![0x3f, 0x90, 0x80, 0x80, 0x80, number]);
        }
        tags
    }

    /// Every way to write the length in more than one byte, after so many bytes of a tag,
    /// for a message of `total` bytes.
    fn long_lengths(tag: usize, total: usize) -> Vec<Vec<u8>> {
        let length = |count: usize| {
            let content = u8::try_from(total - tag - 1 - count).unwrap();
            let first = 0x80 | u8::try_from(count).unwrap();
            [&[first][..], &vec![0; count - 1], &[content]].concat()
        };
        let mut lengths: Vec<_> = (1..=30).map(length).collect();
        let mut wrapped = length(5);
        wrapped[1] = 1;
        lengths.push(wrapped);
        lengths
    }

    fn message(header: &[u8], total: usize) -> Vec<u8> {
        [header, &vec![0x7a; total - header.len()]].concat()
    }

    #[test]
    fn a_message_that_fits_a_long_header_is_a_document() {
        for total in LENGTHS {
            for tag in tags() {
                for length in long_lengths(tag.len(), total) {
                    let header = [&tag[..], &length].concat();
                    assert!(is_document(&message(&header, total)), "{header:x?}");
                    assert!(!is_document(&message(&header, total - 1)), "{header:x?}");
                    assert!(!is_document(&message(&header, total + 1)), "{header:x?}");
                }
            }
        }
    }

    #[test]
    fn a_message_that_fits_a_high_tag_and_a_length_of_one_byte_is_a_document() {
        for tag in tags().iter().filter(|tag| tag.len() > 1) {
            let content = u8::try_from(100 - tag.len() - 1).unwrap();
            let header = [tag, &[content][..]].concat();
            assert!(is_document(&message(&header, 100)), "{header:x?}");
        }
    }

    #[test]
    fn a_message_of_indefinite_length_with_its_end_is_a_document() {
        for total in LENGTHS {
            for tag in tags() {
                let mut message = message(&[&tag[..], &[0x80]].concat(), total);
                assert!(!is_document(&message));
                message[total - 1] = 0;
                assert!(!is_document(&message));
                message[total - 2] = 0;
                assert!(is_document(&message));
            }
        }
    }

    #[test]
    fn a_message_with_another_tag_is_no_document() {
        for tag in [
            &[0x02][..],
            &[0x10],
            &[0x32],
            &[0x70],
            &[0xb0],
            &[0x3f, 0x12],
            &[0x3f, 0x81, 0x10],
            &[0x1f, 0x10],
            &[0x7f, 0x10],
        ] {
            let content = u8::try_from(133 - tag.len() - 2).unwrap();
            let header = [tag, &[0x81, content]].concat();
            assert!(!is_document(&message(&header, 133)), "{header:x?}");
        }
        for cut in [&[][..], &[0x30], &[0x3f], &[0x3f, 0x80], &[0x30, 0x81]] {
            assert!(!is_document(cut));
        }
    }

    /// A message of 100 bytes: a header of two bytes, and content that begins with `start`.
    fn short(tag: u8, start: &[u8]) -> Vec<u8> {
        let mut message = message(&[tag, 98], 100);
        message[2..][..start.len()].copy_from_slice(start);
        message
    }

    #[test]
    fn a_short_header_and_elements_are_a_document() {
        let in_elements: [&[u8]; 6] = [
            &[4, 96],
            &[4, 0x81, 95],
            &[4, 0x85, 0, 0, 0, 0, 91],
            &[0x1f, 0x80, 0x21, 94],
            // An indefinite length, and one inside of another.
            &[0x24, 0x80, 4, 1, 7, 0, 0, 4, 89],
            &[0x24, 0x80, 0x24, 0x80, 0, 0, 0, 0, 4, 88],
        ];
        for start in in_elements {
            for tag in [0x30, 0x31] {
                assert!(is_document(&short(tag, start)), "{start:x?}");
            }
            let mut longer = start.to_vec();
            *longer.last_mut().unwrap() += 1;
            assert!(!is_document(&short(0x30, &longer)), "{longer:x?}");
        }
        assert!(!is_document(&short(0x30, &[0x24, 0x80])));
        assert!(!is_document(&short(0x30, &[0x24; 98])));
        assert!(!is_document(&short(0x30, &[0x80; 98])));
    }

    #[test]
    fn a_short_header_and_two_fields_are_a_document() {
        let fields: [[&[u8]; 2]; 7] = [
            // serialNumber or version, signature or subject
            [&[2, 1, 1], &[0x30, 0]],
            [&[0xa0, 3, 2, 1, 2], &[2, 1, 1]],
            // signature, issuer
            [&[0x30, 0x85, 0, 0, 0, 0, 1, 5], &[0x3f, 0x10, 0]],
            // responderID, producedAt
            [&[0xa2, 2, 4, 0], &[0x18, 1, b'2']],
            [&[0xbf, 0x80, 1, 1, 7], &[0x38, 0x80, 0, 0]],
            // two attributes
            [&[0x30, 2, 6, 0], &[0x30, 0]],
            [&[0x31, 0], &[0x17, 0]],
        ];
        for [first, second] in fields {
            let both = [first, second].concat();
            assert!(is_document(&short(0x30, &both)), "{both:x?}");
            assert!(!is_document(&short(0x30, first)), "{first:x?}");
            assert!(!is_document(&short(0x30, second)), "{second:x?}");
        }
        assert!(!is_document(&short(0x30, &[4, 1, 1, 0x30, 0])));
        assert!(!is_document(&short(0x30, &[0xa3, 1, 1, 0x30, 0])));
        assert!(!is_document(&short(0x30, &[0x62, 1, 1, 0x30, 0])));
    }

    /// Pseudorandom bytes, in place of the randoms of clients.
    fn randoms() -> impl Iterator<Item = u8> {
        std::iter::successors(Some(1_u64), |n| {
            Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
        })
        .map(|n| n.to_be_bytes()[0])
    }

    /// The guard refuses one in sixty-five randoms that begin with a header of two bytes. The
    /// numbers in doc/security.md are computed from that.
    #[test]
    fn few_randoms_are_refused() {
        let mut bytes = randoms();
        let refused = |_: &usize| {
            let mut message: Vec<u8> = bytes.by_ref().take(100).collect();
            message[..2].copy_from_slice(&[0x30, 98]);
            message[56..68].copy_from_slice(b"DOWNGRD\x01\x03\x00\x1d\x20");
            is_document(&message)
        };
        let count = (0..20_000).filter(refused).count();
        assert!((200..400).contains(&count), "{count}");
    }
}
