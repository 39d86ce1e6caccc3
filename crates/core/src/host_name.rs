//! Host names: how they are compared, and which wildcard covers them.

/// The longest host name (RFC 1035 section 2.3.4, without the final dot).
const MAX_NAME: usize = 253;

/// The form in which names are compared: in lower case, without the final dot
/// that some clients send (RFC 6066 section 3 forbids it).
pub fn normalize(name: &[u8]) -> Vec<u8> {
    name.strip_suffix(b".").unwrap_or(name).to_ascii_lowercase()
}

/// `name`, [normalized](normalize), if it consists of letters, digits, `-`, `_`
/// and dots, and no label is empty.
pub fn checked(name: &str) -> Option<String> {
    let name = String::from_utf8(normalize(name.as_bytes())).ok()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let good = name.len() <= MAX_NAME
        && name.bytes().all(allowed)
        && name.split('.').all(|label| !label.is_empty());
    good.then_some(name)
}

/// The part of `name` after the first label, if a wildcard may replace that label: two
/// labels must remain, so that no wildcard covers a top-level domain.
pub fn wildcard_parent(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().position(|byte| *byte == b'.')?;
    let parent = &name[dot + 1..];
    let labels = (parent.split(|byte| *byte == b'.')).filter(|label| !label.is_empty());
    (labels.count() >= 2).then_some(parent)
}

/// The wildcard that covers `name`: `*.b.org` for `a.b.org`.
pub fn wildcard(name: &[u8]) -> Option<Vec<u8>> {
    wildcard_parent(name).map(|parent| [b"*.", parent].concat())
}

/// Whether `pattern`, of a certificate, is `name` or the wildcard that covers it.
pub fn covers(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), normalize(name.as_bytes()));
    pattern.as_bytes() == name || wildcard(&name).is_some_and(|name| pattern.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_replaces_the_first_label_and_leaves_two() {
        for (name, expected) in [
            ("a.b.org", Some("*.b.org")),
            ("x.a.b.org", Some("*.a.b.org")),
            ("b.org", None),
            ("org", None),
            ("b.org.", None),
        ] {
            let expected = expected.map(|name| name.as_bytes().to_vec());
            assert_eq!(wildcard(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn names_are_compared_without_case_and_final_dot() {
        for name in ["a.b.org", "A.b.ORG", "a.b.org."] {
            assert_eq!(normalize(name.as_bytes()), b"a.b.org", "{name}");
        }
        assert_eq!(normalize(b"a.."), b"a.");
    }

    #[test]
    fn a_pattern_covers_its_name_or_one_label() {
        for (pattern, name, covered) in [
            ("a.b.org", "A.B.org", true),
            ("a.b.org", "a.b.org.", true),
            ("*.b.org", "a.b.org", true),
            ("*.b.org", "x.a.b.org", false),
            ("*.b.org", "b.org", false),
            ("*.org", "b.org", false),
            ("*", "org", false),
            ("b.org", "a.b.org", false),
        ] {
            assert_eq!(covers(pattern, name), covered, "{pattern} {name}");
        }
    }

    #[test]
    fn only_host_names_pass_the_check() {
        let long = "a".repeat(MAX_NAME + 1);
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a..b",
            ".a",
            "a b",
            "a\0",
            "\u{e4}.org",
            "*",
            "*.b.org",
            "a.b.org..",
            &long,
        ] {
            assert_eq!(checked(name), None, "{name:?}");
        }
        for name in ["_dmarc.b.org", "xn--a.b.org", "192.0.2.1", &long[1..]] {
            assert_eq!(checked(name).as_deref(), Some(name));
        }
        assert_eq!(checked("A.b.Org.").as_deref(), Some("a.b.org"));
    }
}
