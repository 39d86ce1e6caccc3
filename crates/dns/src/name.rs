//! Domain names.

use std::fmt;
use std::net::IpAddr;

use unix::quoted::quoted;

/// The maximum length of a label and of a name on the wire (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 255;

/// A domain name of valid length.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name {
    labels: Vec<Vec<u8>>,
}

impl Name {
    /// Parses a name with or without a final dot. None if the name or a label is empty
    /// or too long.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b".").unwrap_or(text);
        Self::new(text.split(|&byte| byte == b'.').map(<[u8]>::to_vec))
    }

    /// The name with these labels, in lower case. None if it or a label is too long.
    pub(crate) fn of_labels<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        Self::new(labels.map(<[u8]>::to_ascii_lowercase))
    }

    /// The name of the PTR record of `ip` (RFC 1035, 3.5; RFC 3596, 2.5).
    pub fn reverse(ip: IpAddr) -> Self {
        let mut labels: Vec<Vec<u8>> = Vec::new();
        match ip {
            IpAddr::V4(ip) => {
                let octets = ip.octets().into_iter().rev();
                labels.extend(octets.map(|octet| octet.to_string().into_bytes()));
                labels.push(b"in-addr".to_vec());
            }
            IpAddr::V6(ip) => {
                let octets = ip.octets().into_iter().rev();
                let nibbles = octets.flat_map(|octet| [octet & 15, octet >> 4]);
                let digit = |nibble| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                labels.extend(nibbles.map(|nibble| vec![digit(nibble) as u8]));
                labels.push(b"ip6".to_vec());
            }
        }
        labels.push(b"arpa".to_vec());
        Self { labels }
    }

    /// This name, followed by `suffix`. None if the result is too long.
    pub fn under(&self, suffix: &Self) -> Option<Self> {
        Self::new(self.labels.iter().chain(&suffix.labels).cloned())
    }

    /// This name in lower case.
    pub fn to_lowercase(&self) -> Self {
        let labels = self.labels.iter();
        Self {
            labels: labels.map(|label| label.to_ascii_lowercase()).collect(),
        }
    }

    /// The number of dots between labels.
    pub fn dots(&self) -> usize {
        self.labels.len().saturating_sub(1)
    }

    /// Whether this is `localhost` or a name under it: the local host, about which no
    /// server may be queried (RFC 6761, 6.3).
    pub fn is_localhost(&self) -> bool {
        let last = self.labels.last();
        last.is_some_and(|label| label.eq_ignore_ascii_case(b"localhost"))
    }

    /// This name in lower case and without a final dot, if it can be the name of a TLS server: a
    /// [`host_name`] whose labels neither begin nor end with `-`, and the last of which is no
    /// number (RFC 1123 section 2.1).
    pub fn server_name(&self) -> Option<String> {
        let hyphen = |label: &Vec<u8>| label.starts_with(b"-") || label.ends_with(b"-");
        let number = self.labels.last()?.iter().all(u8::is_ascii_digit);
        if number || self.labels.iter().any(hyphen) {
            return None;
        }
        let mut name = host_name(self.labels.iter().map(Vec::as_slice))?;
        name.pop();
        Some(name)
    }

    /// The labels, without the root.
    pub(crate) fn labels(&self) -> &[Vec<u8>] {
        &self.labels
    }

    fn new(labels: impl Iterator<Item = Vec<u8>>) -> Option<Self> {
        let labels: Vec<Vec<u8>> = labels.collect();
        let length: usize = 1 + labels.iter().map(|label| label.len() + 1).sum::<usize>();
        let fits = |label: &Vec<u8>| (1..=MAX_LABEL).contains(&label.len());
        (length <= MAX_NAME && labels.iter().all(fits)).then_some(Self { labels })
    }
}

/// The name without a final dot. What is not printable ASCII, and a dot in a label, is escaped.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, label) in self.labels.iter().enumerate() {
            let dot = if i == 0 { "" } else { "." };
            write!(f, "{dot}{}", quoted(label).replace('.', "\\x2e"))?;
        }
        Ok(())
    }
}

