//! Which files are the pair for a name, and what happens if one file of a pair is missing.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::challenge::challenge_place;
use super::*;
use crate::testing::{self, CERTIFICATE, KEY};

#[test]
fn the_places_are_of_the_name_and_then_of_its_wildcards() {
    let keys: Vec<_> = places("A.b.Org.")
        .into_iter()
        .map(|place| place.key)
        .collect();
    let stem = |stem: &str| of_stem(stem).map(|place| place.key);
    let wanted = [stem("a.b.org"), stem("_.b.org"), stem("*.b.org")].concat();
    assert_eq!(keys, wanted);
    assert_eq!(places("b.org").len(), 4, "two labels must remain");
    assert_eq!(places("localhost").len(), 4);
}

const NO_HOST_NAMES: [&str; 9] = [
    "",
    "..",
    "../x",
    "a/b",
    ".a",
    "a\0",
    "\u{e4}.org",
    "*.b.org",
    CHALLENGES,
];

#[test]
fn only_host_names_have_places() {
    for name in NO_HOST_NAMES {
        assert_eq!(places(name), [], "{name:?}");
    }
    for name in ["_dmarc.b.org", "xn--a.b.org", "192.0.2.1"] {
        assert!(!places(name).is_empty(), "{name:?}");
    }
}

#[test]
fn a_challenge_has_one_place_and_only_host_names_have_challenges() {
    let place = |name| challenge_place(name).map(|place| [place.key, place.certificate]);
    let files = [
        ".acme-tls-alpn/a.b.org.key.pem",
        ".acme-tls-alpn/a.b.org.crt.pem",
    ];
    assert_eq!(place("A.b.Org."), Some(files.map(str::to_owned)));
    for name in NO_HOST_NAMES {
        assert_eq!(place(name), None, "{name:?}");
    }
}

