//! What is known about mutants from earlier runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::Result;
use crate::mutant::Mutant;
use crate::suite::Verdict;

/// Verdicts in a file of lines: stage, what it holds for, verdict, name.
pub struct Results {
    known: BTreeMap<String, String>,
    file: Mutex<File>,
}

/// The tests by which mutants are judged.
pub struct Stage {
    pub name: &'static str,
    /// Other tests may notice what these have missed.
    pub tests: u64,
}

impl Results {
    pub fn new(path: &PathBuf) -> Result<Self> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let rows = text.lines().filter_map(|line| {
            let mut fields = line.splitn(4, '\t');
            let (stage, holds_for) = (fields.next()?, fields.next()?);
            let (verdict, name) = (fields.next()?, fields.next()?);
            Some((format!("{stage}\t{holds_for}\t{name}"), verdict.to_owned()))
        });
        let known = rows.collect();
        let file = Mutex::new(File::options().append(true).create(true).open(path)?);
        Ok(Self { known, file })
    }

    /// The verdict of an earlier run: on the same file, and if it was missed by the same tests.
    pub fn known(&self, stage: &Stage, mutant: &Mutant) -> Option<Verdict> {
        let of = |holds_for: u64| {
            self.known
                .get(&format!("{}\t{holds_for:x}\t{}", stage.name, mutant.name))
        };
        if let Some(by) = of(source(mutant)) {
            return Some(Verdict::Noticed(by.clone()));
        }
        match of(source(mutant) ^ stage.tests)?.as_str() {
            "missed" => Some(Verdict::Missed),
            _ => Some(Verdict::NotReached),
        }
    }

    pub fn add(&self, stage: &Stage, mutant: &Mutant, verdict: &Verdict) -> Result<()> {
        let source = source(mutant);
        let (holds_for, verdict) = match verdict {
            Verdict::Noticed(by) => (source, by.as_str()),
            Verdict::Missed => (source ^ stage.tests, "missed"),
            Verdict::NotReached => (source ^ stage.tests, "not reached"),
        };
        let line = format!(
            "{}\t{holds_for:x}\t{verdict}\t{}\n",
            stage.name, mutant.name
        );
        let mut file = self.file.lock().map_err(|error| error.to_string())?;
        Ok(file.write_all(line.as_bytes())?)
    }
}

/// A number for the content of the mutant's file.
fn source(mutant: &Mutant) -> u64 {
    hash([Path::new(&mutant.file)])
}

/// A number for the content of these files.
pub fn hash<'a>(files: impl IntoIterator<Item = &'a Path>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(file).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}

/// A number for a value.
pub fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
