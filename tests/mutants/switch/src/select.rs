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
    pub fn find(name: &str) -> Result<Self> {
        let table = fs::read_to_string("tests/mutants/modules")?;
        let mut rows = table.lines().map(str::split_whitespace);
        let found = rows.find_map(|mut row| {
            let mut next = || row.next().map(str::to_owned);
            let (first, package, files) = (next()?, next()?, next()?);
            let tests = row.map(str::to_owned).collect();
            (first == name).then_some(Self {
                name: first,
                package,
                files,
                tests,
            })
        });
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

/// The mutants of the lines that have changed since the commit `base`.
pub fn changed(all: &Mutants, base: &str) -> Result<BTreeSet<u32>> {
    let mut git = Command::new("git");
    let diff = output(git.args(["diff", "-U0", "--no-color", base, "--", "crates"]))?;
    let mut lines: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let mut file = "";
    for line in diff.lines() {
        if let Some(name) = line.strip_prefix("+++ b/") {
            file = name;
        } else if let Some((from, count)) = hunk(line) {
            lines.entry(file).or_default().extend(from..from + count);
        }
    }
    let chosen = all.iter().filter(|(_, mutant)| {
        let of_file = lines.get(mutant.file.as_str());
        of_file.is_some_and(|of| of.range(mutant.start.0..=mutant.end.0).next().is_some())
    });
    Ok(chosen.map(|(number, _)| *number).collect())
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
