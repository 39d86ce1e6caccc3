//! The pages agree with themselves and with the source.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn page(name: &str) -> String {
    fs::read_to_string(tables::root(name)).unwrap()
}

/// A row of a table without its last cell, which may have been reworded.
fn key(line: &str) -> Option<&str> {
    let row = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    Some(row.rsplit_once('|')?.0.trim())
}

#[test]
fn differences_are_listed_once() {
    let text = page("doc/differences.md");
    let mut seen = BTreeSet::new();
    let tables = text.split("\n\n").filter(|part| part.starts_with('|'));
    for key in tables.flat_map(|table| table.lines().skip(2).filter_map(key)) {
        assert!(seen.insert(key), "twice: {key}");
    }
    assert!(seen.len() > 50, "{}", seen.len());
}

/// A place in the source, as a file, and the section of doc/upstream.md about it.
type Places = BTreeSet<(PathBuf, String)>;

/// The files that the sections name under "Where". Names are relative to the tree, or to
/// crates/tunnel/src.
fn named_places() -> Places {
    let text = page("doc/upstream.md");
    let mut places = Places::new();
    for section in text.split("\n## ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap();
        let until = body.find("- **Delete then:**").unwrap();
        let from = body.find("- **Where:**").unwrap_or(until);
        let code = body[from..until].split('`').skip(1).step_by(2);
        for name in code.filter(|name| name.ends_with(".rs")) {
            let name = match name.starts_with("crates/") {
                true => PathBuf::from(name),
                false => Path::new("crates/tunnel/src").join(name),
            };
            places.insert((name, title.to_owned()));
        }
    }
    places
}

/// The files with a comment `Upstream (doc/upstream.md, SECTION):`.
fn marked_places(directory: &Path, places: &mut Places) {
    for entry in fs::read_dir(tables::root("").join(directory)).unwrap() {
        let path = directory.join(entry.unwrap().file_name());
        if tables::root("").join(&path).is_dir() {
            marked_places(&path, places);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(tables::root("").join(&path)).unwrap();
            let words: Vec<_> = text
                .split_whitespace()
                .filter(|word| !is_marker(word))
                .collect();
            for mark in words.join(" ").split("Upstream (doc/upstream.md").skip(1) {
                let title = mark
                    .strip_prefix(", ")
                    .and_then(|mark| mark.split_once("):"));
                let (title, _) = title.unwrap_or_else(|| panic!("{path:?}: no section"));
                places.insert((path.clone(), title.to_owned()));
            }
        }
    }
}

fn is_marker(word: &str) -> bool {
    ["//", "///", "//!"].contains(&word)
}

#[test]
fn upstream_names_the_files_whose_comments_name_its_sections() {
    let mut marked = Places::new();
    marked_places(Path::new("crates"), &mut marked);
    let named = named_places();
    let missing: Vec<_> = named.symmetric_difference(&marked).collect();
    assert!(
        missing.is_empty(),
        "only in the page or only in a comment: {missing:#?}"
    );
    assert!(named.len() > 25, "{}", named.len());
}
