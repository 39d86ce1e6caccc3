//! Entry point for fuzzing: see fuzz/README.md.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use unix::Env;

use crate::notification;

/// The size of a pipe.
const PIPE: usize = 65536;

/// Notifications: an incomplete one is refused. Of each variable that an engine may set the last
/// value counts; other variables stay as they are.
pub fn notification(input: &[u8]) -> bool {
    let Some(report) = received(&input[..input.len().min(PIPE)]) else {
        return false;
    };
    assert!(input.starts_with(&report) && report.ends_with(b"\0\0"));
    let mut env = Env::default();
    env.set("KEPT", "1");
    let mut last = BTreeMap::new();
    for string in report.split(|byte| *byte == 0) {
        let equals = string.iter().position(|byte| *byte == b'=');
        let (name, value) = string.split_at(equals.unwrap_or(string.len()));
        last.insert(name, value.split_first().map(|(_, value)| value));
    }
    notification::apply(&report, &mut env);
    let mut found: BTreeMap<&[u8], &[u8]> = env
        .iter()
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    assert_eq!(found.remove(&b"KEPT"[..]), Some(&b"1"[..]));
    for name in notification::NAMES.map(str::as_bytes) {
        let value = last.get(name).copied().flatten();
        assert_eq!(found.get(name).copied(), value);
    }
    for (name, value) in &found {
        assert!(name.starts_with(b"SSL_"), "{}", name.escape_ascii());
        assert_eq!(last.get(name), Some(&Some(*value)));
    }
    !found.is_empty()
}

fn received(input: &[u8]) -> Option<Vec<u8>> {
    let (reader, writer) = unix::fd::pipe().ok()?;
    unix::fd::write_all(&writer, input).ok()?;
    drop(writer);
    notification::read(&reader).ok()?
}

#[cfg(test)]
mod tests {
    #[test]
    fn notification() {
        inputs::run("notification", 3000, super::notification);
    }
}
