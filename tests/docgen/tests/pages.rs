//! The pages agree with themselves.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeSet;
use std::fs;

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
