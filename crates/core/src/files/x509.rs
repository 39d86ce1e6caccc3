//! The few fields of a certificate (RFC 5280) that rustls does not show: the
//! subject, the dates, whether there is a subjectAltName, whether it is a CA's.

/// A certificate, as far as it is looked at here. Its signature and the rest
/// are webpki's business.
pub struct Certificate<'a> {
    not_before: i64,
    not_after: i64,
    subject: &'a [u8],
    public_key: &'a [u8],
    has_alternative_names: bool,
    may_issue: bool,
}

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

const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 19];

/// The version field of a certificate that may have extensions.
const VERSION_3: [u8; 3] = [INTEGER, 1, 2];

/// The tag of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
/// The tag of an INTEGER.
pub const INTEGER: u8 = 0x02;
/// The tag of an OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;

impl<'a> Certificate<'a> {
    /// Reads the DER of a certificate of version 1, 2 or 3.
    pub fn parse(der: &'a [u8]) -> Option<Self> {
        let (outer, _) = expect(der, SEQUENCE)?;
        let (mut tbs, _) = expect(outer, SEQUENCE)?;
        let mut extended = false;
        if let Some((version, rest)) = expect(tbs, 0xa0) {
            extended = version == VERSION_3;
            tbs = rest;
        }
        let (_, rest) = expect(tbs, INTEGER)?;
        let (_, rest) = expect(rest, SEQUENCE)?;
        let (_, rest) = expect(rest, SEQUENCE)?;
        let (validity, rest) = expect(rest, SEQUENCE)?;
        let (subject, public_key) = expect(rest, SEQUENCE)?;
        let (_, rest) = expect(public_key, SEQUENCE)?;
        let (not_before, after) = time(validity)?;
        let (not_after, _) = time(after)?;
        Some(Self {
            not_before,
            not_after,
            subject,
            public_key: &public_key[..public_key.len() - rest.len()],
            has_alternative_names: extension(rest, &SUBJECT_ALT_NAME).is_some(),
            may_issue: !extended || extension(rest, &BASIC_CONSTRAINTS).is_some_and(is_ca),
        })
    }

    /// Whether `now`, in seconds since 1970, lies within the dates: an order
    /// of Less means not yet, Greater means no longer.
    pub fn validity(&self, now: u64) -> std::cmp::Ordering {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        if now < self.not_before {
            std::cmp::Ordering::Less
        } else if now > self.not_after {
            std::cmp::Ordering::Greater
        } else {
            std::cmp::Ordering::Equal
        }
    }