/// The host name of `labels`, in lower case and with a final dot.
///
/// None without labels, and if a label is empty or has other bytes than ASCII letters,
/// digits, `-` and `_`. The owner of an address chooses the name in its reverse zone: so
/// it is safe as a file name, in a variable and on a line of a log.
pub fn host_name<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut name = String::new();
    for label in labels {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        if label.is_empty() || !label.iter().all(plain) {
            return None;
        }
        name.extend(
            label
                .iter()
                .map(|byte| char::from(byte.to_ascii_lowercase())),
        );
        name.push('.');
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &Name) -> String {
        name.labels.iter().fold(String::new(), |text, label| {
            text + &String::from_utf8_lossy(label) + "."
        })
    }

    #[test]
    fn name_may_have_a_final_dot_but_no_empty_label() {
        assert_eq!(Name::parse(b"a.B"), Name::parse(b"a.B."));
        assert_eq!(text(&Name::parse(b"a.B").unwrap()), "a.B.");
        for bad in [&b""[..], b".", b"a..b", b".a", b"a.."] {
            assert_eq!(Name::parse(bad), None);
        }
    }

    #[test]
    fn localhost_and_names_under_it_are_the_local_host() {
        let local = |name: &str| Name::parse(name.as_bytes()).unwrap().is_localhost();
        for name in ["localhost", "LocalHost.", "a.localhost", "a.b.localhost."] {
            assert!(local(name), "{name}");
        }
        for name in ["localhost.test", "notlocalhost", "local"] {
            assert!(!local(name), "{name}");
        }
    }

    #[test]
    fn name_or_label_that_is_too_long_is_refused() {
        assert!(Name::parse(&[b'a'; 63]).is_some());
        assert!(Name::parse(&[b'a'; 64]).is_none());
        let long = [&[b'a'; 63][..]; 3].join(&b'.');
        let fits = Name::parse(&long).unwrap();
        assert!(fits.under(&Name::parse(&[b'b'; 61]).unwrap()).is_some());
        assert!(fits.under(&Name::parse(&[b'b'; 62]).unwrap()).is_none());
    }

    #[test]
    fn reverse_name_starts_with_the_end_of_the_address() {
        let name = Name::reverse("192.0.2.17".parse().unwrap());
        assert_eq!(text(&name), "17.2.0.192.in-addr.arpa.");
        let name = Name::reverse("2001:db8::4f".parse().unwrap());
        let zeros = "0.".repeat(22);
        assert_eq!(text(&name), format!("f.4.{zeros}8.b.d.0.1.0.0.2.ip6.arpa."));
    }

    #[test]
    fn server_name_has_no_label_with_a_hyphen_at_an_end_and_is_no_address() {
        let server = |name: &str| Name::parse(name.as_bytes()).unwrap().server_name();
        for name in ["A.Test", "a-b.1.test.", "_1._tcp.t-1", "1-1", "x.1_"] {
            let plain = name.trim_end_matches('.').to_ascii_lowercase();
            assert_eq!(server(name), Some(plain));
        }
        for name in [
            "a-.test",
            "-a.test",
            "a.test-",
            "a.123",
            "127.0.0.1",
            "a b.test",
        ] {
            assert_eq!(server(name), None, "{name}");
        }
        assert_eq!(Name::of_labels([].into_iter()).unwrap().server_name(), None);
    }

    #[test]
    fn name_is_shown_escaped_and_not_as_that_of_another() {
        let labels = [&b"A.b"[..], b"c d\n", b"\xff\\", b"test"];
        let name = Name::of_labels(labels.into_iter()).unwrap();
        assert_eq!(name.to_string(), "a\\x2eb.c\\x20d\\x0a.\\xff\\x5c.test");
    }

    #[test]
    fn host_name_has_only_letters_digits_hyphens_and_underscores() {
        let host = |labels: &[&str]| host_name(labels.iter().map(|label| label.as_bytes()));
        assert_eq!(host(&["Good", "TEST"]).as_deref(), Some("good.test."));
        assert_eq!(host(&["a_1-", "b"]).as_deref(), Some("a_1-.b."));
        for bad in [
            &[][..],
            &["a", ""],
            &["../ip4/127.0.0.9_32"],
            &["a.b"],
            &["a\0"],
            &["a\n", "b"],
            &["é"],
        ] {
            assert_eq!(host(bad), None, "{bad:?}");
        }
    }
}
