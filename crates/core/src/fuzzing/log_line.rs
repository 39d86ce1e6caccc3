//! The log line, which has fields that the peer chooses.

use std::os::unix::ffi::OsStrExt;

use cli::address::Ip;
use cli::message::MAX_LINE;
use tunnel::outcome::EndReason;
use unix::Env;
use unix::quoted::{CUT, MAX_QUOTED};

use crate::report::log_line::{LogLine, remote_in_environment};

/// The fields, in order.
const FIELDS: [&str; 14] = [
    "remote", "protocol", "cipher", "group", "sni", "alpn", "resumed", "cert", "tlsa", "in", "out",
    "ms", "code", "end",
];

/// A server name, a protocol, the values of TCPREMOTEIP and TCPREMOTEPORT, each ended by NUL.
/// They stay in their fields, name and protocol can be read back, and the filter finds the peer.
pub fn log_line(input: &[u8]) -> bool {
    let mut strings = input.split(|byte| *byte == 0);
    let mut next = || strings.next().unwrap_or_default();
    let (sni, alpn) = (String::from_utf8_lossy(next()).into_owned(), next());
    let mut env = Env::default();
    for name in ["TCPREMOTEIP", "TCPREMOTEPORT"] {
        env.set(name, std::ffi::OsStr::from_bytes(next()));
    }
    let remote = remote_in_environment(&env);
    let mut line = LogLine::of_peer(remote, Some(sni.clone()), Some(alpn.to_vec()));
    line.end(EndReason::Flood);
    let line = line.to_string();
    let values = check(&line);
    assert_eq!(values[0] == "-", remote.is_none(), "{line}");
    let peer = remote.map(|remote| remote.address.ip.unmapped());
    assert_eq!(banned(&whole(&line)), peer, "{line}");
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

/// The line as s6-tlsd-io prints it.
pub fn whole(line: &str) -> String {
    format!("{HEAD}{line}\n")
}

/// In front of the fields.
const HEAD: &str = "s6-tlsd-io: info: ";

/// The reasons for which the filter bans a peer in its mode `aggressive`.
const BANNED: [&str; 10] = [
    "handshake-failed",
    "no-certificate-for-name",
    "peer-certificate",
    "plaintext",
    "protocol-error",
    "flood",
    "left",
    "handshake-timeout",
    "truncated",
    "reset",
];

/// The address that the filter for fail2ban finds in a line of a log: a search for the pattern
/// failregex in doc/examples/fail2ban/filter.d/s6-tls.conf.
pub fn banned(line: &str) -> Option<Ip> {
    let mut rest = line.trim();
    for _ in 0..3 {
        if let Some(found) = rest.strip_prefix(HEAD).and_then(of_fields) {
            return Some(found);
        }
        rest = rest.split_once(char::is_whitespace)?.1.trim_start();
    }
    None
}

/// The address in fields with a reason that counts.
fn of_fields(fields: &str) -> Option<Ip> {
    let (remote, rest) = fields.strip_prefix("remote=")?.split_once(' ')?;
    let (between, end) = rest.rsplit_once(" end=")?;
    let (_, code) = between.rsplit_once(" code=")?;
    let (address, port) = remote.rsplit_once(':')?;
    let address = match address.strip_prefix('[') {
        Some(address) => address.strip_suffix(']')?,
        None => address,
    };
    let (ip, zone) = address.split_once('%').unwrap_or((address, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = BANNED.contains(&end) && digits(code) && digits(port) && !zone.contains([']', '=']);
    fits.then(|| Ip::parse(ip.as_bytes())).flatten()
}

/// Checks that `line` is one line that is short enough, with all fields in order. Returns their
/// values.
pub fn check(line: &str) -> Vec<&str> {
    assert!(whole(line).len() <= MAX_LINE);
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
    use std::process::Command;

    use super::*;

    #[test]
    fn log_line() {
        inputs::run("log_line", 3000, super::log_line);
    }

    /// What fail2ban finds in a log.
    fn found(log: &str) -> Vec<String> {
        let filter = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../doc/examples/fail2ban/filter.d/s6-tls.conf[mode=aggressive]"
        );
        let file = std::env::temp_dir().join(format!("filtered-{}", std::process::id()));
        std::fs::write(&file, log).unwrap();
        let mut command = Command::new("fail2ban-regex");
        command.args(["-o", "ip"]).arg(&file).arg(filter);
        let output = command.output().unwrap();
        std::fs::remove_file(&file).unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        output.lines().map(str::to_owned).collect()
    }

    #[test]
    fn fail2ban_finds_the_same_addresses() {
        let fields = "protocol=- sni=- code=98 end";
        let lines = [
            format!("s6-tlsd-io: info: remote=192.0.2.1:1 {fields}=flood"),
            format!("host s6-log: s6-tlsd-io: info: remote=192.0.2.2:1 {fields}=left"),
            format!("a b c s6-tlsd-io: info: remote=192.0.2.3:1 {fields}=flood"),
            format!("s6-tlsd-io: info: remote=[2001:db8::4]:1 {fields}=reset"),
            format!("s6-tlsd-io: info: remote=[fe80::5%eth0]:1 {fields}=reset"),
            format!("s6-tlsd-io: info: remote=192.0.2.6:1 {fields}=closed"),
            format!("s6-tlsd-io: info: remote=- {fields}=flood"),
            format!("s6-tlsd-io: fatal: remote=192.0.2.7:1 {fields}=flood"),
            format!("s6-tlsd-io: fatal: s6-tlsd-io: info: remote=192.0.2.8:1 {fields}=flood"),
            "s6-tlsd-io: info: remote=192.0.2.9:1 code=98 end=flood".to_owned(),
            format!("s6-tlsd-io: info: remote=192.0.2.10:1 {fields}=flooded"),
        ];
        let own = lines
            .iter()
            .filter_map(|line| banned(line))
            .map(|ip| ip.to_string());
        let own: Vec<String> = own.collect();
        let addresses = [
            "192.0.2.1",
            "192.0.2.2",
            "2001:db8::4",
            "fe80::5",
            "192.0.2.8",
        ];
        assert_eq!(own, addresses);
        if Command::new("fail2ban-regex")
            .arg("--version")
            .output()
            .is_err()
        {
            eprintln!("SKIPPED: no fail2ban-regex");
            return;
        }
        assert_eq!(found(&lines.join("\n")), addresses);
    }
}
