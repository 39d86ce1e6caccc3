//! Distinguished names in the form of RFC 4514, and single values of their
//! attributes.

use crate::x509::name::{Attribute, Charset, Name};
use crate::x509::oid;

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

impl Name<'_> {
    /// The name as RFC 4514 has it: the last relative name first. Types without
    /// a name, and values that are no text, are dotted numbers and hex. None for
    /// the empty name.
    pub fn rfc4514(self) -> Option<String> {
        let mut relative: Vec<_> = self.relative_names().map(relative_name).collect();
        relative.reverse();
        (!relative.is_empty()).then(|| relative.join(","))
    }

    /// The first value of the attribute `kind`, which is one of the names that
    /// [`rfc4514`](Self::rfc4514) has for types. It is as [`plain`] has it.
    pub fn first_value(self, kind: &str) -> Option<String> {
        let mut attributes = self.relative_names().flat_map(sorted);
        let attribute = attributes.find(|attribute| type_name(attribute.oid) == Some(kind))?;
        attribute.text(Charset::Latin1).map(|value| plain(&value))
    }
}

/// The content of a SET, its last attribute first.
fn relative_name(set: &[u8]) -> String {
    let pairs = sorted(set).into_iter().rev().map(|attribute| {
        let name = type_name(attribute.oid);
        if let Some((name, value)) = name.zip(attribute.text(Charset::Latin1)) {
            return format!("{name}={}", quoted(&value));
        }
        let name = name.map_or_else(|| oid::dotted(attribute.oid), str::to_owned);
        format!("{name}=#{}", hex(attribute.value))
    });
    pairs.collect::<Vec<_>>().join("+")
}

/// The attributes of a relative name, in the order that DER has for a SET OF.
fn sorted(set: &[u8]) -> Vec<Attribute<'_>> {
    let mut attributes: Vec<_> = Attribute::all(set).collect();
    attributes.sort_by_key(|attribute| {
        let [oid, value] = [attribute.oid, attribute.value];
        (oid.len() + value.len(), oid.len(), oid, value)
    });
    attributes
}

fn type_name(oid: &[u8]) -> Option<&'static str> {
    oid::name_in(TYPES, &oid::dotted(oid))
}

/// Text outside of a distinguished name, with its control characters as
/// `\XX`. So a backslash is doubled.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text, |_, c| c == '\\');
    out
}

/// A value within a distinguished name (RFC 4514 section 2.4).
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

/// Appends `text` with a backslash before each character that is `special`,
/// given with its index. Control characters become `\XX`: a certificate may hold
/// what ends a line or drives a terminal, and no variable can hold a NUL.
pub(crate) fn push_escaped(out: &mut String, text: &str, special: impl Fn(usize, char) -> bool) {
    for (at, c) in text.char_indices() {
        if c.is_ascii_control() {
            out.push_str(&format!("\\{:02X}", u32::from(c)));
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