    /// The SubjectPublicKeyInfo, in DER.
    pub fn public_key(&self) -> &'a [u8] {
        self.public_key
    }

    /// The kind of that key: the content of its AlgorithmIdentifier.
    pub fn key_algorithm(&self) -> Option<&'a [u8]> {
        let (key, _) = expect(self.public_key, SEQUENCE)?;
        expect(key, SEQUENCE).map(|(algorithm, _)| algorithm)
    }

    /// Whether there is a subjectAltName, of whatever content.
    pub fn has_alternative_names(&self) -> bool {
        self.has_alternative_names
    }

    /// Whether it may be the issuer of others: it is a CA's, or of a version
    /// that cannot say so.
    pub fn may_issue(&self) -> bool {
        self.may_issue
    }

    /// The first common name of the subject.
    pub fn common_name(&self) -> Option<String> {
        attribute(self.subject, COMMON_NAME)
    }

    /// The subject on one line: `C=FR, O=Example, CN=localhost`. None if none
    /// of the printed attributes is there.
    pub fn subject(&self) -> Option<String> {
        let mut line = String::new();
        for (name, kind) in ATTRIBUTES {
            let Some(value) = attribute(self.subject, kind) else {
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

/// Appends `value` with a backslash before what RFC 4514 calls special. A NUL
/// byte, which no variable can hold, becomes `\00` as that RFC has it.
fn escape(value: &str, line: &mut String) {
    for c in value.chars() {
        match c {
            '\0' => line.push_str("\\00"),
            ',' | '=' | '+' | '<' | '>' | '#' | '\\' | '\n' => {
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

/// What follows the name of extension `oid` among the optional fields at the
/// end of a TBSCertificate: whether it is critical, and its value.
fn extension<'a>(mut rest: &'a [u8], oid: &[u8]) -> Option<&'a [u8]> {
    while let Some((tag, content, more)) = element(rest) {
        if tag == 0xa3 {
            let (mut extensions, _) = expect(content, SEQUENCE)?;
            while let Some((extension, next)) = expect(extensions, SEQUENCE) {
                match expect(extension, OBJECT_IDENTIFIER) {
                    Some((found, value)) if found == oid => return Some(value),
                    _ => extensions = next,
                }
            }
        }
        rest = more;
    }
    None
}

/// Whether the extension basicConstraints says so.
fn is_ca(extension: &[u8]) -> bool {
    let value = expect(extension, BOOLEAN).map_or(extension, |(_critical, value)| value);
    let constraints = expect(value, OCTET_STRING).and_then(|(value, _)| expect(value, SEQUENCE));
    let ca = constraints.and_then(|(constraints, _)| expect(constraints, BOOLEAN));
    matches!(ca, Some(([flag], _)) if *flag != 0)
}

/// A UTCTime or GeneralizedTime as seconds since 1970, and what follows it.
fn time(input: &[u8]) -> Option<(i64, &[u8])> {
    let (tag, digits, rest) = element(input)?;
    let digits = digits.strip_suffix(b"Z")?;
    let (year, digits) = match tag {
        0x17 => {
            let year = number(digits.get(..2)?)?;
            (
                if year < 50 { 2000 + year } else { 1900 + year },
                &digits[2..],
            )
        }
        0x18 => (number(digits.get(..4)?)?, &digits[4..]),
        _ => return None,
    };
    if digits.len() != 10 {
        return None;
    }
    let part = |at: usize| number(&digits[at..at + 2]);
    let (month, day) = (part(0)?, part(2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = part(4)? * 3600 + part(6)? * 60 + part(8)?;
    Some((days_from_civil(year, month, day) * 86_400 + seconds, rest))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, by
/// counting from the first of March so that leap days come last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400;
    days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

fn number(digits: &[u8]) -> Option<i64> {
    cli::unsigned(digits).map(i64::from)
}

/// The content of the element at the front, if its tag is `tag`, and what
/// follows it.
pub fn expect(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(input)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the DER element at the front, and what follows it.
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

/// Whether `bytes` are one DER SEQUENCE that spans them exactly: how a DER
/// file is told from a PEM file.
pub fn is_der_sequence(bytes: &[u8]) -> bool {
    matches!(element(bytes), Some((SEQUENCE, _, [])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        match content.len() {
            len @ 0..0x80 => out.push(len as u8),
            len => out.extend([0x82, (len >> 8) as u8, len as u8]),
        }
        out.extend_from_slice(content);
        out
    }

    fn pair(kind: u8, tag: u8, value: &[u8]) -> Vec<u8> {
        let oid = der(OBJECT_IDENTIFIER, &[0x55, 4, kind]);
        der(SET, &der(SEQUENCE, &[oid, der(tag, value)].concat()))
    }

    fn certificate(subject: &[Vec<u8>], version: bool, san: bool) -> Vec<u8> {
        let algorithm = der(SEQUENCE, &der(OBJECT_IDENTIFIER, &[1, 2, 3]));
        let dates = [der(0x17, b"700101000010Z"), der(0x18, b"20380119031407Z")].concat();
        let extension = der(SEQUENCE, &der(OBJECT_IDENTIFIER, &SUBJECT_ALT_NAME));
        let tbs = [
            if version {
                der(0xa0, &der(INTEGER, &[2]))
            } else {
                vec![]
            },
            der(INTEGER, &[1]),
            algorithm.clone(),
            der(SEQUENCE, &[]),
            der(SEQUENCE, &dates),
            der(SEQUENCE, &subject.concat()),
            der(SEQUENCE, b"key"),
            if san {
                der(0xa3, &der(SEQUENCE, &extension))
            } else {
                vec![]
            },
        ]
        .concat();
        der(SEQUENCE, &[der(SEQUENCE, &tbs), algorithm].concat())
    }

    fn subject(pairs: &[Vec<u8>]) -> Option<String> {
        Certificate::parse(&certificate(pairs, true, false))
            .unwrap()
            .subject()
    }

    #[test]
    fn the_subject_has_a_fixed_order_and_the_first_of_each_type() {
        let pairs = [
            pair(3, 0x0c, b"localhost"),
            pair(10, 0x13, b"Example"),
            pair(10, 0x13, b"Other"),
            pair(6, 0x13, b"FR"),
            pair(5, 0x13, b"serial"),
        ];
        assert_eq!(
            subject(&pairs).as_deref(),
            Some("C=FR, O=Example, CN=localhost")
        );
        assert_eq!(subject(&[pair(5, 0x13, b"serial")]), None);
        assert_eq!(subject(&[]), None);
    }

    #[test]
    fn special_characters_are_escaped_and_blanks_trimmed() {
        let value = " a,b=c+d<e>f#g\\h\ni\"j;k/l\0m ".as_bytes();
        assert_eq!(
            subject(&[pair(3, 0x0c, value)]).as_deref(),
            Some("CN=a\\,b\\=c\\+d\\<e\\>f\\#g\\\\h\\\ni\"j;k/l\\00m")
        );
    }

    #[test]
    fn every_string_type_becomes_utf8() {
        for (tag, value) in [
            (0x0c, "é".as_bytes()),
            (0x14, &[0xe9]),
            (0x1c, &[0, 0, 0, 0xe9]),
            (0x1e, &[0, 0xe9]),
        ] {
            assert_eq!(
                subject(&[pair(3, tag, value)]).as_deref(),
                Some("CN=é"),
                "{tag:x}"
            );
        }
        assert_eq!(subject(&[pair(3, 0x0c, &[0xff])]), None);
        assert_eq!(subject(&[pair(3, 0x1e, &[1])]), None);
    }

    #[test]
    fn dates_bound_the_validity() {
        use std::cmp::Ordering;
        let bytes = certificate(&[], true, false);
        let certificate = Certificate::parse(&bytes).unwrap();
        for (now, order) in [
            (9, Ordering::Less),
            (10, Ordering::Equal),
            (i32::MAX as u64, Ordering::Equal),
            (i32::MAX as u64 + 1, Ordering::Greater),
            (u64::MAX, Ordering::Greater),
        ] {
            assert_eq!(certificate.validity(now), order, "{now}");
        }
    }

    #[test]
    fn leap_years_count() {
        assert_eq!(time(&der(0x18, b"20000301000000Z")).unwrap().0, 951_868_800);
        assert_eq!(time(&der(0x17, b"240229000000Z")).unwrap().0, 1_709_164_800);
        assert!(time(&der(0x17, b"241329000000Z")).is_none());
        assert!(time(&der(0x17, b"2403290000Z")).is_none());
    }

    #[test]
    fn version_1_and_alternative_names_are_recognised() {
        for (version, san) in [(false, false), (true, false), (true, true)] {
            let bytes = certificate(&[pair(3, 0x0c, b"x")], version, san);
            let certificate = Certificate::parse(&bytes).unwrap();
            assert_eq!(certificate.has_alternative_names(), san);
            assert_eq!(certificate.common_name().as_deref(), Some("x"));
            assert_eq!(certificate.public_key(), der(SEQUENCE, b"key"));
        }
    }

    #[test]
    fn only_a_ca_or_a_version_without_extensions_may_issue() {
        let constraints = |critical: &[u8], ca: &[u8]| {
            let value = der(OCTET_STRING, &der(SEQUENCE, ca));
            is_ca(&[critical, &value].concat())
        };
        let critical = der(BOOLEAN, &[0xff]);
        assert!(constraints(&critical, &der(BOOLEAN, &[0xff])));
        assert!(constraints(
            &[],
            &[der(BOOLEAN, &[0xff]), der(INTEGER, &[0])].concat()
        ));
        assert!(!constraints(&critical, &[]));
        assert!(!constraints(&[], &der(BOOLEAN, &[0])));
        assert!(!is_ca(&critical));
        for (version, may_issue) in [(false, true), (true, false)] {
            let bytes = certificate(&[], version, false);
            assert_eq!(Certificate::parse(&bytes).unwrap().may_issue(), may_issue);
        }
    }

    #[test]
    fn a_certificate_cut_anywhere_is_no_certificate() {
        let bytes = certificate(&[pair(3, 0x0c, b"x")], true, true);
        assert!(is_der_sequence(&bytes));
        for cut in 0..bytes.len() {
            assert!(Certificate::parse(&bytes[..cut]).is_none(), "{cut}");
            assert!(!is_der_sequence(&bytes[..cut]));
        }
    }
}
