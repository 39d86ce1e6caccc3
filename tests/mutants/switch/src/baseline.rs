//! What each test does without a mutant. It is kept, since it takes long to find out.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::Result;

pub struct Test {
    pub name: String,
    pub passed: bool,
    /// How long it takes.
    pub time: Duration,
    /// The mutants whose code it runs.
    pub reaches: BTreeSet<u32>,
}

/// The tests in a file of lines: name, whether it passes, milliseconds, mutants.
pub fn read(path: &Path) -> Vec<Test> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<Test> {
    let mut words = line.split(' ');
    Some(Test {
        name: words.next()?.to_owned(),
        passed: words.next()? == "true",
        time: Duration::from_millis(words.next()?.parse().ok()?),
        reaches: words.filter_map(|word| word.parse().ok()).collect(),
    })
}

/// Adds a test to the file.
pub fn add(path: &Path, test: &Test) -> Result<()> {
    let (name, passed, time) = (&test.name, test.passed, test.time.as_millis());
    let mut line = format!("{name} {passed} {time}");
    for number in &test.reaches {
        line.push_str(&format!(" {number}"));
    }
    line.push('\n');
    let mut file = File::options().append(true).create(true).open(path)?;
    Ok(file.write_all(line.as_bytes())?)
}
