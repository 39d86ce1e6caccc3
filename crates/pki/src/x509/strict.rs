//! The syntax of a certificate (RFC 5280 section 4.1), checked in every part.
//!
//! [`Certificate::parse`](super::Certificate::parse) reads the fields that it
//! needs and skips the rest. The check here is for certificates whose fields
//! are handed to programs: it refuses everything that two readers may read
//! differently.

use crate::x509::der::{
    BIT_STRING, BOOLEAN, INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, element,
};
use crate::x509::time::Date;
use crate::x509::{EXTENSIONS, VERSION, oid};

/// The tags of issuerUniqueID and subjectUniqueID, in the order of the fields.
const UNIQUE_IDS: [u8; 2] = [0x81, 0x82];

/// The bytes behind a valid part; None if the part is invalid.
type Rest<'a> = Option<&'a [u8]>;

/// Whether `der` is exactly one Certificate in DER. Checks names, dates, extensions and curves,
/// but not the values of attributes and extensions. Refuses dates
/// before 1970, and object identifiers that [`oid::is_exact`] refuses.
pub fn is_certificate(der: &[u8]) -> bool {
    whole(der, SEQUENCE, |fields| {
        let (tbs, rest) = expect(fields, SEQUENCE)?;
        tbs_certificate(tbs)?;
        bit_string(algorithm(rest)?, BIT_STRING)
    })
}

/// Whether `der` is exactly one SEQUENCE of valid elements, such as GeneralNames.
pub fn is_sequence(der: &[u8]) -> bool {
    whole(der, SEQUENCE, |elements| each(elements, any))
}

/// Whether `der` is exactly one AlgorithmIdentifier.
pub fn is_algorithm(der: &[u8]) -> bool {
    algorithm(der).is_some_and(<[u8]>::is_empty)
}

fn tbs_certificate(fields: &[u8]) -> Rest<'_> {
    let numbered = match expect(fields, VERSION) {
        Some((version, rest)) => matches!(version, [INTEGER, 1, 0..=2]).then_some(rest)?,
        None => fields,
    };
    let validity = name(algorithm(serial_number(numbered)?)?)?;
    let key_info = name(sequence(validity, |dates| date(date(dates)?))?)?;
    let mut rest = sequence(key_info, |key| bit_string(algorithm(key)?, BIT_STRING))?;
    for tag in UNIQUE_IDS {
        if rest.first() == Some(&tag) {
            rest = bit_string(rest, tag)?;
        }
    }
    if rest.is_empty() {
        return Some(rest);
    }
    inside(rest, EXTENSIONS, |list| {
        sequence(list, |list| each(list, extension))
    })
    .filter(|rest| rest.is_empty())
}

/// An INTEGER of any length, in its shortest form.
fn serial_number(input: &[u8]) -> Rest<'_> {
    let (number, rest) = expect(input, INTEGER)?;
    let shortest = match number {
        [] | [0, 0..0x80, ..] | [0xff, 0x80..=0xff, ..] => false,
        [_, ..] => true,
    };
    shortest.then_some(rest)
}

fn algorithm(input: &[u8]) -> Rest<'_> {
    sequence(input, |fields| {
        let parameters = object_identifier(fields)?;
        match parameters.first() {
            None => Some(parameters),
            // A curve.
            Some(&OBJECT_IDENTIFIER) => object_identifier(parameters),
            Some(&NULL) => inside(parameters, NULL, Some),
            Some(_) => any(parameters),
        }
    })
}

fn name(input: &[u8]) -> Rest<'_> {
    let pair = |input| sequence(input, |pair| any(object_identifier(pair)?));
    sequence(input, |name| {
        each(name, |input| inside(input, SET, |pairs| each(pairs, pair)))
    })
}

fn extension(input: &[u8]) -> Rest<'_> {
    sequence(input, |fields| {
        let rest = object_identifier(fields)?;
        let value = match expect(rest, BOOLEAN) {
            Some((critical, value)) => matches!(critical, [0 | 0xff]).then_some(value)?,
            None => rest,
        };
        Some(expect(value, OCTET_STRING)?.1)
    })
}

