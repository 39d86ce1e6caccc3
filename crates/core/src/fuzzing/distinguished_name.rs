//! Distinguished names as text (RFC 4514), read back.

use pki::x509::name::{Attribute, Charset, Name};

/// Checks that `text` can be read back as `name`: no value of an attribute can pass for another
/// attribute.
pub fn check(name: Name<'_>, text: &str) {
    if text.is_empty() {
        assert_eq!(name.attributes().count(), 0);
        return;
    }
    let mut relative: Vec<&[u8]> = name.relative_names().collect();
    relative.reverse();
    let shown = parts(text, b',');
    assert_eq!(shown.len(), relative.len(), "{text}");
    for (set, shown) in relative.into_iter().zip(shown) {
        let shown = parts(shown, b'+');
        let attributes: Vec<Attribute<'_>> = Attribute::all(set).collect();
        assert_eq!(shown.len(), attributes.len(), "{text}");
        for (attribute, shown) in attributes.into_iter().rev().zip(shown) {
            let string = attribute.text(Charset::Latin1);
            let string = string.map(|string| Value::Text(string.into_bytes()));
            let hex = Value::Hex(attribute.value.to_vec());
            let read = value(shown);
            assert!(read == hex || Some(read) == string, "{text}");
        }
    }
}

/// A value that was read.
#[derive(Debug, Eq, PartialEq)]
enum Value {
    Text(Vec<u8>),
    /// The DER of a value.
    Hex(Vec<u8>),
}

/// The parts of `text` between separators that have no backslash before them; none if it is empty.
fn parts(text: &str, separator: u8) -> Vec<&str> {
    let mut parts = Vec::new();
    if text.is_empty() {
        return parts;
    }
    let (mut start, mut escaped) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        if byte == separator && !escaped {
            parts.push(&text[start..at]);
            start = at + 1;
        }
        escaped = byte == b'\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

/// The value of `name=value`.
fn value(pair: &str) -> Value {
    let (name, value) = pair.split_once('=').unwrap();
    assert!(
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'),
        "{pair}"
    );
    if let Some(digits) = value.strip_prefix('#') {
        return Value::Hex(digits.as_bytes().chunks(2).map(octet).collect());
    }
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let [escaped, tail @ ..] = after else {
            bytes.push(*first);
            continue;
        };
        match (first, escaped) {
            (b'\\', b'0'..=b'9' | b'A'..=b'F') => {
                bytes.push(octet(&after[..2]));
                rest = &after[2..];
            }
            (b'\\', _) => {
                bytes.push(*escaped);
                rest = tail;
            }
            _ => bytes.push(*first),
        }
    }
    Value::Text(bytes)
}

/// The value of two hexadecimal digits.
fn octet(digits: &[u8]) -> u8 {
    u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use pki::x509::Certificate;

    use super::*;

    /// The subject as openssl shows it. None if it does not read the certificate.
    fn by_openssl(der: &[u8]) -> Option<String> {
        let mut openssl = Command::new("openssl");
        openssl.args(["x509", "-inform", "der", "-noout", "-subject"]);
        let mut child = openssl
            .args(["-nameopt", "RFC2253,utf8,-esc_msb"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(der).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let text = text.trim_end_matches('\n').strip_prefix("subject=")?;
        output.status.success().then(|| text.to_owned())
    }

    #[test]
    fn openssl_reads_the_certificates_of_which_we_show_fields_and_names_them_alike() {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: no openssl");
            return;
        }
        let mut read = 0;
        for (name, seed) in inputs::seeds("peer_info") {
            for der in crate::fuzzing::certificates(&seed) {
                let Some(fields) = Certificate::parse_strict(&der) else {
                    continue;
                };
                let names = [fields.subject(), fields.issuer()];
                let mut attributes = names.into_iter().flat_map(Name::attributes);
                // Values that are not text are shown in hex.
                if attributes.all(|attribute| attribute.text(Charset::Latin1).is_some()) {
                    let own = fields.subject().rfc4514().unwrap_or_default();
                    let theirs = by_openssl(&der);
                    // openssl escapes no control characters of Latin-1.
                    if !theirs
                        .as_ref()
                        .is_some_and(|text| text.contains(char::is_control))
                    {
                        assert_eq!(theirs, Some(own), "{name}");
                        read += 1;
                    }
                }
            }
        }
        assert!(read > 10, "{read}");
    }
}
