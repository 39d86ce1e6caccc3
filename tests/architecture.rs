//! Which crates may depend on which: dependencies point one way, and only the
//! engines use cryptography. No dependency needs a newer compiler than we
//! require.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::util::cmd;

/// Each crate, and our crates that it may use.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("", &["chain", "cli", "s6-tls-core", "tcp"]),
    ("crates/chain", &["cli", "tcp", "unix"]),
    ("crates/cli", &["unix"]),
    ("crates/core", &["cli", "pki", "sandbox", "tunnel", "unix"]),
    ("crates/dns", &["cli", "unix"]),
    ("crates/inputs", &[]),
    ("crates/pki", &[]),
    ("crates/sandbox", &["unix"]),
    ("crates/tcp", &["cli", "dns", "unix"]),
    ("crates/tunnel", &["unix"]),
    ("crates/unix", &[]),
];

const OURS: [&str; 10] = [
    "chain",
    "cli",
    "dns",
    "s6-tls-core",
    "inputs",
    "pki",
    "sandbox",
    "tcp",
    "tunnel",
    "unix",
];

/// The crates that implement TLS.
const ENGINES: [&str; 2] = ["crates/core", "crates/tunnel"];

/// The dependencies of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let from = manifest.split("\n[dependencies]\n").nth(1);
    let lines = from.unwrap_or_default().lines();
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines.map(|line| line.split(['.', ' ', '=']).next().unwrap_or_default());
    let names = names.filter(|name| !name.is_empty() && !name.starts_with('#'));
    names.map(str::to_owned).collect()
}

fn manifests() -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = std::fs::read_dir(root.join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let crates = crates.map(|name| format!("crates/{name}"));
    let all = crates.chain([String::new()]);
    all.map(|name| {
        let text = std::fs::read_to_string(root.join(&name).join("Cargo.toml")).unwrap();
        (name, dependencies(&text))
    })
    .collect()
}

#[test]
fn dependencies_point_one_way() {
    let manifests = manifests();
    assert_eq!(manifests.len(), ALLOWED.len());
    for (name, allowed) in ALLOWED {
        for dependency in &manifests[name] {
            let ours = OURS.contains(&dependency.as_str());
            assert!(
                !ours || allowed.contains(&dependency.as_str()),
                "{name:?} uses {dependency}"
            );
        }
    }
}

#[test]
fn only_the_engines_know_cryptography() {
    for (name, dependencies) in manifests() {
        let tls = dependencies.iter().any(|dependency| dependency == "rustls");
        assert_eq!(tls, ENGINES.contains(&name.as_str()), "{name}");
    }
}

/// What a program of Rust prints, which needs our environment.
fn printed_by(program: &str, args: &[&str]) -> String {
    let command = cmd([program]).args(args).deadline(Duration::from_secs(60));
    let command =
        std::env::vars_os().fold(command, |command, (name, value)| command.env(name, value));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    command.cwd(root).run().success().out().to_owned()
}

/// N of the versions `1.N` of Rust that our packages and others' ask for.
fn rust_versions() -> Vec<u32> {
    let host = printed_by("rustc", &["-vV"]);
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    let metadata = ["metadata", "--format-version=1", "--offline", "--locked"];
    let platform = ["--filter-platform", host.unwrap()];
    let text = printed_by(env!("CARGO"), &[&metadata[..], &platform].concat());
    text.split("\"rust_version\":\"1.")
        .skip(1)
        .map(|rest| rest.split(['.', '"']).next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn no_dependency_asks_for_a_newer_compiler() {
    let stated = env!("CARGO_PKG_RUST_VERSION").strip_prefix("1.").unwrap();
    let stated = stated.parse().unwrap();
    let versions = rust_versions();
    assert!(versions.len() > 20, "{versions:?}");
    let newest = *versions.iter().max().unwrap();
    assert!(
        newest <= stated,
        "one asks for 1.{newest}, we for 1.{stated}"
    );
}

/// The words after `PROGRAMS =` in the Makefile.
fn installed() -> Vec<String> {
    let makefile = Path::new(env!("CARGO_MANIFEST_DIR")).join("Makefile");
    let makefile = std::fs::read_to_string(makefile).unwrap();
    let makefile = makefile.replace("\\\n", " ");
    let mut lines = makefile.lines();
    let line = lines.find_map(|line| line.strip_prefix("PROGRAMS = "));
    let words = line.unwrap().split_whitespace();
    words.map(str::to_owned).collect()
}

#[test]
fn the_programs_are_the_same_everywhere() {
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let names = sorted(cli::suite::all().map(str::to_owned).collect());
    let tables = cli::tables::PROGRAMS.iter();
    let tables = tables.map(|program| program.name.to_owned()).collect();
    assert_eq!(sorted(tables), names);

    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let bins = manifest.split("[[bin]]\nname = \"").skip(1);
    let bins = bins.map(|rest| rest.split('"').next().unwrap().to_owned());
    assert_eq!(sorted(bins.collect()), names);

    // One more target installs s6-applyuidgid.
    let mut installed = installed();
    installed.push("s6-applyuidgid".to_owned());
    assert_eq!(sorted(installed), names);
}