fn date(input: &[u8]) -> Rest<'_> {
    let (date, rest) = Date::read(input)?;
    any(input)?;
    (date.exists() && date.seconds() >= 0).then_some(rest)
}

fn object_identifier(input: &[u8]) -> Rest<'_> {
    let (content, rest) = expect(input, OBJECT_IDENTIFIER)?;
    oid::is_exact(content).then_some(rest)
}

fn bit_string(input: &[u8], tag: u8) -> Rest<'_> {
    let (bits, rest) = expect(input, tag)?;
    matches!(bits, [0] | [0..8, _, ..]).then_some(rest)
}

fn any(input: &[u8]) -> Rest<'_> {
    strict_element(input).map(|(_, _, rest)| rest)
}

/// An element with this tag whose whole content is one `part`.
fn inside<'a>(input: &'a [u8], tag: u8, part: impl Fn(&'a [u8]) -> Rest<'a>) -> Rest<'a> {
    let (content, rest) = expect(input, tag)?;
    part(content)?.is_empty().then_some(rest)
}

fn sequence<'a>(input: &'a [u8], part: impl Fn(&'a [u8]) -> Rest<'a>) -> Rest<'a> {
    inside(input, SEQUENCE, part)
}

fn whole<'a>(input: &'a [u8], tag: u8, part: impl Fn(&'a [u8]) -> Rest<'a>) -> bool {
    inside(input, tag, part).is_some_and(<[u8]>::is_empty)
}

/// Any number of `part`.
fn each<'a>(mut input: &'a [u8], part: impl Fn(&'a [u8]) -> Rest<'a>) -> Rest<'a> {
    while !input.is_empty() {
        input = part(input)?;
    }
    Some(input)
}

fn expect(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = strict_element(input)?;
    (found == tag).then_some((content, rest))
}

/// Splits `input` as [`element`] does, but only if the tag is known and the
/// length has its shortest form.
fn strict_element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, content, rest) = element(input)?;
    let header = match content.len() {
        0..0x80 => 2,
        0x80..0x100 => 3,
        0x100..0x1_0000 => 4,
        0x1_0000..0x100_0000 => 5,
        _ => 6,
    };
    let strict = is_known(tag) && input.len() - content.len() - rest.len() == header;
    strict.then_some((tag, content, rest))
}

