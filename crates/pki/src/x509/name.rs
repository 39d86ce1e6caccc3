//! Distinguished names (RFC 5280 section 4.1.2.4): their attributes, and a name
//! on one line.

use crate::x509::der::{OBJECT_IDENTIFIER, SEQUENCE, SET, element, expect};
use crate::x509::rfc4514::push_escaped;

/// The attribute types of [`Name::line`] in its order, with the n of their object
/// identifiers 2.5.4.n (X.520).
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

/// An AttributeTypeAndValue.
#[derive(Clone, Copy)]
pub struct Attribute<'a> {
    /// The content of the object identifier.
    pub oid: &'a [u8],
    /// The value, in DER.
    pub value: &'a [u8],
}

/// How to decode string types that are limited to ASCII, but may hold other bytes
/// against the standard.
#[derive(Clone, Copy)]
pub enum Charset {
    /// As UTF-8; a value that is not valid UTF-8 is not text.
    Utf8,
    /// As Latin-1.
    Latin1,
}

impl<'a> Name<'a> {
    /// The RelativeDistinguishedNames, each the content of a SET.
    pub fn relative_names(self) -> impl Iterator<Item = &'a [u8]> {
        contents(self.0, SET)
    }

    /// All attributes, in the order of the certificate.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'a>> {
        self.relative_names().flat_map(Attribute::all)
    }

    /// The first common name.
    pub fn common_name(self) -> Option<String> {
        self.first(COMMON_NAME)
    }

    /// The name on one line: `C=FR, O=Example, CN=localhost`. Gives the first
    /// attribute of six types; None if the name has none of them.
    pub fn line(self) -> Option<String> {
        let mut line = String::new();
        for (name, kind) in ATTRIBUTES {
            let Some(value) = self.first(kind) else {
                continue;
            };
            if !line.is_empty() {
                line.push_str(", ");
            }
            line.push_str(name);
            line.push('=');
            let special = |_, c| matches!(c, ',' | '=' | '+' | '<' | '>' | '#' | '\\');
            push_escaped(&mut line, value.trim_matches(' '), special);
        }
        (!line.is_empty()).then_some(line)
    }

    /// The first value of attribute 2.5.4.`kind`.
    fn first(self, kind: u8) -> Option<String> {
        let mut attributes = self.attributes();
        let attribute = attributes.find(|attribute| attribute.oid == [0x55, 4, kind]);
        attribute?.text(Charset::Utf8)
    }
}

impl<'a> Attribute<'a> {
    /// The attributes in the content of a RelativeDistinguishedName.
    pub fn all(relative_name: &'a [u8]) -> impl Iterator<Item = Self> {
        contents(relative_name, SEQUENCE).filter_map(|pair| {
            let (oid, value) = expect(pair, OBJECT_IDENTIFIER)?;
            Some(Self { oid, value })
        })
    }

    /// The value, if it is a string. TeletexString is decoded as Latin-1, as most
    /// software does.
    pub fn text(self, charset: Charset) -> Option<String> {
        let (tag, value, _) = element(self.value)?;
        match (tag, charset) {
            // UTF8String
            (0x0c, _) => utf8(value),
            // NumericString, PrintableString, IA5String, VisibleString
            (0x12 | 0x13 | 0x16 | 0x1a, Charset::Utf8) => utf8(value),
            // NumericString, PrintableString, TeletexString, IA5String, VisibleString
            (0x12 | 0x13 | 0x14 | 0x16 | 0x1a, _) => Some(latin1(value)),
            // UniversalString
            (0x1c, _) => value
                .chunks(4)
                .map(|c| char::from_u32(u32::from_be_bytes(c.try_into().ok()?)))
                .collect(),
            // BMPString
            (0x1e, _) => {
                let units: Option<Vec<u16>> = value
                    .chunks(2)
                    .map(|c| Some(u16::from_be_bytes(c.try_into().ok()?)))
                    .collect();
                String::from_utf16(&units?).ok()
            }
            _ => None,
        }
    }
}

/// The contents of elements with this tag, up to the first other element.
fn contents(mut input: &[u8], tag: u8) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (content, rest) = expect(input, tag)?;
        input = rest;
        Some(content)
    })
}

fn utf8(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// Decodes Latin-1.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
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
    fn line_has_the_first_value_of_each_type_in_fixed_order() {
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
    fn line_has_special_characters_escaped_and_spaces_trimmed() {
        let value = " a,b=c+d<e>f#g\\h\"j;k/l ".as_bytes();
        assert_eq!(
            line(&[pair(3, 0x0c, value)]).as_deref(),
            Some("CN=a\\,b\\=c\\+d\\<e\\>f\\#g\\\\h\"j;k/l")
        );
    }

    #[test]
    fn line_has_control_characters_of_all_string_types_escaped() {
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
    fn line_has_control_characters_beyond_ascii_escaped() {
        // U+009B begins a sequence for terminals; U+00A0 is no control character.
        let value = "a\u{9b}31m\u{85}\u{a0}".as_bytes();
        for (tag, value) in [(0x0c, value), (0x14, &b"a\x9b31m\x85\xa0"[..])] {
            let line = line(&[pair(3, tag, value)]);
            assert_eq!(line.as_deref(), Some("CN=a\\C2\\9B31m\\C2\\85\u{a0}"));
        }
    }

    #[test]
    fn line_has_all_string_types_in_utf8() {
        for (tag, value) in [
            (0x0c, "é".as_bytes()),
            (0x13, "é".as_bytes()),
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
