//! Distinguished names (RFC 5280 section 4.1.2.4) as text.

use crate::x509::der::{OBJECT_IDENTIFIER, SEQUENCE, SET, element, expect};

/// Attribute types of a subject, in the order in which they are printed:
/// C, ST, L, O, OU, CN, by the last byte of 2.5.4.n (X.520).
const ATTRIBUTES: [(&str, u8); 6] = [
    ("C", 6),
    ("ST", 8),
    ("L", 7),
    ("O", 10),
    ("OU", 11),
    ("CN", COMMON_NAME),
];
const COMMON_NAME: u8 = 3;

/// A Name, as the content of its RDNSequence.
#[derive(Clone, Copy)]
pub struct Name<'a>(pub &'a [u8]);

impl Name<'_> {
    /// The first common name.
    pub fn common_name(self) -> Option<String> {
        attribute(self.0, COMMON_NAME)
    }

    /// The name on one line: `C=FR, O=Example, CN=localhost`. None if none of
    /// the printed attributes is there.
    pub fn line(self) -> Option<String> {
        let mut line = String::new();
        for (name, kind) in ATTRIBUTES {
            let Some(value) = attribute(self.0, kind) else {
                continue;
            };
            if !line.is_empty() {
                line.push_str(", ");
            }
            line.push_str(name);
            line.push('=');
            escape(value.trim_matches(' '), &mut line);
        }
        (!line.is_empty()).then_some(line)
    }
}

/// Appends `value` with a backslash before what RFC 4514 calls special. Control
/// bytes become `\XX`, as that RFC allows: a certificate may hold what ends a
/// line or drives a terminal, and no variable can hold a NUL.
fn escape(value: &str, line: &mut String) {
    for c in value.chars() {
        match c {
            '\0'..='\x1f' | '\x7f' => line.push_str(&format!("\\{:02X}", u32::from(c))),
            ',' | '=' | '+' | '<' | '>' | '#' | '\\' => {
                line.push('\\');
                line.push(c);
            }
            _ => line.push(c),
        }
    }
}

/// The first value of attribute 2.5.4.`kind` in a Name.
fn attribute(mut name: &[u8], kind: u8) -> Option<String> {
    while let Some((mut set, rest)) = expect(name, SET) {
        while let Some((pair, more)) = expect(set, SEQUENCE) {
            if let Some((oid, value)) = expect(pair, OBJECT_IDENTIFIER) {
                if oid == [0x55, 4, kind] {
                    let (tag, value, _) = element(value)?;
                    return text(tag, value);
                }
            }
            set = more;
        }
        name = rest;
    }
    None
}

/// A DirectoryString in UTF-8. TeletexString is read as Latin-1, as everybody
/// does.
fn text(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        // UTF8String, NumericString, PrintableString, IA5String, VisibleString
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a => String::from_utf8(value.to_vec()).ok(),
        // TeletexString
        0x14 => Some(value.iter().map(|byte| char::from(*byte)).collect()),
        // UniversalString
        0x1c => value
            .chunks(4)
            .map(|c| char::from_u32(u32::from_be_bytes(c.try_into().ok()?)))
            .collect(),
        // BMPString
        0x1e => {
            let units: Option<Vec<u16>> = value
                .chunks(2)
                .map(|c| Some(u16::from_be_bytes(c.try_into().ok()?)))
                .collect();
            String::from_utf16(&units?).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::encode;

    fn pair(kind: u8, tag: u8, value: &[u8]) -> Vec<u8> {
        let oid = encode(OBJECT_IDENTIFIER, &[0x55, 4, kind]);
        encode(SET, &encode(SEQUENCE, &[oid, encode(tag, value)].concat()))
    }

    fn line(pairs: &[Vec<u8>]) -> Option<String> {
        Name(&pairs.concat()).line()
    }

    #[test]
    fn the_line_has_a_fixed_order_and_the_first_of_each_type() {
        let pairs = [
            pair(3, 0x0c, b"localhost"),
            pair(10, 0x13, b"Example"),
            pair(10, 0x13, b"Other"),
            pair(6, 0x13, b"FR"),
            pair(5, 0x13, b"serial"),
        ];
        let expected = "C=FR, O=Example, CN=localhost";
        assert_eq!(line(&pairs).as_deref(), Some(expected));
        assert_eq!(line(&[pair(5, 0x13, b"serial")]), None);
        assert_eq!(line(&[]), None);
    }

    #[test]
    fn special_characters_are_escaped_and_blanks_trimmed() {
        let value = " a,b=c+d<e>f#g\\h\"j;k/l ".as_bytes();
        assert_eq!(
            line(&[pair(3, 0x0c, value)]).as_deref(),
            Some("CN=a\\,b\\=c\\+d\\<e\\>f\\#g\\\\h\"j;k/l")
        );
    }

    #[test]
    fn no_control_byte_of_any_string_type_is_left() {
        let ascii: Vec<u8> = (0..0x80).collect();
        let bmp: Vec<u8> = ascii.iter().flat_map(|byte| [0, *byte]).collect();
        let universal: Vec<u8> = ascii.iter().flat_map(|byte| [0, 0, 0, *byte]).collect();
        for (tag, value) in [
            (0x0c, &ascii),
            (0x13, &ascii),
            (0x14, &ascii),
            (0x16, &ascii),
            (0x1c, &universal),
            (0x1e, &bmp),
        ] {
            let line = line(&[pair(3, tag, value)]).unwrap();
            assert!(!line.contains(|c: char| c.is_ascii_control()), "{line:?}");
            assert!(line.starts_with("CN=\\00\\01\\02"), "{line}");
            for escaped in ["\\0A", "\\0D", "\\1B", "~\\7F"] {
                assert!(line.contains(escaped), "{escaped} in {line}");
            }
        }
    }

    #[test]
    fn every_string_type_becomes_utf8() {
        for (tag, value) in [
            (0x0c, "é".as_bytes()),
            (0x14, &[0xe9]),
            (0x1c, &[0, 0, 0, 0xe9]),
            (0x1e, &[0, 0xe9]),
        ] {
            let line = line(&[pair(3, tag, value)]);
            assert_eq!(line.as_deref(), Some("CN=é"), "{tag:x}");
        }
        assert_eq!(line(&[pair(3, 0x0c, &[0xff])]), None);
        assert_eq!(line(&[pair(3, 0x1e, &[1])]), None);
    }
}
