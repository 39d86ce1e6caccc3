//! The notification that an engine writes after the handshake: strings that end with NUL,
//! `NAME=value` to set a variable and `NAME` to unset it, and an empty string at the end.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use cli::message::quoted;
use unix::{Env, Errno};

/// More than any report. A chain of certificates must fit into a handshake message of 64 KiB,
/// which has room for at most 32768 empty names, each with a variable of some 25 bytes.
const LIMIT: usize = 1 << 20;

/// The longest string that Linux hands on to a program, its NUL included (MAX_ARG_STRLEN with
/// pages of 4 KiB).
const LONGEST: usize = 128 << 10;

/// The variables that an engine may set. The rest of the chain has rights that the engine gave
/// up, and obeys variables such as LD_PRELOAD and PATH: a compromised engine must not set those.
pub const NAMES: [&str; 8] = [
    "SSL_PROTOCOL",
    "SSL_CIPHER",
    "SSL_TLS_SNI_SERVERNAME",
    "SSL_PEER_CERT_HASH",
    "SSL_PEER_CERT_SUBJECT",
    "SSL_ALPN_PROTOCOL",
    "SSL_GROUP",
    "SSL_SESSION_RESUMED",
];

/// Prefixes of further variables that an engine may set.
const FAMILIES: [&str; 3] = ["SSL_CB_", "SSL_CLIENT_", "SSL_SERVER_"];

/// Reads a report, however many pieces it comes in. None if it ends before it is complete, or is
/// too long.
pub fn read(fd: impl AsFd) -> Result<Option<Vec<u8>>, Errno> {
    let mut report = Vec::new();
    let mut piece = [0; 4096];
    while report.len() < LIMIT {
        let count = unix::fd::read(fd.as_fd(), &mut piece)?;
        if count == 0 {
            return Ok(None);
        }
        report.extend_from_slice(&piece[..count]);
        if report.ends_with(b"\0\0") {
            return Ok(Some(report));
        }
    }
    Ok(None)
}

/// The variables of a report that could not be set as it asks, for messages.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct NotSet {
    /// Those that an engine may not set. They are as before.
    pub refused: Option<String>,
    /// Those that are too long for any program. They are unset.
    pub too_long: Option<String>,
}

/// Sets and unsets the variables of a complete report, but only those that an engine may set.
/// Unsets those that are too long: the peer has chosen their values, and they would keep the
/// program from being run.
pub fn apply(report: &[u8], env: &mut Env) -> NotSet {
    let strings = report.split(|byte| *byte == 0);
    let strings = strings.filter(|string| !string.is_empty());
    let (strings, refused): (Vec<_>, Vec<_>) =
        strings.partition(|string| may_set(change(string).0));
    let fits = |string: &[u8]| string.len() < LONGEST;
    let changes = strings.iter().map(|string| match change(string) {
        (name, value) if fits(string) => (name, value),
        (name, _) => (name, None),
    });
    env.update(&changes.collect::<Vec<_>>());
    let too_long: Vec<_> = strings.into_iter().filter(|string| !fits(string)).collect();
    NotSet {
        refused: names(&refused),
        too_long: names(&too_long),
    }
}

/// The names in strings of a report, quoted, since a compromised engine may have written
/// anything. None if there are no strings.
fn names(strings: &[&[u8]]) -> Option<String> {
    let (first, others) = strings.split_first()?;
    let first = quoted(change(first).0);
    Some(match others.len() {
        0 => first,
        count => format!("{first} and {count} more"),
    })
}

/// The change that a string of a report asks for: the name, and the value; None unsets it.
fn change(string: &[u8]) -> (&[u8], Option<&OsStr>) {
    match string.iter().position(|byte| *byte == b'=') {
        Some(at) => (&string[..at], Some(OsStr::from_bytes(&string[at + 1..]))),
        None => (string, None),
    }
}

