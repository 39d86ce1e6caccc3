//! Which crate may know which, and which module of the engines' crate:
//! dependencies point one way, and only the engines know cryptography. And
//! none asks for a newer compiler than we do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each crate with those of ours that it may use.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("", &["chain", "cli", "s6-tls-core", "tcp"]),
    ("crates/chain", &["cli", "unix"]),
    ("crates/cli", &["unix"]),
    ("crates/core", &["cli", "sandbox", "unix"]),
    ("crates/dns", &["cli", "unix"]),
    ("crates/inputs", &[]),
    ("crates/sandbox", &["unix"]),
    ("crates/tcp", &["cli", "dns", "unix"]),
    ("crates/unix", &[]),
];

const OURS: [&str; 8] = [
    "chain",
    "cli",
    "dns",
    "s6-tls-core",
    "inputs",
    "sandbox",
    "tcp",
    "unix",
];

/// Each module of the engines' crate with those of them that it may use. What
/// we show and whom we trust do not know each other; the tunnel knows no file
/// and no option.
const MODULES: [(&str, &[&str]); 14] = [
    ("client", ABOVE),
    ("server", ABOVE),
    (
        "setup",
        &["keyguard", "drop_privileges", "report", "tunnel"],
    ),
    (
        "keyguard",
        &[
            "outcome",
            "drop_privileges",
            "handshake_facts",
            "credentials",
            "x509",
        ],
    ),
    (
        "tunnel",
        &["crypto", "outcome", "handshake_facts", "report"],
    ),
    (
        "report",
        &["crypto", "outcome", "handshake_facts", "verify", "x509"],
    ),
    (
        "credentials",
        &["crypto", "files", "handshake_facts", "x509"],
    ),
    ("verify", &["crypto", "files", "handshake_facts", "x509"]),
    ("drop_privileges", &[]),
    ("files", &["outcome", "x509"]),
    ("crypto", &[]),
    ("outcome", &[]),
    ("handshake_facts", &["crypto"]),
    ("x509", &[]),
];

/// What the two programs may use.
const ABOVE: &[&str] = &[
    "crypto",
    "files",
    "keyguard",
    "handshake_facts",
    "credentials",
    "verify",
    "report",
    "setup",
    "tunnel",
];

/// What the programs are made of: the dependencies of a manifest.
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
        assert_eq!(tls, name == "crates/core", "{name}");
    }
}

/// N of the versions `1.N` of Rust that our packages and others' ask for.
fn rust_versions() -> Vec<u32> {
    let host = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--locked"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{metadata:?}");
    let text = String::from_utf8(metadata.stdout).unwrap();
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

/// The words behind `PROGRAMS =` in the Makefile.
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

/// The source files of the module `path` (without `.rs`), without those that
/// are built for tests only; of each, what comes before its own tests.
fn sources(path: &Path) -> Vec<(PathBuf, String)> {
    let file = match path.with_extension("rs") {
        file if file.exists() => file,
        _ => path.join("mod.rs"),
    };
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut found = Vec::new();
    let mut tests_only = false;
    for line in text.lines() {
        let name = line.trim_start_matches("pub ").strip_prefix("mod ");
        if let Some(name) = name.and_then(|name| name.strip_suffix(';')) {
            if !tests_only {
                found.extend(sources(&path.join(name)));
            }
        }
        tests_only = line.starts_with("#[cfg(") && line.contains("test");
    }
    found.push((file, text.to_owned()));
    found
}

/// The modules of its own crate that a source names, but for comments and
/// functions for tests.
fn uses(text: &str) -> BTreeSet<String> {
    let text = text
        .split("#[cfg(any(test, feature = \"fuzzing\"))]\n#[allow")
        .next();
    let code = text.unwrap().lines().map(str::trim_start);
    let code: Vec<_> = code.filter(|line| !line.starts_with("//")).collect();
    let code = code.join(" ");
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let list = rest.strip_prefix('{').map(|list| list.split('}').next());
        let names = list.flatten().unwrap_or(rest).split([',', ' ']);
        let names = names.map(|name| {
            name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .next()
        });
        let count = if rest.starts_with('{') { usize::MAX } else { 1 };
        found.extend(names.take(count).flatten().map(str::to_owned));
    }
    found
}

#[test]
fn the_modules_of_the_engines_point_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src");
    let library = std::fs::read_to_string(root.join("lib.rs")).unwrap();
    let declared = library.lines().filter_map(|line| {
        let line = line.trim_start_matches("pub ").strip_prefix("mod ")?;
        line.strip_suffix(';')
    });
    let of_tests = ["fuzzing", "testing"];
    let declared: BTreeSet<_> = declared.filter(|name| !of_tests.contains(name)).collect();
    let known: BTreeSet<_> = MODULES.iter().map(|(name, _)| *name).collect();
    assert_eq!(declared, known);
    for (module, allowed) in MODULES {
        for (file, text) in sources(&root.join(module)) {
            for name in uses(&text) {
                let ours = known.contains(&*name) && name != module;
                let fine = !ours || allowed.contains(&&*name);
                assert!(fine, "{} uses {name}", file.display());
            }
        }
    }
}

/// All files below, by their paths.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn messages_are_printed_where_their_length_is_bounded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    files(&root.join("crates"), &mut sources);
    files(&root.join("src"), &mut sources);
    sources.retain(|path| path.extension().is_some_and(|end| end == "rs"));
    // Those of crates/NAME/tests are no part of a program.
    sources.retain(|path| path.components().all(|part| part.as_os_str() != "tests"));
    let prints = |path: &&PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        ["fd::message(", "eprint"]
            .iter()
            .any(|call| text.contains(call))
    };
    let printing: BTreeSet<_> = sources.iter().filter(prints).collect();
    // The other one has no memory for a longer line.
    let expected = ["crates/cli/src/message.rs", "crates/unix/src/heap/mod.rs"];
    let expected = expected.map(|path| root.join(path));
    assert_eq!(printing, expected.iter().collect());
}
