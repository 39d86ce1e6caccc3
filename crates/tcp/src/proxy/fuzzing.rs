//! Entry point for fuzzing: see fuzz/README.md.

use super::read::Input;
use super::{Header, Versions, header, v1};

/// The input is a PROXY header. No more than the header is read, no value has a NUL,
/// and a header is read alike whether one version is accepted or both.
pub fn proxy(input: &[u8]) -> bool {
    let read = |versions| {
        let mut source = Input::memory(input);
        let header = header(&mut source, versions).ok()?;
        Some((header, input.len() - source.left()))
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
    for (name, value) in variables {
        let odd = if name.starts_with("SSL_") {
            cli::message::has_control(&value)
        } else {
            // A path may have any other byte.
            value.contains(&0)
        };
        assert!(!odd, "{name} is {value:?}");
        if name.ends_with("IP") || name.ends_with("PORT") {
            let plain = |byte: &u8| byte.is_ascii_hexdigit() || b".:".contains(byte);
            assert!(value.iter().all(plain), "{name} is {value:?}");
        }
    }
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn proxy() {
        inputs::run("proxy", 4000, super::proxy);
    }
}
