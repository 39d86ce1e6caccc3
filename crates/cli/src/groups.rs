//! Key exchange groups by name: what `--groups` takes.

use std::ffi::OsStr;

/// A key exchange group that the engines support.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// ML-KEM-768 and X25519 together (draft-ietf-tls-ecdhe-mlkem).
    X25519MlKem768,
    /// X25519 (RFC 7748).
    X25519,
    /// NIST's P-256.
    Secp256r1,
    /// NIST's P-384.
    Secp384r1,
}

impl Group {
    /// All groups, in the order in which a client offers them.
    pub const ALL: [Self; 4] = [
        Self::X25519MlKem768,
        Self::X25519,
        Self::Secp256r1,
        Self::Secp384r1,
    ];

    /// Its name in IANA's registry of TLS Supported Groups.
    pub fn name(self) -> &'static str {
        match self {
            Self::X25519MlKem768 => "X25519MLKEM768",
            Self::X25519 => "X25519",
            Self::Secp256r1 => "secp256r1",
            Self::Secp384r1 => "secp384r1",
        }
    }

    /// Reads one or more names of groups in any case, separated by `,` or `:`, each given once.
    /// The error says what is wrong.
    pub fn list(text: &OsStr) -> Result<Vec<Self>, String> {
        let text = text.to_string_lossy();
        let mut groups = Vec::new();
        for name in text.split([',', ':']) {
            let mut all = Self::ALL.into_iter();
            match all.find(|group| group.name().eq_ignore_ascii_case(name)) {
                Some(group) if groups.contains(&group) => {
                    return Err(wrong(format!("repeated group: {name}")));
                }
                Some(group) => groups.push(group),
                None => return Err(wrong(format!("unknown group: {name}"))),
            }
        }
        Ok(groups)
    }
}

fn wrong(why: String) -> String {
    let names = Group::ALL.map(Group::name).join(", ");
    format!("must be a list of {names}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_in_its_order_and_in_any_case() {
        use Group as G;
        for (text, groups) in [
            ("X25519", &[G::X25519][..]),
            ("x25519mlkem768,X25519", &[G::X25519MlKem768, G::X25519]),
            ("SECP384R1:secp256r1", &[G::Secp384r1, G::Secp256r1]),
            (
                "secp256r1,X25519:secp384r1,X25519MLKEM768",
                &[G::Secp256r1, G::X25519, G::Secp384r1, G::X25519MlKem768],
            ),
        ] {
            assert_eq!(Group::list(text.as_ref()).as_deref(), Ok(groups), "{text}");
        }
    }

    #[test]
    fn a_bad_list_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "unknown group: "),
            ("X25519,", "unknown group: "),
            ("P-256", "unknown group: P-256"),
            ("X25519, secp256r1", "unknown group:  secp256r1"),
            ("X25519;secp256r1", "unknown group: X25519;secp256r1"),
            ("X25519:x25519", "repeated group: x25519"),
        ] {
            let names = "X25519MLKEM768, X25519, secp256r1, secp384r1";
            let expected = format!("must be a list of {names}: {why}");
            assert_eq!(Group::list(text.as_ref()), Err(expected), "{text}");
        }
    }
}
