//! Runs tests one after the other, each in a child of its own, which it may change. A
//! program with one thread can fork. The command line is the part of libtest's that cargo
//! and `make mutants` use.

use lexopt::Arg::{Long, Value};
use lexopt::ValueExt;
use unix::fork::{Forked, fork};
use unix::spawn::{Ended, wait};

/// The name of a test, and the test, which panics if it fails.
pub type Test = (&'static str, fn());

/// The tests of these functions.
macro_rules! tests {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name)),*] };
}
pub(crate) use tests;

/// Runs the tests whose names contain an operand, or with `--exact` are one, and all of
/// them without operands; with `--list` it prints their names. Exits with 101 if one
/// fails.
pub fn main(tests: &[Test]) {
    let (mut list, mut exact, mut names) = (false, false, Vec::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next().unwrap() {
        match arg {
            Long("list") => list = true,
            Long("exact") => exact = true,
            Long("format" | "test-threads") => drop(parser.value().unwrap()),
            Value(name) => names.push(name.string().unwrap()),
            _ => {}
        }
    }
    let is_meant = |test: &str| {
        let names_it = |name: &String| test == name || (!exact && test.contains(name));
        names.is_empty() || names.iter().any(names_it)
    };
    let mut failed = false;
    for (name, test) in tests.iter().filter(|(name, _)| is_meant(name)) {
        if list {
            println!("{name}: test");
        } else if passes(*test) {
            println!("test {name} ... ok");
        } else {
            println!("test {name} ... FAILED");
            failed = true;
        }
    }
    if failed {
        std::process::exit(101);
    }
    if !list {
        println!("test result: ok");
    }
}

fn passes(test: fn()) -> bool {
    match fork().unwrap() {
        Forked::Child => {
            nix::unistd::alarm::set(60);
            test();
            unix::entry::exit(0)
        }
        Forked::Parent(pid) => wait(pid) == Ok(Ended::Exited(0)),
    }
}