/// A directory in which these files are the test's key or its certificate, by their
/// names. It is removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn with(names: &[&str]) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("s6-tls-sni-{}-{number}", std::process::id());
        let directory = Self(std::env::temp_dir().join(name));
        fs::create_dir(&directory.0).unwrap();
        for name in names {
            let path = directory.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let is_key = name.ends_with("key") || name.ends_with("key.pem");
            let content = if is_key { KEY } else { CERTIFICATE };
            fs::write(path, content).unwrap();
        }
        directory
    }

    /// Whether there is a challenge for a.test, or why it cannot be used.
    fn challenge(&self) -> Result<bool, String> {
        let files = Files::at_once(&testing::context());
        let directory = SniDirectory::open(&files, self.0.as_os_str()).unwrap();
        let found = directory.challenge("a.test");
        found
            .map(|found| found.is_some())
            .map_err(|fatal| fatal.message().to_owned())
    }

    /// Whether a look for the challenge of a.test is final, and the warning if it stays so. An
    /// earlier look has left one.
    fn look_for_challenge(&self) -> (bool, Option<String>) {
        let files = Files::at_once(&testing::context());
        let directory = SniDirectory::open(&files, self.0.as_os_str()).unwrap();
        let half = RefCell::new(Some(Fatal::new(96, "earlier")));
        let place = challenge_place("a.test").unwrap();
        let attempt = directory.search_challenge(&place, &half);
        let warning = half.into_inner().map(|fatal| fatal.message().to_owned());
        (matches!(attempt, Attempt::Final(_)), warning)
    }

    /// What a search for a.b.test finds: whether there is a pair, whether that is
    /// final, and the warning if it stays so.
    fn search(&self) -> (Result<bool, String>, bool, Option<String>) {
        let context = testing::context();
        let directory = SniDirectory::open(&Files::at_once(&context), self.0.as_os_str()).unwrap();
        let half = RefCell::new(None);
        let (found, is_final) = match directory.search(&places("a.b.test"), &half) {
            Attempt::Final(found) => (found, true),
            Attempt::Interim(found) => (found, false),
        };
        let prefix = format!("{}/", self.0.display());
        let text = |fatal: Fatal| fatal.message().replace(&prefix, "");
        let found = found.map(|pair| pair.is_some()).map_err(text);
        (found, is_final, half.into_inner().map(text))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The pair of certbot for the name itself, and for its wildcard.
const OWN: [&str; 2] = ["a.b.test/privkey.pem", "a.b.test/fullchain.pem"];
const WILDCARD: [&str; 2] = ["_.b.test/privkey.pem", "_.b.test/fullchain.pem"];

#[test]
fn a_whole_pair_in_the_best_place_is_final() {
    for names in [
        &OWN[..],
        &WILDCARD,
        &[OWN, WILDCARD].concat(),
        &["a.b.test.key", "a.b.test.crt"],
    ] {
        assert_eq!(
            Directory::with(names).search(),
            (Ok(true), true, None),
            "{names:?}"
        );
    }
    assert_eq!(Directory::with(&[]).search(), (Ok(false), true, None));
}

#[test]
fn a_pair_behind_half_a_pair_is_not_final() {
    let half = "there is no a.b.test/fullchain.pem";
    let flat = ["a.b.test.key", "a.b.test.pem"];
    let flat_wildcard = ["_.b.test.key", "_.b.test.crt"];
    for others in [WILDCARD, flat, flat_wildcard] {
        let (found, is_final, why) = Directory::with(&[&OWN[..1], &others].concat()).search();
        assert_eq!((found, is_final), (Ok(true), false), "{others:?}");
        assert!(why.is_some_and(|why| why.contains(half)), "{others:?}");
    }
}

#[test]
fn half_a_pair_alone_is_not_final_and_says_what_is_missing() {
    for (there, missing) in [
        (OWN[0], OWN[1]),
        (OWN[1], OWN[0]),
        ("a.b.test/other", OWN[0]),
        ("a.b.test.key", "a.b.test.crt"),
        ("a.b.test.crt", "a.b.test.key"),
        (WILDCARD[0], WILDCARD[1]),
        ("*.b.test.key", "*.b.test.crt"),
    ] {
        let (found, is_final, why) = Directory::with(&[there]).search();
        assert_eq!((found, is_final), (Ok(false), false), "{there}");
        let text = format!("there is no {missing}");
        let why = why.unwrap_or_default();
        assert!(why.contains(&text), "{there}: {why}");
    }
}

#[test]
fn a_file_for_both_that_has_only_one_counts_as_half_a_pair() {
    for (content, lacks) in [
        (CERTIFICATE, "no private key inside"),
        (KEY, "no certificate inside"),
    ] {
        for others in [&[][..], &WILDCARD, &["*.b.test.key", "*.b.test.crt"]] {
            let directory = Directory::with(others);
            fs::write(directory.0.join("a.b.test.pem"), content).unwrap();
            let (found, is_final, why) = directory.search();
            assert_eq!((found, is_final), (Ok(!others.is_empty()), false));
            let text = format!("unable to use a.b.test.pem: {lacks}");
            assert_eq!(why, Some(text), "{others:?}");
        }
    }
    let directory = Directory::with(&["a.b.test/other", "a.b.test.pem"]);
    let (_, _, why) = directory.search();
    let why = why.unwrap_or_default();
    assert!(why.contains("there is no a.b.test/privkey.pem"), "{why}");
}

#[test]
fn a_file_for_both_that_is_empty_or_cut_off_is_an_error() {
    let directory = Directory::with(&WILDCARD);
    let both = [KEY, CERTIFICATE].concat();
    let certificate_first = [CERTIFICATE, KEY].concat();
    for content in [
        b"",
        &both[..KEY.len() / 2],
        &both[..KEY.len() + CERTIFICATE.len() / 2],
        &certificate_first[..CERTIFICATE.len() / 2],
        &certificate_first[..CERTIFICATE.len() + KEY.len() / 2],
    ] {
        fs::write(directory.0.join("a.b.test.pem"), content).unwrap();
        let (found, is_final, _) = directory.search();
        assert!(found.is_err() && !is_final, "{}", content.len());
    }
    fs::write(directory.0.join("a.b.test.pem"), both).unwrap();
    assert_eq!(directory.search(), (Ok(true), true, None));
}

#[test]
fn a_file_that_cannot_be_opened_counts_as_half_a_pair() {
    let directory = Directory::with(&[]);
    let link = directory.0.join("a.b.test.crt");
    std::os::unix::fs::symlink("a.b.test.crt", link).unwrap();
    let (found, is_final, why) = directory.search();
    assert_eq!((found, is_final), (Ok(false), false));
    let why = why.unwrap_or_default();
    assert!(why.contains("there is no a.b.test.key"), "{why}");
}

#[test]
fn of_several_halves_the_first_is_the_reason() {
    let (_, _, why) = Directory::with(&[OWN[0], "a.b.test.key", WILDCARD[1]]).search();
    let why = why.unwrap_or_default();
    assert!(why.contains("there is no a.b.test/fullchain.pem"), "{why}");
    let (_, _, why) = Directory::with(&["a.b.test.key", WILDCARD[1]]).search();
    let why = why.unwrap_or_default();
    assert!(why.contains("there is no a.b.test.crt"), "{why}");
}

#[test]
fn a_pair_that_cannot_be_used_is_an_error_and_no_other_takes_its_place() {
    let directory = Directory::with(&[OWN, WILDCARD].concat());
    fs::write(directory.0.join(OWN[1]), KEY).unwrap();
    let (found, _, _) = directory.search();
    assert!(found.is_err_and(|why| why.contains(OWN[1])));
}

#[test]
fn half_a_challenge_is_not_final_and_the_warning_ends_with_it() {
    let [key, certificate] = [
        ".acme-tls-alpn/a.test.key.pem",
        ".acme-tls-alpn/a.test.crt.pem",
    ];
    let (is_final, warning) = Directory::with(&[key]).look_for_challenge();
    assert!(!is_final);
    let warning = warning.unwrap_or_default();
    assert!(warning.contains(certificate), "{warning}");
    for names in [&[][..], &[key, certificate]] {
        let looked = Directory::with(names).look_for_challenge();
        assert_eq!(looked, (true, None), "{names:?}");
    }
}

#[test]
fn entries_that_cannot_be_opened_are_listed_in_order_with_the_reason() {
    let directory = Directory::with(&[]);
    let names: Vec<String> = (0..9).map(|i| format!("loop{i}")).collect();
    for name in &names {
        std::os::unix::fs::symlink(name, directory.0.join(name)).unwrap();
    }
    let files = Files::at_once(&testing::context());
    let listed = SniDirectory::open(&files, directory.0.as_os_str()).unwrap();
    let closed = listed.list().unwrap().closed;
    assert!(closed.iter().map(|(name, _)| name).eq(&names));
    for (name, why) in &closed {
        let path = directory.0.join(name);
        let start = format!("unable to read {}: ", path.display());
        assert!(why.message().starts_with(&start), "{}", why.message());
    }
}

/// Whoever may write challenges must not get signatures with other keys.
#[test]
fn a_challenge_that_is_a_symbolic_link_is_refused() {
    let files = [
        ".acme-tls-alpn/a.test.key.pem",
        ".acme-tls-alpn/a.test.crt.pem",
    ];
    let targets = Directory::with(&["key", "crt"]);
    for (linked, target) in files.iter().zip(["key", "crt"]) {
        let directory = Directory::with(&files);
        assert_eq!(directory.challenge(), Ok(true));
        let linked = directory.0.join(linked);
        fs::remove_file(&linked).unwrap();
        std::os::unix::fs::symlink(targets.0.join(target), &linked).unwrap();
        let why = format!("unable to use {}: it is a symbolic link", linked.display());
        assert_eq!(directory.challenge(), Err(why));
    }
}
