//! How cargo finds a C compiler for ring without make; what make says and asks for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::util::{Cmd, TempDir, cmd, find_in, need, path};

fn compiler(target: &str) -> Cmd {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cargo/musl-cc");
    cmd([script]).env("TARGET", target)
}

#[test]
fn cargo_uses_the_hosts_compiler_for_musl() {
    let named = ["aarch64", "x86_64"].contains(&std::env::consts::ARCH);
    if !named || !need(&["cc"]) {
        return;
    }
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cargo/config.toml");
    let config = fs::read_to_string(config).unwrap();
    let host = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let variable = format!("\nCC_{} = ", host.replace('-', "_"));
    assert!(config.contains(&variable), "{variable}");
    let dir = TempDir::new();
    dir.file("a.c", "int main(void) { return 0; }\n");
    let compiled = compiler(&host).args(["-c", "a.c"]).cwd(dir.path()).run();
    assert_eq!(compiled.success().err(), "");
    assert!(dir.join("a.o").exists());
}

#[test]
fn a_compiler_that_is_named_is_taken() {
    let named = compiler("x-unknown-linux-musl")
        .env("CC", "echo 1")
        .arg("2");
    assert_eq!(named.run().success().out(), "1 2\n");
    let named = compiler("x-unknown-linux-musl").env("CC", "false");
    let named = named.env("TARGET_CC", "echo");
    assert_eq!(named.arg("2").run().success().out(), "2\n");
}

#[test]
fn a_cross_compiler_for_glibc_is_taken_for_another_architecture() {
    let dir = TempDir::new();
    dir.program("x-linux-gnu-gcc", "#!/bin/sh\necho x \"$@\"\n");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", dir.path().display());
    let compiled = compiler("x-unknown-linux-musl").env("PATH", path);
    let output = compiled.args(["-c", "a.c"]).run().success();
    assert_eq!(output.out(), "x -U_FORTIFY_SOURCE -c a.c\n");
}

#[test]
fn a_missing_compiler_for_another_architecture_says_what_to_do() {
    compiler("x-unknown-linux-musl").arg("-c").run().fatal(
        1,
        "musl-cc: fatal: no C compiler for x-unknown-linux-musl: \
         name one in CC_x_unknown_linux_musl",
    );
}

/// `make` where PATH is `tools`: what it and reading the Makefile need, and no cargo.
fn make(tools: &TempDir) -> Cmd {
    for tool in ["make", "sed", "sh", "find", "sort"] {
        symlink(find_in(tool, &path()).unwrap(), tools.join(tool)).unwrap();
    }
    cmd(["make"])
        .env("PATH", tools.path())
        .cwd(Path::new(env!("CARGO_MANIFEST_DIR")))
}

#[test]
fn make_without_cargo_says_only_what_is_missing() {
    if !need(&["make"]) {
        return;
    }
    let tools = TempDir::new();
    let error = make(&tools).args(["-s", "all"]).run().code(2).err();
    let (first, rest) = error.split_once('\n').unwrap();
    assert_eq!(
        first,
        "make needs cargo, and it is not in PATH (README.md, Start; for tests CONTRIBUTING.md)"
    );
    assert!(rest.starts_with("make: ***"), "{rest}");
    assert_eq!(rest.lines().count(), 1, "{rest}");
}

#[test]
fn make_asks_for_no_other_toolchain_unless_it_is_used() {
    if !need(&["make"]) {
        return;
    }
    let tools = TempDir::new();
    tools.program("cargo", "#!/bin/sh\necho \"$*\" >>\"${0%/*}/calls\"\n");
    make(&tools).args(["-n", "all"]).run().success();
    let calls = fs::read_to_string(tools.join("calls")).unwrap();
    assert!(calls.contains("metadata"), "{calls}");
    assert!(!calls.contains('+'), "{calls}");
}

#[test]
fn every_command_that_make_help_prints_is_a_target() {
    if !need(&["make"]) {
        return;
    }
    let tools = TempDir::new();
    let help = make(&tools).args(["-s", "help"]).run().success().out();
    let makefile = Path::new(env!("CARGO_MANIFEST_DIR")).join("Makefile");
    let makefile = fs::read_to_string(makefile).unwrap();
    let (_, phony) = makefile.split_once(".PHONY:").unwrap();
    let mut commands = 0;
    for line in help.lines() {
        let target = line.split_whitespace().nth(1).filter(|word| *word != "#");
        let known = target.is_none_or(|target| phony.split_whitespace().any(|one| one == target));
        assert!(known, "{line}");
        commands += 1;
    }
    assert!(commands > 15, "{help}");
}

#[test]
fn a_container_is_built_without_what_git_ignores() {
    let lines = |name| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        fs::read_to_string(file).unwrap()
    };
    let docker = lines(".dockerignore");
    for ignored in lines(".gitignore").lines() {
        let path = ignored.trim_start_matches('/');
        assert!(docker.lines().any(|line| line == path), "{ignored}");
    }
}
