//! The names of X.501 as text: distinguished names in the form of RFC 4514,
//! and single values of their attributes.

use x509_cert::der::asn1::Any;
use x509_cert::der::{Encode, Tag, Tagged};
use x509_cert::name::Name;

/// Attribute types by name, as OpenSSL calls them; of the names in the table
/// of RFC 4514 section 3 all are here. One string, for a table of strings
/// would be relocated at each start of an engine.
const TYPES: &str = "\
2.5.4.3 CN
2.5.4.4 SN
2.5.4.5 serialNumber
2.5.4.6 C
2.5.4.7 L
2.5.4.8 ST
2.5.4.9 street
2.5.4.10 O
2.5.4.11 OU
2.5.4.12 title
2.5.4.13 description
2.5.4.15 businessCategory
2.5.4.17 postalCode
2.5.4.41 name
2.5.4.42 GN
2.5.4.43 initials
2.5.4.44 generationQualifier
2.5.4.45 x500UniqueIdentifier
2.5.4.46 dnQualifier
2.5.4.65 pseudonym
2.5.4.97 organizationIdentifier
0.9.2342.19200300.100.1.1 UID
0.9.2342.19200300.100.1.25 DC
1.2.840.113549.1.9.1 emailAddress
1.2.840.113549.1.9.2 unstructuredName
1.3.6.1.4.1.311.60.2.1.1 jurisdictionL
1.3.6.1.4.1.311.60.2.1.2 jurisdictionST
1.3.6.1.4.1.311.60.2.1.3 jurisdictionC
";

/// A name as RFC 4514 has it: the last relative name first. Types without a
/// name, and values that are no text, are dotted numbers and hex. None for
/// the empty name.
pub fn distinguished_name(name: &Name) -> Option<String> {
    let mut relative: Vec<_> = name.iter_rdn().collect();
    relative.reverse();
    let text = |rdn: &x509_cert::name::RelativeDistinguishedName| {
        let mut pairs: Vec<_> = rdn.iter().collect();
        pairs.reverse();
        let pairs = pairs.into_iter().map(|pair| {
            let oid = pair.oid.to_string();
            match (type_name(&oid), text(&pair.value)) {
                (Some(name), Some(value)) => format!("{name}={}", quoted(&value)),
                (name, _) => {
                    let encoding = pair.value.to_der().unwrap_or_default();
                    format!("{}=#{}", name.unwrap_or(&oid), hex(&encoding))
                }
            }
        });
        pairs.collect::<Vec<_>>().join("+")
    };
    let relative = relative.into_iter().map(text).collect::<Vec<_>>();
    (!relative.is_empty()).then(|| relative.join(","))
}

/// The first value of the attribute `kind`, in the order of the certificate.
pub fn first_value(name: &Name, kind: &str) -> Option<String> {
    let mut pairs = name.iter();
    let pair = pairs.find(|pair| type_name(&pair.oid.to_string()) == Some(kind))?;
    text(&pair.value).map(|value| plain(&value))
}

/// Text outside of a distinguished name, with its control characters as
/// `\XX`. So a backslash is doubled.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\\' {
            out.push(c);
        }
        push(&mut out, c);
    }
    out
}

/// Bytes of a string type that knows no more than ASCII. Others are read as
/// Latin-1, as everybody does.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn type_name(oid: &str) -> Option<&'static str> {
    let mut types = TYPES.lines().filter_map(|line| line.split_once(' '));
    types.find_map(|(number, name)| (number == oid).then_some(name))
}

/// A value as text, if it is of a type that is text.
fn text(value: &Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::BmpString => {
            let units = bytes.chunks(2);
            let units = units.map(|unit| Some(u16::from_be_bytes(unit.try_into().ok()?)));
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        Tag::Ia5String
        | Tag::NumericString
        | Tag::PrintableString
        | Tag::TeletexString
        | Tag::VisibleString => Some(latin1(bytes)),
        _ => None,
    }
}

/// A value within a distinguished name, RFC 4514 section 2.4.
fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (i, c) in value.chars().enumerate() {
        let special = matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
            || c == ' ' && (i == 0 || i == last)
            || c == '#' && i == 0;
        if special {
            out.push('\\');
        }
        push(&mut out, c);
    }
    out
}

fn push(out: &mut String, c: char) {
    match c {
        '\0'..='\x1f' | '\x7f' => out.push_str(&format!("\\{:02X}", u32::from(c))),
        _ => out.push(c),
    }
}

/// Upper-case hex, two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
