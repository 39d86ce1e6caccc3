//! Entry point for fuzzing: see fuzz/README.md.
#![allow(clippy::unwrap_used, reason = "a panic is a finding")]

use std::collections::BTreeMap;

use cli::address::{Ip, parse_port};

use super::read::Input;
use super::{Header, Variable, Versions, header, v1, v2};

/// The input is a PROXY header. No more than the header is read, no value has a control
/// character, a header is read alike whether one version is accepted or both and in pieces
/// of any size, and one that is written from the variables gives the same variables.
pub fn proxy(input: &[u8]) -> bool {
    let in_pieces = |versions, size| {
        let mut source = Input::in_pieces(input, size);
        let header = header(&mut source, versions);
        (header, input.len() - source.left())
    };
    let bytewise = in_pieces(Versions::Both, 1);
    for size in [2, 7, 16, usize::MAX] {
        let again = in_pieces(Versions::Both, size);
        assert_eq!(again.0, bytewise.0, "in pieces of {size}");
        assert!(again.0.is_err() || again.1 == bytewise.1);
    }
    let read = |versions| match in_pieces(versions, 1) {
        (Ok(header), used) => Some((header, used)),
        (Err(_), _) => None,
    };
    let either = read(Versions::Both);
    let line = input.starts_with(v1::MAGIC);
    for (versions, fits) in [(Versions::Only1, line), (Versions::Only2, !line)] {
        let alone = read(versions);
        assert!(if fits {
            alone == either
        } else {
            alone.is_none()
        });
    }
    let Some((header, used)) = either else {
        return false;
    };
    let expected = if line {
        input
            .windows(2)
            .position(|pair| pair == b"\r\n")
            .map(|at| at + 2)
    } else {
        input
            .get(14..16)
            .map(|len| 16 + usize::from(u16::from_be_bytes([len[0], len[1]])))
    };
    assert_eq!(Some(used), expected, "the header's length");
    let Header::Proxied(variables) = header else {
        return true;
    };
    for (name, value) in &variables {
        let odd = cli::message::has_control(value);
        assert!(!odd, "{name} is {value:?}");
        if name.ends_with("IP") || name.ends_with("PORT") {
            let plain = |byte: &u8| byte.is_ascii_hexdigit() || b".:".contains(byte);
            assert!(value.iter().all(plain), "{name} is {value:?}");
        }
    }
    written_again(variables);
    true
}

/// Headers written from the variables give the same variables.
fn written_again(variables: Vec<Variable>) {
    let values = Values::from_iter(variables.clone());
    let mut headers = vec![binary(&values)];
    if values.len() == ADDRESSES.len() + 1 {
        headers.push(line(&values));
    }
    let expected = Header::Proxied(variables);
    for bytes in headers {
        let read = header(&mut Input::memory(&bytes), Versions::Both).ok();
        assert_eq!(read.as_ref(), Some(&expected), "{}", bytes.escape_ascii());
    }
}

/// The variables of a connection beside PROTO, in the order of a line.
const ADDRESSES: [&str; 4] = ["TCPREMOTEIP", "TCPLOCALIP", "TCPREMOTEPORT", "TCPLOCALPORT"];

/// The values of variables.
type Values = BTreeMap<&'static str, Vec<u8>>;

/// The value of a variable, which is empty if it is not set.
fn value<'a>(values: &'a Values, name: &str) -> &'a [u8] {
    values.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// A header of version 1 with these values.
fn line(values: &Values) -> Vec<u8> {
    let values = ADDRESSES.map(|name| value(values, name));
    let v6 = values[0].contains(&b':');
    let protocol = if v6 { "TCP6 " } else { "TCP4 " }.as_bytes();
    [v1::MAGIC, protocol, &values.join(&b' '), b"\r\n"].concat()
}

/// A header of version 2 with these values.
fn binary(values: &Values) -> Vec<u8> {
    let (family, addresses) = if value(values, "PROTO") == b"IPC" {
        let path = |name| [value(values, name), &[0; 108]].concat();
        let [remote, local] = ["IPCREMOTEPATH", "IPCLOCALPATH"].map(path);
        (0x31, [&remote[..108], &local[..108]].concat())
    } else {
        let values = ADDRESSES.map(|name| value(values, name));
        let [remote, local] = [values[0], values[1]].map(|text| Ip::parse(text).unwrap());
        let ports = [values[2], values[3]].map(|text| parse_port(text).unwrap().to_be_bytes());
        let family = if remote.is_v6() { 0x21 } else { 0x11 };
        let parts = [remote.bytes(), local.bytes(), ports.as_flattened()];
        (family, parts.concat())
    };
    let block = [addresses, fields(values)].concat();
    let length = (block.len() as u16).to_be_bytes();
    [&v2::MAGIC[..], &[0x21, family], &length, &block].concat()
}

/// The fields of version 2 with these values.
fn fields(values: &Values) -> Vec<u8> {
    let field = |kind: u8, value: &[u8]| {
        let length = (value.len() as u16).to_be_bytes();
        [&[kind], &length[..], value].concat()
    };
    let known = |(kind, name)| values.get(name).map(|value| field(kind, value));
    let inner = [
        (0x21, "SSL_PROTOCOL"),
        (0x23, "SSL_CIPHER"),
        (0x22, "SSL_PEER_CERT_CN"),
    ];
    let inner: Vec<u8> = inner.into_iter().filter_map(known).flatten().collect();
    let mut fields = known((0x02, "SSL_TLS_SNI_SERVERNAME")).unwrap_or_default();
    if !inner.is_empty() {
        // The client used TLS, and its certificate was verified.
        fields.extend(field(0x20, &[&[1, 0, 0, 0, 0], &inner[..]].concat()));
    }
    fields
}

#[cfg(test)]
mod tests {
    #[test]
    fn proxy() {
        inputs::run("proxy", 4000, super::proxy);
    }
}
