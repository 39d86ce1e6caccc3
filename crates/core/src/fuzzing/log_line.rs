//! The log line, which has fields that the peer chooses.

use std::os::unix::ffi::OsStrExt;

use cli::message::MAX_LINE;
use unix::Env;
use unix::quoted::{CUT, MAX_QUOTED};

use crate::report::log_line::{LogLine, remote_in_environment};

/// The fields, in order.
const FIELDS: [&str; 14] = [
    "remote", "protocol", "cipher", "group", "sni", "alpn", "resumed", "cert", "tlsa", "in", "out",
    "ms", "code", "end",
];

/// A server name, a protocol, the values of TCPREMOTEIP and TCPREMOTEPORT, each ended by NUL.
/// They stay in their fields, and name and protocol can be read back.
pub fn log_line(input: &[u8]) -> bool {
    let mut strings = input.split(|byte| *byte == 0);
    let mut next = || strings.next().unwrap_or_default();
    let (sni, alpn) = (String::from_utf8_lossy(next()).into_owned(), next());
    let mut env = Env::default();
    for name in ["TCPREMOTEIP", "TCPREMOTEPORT"] {
        env.set(name, std::ffi::OsStr::from_bytes(next()));
    }
    let remote = remote_in_environment(&env);
    let line = LogLine::of_peer(remote, Some(sni.clone()), Some(alpn.to_vec())).to_string();
    let values = check(&line);
    assert_eq!(values[0] == "-", remote.is_none(), "{line}");
    for (value, text) in [(values[4], sni.as_bytes()), (values[5], alpn)] {
        let shown = &text[..text.len().min(MAX_QUOTED)];
        let read = unquoted(
            value
                .strip_suffix(CUT)
                .filter(|_| text.len() > MAX_QUOTED)
                .unwrap_or(value),
        );
        assert!(read == shown || value == "-" && text.is_empty(), "{line}");
    }
    remote.is_some()
}

/// Checks that `line` is one line that is short enough, with all fields in order. Returns their
/// values.
pub fn check(line: &str) -> Vec<&str> {
    assert!("s6-tlsd-io: info: \n".len() + line.len() <= MAX_LINE);
    assert!(
        line.bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' '),
        "{line:?}"
    );
    let fields = line.split(' ').map(|field| field.split_once('=').unwrap());
    let (names, values): (Vec<&str>, Vec<&str>) = fields.unzip();
    let expected = FIELDS
        .iter()
        .filter(|name| **name != "tlsa" || names.contains(name));
    assert!(expected.eq(&names), "{line}");
    assert!(
        !values
            .iter()
            .any(|value| value.is_empty() || value.contains('=')),
        "{line}"
    );
    values
}

/// The bytes of which `value` is the quoted form.
fn unquoted(value: &str) -> Vec<u8> {
    let mut parts = value.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend(rest.bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn log_line() {
        inputs::run("log_line", 3000, super::log_line);
    }
}
