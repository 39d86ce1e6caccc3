//! Runs tests one after the other, each in a child of its own, which it may change. A
//! program with one thread can fork. The command line is the part of libtest's that cargo,
//! CI and `make mutants` use.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::fs::File;
use std::io::Write;

use lexopt::Arg::{Long, Value};
use lexopt::ValueExt;
use unix::fork::{Forked, fork};
use unix::spawn::{Ended, wait};

/// A test that takes longer, in seconds, fails. An emulator may need that long.
const LIMIT: u32 = 300;

/// The name of a test, and the test, which panics if it fails.
pub type Test = (&'static str, fn());

/// The tests of these functions.
macro_rules! tests {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name)),*] };
}
pub(crate) use tests;

/// What the command line says.
#[derive(Default)]
struct Selection {
    list: bool,
    exact: bool,
    names: Vec<String>,
    skipped: Vec<String>,
}

impl Selection {
    fn of_command_line() -> Self {
        let mut selection = Self::default();
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next().unwrap() {
            match arg {
                Long("list") => selection.list = true,
                Long("exact") => selection.exact = true,
                Long("nocapture") => {}
                Long("skip") => {
                    let name = parser.value().unwrap().string().unwrap();
                    selection.skipped.push(name);
                }
                Long("color" | "format" | "test-threads") => drop(parser.value().unwrap()),
                Value(name) => selection.names.push(name.string().unwrap()),
                other => panic!("unknown option {other:?}"),
            }
        }
        selection
    }

    /// Whether one of the names is part of this test's name, or with `--exact` is that name.
    fn has(&self, test: &str) -> bool {
        let meant = |name: &String| test == name || (!self.exact && test.contains(name));
        let given = self.names.is_empty() || self.names.iter().any(meant);
        given && !self.skipped.iter().any(meant)
    }
}

/// Runs the tests that the command line selects, or with `--list` prints their names. Exits
/// with 101 if one fails.
pub fn main(tests: &[Test]) {
    let selection = Selection::of_command_line();
    let selected = tests.iter().filter(|(name, _)| selection.has(name));
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in selected {
        if selection.list {
            println!("{name}: test");
            continue;
        }
        match in_a_child(*test) {
            Ended::Exited(0) => {
                passed += 1;
                println!("test {name} ... ok");
            }
            ended => {
                failed += 1;
                println!("{ended:?}\ntest {name} ... FAILED");
            }
        }
    }
    if failed > 0 {
        println!("test result: FAILED. {passed} passed; {failed} failed");
        std::process::exit(101);
    }
    if !selection.list {
        println!("test result: ok. {passed} passed");
    }
}

fn in_a_child(test: fn()) -> Ended {
    match fork().unwrap() {
        Forked::Child => {
            nix::unistd::alarm::set(LIMIT);
            test();
            unix::entry::exit(0)
        }
        Forked::Parent(pid) => wait(pid).unwrap(),
    }
}

/// Says why a test checks nothing here, also at the end of `make test`.
#[allow(dead_code, reason = "not every program has such a test")]
pub fn skip(why: &str) {
    println!("SKIPPED: {why}");
    if let Some(path) = std::env::var_os("SKIPPED_TESTS") {
        let file = File::options().append(true).create(true).open(path);
        let _ = file.and_then(|mut file| writeln!(file, "SKIPPED {why}"));
    }
}
