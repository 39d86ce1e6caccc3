//! What a report says of a certificate.

use cli::message::MAX_LINE;
use pki::x509::time::Date;
use pki::x509::{Certificate, kind};
use rustls::Error;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use tunnel::explain;
use tunnel::explain::refusal::RSA_BITS;

use super::settings::{or_none, word};
use crate::crypto;
use crate::host_name;
use crate::verify::crl;

/// Whether one of these names of a certificate covers `name`, which may be `*.PARENT`.
pub fn covers(identities: &[Vec<u8>], name: &str) -> bool {
    let wanted = match name.strip_prefix("*.") {
        Some(parent) => format!("any.{parent}"),
        None => name.to_owned(),
    };
    let mut patterns = identities
        .iter()
        .filter_map(|name| std::str::from_utf8(name).ok());
    patterns.any(|pattern| host_name::covers(pattern, &wanted))
}

/// The names as words, as many as one line has room for. `...` is the last word if there
/// are more.
pub fn names(identities: &[Vec<u8>]) -> String {
    const ROOM: usize = MAX_LINE - "names: ".len() - " ...\n".len();
    let mut line = String::new();
    for name in identities.iter().filter(|name| !name.is_empty()) {
        let name = word(name, "none");
        if line.len() + 1 + name.len() > ROOM {
            return line + " ...";
        }
        let blank = if line.is_empty() { "" } else { " " };
        line += blank;
        line += &name;
    }
    or_none(&line).to_owned()
}

/// The date, unless the calendar has none like it.
pub fn date(date: Date) -> String {
    if date.exists() {
        date.to_string()
    } else {
        "malformed".to_owned()
    }
}

/// Whether another key than that of `issuer` has signed the certificate in `der`. False if that
/// is unknown.
pub fn is_by_another_key(der: &[u8], issuer: &Certificate<'_>) -> bool {
    let key = SubjectPublicKeyInfoDer::from(issuer.public_key_info());
    let can_verify = issuer.public_key().is_some_and(|key| {
        let size = key.rsa_bits().is_none_or(|bits| RSA_BITS.contains(&bits));
        size && crypto::can_verify(key.algorithm) && crl::unknown_algorithm(der).is_none()
    });
    can_verify && !crl::is_signed_by(der, &key, &crypto::signature_algorithms())
}

/// Why a peer would refuse the chain.
pub fn why(error: &Error) -> String {
    let text = explain::text(error);
    let why = text.strip_prefix("certificate of remote refused: ");
    why.unwrap_or(&text).to_owned()
}

/// The type of its key, and the size of an RSA key.
pub fn key_type(certificate: &Certificate<'_>) -> String {
    let Some(key) = certificate.public_key() else {
        return "unknown".to_owned();
    };
    let name = kind::name(key.algorithm);
    match key.rsa_bits() {
        Some(bits) => format!("{name} {bits}"),
        None => name,
    }
}

/// The name of its issuer, or `none`.
pub fn issuer(certificate: &Certificate<'_>) -> String {
    let name = certificate.issuer().line();
    name.map_or("none".to_owned(), |name| word(name.as_bytes(), "none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_covered_by_a_wildcard_only() {
        let identities = [b"a.b.org".to_vec(), b"*.c.org".to_vec(), vec![0xff]];
        for (name, covered) in [
            ("a.b.org", true),
            ("A.b.org.", true),
            ("x.c.org", true),
            ("*.c.org", true),
            ("*.b.org", false),
            ("b.org", false),
            ("localhost", false),
        ] {
            assert_eq!(covers(&identities, name), covered, "{name}");
        }
    }

    #[test]
    fn names_that_do_not_fit_are_told_by_a_word_of_their_own() {
        let name = [b'x'; 200];
        let line = names(&vec![name.to_vec(); 30]);
        let words: Vec<&str> = line.split(' ').collect();
        let (last, whole) = words.split_last().unwrap();
        assert_eq!(*last, "...");
        assert!(whole.iter().all(|word| word.as_bytes() == name));
        assert_eq!(whole.len(), 20);
    }

    #[test]
    fn names_that_just_fit_into_a_line_are_all_told() {
        let room = MAX_LINE - "names:  ...\n".len();
        let mut identities = vec![vec![b'x'; 99]; 40];
        let rest = room - 100 * identities.len();
        identities.push(vec![b'y'; rest]);
        assert!(names(&identities).ends_with(&format!("x {}", "y".repeat(rest))));
        identities[0].push(b'x');
        assert!(names(&identities).ends_with("x ..."));
    }

    #[test]
    fn a_name_cannot_be_taken_for_the_absence_of_names() {
        assert_eq!(names(&[]), "none");
        assert_eq!(names(&[b"none".to_vec()]), r"\x6eone");
        assert_eq!(
            names(&[b"a".to_vec(), vec![], b"none".to_vec()]),
            r"a \x6eone"
        );
    }
}
