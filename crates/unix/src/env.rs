//! The environment as exec passes it on: a list of byte strings.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;

unsafe extern "C" {
    static environ: *const *const libc::c_char;
}

/// The environment for the next program. Entries that are not set or unset stay as
/// they are, whatever they contain.
#[derive(Clone, Debug, Default)]
pub struct Env {
    entries: Vec<CString>,
}

impl Env {
    /// A copy of the environment this process was started with.
    pub fn inherited() -> Self {
        let mut entries = Vec::new();
        // SAFETY: `environ` is null or an array of pointers to strings that ends
        // with a null pointer. Nothing in this project modifies it.
        unsafe {
            let mut next = environ;
            while !next.is_null() && !(*next).is_null() {
                entries.push(CStr::from_ptr(*next).to_owned());
                next = next.add(1);
            }
        }
        Self { entries }
    }

    /// Replaces all entries of `name` by one with `value`. A value with a NUL byte
    /// cannot be in an environment, and unsets the name.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<OsStr>) {
        self.unset(&name);
        self.push(name.as_ref(), value.as_ref());
    }

    /// Sets the names that have a value and unsets the others, in one pass. The last
    /// change of a name counts.
    pub fn update(&mut self, changes: &[(&[u8], Option<&OsStr>)]) {
        let indices = changes.iter().enumerate();
        let last: BTreeMap<&[u8], usize> = indices.map(|(i, (name, _))| (*name, i)).collect();
        self.retain(|name| !last.contains_key(name));
        for (i, (name, value)) in changes.iter().enumerate() {
            if let Some(value) = value.filter(|_| last.get(name) == Some(&i)) {
                self.push(name, value);
            }
        }
    }

    /// Removes every entry of `name`.
    pub fn unset(&mut self, name: impl AsRef<[u8]>) {
        self.retain(|entry_name| entry_name != name.as_ref());
    }

    /// Keeps only the variables whose name `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8]) -> bool) {
        self.entries
            .retain(|entry| keep(split(entry).map_or(entry.to_bytes(), |(name, _)| name)));
    }

    /// The value of `name`, if it is set.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&OsStr> {
        self.iter()
            .find_map(|(key, value)| (key == name.as_ref()).then_some(value))
    }

    /// Names and values, in the order of the entries. Skips entries without `=`.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &OsStr)> {
        self.entries
            .iter()
            .filter_map(|entry| split(entry))
            .map(|(name, value)| (name, OsStr::from_bytes(value)))
    }

    fn push(&mut self, name: &[u8], value: &OsStr) {
        let entry = [name, b"=", value.as_bytes()].concat();
        self.entries.extend(CString::new(entry));
    }

    /// The entries in the form that execve(2) takes.
    pub(crate) fn entries(&self) -> &[CString] {
        &self.entries
    }
}

fn split(entry: &CStr) -> Option<(&[u8], &[u8])> {
    let bytes = entry.to_bytes();
    let equals = bytes.iter().position(|&byte| byte == b'=')?;
    Some((&bytes[..equals], &bytes[equals + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Env {
        let entries = ["A=1", "odd", "B=x=y", "A=2", "KEYFILE:b=k"];
        Env {
            entries: entries.iter().map(|e| CString::new(*e).unwrap()).collect(),
        }
    }

    fn text(env: &Env) -> Vec<&str> {
        env.entries.iter().map(|e| e.to_str().unwrap()).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has an environment of its own")]
    fn a_program_hands_on_the_whole_environment_that_it_inherits() {
        let env = Env::inherited();
        let vars: Vec<_> = std::env::vars_os().collect();
        assert!(!vars.is_empty(), "cargo sets some");
        let expected = vars.iter().map(|(name, value)| (name.as_bytes(), &**value));
        assert!(env.iter().eq(expected));
        assert_eq!(sample().entries(), sample().entries);
    }

    #[test]
    fn last_change_of_a_name_counts() {
        let mut env = sample();
        let value = |text| Some(OsStr::new(text));
        env.update(&[
            (b"A", value("3")),
            (b"B", value("4")),
            (b"A", value("5")),
            (b"B", None),
            (b"C", None),
            (b"D", value("x\0y")),
        ]);
        assert_eq!(text(&env), ["odd", "KEYFILE:b=k", "A=5"]);
    }

    #[test]
    fn set_replaces_every_entry_of_the_name() {
        let mut env = sample();
        env.set("A", "3");
        assert_eq!(text(&env), ["odd", "B=x=y", "KEYFILE:b=k", "A=3"]);
    }

    #[test]
    fn unset_leaves_names_that_share_a_prefix_and_odd_entries() {
        let mut env = sample();
        env.set("AB", "4");
        env.unset("A");
        assert_eq!(text(&env), ["odd", "B=x=y", "KEYFILE:b=k", "AB=4"]);
    }

    #[test]
    fn get_takes_the_first_entry_and_splits_at_the_first_equals_sign() {
        assert_eq!(sample().get("A"), Some(OsStr::new("1")));
        assert_eq!(sample().get("B"), Some(OsStr::new("x=y")));
        assert_eq!(sample().get("odd"), None);
    }

    #[test]
    fn value_with_a_nul_byte_unsets() {
        let mut env = sample();
        env.set("A", OsStr::from_bytes(b"1\x002"));
        assert_eq!(env.get("A"), None);
    }
}
