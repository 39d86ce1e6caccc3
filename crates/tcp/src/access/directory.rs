//! Rules as directories, with the entries `allow`, `deny`, `env/` and `exec`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::dir::Dir;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::{Mode, fstatat};
use unix::{Errno, fd};

use super::rule::{Allowed, Defect, Variables, Verdict};

/// The maximum length of a script. A longer one is an error: truncated, it would
/// be another script.
const MAX_EXEC: usize = 4096;
/// How many bytes of a variable's file are read.
const MAX_VALUE: usize = 4095;

/// Checks that the ruleset in `directory` exists and that rules of these `kinds`
/// can be looked up: otherwise every rule would seem to be missing, and every
/// client would be refused. A kind without rules may be missing.
pub fn check(directory: &OsStr, kinds: &[&str]) -> Result<(), Errno> {
    searchable(directory)?;
    for kind in kinds {
        let path = [directory.as_bytes(), b"/", kind.as_bytes()].concat();
        match searchable(OsStr::from_bytes(&path)) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Checks that a directory may be searched: looking up its entry `.` needs that
/// right.
fn searchable(directory: &OsStr) -> Result<(), Errno> {
    // An empty name would become the root directory below.
    if directory.is_empty() {
        return Err(Errno::ENOENT);
    }
    let path = [directory.as_bytes(), b"/."].concat();
    fstatat(AT_FDCWD, OsStr::from_bytes(&path), AtFlags::empty()).map(drop)
}

/// What the rule with this key says in the ruleset in `directory`.
pub fn rule(directory: &OsStr, key: &str) -> Result<Verdict, Defect> {
    let rule = [directory.as_bytes(), b"/", key.as_bytes()].concat();
    let path = |name: &str| OsString::from_vec([&rule, &b"/"[..], name.as_bytes()].concat());
    if if_there(read(&path("allow"), 0))?.is_none() {
        let deny = fstatat(AT_FDCWD, &path("deny")[..], AtFlags::empty());
        return Ok(match if_there(deny)? {
            Some(_) => Verdict::Deny,
            None => Verdict::None,
        });
    }
    let exec = if_there(read(&path("exec"), MAX_EXEC + 1))?.unwrap_or_default();
    if exec.len() > MAX_EXEC || exec.contains(&0) {
        return Err(Defect::Malformed("exec file too long or not a text"));
    }
    Ok(Verdict::Allow(Allowed {
        env: environment(&path("env"))?,
        exec,
    }))
}

/// None for an entry of a rule that is missing, or that we may not use.
fn if_there<T>(entry: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match entry {
        Ok(entry) => Ok(Some(entry)),
        Err(Errno::ENOENT | Errno::EACCES) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Up to `limit` bytes of a file.
fn read(path: &OsStr, limit: usize) -> Result<Vec<u8>, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = open(path, flags, Mode::empty())?;
    let mut content = vec![0; limit];
    let mut len = 0;
    while len < limit {
        match fd::read(&file, &mut content[len..])? {
            0 => break,
            count => len += count,
        }
    }
    content.truncate(len);
    Ok(content)
}

/// The variables of an `env` directory, which may be missing.
fn environment(path: &OsStr) -> Result<Variables, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Some(mut directory) = if_there(Dir::open(path, flags, Mode::empty()))? else {
        return Ok(Vec::new());
    };
    let mut variables = Vec::new();
    for entry in directory.iter() {
        let name = entry?.file_name().to_bytes().to_vec();
        if name.starts_with(b".") || name.contains(&b'=') {
            continue;
        }
        let file = OsString::from_vec([path.as_bytes(), b"/", &name].concat());
        variables.push((name, value(&read(&file, MAX_VALUE)?)));
    }
    Ok(variables)
}

/// The value in a file: its first line, without blanks at the end and with
/// newlines for NUL bytes. None for an empty file, which unsets the variable.
pub fn value(content: &[u8]) -> Option<Vec<u8>> {
    if content.is_empty() {
        return None;
    }
    let line = content
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let last = line.iter().rposition(|byte| !b" \t\r".contains(byte));
    let len = last.map_or(0, |last| last + 1);
    let newline_for_nul = |byte: &u8| if *byte == 0 { b'\n' } else { *byte };
    Some(line.iter().take(len).map(newline_for_nul).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_the_first_line_without_blanks_at_its_end() {
        for (content, expected) in [
            (&b""[..], None),
            (b"\n", Some(&b""[..])),
            (b"a b \t\r\nmore", Some(b"a b")),
            (b"a\0b", Some(b"a\nb")),
            (b"  a", Some(b"  a")),
        ] {
            assert_eq!(value(content).as_deref(), expected);
        }
    }

    #[test]
    fn script_of_4096_bytes_is_run_and_a_longer_one_an_error() {
        let dir = std::env::temp_dir().join(format!("s6-tls-script-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("key")).unwrap();
        std::fs::write(dir.join("key/allow"), "").unwrap();
        let verdict = |length| {
            std::fs::write(dir.join("key/exec"), vec![b'x'; length]).unwrap();
            rule(dir.as_os_str(), "key")
        };
        let (longest, longer) = (verdict(4096), verdict(4097));
        std::fs::remove_dir_all(&dir).unwrap();
        let exec = vec![b'x'; 4096];
        let allowed = Allowed {
            exec,
            ..Allowed::default()
        };
        assert_eq!(longest, Ok(Verdict::Allow(allowed)));
        assert!(matches!(longer, Err(Defect::Malformed(_))));
    }

    #[test]
    fn a_pipe_among_the_rules_is_an_empty_file() {
        let path = std::env::temp_dir().join(format!("s6-tls-rule-{}", std::process::id()));
        nix::unistd::mkfifo(&path, Mode::S_IRUSR).unwrap();
        // Nobody writes to it, and nobody waits for that.
        let content = read(path.as_os_str(), 10);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(content, Ok(Vec::new()));
    }
}