/// Whether an engine may set the variable.
fn may_set(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let whole = NAMES.iter().any(|known| known.as_bytes() == name);
    let member = FAMILIES
        .iter()
        .any(|start| name.starts_with(start.as_bytes()));
    whole || (member && name.iter().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through_a_pipe(bytes: &[u8]) -> Option<Vec<u8>> {
        let (reader, writer) = unix::fd::pipe().unwrap();
        unix::fd::write_all(&writer, bytes).unwrap();
        drop(writer);
        read(&reader).unwrap()
    }

    #[test]
    fn a_report_is_complete_with_its_last_nul_and_not_before() {
        let report = b"A=1\0B\0\0";
        assert_eq!(through_a_pipe(report).as_deref(), Some(&report[..]));
        for cut in 0..report.len() {
            assert_eq!(through_a_pipe(&report[..cut]), None, "{cut}");
        }
        let long = [b"A=".to_vec(), vec![b'x'; 40_000], vec![0, 0]].concat();
        assert_eq!(through_a_pipe(&long), Some(long));
    }

    #[test]
    fn a_report_that_never_ends_is_read_to_the_limit_only() {
        let (reader, writer) = unix::fd::pipe().unwrap();
        let engine = std::thread::spawn(move || {
            let mut sent = 0;
            while unix::fd::write_all(&writer, &[b'x'; 4096]).is_ok() {
                sent += 4096;
            }
            sent
        });
        assert_eq!(read(&reader), Ok(None));
        drop(reader);
        // What is more is still in the pipe.
        let sent = engine.join().unwrap();
        assert!((LIMIT..=LIMIT + 70_000).contains(&sent), "{sent}");
    }

    fn set(env: &Env) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        env.iter()
            .map(|(name, value)| (text(name), text(value.as_bytes())))
            .collect()
    }

    #[test]
    fn variables_that_an_engine_may_not_set_are_left_out_and_named() {
        let mut env = Env::default();
        env.set("PATH", "/bin");
        let names = "PATH=/x LD_PRELOAD=x PATH SSL_CERT_FILE=x SSL_CIPHERS=x \
                     SSL_CLIENT=x SSL_CB_a-b=x SSL_CLIENT_a\n=x =nameless";
        for string in names.split(' ') {
            let name = string.split('=').next().unwrap_or_default();
            let report = [string.as_bytes(), b"\0\0"].concat();
            let refused = apply(&report, &mut env).refused;
            assert_eq!(refused, Some(quoted(name.as_bytes())));
        }
        assert_eq!(set(&env), [("PATH".into(), "/bin".into())]);
        let many = [b"UID=0\0".repeat(3), vec![0]].concat();
        let refused = apply(&many, &mut env).refused;
        assert_eq!(refused.as_deref(), Some("UID and 2 more"));
        let long = [b"X\x1b".repeat(1000), vec![0, 0]].concat();
        let shown = "X\\x1b".repeat(128) + "...";
        assert_eq!(apply(&long, &mut env).refused, Some(shown));
    }

    #[test]
    fn a_variable_that_is_too_long_is_unset_and_named() {
        let name = "SSL_CLIENT_S_DN";
        for (len, too_long) in [(LONGEST - 1, None), (LONGEST, Some(name.to_owned()))] {
            let mut env = Env::default();
            env.set(name, "inherited");
            let value = "x".repeat(len - name.len() - 1);
            let report = format!("SSL_GROUP=x\0{name}={value}\0SSL_CIPHER=y\0\0");
            let refused = None;
            let expected = NotSet { refused, too_long };
            assert_eq!(apply(report.as_bytes(), &mut env), expected);
            let fits = expected.too_long.is_none();
            assert_eq!(env.get(name), fits.then_some(OsStr::new(&value)));
            assert_eq!(set(&env).len(), if fits { 3 } else { 2 });
        }
    }

    #[test]
    fn variables_are_set_and_unset() {
        let mut env = Env::default();
        env.set("SSL_CIPHER", "inherited");
        env.set("SSL_GROUP", "inherited");
        let report = b"SSL_CLIENT_S_DN_Email=1=2\0SSL_CIPHER\0SSL_GROUP=\0SSL_CB_1\0\0";
        assert_eq!(apply(report, &mut env), NotSet::default());
        let expected = [("SSL_CLIENT_S_DN_Email", "1=2"), ("SSL_GROUP", "")];
        assert_eq!(set(&env), expected.map(|(n, v)| (n.into(), v.into())));
    }
}
