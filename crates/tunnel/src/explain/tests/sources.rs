//! Compares the errors that are known here with those in the sources of the
//! libraries. These are in cargo's registry, or have to be downloaded, and
//! change with an update: `make test-errors` asks for it, `make test` does not.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use super::{KINDS, Known, head};

/// Their contents cannot be named outside rustls.
const UNNAMED: &[&str] = &["UnsupportedKeyExchangeAlgorithm"];

/// What cargo says about all packages that we are built with, downloaded if
/// they are not there yet.
fn metadata() -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The errors' source of `package`.
fn source(metadata: &str, package: &str) -> String {
    let manifests = metadata.split("\"manifest_path\":\"").skip(1);
    let mut paths = manifests.filter_map(|rest| rest.split('"').next());
    let prefix = format!("/{package}-");
    let path = paths.find(|path| {
        let version = path.rsplit_once(&prefix).map(|(_, rest)| rest);
        version.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    let file = PathBuf::from(path.expect(package)).with_file_name("src/error.rs");
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The names of the variants of `pub enum NAME` in `source`.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let start = format!("pub enum {name} {{\n");
    let body = source.split(&start).nth(1).expect(name);
    let body = body.split("\n}\n").next().unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let names = names.map(head).filter(|name| !UNNAMED.contains(&&**name));
    names.collect()
}

/// What differs, a line for each enum.
fn report(metadata: &str, kind: &Known) -> Option<String> {
    let known: BTreeSet<_> = kind.variants.iter().cloned().collect();
    let there = variants(&source(metadata, kind.package), kind.name);
    let new: Vec<_> = there.difference(&known).collect();
    let gone: Vec<_> = known.difference(&there).collect();
    let differs = !new.is_empty() || !gone.is_empty();
    differs.then(|| {
        let Known { package, name, .. } = kind;
        format!("{package}: {name}: without words of ours: {new:?}, not there any more: {gone:?}\n")
    })
}

#[test]
#[ignore = "reads the sources of rustls and webpki: make test-errors"]
fn every_error_of_the_libraries_is_known() {
    let metadata = metadata();
    let reports = KINDS.iter().filter_map(|kind| report(&metadata, &kind()));
    assert_eq!(reports.collect::<String>(), "");
}
