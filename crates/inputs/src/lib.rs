//! Runs the entry points of fuzzing in `cargo test`: over the seeds in
//! fuzz/corpus, and over inputs that are made from these. See fuzz/README.md.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "it is part of tests, and a test that cannot go on has failed"
)]

use std::cell::Cell;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// What a fuzzer calls: it panics if the input shows a defect, and says
/// whether the input was understood, which most inputs are not.
pub type Entry = fn(&[u8]) -> bool;

/// Where the seeds are.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");

/// The longest input that is made here: parsing a byte may take much time.
const LONGEST: usize = 1 << 16;

/// Calls `entry` with every seed of `target`, and with `count` inputs made
/// from them, the same ones each time.
///
/// Fails with the smallest input that shows a defect; or if no seed, or
/// nothing made of the seeds, was understood, or all of it was: then the
/// inputs do not reach what they are to test.
pub fn run(target: &str, count: u32, entry: Entry) {
    let seeds: Vec<Vec<u8>> = seeds(target).into_iter().map(|(_, seed)| seed).collect();
    let understood = seeds.iter().filter(|seed| entry(seed)).count();
    assert!(understood > 0, "{target}: no seed is understood");
    let understood = Cell::new(0u32);
    let config = Config {
        cases: count,
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result = TestRunner::new_with_rng(config, random).run(&input(seeds), |input| {
        understood.set(understood.get() + u32::from(entry(&input)));
        Ok(())
    });
    match result {
        Ok(()) => {
            let share = 1..count;
            let understood = understood.get();
            assert!(
                share.contains(&understood),
                "{target}: {understood} of {count} understood"
            );
        }
        Err(TestError::Fail(why, input)) => {
            panic!("{target}: {why}\ninput: b\"{}\"", input.escape_ascii())
        }
        Err(TestError::Abort(why)) => panic!("{target}: {why}"),
    }
}

/// The seeds of `target` with the names of their files, in the order of these: that of a
/// directory differs between systems.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(CORPUS).join(target);
    let entries = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut seeds: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("an entry of the corpus");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).expect("a seed"))
        })
        .collect();
    seeds.sort();
    seeds
}

/// A change to an input.
#[derive(Clone, Debug)]
enum Edit {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// From the first place on it continues like another seed from the second place on.
    Splice(Index, Index, Index),
    Cut(Index),
}

/// Mostly seeds with a few changes, sometimes random bytes.
fn input(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changed = (any::<Index>(), vec(edit(), 0..6)).prop_map(move |(seed, edits)| {
        let start = seed.get(&seeds).clone();
        edits
            .iter()
            .fold(start, |input, edit| edit.apply(input, &seeds))
    });
    prop_oneof![9 => changed, 1 => vec(any::<u8>(), 0..300)]
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    // Bytes that mean something to most parsers.
    let special = prop_oneof![
        Just(0u8),
        Just(1),
        Just(0x7f),
        Just(0x80),
        Just(0xff),
        Just(b'\n'),
        Just(b'\r'),
        Just(b'='),
        Just(b' '),
        any::<u8>(),
    ];
    let special = special.boxed();
    prop_oneof![
        (at(), special.clone()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (at(), 0..8u8).prop_map(|(at, bit)| Edit::Flip(at, 1 << bit)),
        (at(), vec(special, 1..9)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (at(), 1..40usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        (at(), 1..200usize).prop_map(|(at, count)| Edit::Repeat(at, count)),
        (at(), at(), at()).prop_map(|(at, seed, from)| Edit::Splice(at, seed, from)),
        at().prop_map(Edit::Cut),
    ]
}

impl Edit {
    fn apply(&self, mut input: Vec<u8>, seeds: &[Vec<u8>]) -> Vec<u8> {
        let len = input.len();
        // One place more than there are bytes: the end.
        let place = |at: &Index| at.index(len + 1);
        match self {
            Self::Set(at, byte) => input
                .iter_mut()
                .skip(place(at))
                .take(1)
                .for_each(|b| *b = *byte),
            Self::Flip(at, bit) => input
                .iter_mut()
                .skip(place(at))
                .take(1)
                .for_each(|b| *b ^= bit),
            Self::Insert(at, bytes) => {
                input.splice(place(at)..place(at), bytes.iter().copied());
            }
            Self::Remove(at, count) => {
                input.drain(place(at)..len.min(place(at) + count));
            }
            Self::Repeat(at, count) => {
                let piece = input[place(at)..len.min(place(at) + count)].to_vec();
                input.splice(place(at)..place(at), piece);
            }
            Self::Splice(at, seed, from) => {
                let other = seed.get(seeds);
                input.truncate(place(at));
                input.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
            Self::Cut(at) => input.truncate(place(at)),
        }
        input.truncate(LONGEST);
        input
    }
}
