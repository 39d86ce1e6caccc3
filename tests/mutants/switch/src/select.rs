//! Which mutants are run, and by which tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use crate::mutant::{self, Mutants};
use crate::{Result, output};

/// A row of tests/mutants/modules.
pub struct Module {
    pub name: String,
    /// It is in crates/PACKAGE.
    pub package: String,
    /// A pattern for cargo-mutants.
    files: String,
    /// What the names of its end-to-end tests contain.
    pub tests: Vec<String>,
}

impl Module {
    pub fn all() -> Result<Vec<Self>> {
        let table = fs::read_to_string("tests/mutants/modules")?;
        let rows = table.lines().filter(|line| !line.starts_with('#'));
        Ok(rows.filter_map(Self::parse).collect())
    }

    fn parse(row: &str) -> Option<Self> {
        let mut words = row.split_whitespace().map(str::to_owned);
        Some(Self {
            name: words.next()?,
            package: words.next()?,
            files: words.next()?,
            tests: words.collect(),
        })
    }

    pub fn find(name: &str) -> Result<Self> {
        let mut all = Self::all()?.into_iter();
        let found = all.find(|module| module.name == name);
        found.ok_or_else(|| format!("no module {name} in tests/mutants/modules").into())
    }

    /// Its mutants whose names contain one of `texts`, or all. Those without a statement are in
    /// the files of the others.
    pub fn mutants(&self, all: &Mutants, texts: &[&str]) -> Result<BTreeSet<u32>> {
        let package = format!("s6-tls-{}", self.package);
        let listed = mutant::list(&["-p", &package, "-f", &self.files])?;
        let files: BTreeSet<&str> = listed.iter().map(|mutant| mutant.file.as_str()).collect();
        let chosen = all
            .iter()
            .filter(|(_, mutant)| files.contains(mutant.file.as_str()));
        let named = |name: &str| texts.is_empty() || texts.iter().any(|text| name.contains(text));
        let chosen = chosen.filter(|(_, mutant)| named(&mutant.name));
        Ok(chosen.map(|(number, _)| *number).collect())
    }
}

/// Lines, from 1, by file.
pub type Lines = BTreeMap<String, BTreeSet<usize>>;

/// The lines of the crates that have changed since the commit `base`.
pub fn changed(base: &str) -> Result<Lines> {
    let mut git = Command::new("git");
    let diff = output(git.args(["diff", "-U0", "--no-color", base, "--", "crates"]))?;
    let mut lines = Lines::new();
    let mut file = "";
    for line in diff.lines() {
        if let Some(name) = line.strip_prefix("+++ b/") {
            file = name;
        } else if let Some((from, count)) = hunk(line) {
            let of_file = lines.entry(file.to_owned()).or_default();
            of_file.extend(from..from + count);
        }
    }
    Ok(lines)
}

/// Those of `all` that change one of these lines.
pub fn within(all: &Mutants, lines: &Lines) -> BTreeSet<u32> {
    let chosen = all.iter().filter(|(_, mutant)| {
        let of_file = lines.get(&mutant.file);
        of_file.is_some_and(|of| of.range(mutant.start.0..=mutant.end.0).next().is_some())
    });
    chosen.map(|(number, _)| *number).collect()
}

/// Where the new lines of a hunk begin, and how many there are: `@@ -1,2 +3,4 @@`.
fn hunk(line: &str) -> Option<(usize, usize)> {
    let new = line
        .strip_prefix("@@ ")?
        .split(' ')
        .nth(1)?
        .strip_prefix('+')?;
    let (from, count) = new.split_once(',').unwrap_or((new, "1"));
    Some((from.parse().ok()?, count.parse().ok()?))
}

/// The names, without line and column, of the mutants that one of these tables in tests/mutants
/// explains: all without a name.
pub fn explained(table: Option<&str>) -> Result<BTreeSet<String>> {
    let mut lines = BTreeSet::new();
    for file in fs::read_dir("tests/mutants")? {
        let path = file?.path();
        let is = table.is_none_or(|name| path.file_stem().is_some_and(|stem| stem == name));
        if is && path.extension().is_some_and(|extension| extension == "txt") {
            lines.extend(fs::read_to_string(path)?.lines().map(str::to_owned));
        }
    }
    Ok(lines)
}