/// Whether the tag has one byte and is either of another class than universal, or
/// a universal type that certificates contain. UniversalString is not accepted.
fn is_known(tag: u8) -> bool {
    match tag {
        0x01..=0x06 | 0x09 | 0x0a | 0x0c | 0x0d | 0x12..=0x18 | 0x1a | 0x1b | 0x1e => true,
        SEQUENCE | SET => true,
        0x40.. => tag & 0x1f != 0x1f,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::encode;

    const OID: &[u8] = &[OBJECT_IDENTIFIER, 1, 0x2a];
    const BITS: &[u8] = &[BIT_STRING, 2, 0, 1];
    /// 1970-01-01, the first moment that is accepted.
    const DATE: &[u8] = b"\x17\x0d700101000000Z";

    const VERSION_AT: usize = 0;
    const SERIAL_AT: usize = 1;
    const ALGORITHM_AT: usize = 2;
    const ISSUER_AT: usize = 3;
    const DATES_AT: usize = 4;
    const KEY_AT: usize = 6;
    const END_AT: usize = 7;

    fn sequence_of(parts: &[&[u8]]) -> Vec<u8> {
        encode(SEQUENCE, &parts.concat())
    }

    /// A Name of one attribute.
    fn name_of(attribute: &[u8]) -> Vec<u8> {
        encode(SEQUENCE, &encode(SET, &encode(SEQUENCE, attribute)))
    }

    fn extensions_of(extension: &[u8]) -> Vec<u8> {
        let list = encode(SEQUENCE, &encode(SEQUENCE, extension));
        encode(EXTENSIONS, &list)
    }

    /// A certificate with the part `at` replaced.
    fn with(at: usize, part: &[u8]) -> Vec<u8> {
        let algorithm = sequence_of(&[OID]);
        let name = name_of(&[OID, &[0x0c, 1, b'x']].concat());
        let mut parts = [
            encode(VERSION, &[INTEGER, 1, 2]),
            vec![INTEGER, 1, 1],
            algorithm.clone(),
            name.clone(),
            sequence_of(&[DATE, DATE]),
            name,
            sequence_of(&[&algorithm, BITS]),
            extensions_of(&[OID, &[OCTET_STRING, 0]].concat()),
        ];
        parts[at] = part.to_vec();
        sequence_of(&[&encode(SEQUENCE, &parts.concat()), &algorithm, BITS])
    }

    #[test]
    fn certificates_with_optional_parts_are_accepted() {
        for (at, part) in [
            (VERSION_AT, vec![]),
            (VERSION_AT, encode(VERSION, &[INTEGER, 1, 0])),
            (SERIAL_AT, encode(INTEGER, &[0x7f; 200])),
            (SERIAL_AT, encode(INTEGER, &[0, 0x80])),
            (ALGORITHM_AT, sequence_of(&[OID, &[5, 0]])),
            (ALGORITHM_AT, sequence_of(&[OID, OID])),
            (ALGORITHM_AT, sequence_of(&[OID, &[SEQUENCE, 0]])),
            (ISSUER_AT, encode(SEQUENCE, &[])),
            (ISSUER_AT, name_of(&[OID, &[0x1e, 1, 0]].concat())),
            (END_AT, vec![]),
            (END_AT, vec![0x81, 2, 0, 1, 0x82, 1, 0]),
            (
                END_AT,
                extensions_of(&[OID, &[BOOLEAN, 1, 0xff, OCTET_STRING, 0]].concat()),
            ),
        ] {
            assert!(is_certificate(&with(at, &part)), "{at} {part:x?}");
        }
    }

    #[test]
    fn certificates_with_a_malformed_part_are_refused() {
        let date = |date: &[u8]| sequence_of(&[DATE, &encode(0x17, date)]);
        let value = |value: &[u8]| name_of(&[OID, value].concat());
        let extension = |fields: &[&[u8]]| extensions_of(&fields.concat());
        for (at, part) in [
            (VERSION_AT, encode(VERSION, &[INTEGER, 1, 3])),
            (VERSION_AT, encode(VERSION, &[INTEGER, 2, 0, 2])),
            (SERIAL_AT, vec![INTEGER, 0]),
            (SERIAL_AT, vec![INTEGER, 2, 0, 0x7f]),
            (SERIAL_AT, vec![INTEGER, 2, 0xff, 0x80]),
            (SERIAL_AT, vec![INTEGER, 0x81, 1, 1]),
            (ALGORITHM_AT, encode(SEQUENCE, &[])),
            (ALGORITHM_AT, sequence_of(&[OID, &[5, 0], &[5, 0]])),
            (ALGORITHM_AT, sequence_of(&[OID, &[5, 1, 0]])),
            (ALGORITHM_AT, sequence_of(&[OID, &[6, 1, 0x80]])),
            (ALGORITHM_AT, sequence_of(&[OID, &[6, 0]])),
            (ISSUER_AT, encode(SEQUENCE, &encode(SET, OID))),
            (ISSUER_AT, value(&[])),
            (ISSUER_AT, value(&[0x0c, 0, 0x0c, 0])),
            (ISSUER_AT, value(&[0x1c, 0])),
            (ISSUER_AT, value(&[0x2c, 0])),
            (ISSUER_AT, value(&[0x9f, 0x1f, 0])),
            (DATES_AT, sequence_of(&[DATE])),
            (DATES_AT, sequence_of(&[DATE, DATE, DATE])),
            (DATES_AT, sequence_of(&[DATE, b"\x17\x81\x0d700101000000Z"])),
            (DATES_AT, date(b"691231235959Z")),
            (DATES_AT, date(b"260230000000Z")),
            (KEY_AT, sequence_of(&[&sequence_of(&[OID])])),
            (
                KEY_AT,
                sequence_of(&[&sequence_of(&[OID]), &[BIT_STRING, 0]]),
            ),
            (
                KEY_AT,
                sequence_of(&[&sequence_of(&[OID]), &[BIT_STRING, 1, 1]]),
            ),
            (
                KEY_AT,
                sequence_of(&[&sequence_of(&[OID]), &[BIT_STRING, 2, 8, 0]]),
            ),
            (END_AT, vec![0x82, 1, 0, 0x81, 1, 0]),
            (END_AT, vec![0xa4, 0]),
            (END_AT, extension(&[OID])),
            (END_AT, extension(&[OID, &[BOOLEAN, 1, 1, OCTET_STRING, 0]])),
            (END_AT, extension(&[OID, &[OCTET_STRING, 0, 5, 0]])),
            (END_AT, [extensions_of(OID), vec![5, 0]].concat()),
        ] {
            let bytes = with(at, &part);
            assert!(!is_certificate(&bytes), "{at} {part:x?}");
        }
    }

    #[test]
    fn certificates_cut_or_continued_are_refused() {
        let mut bytes = with(VERSION_AT, &[]);
        for cut in 0..bytes.len() {
            assert!(!is_certificate(&bytes[..cut]), "{cut}");
        }
        assert!(is_certificate(&bytes));
        bytes.push(0);
        assert!(!is_certificate(&bytes));
    }

    #[test]
    fn a_certificate_begins_before_1970_only_with_an_earlier_date() {
        for (date, before) in [(DATE, false), (b"\x17\x0d691231235959Z", true)] {
            let bytes = with(DATES_AT, &sequence_of(&[date, DATE]));
            let certificate = crate::x509::Certificate::parse(&bytes).unwrap();
            assert_eq!(certificate.begins_before_1970(), before);
        }
    }

    #[test]
    fn an_algorithm_is_a_sequence_with_an_identifier_and_nothing_behind() {
        let algorithm = sequence_of(&[OID]);
        for (bytes, valid) in [
            (algorithm.clone(), true),
            (OID.to_vec(), false),
            ([&algorithm[..], &algorithm].concat(), false),
        ] {
            assert_eq!(is_algorithm(&bytes), valid, "{bytes:x?}");
        }
    }

    #[test]
    fn lengths_have_their_shortest_form() {
        for (shortest, longer, len) in [
            (&[0x7f][..], &[0x81, 0x7f][..], 0x7f),
            (&[0x81, 0x80], &[0x82, 0, 0x80], 0x80),
            (&[0x81, 0xff], &[0x82, 0, 0xff], 0xff),
            (&[0x82, 1, 0], &[0x83, 0, 1, 0], 0x100),
            (&[0x82, 0xff, 0xff], &[0x83, 0, 0xff, 0xff], 0xffff),
            (&[0x83, 1, 0, 0], &[0x84, 0, 1, 0, 0], 0x1_0000),
        ] {
            let element = |length: &[u8]| [&[OCTET_STRING], length, &vec![0; len]].concat();
            assert!(strict_element(&element(shortest)).is_some(), "{len}");
            assert_eq!(strict_element(&element(longer)), None, "{len}");
        }
    }

    #[test]
    fn sequences_hold_only_valid_elements() {
        for (content, valid) in [
            (&[][..], true),
            (&[0x82, 1, b'x', 0xa0, 1, 0], true),
            (&[0x82, 2, b'x'], false),
            (&[0x82, 0x81, 1, b'x'], false),
            (&[0x82, 0x80, 0, 0], false),
            // Tags of more than one byte.
            (&[0x9f, 0], false),
            (&[0xbf, 1, 0], false),
        ] {
            assert_eq!(
                is_sequence(&encode(SEQUENCE, content)),
                valid,
                "{content:x?}"
            );
        }
        assert!(!is_sequence(&[SET, 0]));
    }
}
