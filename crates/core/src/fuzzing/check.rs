//! What `--check` prints of a pair.

use std::cell::RefCell;

use cli::message::{MAX_LINE, has_control};
use cli::{Context, EngineOptions};
use pki::read;
use rustls::sign::CertifiedKey;
use unix::Env;

use super::CERTIFICATE;
use crate::check::Report;
use crate::check::pair::{Pair, Peers};
use crate::testing;
use crate::verify::trust_anchors::Anchors;

/// A byte of options, the length of an OCSP response, the response, the length of the name that
/// chooses the pair, the name, and a file of certificates: each line that is printed is one line
/// that is short enough, with one of the keys that the manual names.
pub fn check(input: &[u8]) -> bool {
    let Some(Shown {
        options,
        ocsp,
        name,
        file,
    }) = Shown::parse(input)
    else {
        return false;
    };
    let Ok(cert) = read::certificates(file) else {
        return false;
    };
    let pair = CertifiedKey {
        cert,
        ocsp: (!ocsp.is_empty()).then(|| ocsp.to_vec()),
        ..testing::pair()
    };
    let name = (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned());
    let pair = Pair::new(
        name,
        ["key\n\u{202e}", "certificate"].map(Into::into),
        &pair,
    );
    let anchors = if options & 2 == 0 { CERTIFICATE } else { file };
    let anchors = Anchors::parse(anchors).filter(|_| options & 1 != 0);
    let peers = Peers {
        anchors: anchors.as_ref(),
        are_clients: options & 4 != 0,
    };
    let context = Context::new(&cli::tables::TLSD_IO, Vec::new(), Env::default());
    let lines = RefCell::default();
    let mut report = Report::into_lines(&context, &EngineOptions::default(), &lines);
    assert!(pair.print(&mut report, &peers).is_ok());
    assert!(report.finish().is_ok_and(|code| code == 0));
    let lines = lines.into_inner();
    for line in &lines {
        let whole = line.strip_suffix('\n').unwrap();
        assert!(
            line.len() <= MAX_LINE && !has_control(whole.as_bytes()),
            "{line:?}"
        );
        let (key, value) = whole.split_once(": ").unwrap();
        assert!(KEYS.contains(&key) && !value.is_empty(), "{line:?}");
    }
    lines.iter().any(|line| line.starts_with("key-type: "))
}

/// Keys of lines about a pair (doc/s6-tlsd-io.md).
const KEYS: [&str; 17] = [
    "pair",
    "key-file",
    "certificate-file",
    "names",
    "key-type",
    "issuer",
    "not-before",
    "not-after",
    "days-left",
    "certificates",
    "chain-to-anchor",
    "ocsp",
    "ocsp-this-update",
    "ocsp-next-update",
    "least-days-left",
    "least-days-of",
    "warning",
];

/// The parts of an input.
struct Shown<'a> {
    options: u8,
    ocsp: &'a [u8],
    name: &'a [u8],
    file: &'a [u8],
}

impl<'a> Shown<'a> {
    fn parse(input: &'a [u8]) -> Option<Self> {
        let (options, rest) = input.split_first()?;
        let (ocsp, rest) = prefixed(rest)?;
        let (name, file) = prefixed(rest)?;
        Some(Self {
            options: *options,
            ocsp,
            name,
            file,
        })
    }
}

/// What follows a length of one byte, and the rest.
fn prefixed(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = input.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

#[cfg(test)]
mod tests {
    #[test]
    fn check() {
        inputs::run("check", 2000, super::check);
    }
}
