//! Distinguished names as text: whole names in the form of RFC 4514, and single
//! values.

use crate::x509::name::{Attribute, Charset, Name};
use crate::x509::oid;

/// Attribute types and their names in OpenSSL, with all those of RFC 4514 section
/// 3. One string, because the dynamic loader would have to relocate each entry of a
/// table of strings at start.
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

impl Name<'_> {
    /// The name in the form of RFC 4514, the last RelativeDistinguishedName first. Types
    /// that are not known here are dotted numbers. Their values, and values that are not
    /// text, are in hex. None for an empty name.
    pub fn rfc4514(self) -> Option<String> {
        let mut relative: Vec<_> = self.relative_names().map(relative_name).collect();
        relative.reverse();
        (!relative.is_empty()).then(|| relative.join(","))
    }

    /// The first value of a type, such as `CN` or `emailAddress`, escaped by
    /// [`plain`]. None if it is not text.
    pub fn first_value(self, kind: &str) -> Option<String> {
        let mut attributes = self.attributes();
        let attribute = attributes.find(|attribute| type_name(attribute.oid) == Some(kind))?;
        attribute.text(Charset::Latin1).map(|value| plain(&value))
    }
}

/// A RelativeDistinguishedName in the form of RFC 4514, its last attribute first, as OpenSSL has
/// them.
fn relative_name(set: &[u8]) -> String {
    let mut pairs: Vec<String> = Attribute::all(set).map(pair).collect();
    pairs.reverse();
    pairs.join("+")
}

fn pair(attribute: Attribute<'_>) -> String {
    let name = type_name(attribute.oid);
    if let Some((name, value)) = name.zip(attribute.text(Charset::Latin1)) {
        return format!("{name}={}", quoted(&value));
    }
    let name_or_oid = name.map_or_else(|| oid::dotted(attribute.oid), str::to_owned);
    format!("{name_or_oid}=#{}", hex(attribute.value))
}

fn type_name(oid: &[u8]) -> Option<&'static str> {
    oid::name_in(TYPES, &oid::dotted(oid))
}

/// Escapes text outside of a distinguished name: control characters become `\XX`,
/// and a backslash is doubled.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text, |_, c| c == '\\');
    out
}

/// Escapes a value within a distinguished name (RFC 4514 section 2.4).
fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    push_escaped(&mut out, value, |at, c| {
        matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
            || c == ' ' && (at == 0 || at == last)
            || c == '#' && at == 0
    });
    out
}

/// Appends `text`. The bytes of control characters, those of ASCII and U+0080 to U+009F, become
/// `\XX`, so that they cannot end a line, control a terminal or end a variable. Puts a backslash
/// before characters that are `special`, given their byte index.
pub(crate) fn push_escaped(out: &mut String, text: &str, special: impl Fn(usize, char) -> bool) {
    for (at, c) in text.char_indices() {
        if c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("\\{byte:02X}"));
            }
            continue;
        }
        if special(at, c) {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Upper-case hex, two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::{OBJECT_IDENTIFIER, SEQUENCE, SET, encode};

    #[test]
    fn attributes_of_a_relative_name_are_in_the_reverse_order_of_the_certificate() {
        let attribute = |oid: &[u8], tag: u8, value: &[u8]| {
            let value = encode(tag, value);
            encode(SEQUENCE, &[encode(OBJECT_IDENTIFIER, oid), value].concat())
        };
        let common_name = attribute(&[0x55, 4, 3], 0x0c, b"ten bytes.");
        let email = attribute(b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 0x16, b"ab");
        let text = |attributes: [&[u8]; 2]| {
            let name = encode(SET, &attributes.concat());
            Name(&name).rfc4514().unwrap()
        };
        // In DER the shorter one is the first, but not every certificate keeps to that.
        let in_der = text([&email, &common_name]);
        assert_eq!(in_der, "CN=ten bytes.+emailAddress=ab");
        let other = text([&common_name, &email]);
        assert_eq!(other, "emailAddress=ab+CN=ten bytes.");
    }
}
