//! The same chains through our verifiers, `openssl verify -x509_strict` and `certtool --verify`.
//!
//! Each chain has one odd feature, or a few. If the three do not agree on it, a row of
//! `differences.txt` must say so with the reason.

mod features;
mod names;
mod paths;
mod peers;
mod spec;
mod table;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use features::Feature;
use peers::Verdicts;
use spec::Spec;
use table::Table;

/// The test that always runs tries one in this many of the features, and of those about names.
const SOME: [usize; 2] = [2, 20];

/// How many chains with more than one feature are tried.
const FEW: u64 = 60;
const MANY: u64 = 4000;

/// A directory that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("s6-tls-differential.{}.{count}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Numbers that look random and are the same each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

/// A chain with these features. Its label has theirs, in the order of the alphabet.
struct Case {
    labels: Vec<String>,
    spec: Spec,
}

impl Case {
    fn new(features: &[&Feature]) -> Self {
        let mut spec = Spec::new();
        for feature in features {
            (feature.apply)(&mut spec);
        }
        let mut labels: Vec<_> = features.iter().map(|feature| feature.label()).collect();
        labels.sort();
        Self { labels, spec }
    }
}

/// Each feature alone.
fn single(every: [usize; 2]) -> Vec<Case> {
    let names = names::matches().into_iter().chain(names::limits());
    let all = features::all()
        .into_iter()
        .step_by(every[0])
        .chain(names.step_by(every[1]));
    all.map(|feature| Case::new(&[&feature])).collect()
}

/// Chains with one to three features that change different parts.
fn combined(count: u64) -> Vec<Case> {
    let odd = features::all();
    let names: Vec<_> = names::matches()
        .into_iter()
        .chain(names::limits())
        .collect();
    let case = |seed| {
        let mut numbers = Numbers(seed);
        let mut chosen: Vec<&Feature> = Vec::new();
        for _ in 0..2 + numbers.below(2) {
            let pool = if numbers.below(4) == 0 { &names } else { &odd };
            let one = &pool[numbers.below(pool.len())];
            if chosen.iter().all(|other| other.goes_with(one)) {
                chosen.push(one);
            }
        }
        Case::new(&chosen)
    };
    (0..count).map(case).collect()
}

/// A case, who accepts it, and what they say.
struct Asked {
    labels: Vec<String>,
    accepted: [bool; 3],
    said: String,
}

impl Asked {
    fn new(case: &Case, keys: &[Key], dir: &Path) -> Self {
        let verdicts = Verdicts::of(&case.spec, keys, dir);
        Self {
            labels: case.labels.clone(),
            accepted: verdicts.accepted(),
            said: format!("{}\n{verdicts}", case.labels.join(" + ")),
        }
    }
}

/// Lets all three verify each case, with two threads.
fn asked(cases: &[Case]) -> Vec<Asked> {
    let keys: Vec<_> = (0..32).map(|_| Key::new()).collect();
    let half = cases.len().div_ceil(2);
    let ask = |cases: &[Case]| {
        let dir = Scratch::new();
        let asked = cases.iter().map(|case| Asked::new(case, &keys, &dir.0));
        asked.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (cases.chunks(half))
            .map(|cases| scope.spawn(|| ask(cases)))
            .collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results.flatten().collect()
    })
}

fn table() -> Table {
    Table::parse(include_str!("differences.txt"))
}

/// Whether both programs are there, in the versions of the table.
fn peers_are_there() -> bool {
    let versions = peers::versions();
    let fits = versions.as_deref() == Some(table().versions());
    if !fits {
        println!("SKIPPED: {versions:?} instead of {}", table().versions());
    }
    fits
}

/// Lets all three verify all cases; fails if a difference has no row.
fn agree_or_are_listed(cases: &[Case]) -> Vec<Asked> {
    let (table, asked) = (table(), asked(cases));
    let unexplained = |case: &&Asked| !table.explains(&case.labels, case.accepted);
    let unexplained = asked.iter().filter(unexplained);
    let said: Vec<_> = unexplained.map(|case| case.said.as_str()).collect();
    assert!(
        said.is_empty(),
        "{} have no row:\n{}",
        said.len(),
        said.join("\n")
    );
    asked
}

#[test]
fn a_good_chain_is_accepted_by_all() {
    if !peers_are_there() {
        return;
    }
    let keys: Vec<_> = (0..4).map(|_| Key::new()).collect();
    let dir = Scratch::new();
    for of_client in [false, true] {
        let spec = Spec {
            of_client,
            ..Spec::new()
        };
        let verdicts = Verdicts::of(&spec, &keys, &dir.0);
        assert_eq!(verdicts.accepted(), [true; 3], "{verdicts}");
    }
}

#[test]
fn openssl_and_gnutls_agree_with_the_engines_or_the_difference_is_listed() {
    if !peers_are_there() {
        return;
    }
    let cases = single(SOME).into_iter().chain(combined(FEW));
    agree_or_are_listed(&cases.collect::<Vec<_>>());
}

#[test]
#[ignore = "it takes minutes: make differential"]
fn every_difference_from_openssl_and_gnutls_in_thousands_of_chains_is_listed() {
    assert!(peers_are_there());
    let cases = single([1; 2]).into_iter().chain(combined(MANY));
    let asked = agree_or_are_listed(&cases.collect::<Vec<_>>());
    let all = asked.iter().map(|case| (&case.labels[..], case.accepted));
    assert_eq!(table().unused(&all.collect::<Vec<_>>()), [""; 0]);
    let differ = asked
        .iter()
        .filter(|case| case.accepted.contains(&!case.accepted[0]));
    println!(
        "{} chains, {} differences, each with a row",
        asked.len(),
        differ.count()
    );
}

#[test]
fn rows_match_differences_by_labels_and_verdicts() {
    let table = Table::parse("Versions\nReason.\n-++ leaf dates: ~\n+-- root a: 1~b: ~\n");
    assert_eq!(table.versions(), "Versions");
    let labels = |labels: &[&str]| {
        labels
            .iter()
            .map(|label| label.to_string())
            .collect::<Vec<_>>()
    };
    let old = labels(&["leaf dates: old"]);
    assert!(table.explains(&old, [false, true, true]));
    assert!(table.explains(&old, [true; 3]));
    assert!(!table.explains(&old, [true, false, false]));
    assert!(!table.explains(&labels(&["root dates: old"]), [false, true, true]));
    // In a combination each peer's difference needs a row of one of the features.
    let two = labels(&["leaf dates: old", "root x: y"]);
    assert!(table.explains(&two, [false, true, false]));
    assert!(!table.explains(&two, [true, false, true]));
    assert!(table.explains(&labels(&["root a: 1", "z b: 2"]), [true, false, false]));
    let used = table.unused(&[(&two, [false, true, true])]);
    assert_eq!(used, ["root a: 1~b: ~"]);
}
