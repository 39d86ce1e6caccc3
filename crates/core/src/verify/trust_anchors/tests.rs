//! Which files are read, and what becomes of those that cannot be used.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use pki::read;

use super::*;
use crate::testing::{self, CERTIFICATE};

/// The certificate of the tests with a key on another curve, whose signatures cannot be verified.
fn unknown() -> Vec<u8> {
    let mut der = read::certificates(CERTIFICATE).unwrap().remove(0).to_vec();
    let p256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let at = der.windows(p256.len()).position(|part| part == p256);
    der[at.unwrap() + p256.len() - 1] = 6;
    der
}

/// A directory, which is removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn with(entries: &[(&str, &[u8])]) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("s6-tls-anchors-{}-{number}", process::id());
        let directory = Self(env::temp_dir().join(name));
        fs::create_dir(&directory.0).unwrap();
        for (name, content) in entries {
            fs::write(directory.0.join(name), content).unwrap();
        }
        directory
    }

    fn path(&self, name: &str) -> OsString {
        self.0.join(name).into()
    }

    /// How many certificates are read from it, and the warning, in which DIR stands for its path.
    fn read(&self) -> (usize, Option<String>) {
        let Ok((listed, warning)) = directory(self.0.as_os_str()) else {
            panic!("it is there");
        };
        let path = self.0.display().to_string();
        let warning = warning.map(|warning| warning.message().replace(&path, "DIR"));
        (listed.iter().count(), warning)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How many anchors there are, or why none can be used.
fn count(source: &Source) -> Result<usize, String> {
    let anchors = Anchors::load(&Files::at_once(&testing::context()), source);
    anchors
        .map(|anchors| anchors.count())
        .map_err(|fatal| fatal.message().to_owned())
}

#[test]
fn a_directory_has_the_anchors_of_all_its_files() {
    let der = read::certificates(CERTIFICATE).unwrap().remove(0);
    let both = [CERTIFICATE, CERTIFICATE].concat();
    let directory = Directory::with(&[("a", CERTIFICATE), ("b", &der), ("c", &both)]);
    assert_eq!(count(&Source::Directory(directory.path(""))), Ok(4));
    assert_eq!(directory.read(), (4, None));
}

#[test]
fn an_entry_that_cannot_be_used_is_skipped_and_named_if_it_may_be_in_the_middle_of_a_renewal() {
    let cut = &CERTIFICATE[..100];
    for (content, warning) in [
        (&b""[..], Some("unable to use DIR/b: no certificate inside")),
        (cut, Some("unable to use DIR/b: malformed content")),
        (b"a note", None),
    ] {
        let directory = Directory::with(&[("a", CERTIFICATE), ("b", content), ("c", CERTIFICATE)]);
        assert_eq!(directory.read(), (2, warning.map(str::to_owned)));
        assert_eq!(count(&Source::Directory(directory.path(""))), Ok(2));
    }
}

#[test]
fn a_file_without_an_anchor_is_refused_with_the_reason() {
    let directory = Directory::with(&[
        ("good", CERTIFICATE),
        ("empty", b""),
        ("cut", &CERTIFICATE[..100]),
        ("unknown", &unknown()),
    ]);
    let path = |name: &str| directory.path(name).into_string().unwrap();
    let file = |name| count(&Source::File(directory.path(name)));
    assert_eq!(file("good"), Ok(1));
    let unknown = "no signature of a key of type ECDSA 1.2.840.10045.3.1.6 can be verified";
    for (name, why) in [
        (
            "empty",
            format!("unable to use {}: no certificate inside", path("empty")),
        ),
        (
            "cut",
            format!("unable to use {}: malformed content", path("cut")),
        ),
        (
            "none",
            format!("unable to read {}: No such file or directory", path("none")),
        ),
        ("", format!("unable to read {}: Is a directory", path(""))),
        (
            "unknown",
            format!("no trust anchor in {}: {unknown}", path("unknown")),
        ),
    ] {
        assert_eq!(file(name), Err(why));
    }
    let source = Source::Directory(directory.path("good"));
    let why = format!("unable to read {}: Not a directory", path("good"));
    assert_eq!(count(&source), Err(why));
    let none = Directory::with(&[("note", b"a note")]);
    let why = format!("no trust anchor in {}", none.0.join("").display());
    assert_eq!(count(&Source::Directory(none.path(""))), Err(why));
}

#[test]
fn names_of_openssl_rehash_are_recognised() {
    for (name, hashed) in [
        ("0a1b2c3d.0", true),
        ("0a1b2c3d.12", true),
        ("0A1B2C3D.0", true),
        ("0a1b2c3d.", false),
        ("0a1b2c3d.r0", false),
        ("0a1b2c3d", false),
        ("0a1b2c3.00", false),
        ("xa1b2c3d.0", false),
        ("ca.pem", false),
    ] {
        assert_eq!(is_hashed(name.as_bytes()), hashed, "{name}");
    }
}

#[test]
fn a_dangling_link_is_skipped_without_a_warning() {
    let error = |errno| Skipped::Unread(errno).passing_error(OsStr::new("d"), c"0a1b2c3d.0");
    assert_eq!(error(Errno::ENOENT), None);
    assert!(error(Errno::EACCES).is_some());
}

#[test]
fn only_hashed_names_count_if_there_are_any() {
    assert_eq!(relevant(b".\0a.pem\0..\0.hidden\0b\0"), [c"a.pem", c"b"]);
    assert_eq!(relevant(b"a.pem\0.\x0001234567.0\0..\0"), [c"01234567.0"]);
    assert!(relevant(b".\0..\0").is_empty());
}
