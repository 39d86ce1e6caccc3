//! Entry points for fuzzing. Each panics if an input shows a defect, and returns
//! whether the input was well-formed. See fuzz/README.md.

use std::fs::File;

use cli::address::Ip;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::rule::{Allowed, Defect, Verdict};
use super::rules::{prefixes, suffixes};
use super::{cdb, directory};

/// The input is the length of a key, the key, and a database. What the key's rule says means the
/// same in another database, in which it is the rule of no other key.
pub fn cdb(input: &[u8]) -> bool {
    let rest = input.split_first();
    let split = rest.and_then(|(len, rest)| rest.split_at_checked(usize::from(*len)));
    let Some((key, database)) = split else {
        return false;
    };
    let verdict = rule(database, key);
    plain(&verdict);
    let Ok(verdict @ (Verdict::Allow(_) | Verdict::Deny)) = verdict else {
        return false;
    };
    let longer = [key, b"D"].concat();
    let database = cdb::database(&[(&longer, b"D"), (key, &written(&verdict)), (key, b"A")]);
    assert_eq!(rule(&database, key), Ok(verdict));
    assert_eq!(rule(&database, &longer), Ok(Verdict::Deny));
    assert_eq!(rule(&database, &[key, b"A"].concat()), Ok(Verdict::None));
    true
}

/// What the rule with this key in `database` says.
fn rule(database: &[u8], key: &[u8]) -> Result<Verdict, Defect> {
    file(database)
        .and_then(cdb::Database::new)
        .and_then(|database| database.rule(key))
}

/// The data of a record that says this.
fn written(verdict: &Verdict) -> Vec<u8> {
    let Allowed { env, exec } = match verdict {
        Verdict::None => return b"?".to_vec(),
        Verdict::Deny => return b"D".to_vec(),
        Verdict::Allow(allowed) => allowed,
    };
    let variables = env.iter().map(|(name, value)| {
        let value = value.iter().flat_map(|value| [b"=", &value[..]]);
        [&[&name[..]], &value.collect::<Vec<_>>()[..], &[b"\0"]]
            .concat()
            .concat()
    });
    let env: Vec<u8> = variables.flatten().collect();
    let [env_length, exec_length] = [&env, exec].map(|part| (part.len() as u16).to_be_bytes());
    [b"A", &env_length[..], &env, &exec_length, exec].concat()
}

fn file(content: &[u8]) -> Result<File, Defect> {
    let file = memfd_create(c"cdb", MFdFlags::MFD_CLOEXEC)?;
    unix::fd::write_all(&file, content)?;
    Ok(file.into())
}

/// The input is a client's address or name, a NUL, and the content of a record,
/// which is also tried as a variable's file.
pub fn rules(input: &[u8]) -> bool {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let client = parts.next().unwrap_or_default();
    let data = parts.next().unwrap_or_default();
    if let Some(ip) = Ip::parse(client) {
        let in_ipv4 = ip.is_v6() && !ip.unmapped().is_v6();
        let both: Vec<String> = prefixes(ip).collect();
        let (four, keys): (Vec<String>, Vec<String>) = both
            .into_iter()
            .partition(|key| in_ipv4 && key.starts_with("ip4/"));
        assert!(!in_ipv4 || four.into_iter().eq(prefixes(ip.unmapped())));
        let bits = if ip.is_v6() { 128 } else { 32 };
        assert_eq!(keys.len(), bits + 1);
        for (key, length) in keys.iter().zip((0..=bits).rev()) {
            let (address, suffix) = key[4..].split_once('_').unwrap_or_default();
            assert_eq!(suffix, length.to_string());
            let masked = Ip::parse(address.as_bytes());
            assert!(
                masked.is_some_and(|masked| shares(masked, ip, length)),
                "{key}"
            );
        }
    }
    let name = dns::host_name(client.split(|byte| *byte == b'.'));
    for key in name.iter().flat_map(|name| suffixes(name)) {
        let rest = key.strip_prefix("reversedns/").unwrap_or_default();
        // The key becomes part of a path.
        assert!(!rest.is_empty() && !rest.starts_with('.'), "{key}");
        assert!(!rest.contains('/') && !rest.contains('\0'), "{key}");
    }
    let value = directory::value(data);
    let single = |value: Vec<u8>| !value.contains(&0);
    assert!(value.is_none_or(single), "a NUL in a value");
    let verdict = cdb::parse(data);
    plain(&verdict);
    if let Ok(verdict) = &verdict {
        assert_eq!(cdb::parse(&written(verdict)).as_ref(), Ok(verdict));
    }
    matches!(verdict, Ok(Verdict::Allow(_)))
}

/// Whether `masked` has the first `length` bits of `ip`, and zeros after them.
fn shares(masked: Ip, ip: Ip, length: usize) -> bool {
    let bit = |ip: Ip, at: usize| ip.bytes()[at / 8] >> (7 - at % 8) & 1;
    let bits = ip.bytes().len() * 8;
    masked.is_v6() == ip.is_v6()
        && (0..bits).all(|at| bit(masked, at) == if at < length { bit(ip, at) } else { 0 })
}

/// Checks that the variables can be set and the script can be executed.
fn plain(verdict: &Result<Verdict, Defect>) {
    let Ok(Verdict::Allow(Allowed { env, exec })) = verdict else {
        return;
    };
    assert!(exec.len() <= 4096 && !exec.contains(&0));
    for (name, value) in env {
        assert!(!name.is_empty() && !name.contains(&b'=') && !name.contains(&0));
        assert!(!value.iter().flatten().any(|byte| *byte == 0));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cdb() {
        inputs::run("cdb", 2000, super::cdb);
    }

    #[test]
    fn rules() {
        inputs::run("rules", 3000, super::rules);
    }
}
