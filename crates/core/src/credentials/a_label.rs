//! The Unicode form of internationalized host names.
//!
//! A client asks for A-labels (RFC 5890 section 2.3.2.1: `xn--` and Punycode), so
//! a file with the name in Unicode is never used. It is looked for only to warn
//! its owner.

/// The prefix of an A-label, which Punycode follows (RFC 5890 section 2.3.1).
const PREFIX: &str = "xn--";

/// `name` in Unicode, if one of its labels is an A-label. It must be a host name in
/// lower case.
pub fn unicode(name: &str) -> Option<String> {
    if !name.split('.').any(|label| label.starts_with(PREFIX)) {
        return None;
    }
    let labels = (name.split('.')).map(|label| match label.strip_prefix(PREFIX) {
        Some(encoded) => decode(encoded),
        None => Some(label.to_owned()),
    });
    Some(labels.collect::<Option<Vec<_>>>()?.join("."))
}

/// Decodes Punycode (RFC 3492 section 6.2); None if it is invalid or ASCII alone.
/// Only characters beyond ASCII are added, and so no dot and no slash.
fn decode(encoded: &str) -> Option<String> {
    let (basic, deltas) = encoded.rsplit_once('-').unwrap_or(("", encoded));
    let mut text: Vec<char> = basic.chars().collect();
    let (mut code, mut at, mut bias) = (128u32, 0u32, 72u32);
    let mut digits = deltas.bytes();
    while digits.len() > 0 {
        let before = at;
        let mut weight = 1u32;
        for k in (BASE..).step_by(BASE as usize) {
            let digit = digit(digits.next()?)?;
            at = at.checked_add(digit.checked_mul(weight)?)?;
            let threshold = k.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
        }
        let places = u32::try_from(text.len()).ok()? + 1;
        bias = adapted(at - before, places, before == 0);
        code = code.checked_add(at / places)?;
        at %= places;
        text.insert(at as usize, char::from_u32(code)?);
        at += 1;
    }
    let text: String = text.into_iter().collect();
    (!text.is_ascii()).then_some(text)
}

const BASE: u32 = 36;

fn digit(byte: u8) -> Option<u32> {
    match byte {
        b'a'..=b'z' => Some(u32::from(byte - b'a')),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 26),
        _ => None,
    }
}

/// The next bias (RFC 3492 section 6.1).
fn adapted(delta: u32, places: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / places;
    let mut k = 0;
    while delta > (BASE - 1) * 26 / 2 {
        delta /= BASE - 1;
        k += BASE;
    }
    k + BASE * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_labels_is_decoded() {
        for (name, expected) in [
            ("xn--bcher-kva.example", "bücher.example"),
            ("www.xn--bcher-kva.xn--p1ai", "www.bücher.рф"),
            ("xn--fsqu00a.xn--0zwm56d", "例子.测试"),
            // The samples (I) and (L) of RFC 3492 section 7.1, in lower case.
            (
                "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l",
                "почемужеонинеговорятпорусски",
            ),
            ("xn--3b-ww4c5e180e575a65lsy2b", "3年b組金八先生"),
            // The bias is at, and beyond, the limit of RFC 3492 section 6.1.
            ("xn--l-0ia4ga482alwaqb", "ęķķαlгк"),
            ("xn--b-eub7787cl5ujo7e", "bф中국本"),
        ] {
            assert_eq!(unicode(name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_name_without_valid_a_labels_has_no_unicode_form() {
        for name in [
            "example.org",
            "axn--bcher-kva.org",
            "xn--bcher-kv.example",
            "xn--",
            "xn--.example",
            "xn--a-",
            "xn--99999999.example",
            "xn--b_.example",
            "xn--ls8h\u{e4}.example",
        ] {
            assert_eq!(unicode(name), None, "{name}");
        }
    }
}
