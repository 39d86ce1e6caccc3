//! `s6-getservbyname`: the port of a named service.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use cli::address::parse_port;
use cli::{Context, Fatal};
use unix::{errno, fd, signal};

/// The database of services.
const SERVICES: &str = "/etc/services";

/// Runs `s6-getservbyname`.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let [name, protocol, ..] = context.args.as_slice() else {
        return Err(context.usage());
    };
    let Some(port) = port(name, protocol)? else {
        return Ok(1);
    };
    signal::ignore_sigpipe_forever();
    fd::write_all(fd::stdout(), format!("{port}\n").as_bytes())
        .map_err(|errno| Fatal::system("write to stdout", errno))?;
    Ok(0)
}

/// The port of a service, or the number that `name` is.
fn port(name: &OsStr, protocol: &OsStr) -> Result<Option<u16>, Fatal> {
    if let Some(port) = parse_port(name.as_bytes()) {
        return Ok(Some(port));
    }
    match std::fs::read(SERVICES) {
        Ok(text) => Ok(find(&text, name.as_bytes(), protocol.as_bytes())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fatal::system(
            &format!("read {SERVICES}"),
            errno::of(&error),
        )),
    }
}

/// The port on the first line of services(5) with this protocol and this name or
/// alias. Malformed lines are skipped.
fn find(services: &[u8], name: &[u8], protocol: &[u8]) -> Option<u16> {
    let mut lines = services.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let text = line.split(|byte| *byte == b'#').next()?;
        let mut fields = text
            .split(u8::is_ascii_whitespace)
            .filter(|field| !field.is_empty());
        let official = fields.next()?;
        let (port, line_protocol) = split_at_slash(fields.next()?)?;
        let named = official == name || fields.any(|alias| alias == name);
        (named && line_protocol == protocol)
            .then(|| parse_port(port))
            .flatten()
    })
}

fn split_at_slash(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = field.iter().position(|byte| *byte == b'/')?;
    Some((field.get(..slash)?, field.get(slash + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &[u8] = b"# comment\n\
        ftp 21/tcp\n\
        fsp\t\t21/udp\tfspd # old\n\
        http 80/tcp www www-http\r\n\
        bad 99999/tcp\nworse\nworst 1\n\
        bad 7/tcp\n\
        domain 53/tcp\ndomain 53/udp # hidden\n\
        last 9/tcp end";

    #[test]
    fn name_or_alias_is_found_with_its_protocol() {
        for (name, protocol, port) in [
            ("ftp", "tcp", Some(21)),
            ("ftp", "udp", None),
            ("fspd", "udp", Some(21)),
            ("old", "udp", None),
            ("www-http", "tcp", Some(80)),
            ("www", "tcp", Some(80)),
            ("HTTP", "tcp", None),
            ("bad", "tcp", Some(7)),
            ("worst", "tcp", None),
            ("domain", "udp", Some(53)),
            ("hidden", "udp", None),
            ("end", "tcp", Some(9)),
            ("", "tcp", None),
            ("comment", "", None),
        ] {
            let found = find(SAMPLE, name.as_bytes(), protocol.as_bytes());
            assert_eq!(found, port, "{name}/{protocol}");
        }
    }

    #[test]
    fn port_number_needs_no_database() {
        for (name, found) in [("0080", 80), ("65535", 65535), ("0", 0)] {
            assert_eq!(port(OsStr::new(name), OsStr::new("tcp")), Ok(Some(found)));
        }
    }

    #[test]
    fn truncated_database_causes_no_panic() {
        for cut in 0..SAMPLE.len() {
            find(&SAMPLE[..cut], b"end", b"tcp");
            find(&SAMPLE[cut..], b"end", b"tcp");
        }
    }
}
