//! What an engine reports after the handshake: strings that end with NUL,
//! `NAME=value` to set a variable and `NAME` to unset it, and an empty one at
//! the very end.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use unix::{Env, Errno};

/// More than a report can be. A chain of certificates has to fit into a
/// handshake message of 64 KiB; the worst that can be made of that is 32768
/// empty names, each with a variable of some 25 bytes.
const LIMIT: usize = 1 << 20;

/// What the rest of the chain goes by while it has rights that the engine
/// gave up: where programs are, and whose rights s6-applyuidgid takes. An
/// engine that is not itself any more must not decide that.
const OURS: [&str; 4] = ["PATH", "UID", "GID", "GIDLIST"];

/// Reads a report, in as many pieces as it takes; None if it ends before it
/// is complete.
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

/// Sets and unsets the variables of a complete report, but for [`OURS`].
pub fn apply(report: &[u8], env: &mut Env) {
    let changes: Vec<_> = report.split(|byte| *byte == 0).filter_map(change).collect();
    env.update(&changes);
}

/// What a string of a report changes, if it may: the name, and the value to
/// be set.
fn change(string: &[u8]) -> Option<(&[u8], Option<&OsStr>)> {
    let equals = string.iter().position(|byte| *byte == b'=');
    let (name, value) = match equals {
        Some(at) => (&string[..at], Some(OsStr::from_bytes(&string[at + 1..]))),
        None => (string, None),
    };
    let text = std::str::from_utf8(name).ok()?;
    (!text.is_empty() && !OURS.contains(&text)).then_some((name, value))
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
    fn what_decides_who_runs_what_is_not_taken_from_a_report() {
        let mut env = Env::default();
        env.set("PATH", "/bin");
        env.set("GIDLIST", "1");
        apply(b"PATH=/tmp\0UID=0\0GID=0\0GIDLIST\0PATHS=x\0\0", &mut env);
        let left: Vec<_> = env.iter().map(|(name, _)| name.to_vec()).collect();
        assert_eq!(left, [&b"PATH"[..], b"GIDLIST", b"PATHS"]);
        assert_eq!(env.get("PATH"), Some(OsStr::new("/bin")));
    }

    #[test]
    fn variables_are_set_and_unset() {
        let mut env = Env::default();
        env.set("B", "inherited");
        env.set("C", "inherited");
        apply(b"A=1=2\0B\0C=\0=nameless\0\0", &mut env);
        let left: Vec<_> = env
            .iter()
            .map(|(name, value)| (name.to_vec(), value.to_owned()))
            .collect();
        assert_eq!(
            left,
            [(b"A".to_vec(), "1=2".into()), (b"C".to_vec(), "".into())]
        );
    }
}
