//! The mutants: those that cargo-mutants lists, and statements that are left out.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::{Result, output};

/// What of the code a mutant changes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Genre {
    Body,
    Binary,
    Unary,
    Arm,
    Guard,
    Field,
    /// Not one of cargo-mutants.
    Statement,
}

/// A change of the code.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// `FILE:LINE:COLUMN: CHANGE in FUNCTION`
    pub name: String,
    pub file: String,
    pub genre: Genre,
    /// Line and column, both from 1, where the changed code begins and ends.
    pub start: (usize, usize),
    pub end: (usize, usize),
    pub replacement: String,
}

impl Mutant {
    /// The name without line and column, which change with every edit.
    pub fn stable_name(&self) -> String {
        let change = self.name.splitn(4, ':').nth(3).unwrap_or_default();
        format!("{}:{change}", self.file)
    }

    /// The package of the file, which is in crates/PACKAGE.
    pub fn package(&self) -> &str {
        self.file.split('/').nth(1).unwrap_or_default()
    }
}

/// How many numbers a file has. Mutants of a file have numbers of its own, so that those
/// of other files stay what they are when it changes.
const PER_FILE: u32 = 1000;

/// All mutants by their numbers, which are not 0.
pub type Mutants = BTreeMap<u32, Mutant>;

/// Numbers the mutants of cargo-mutants, file by file. Half of the numbers of a file are for
/// those without a statement.
pub fn numbered(listed: Vec<Mutant>) -> Result<Mutants> {
    let mut by_file: BTreeMap<String, Vec<Mutant>> = BTreeMap::new();
    for mutant in listed {
        by_file.entry(mutant.file.clone()).or_default().push(mutant);
    }
    let mut mutants = Mutants::new();
    for (first, (file, of_file)) in (1..).zip(by_file) {
        if of_file.len() > PER_FILE as usize / 2 {
            return Err(format!("{file} has too many mutants").into());
        }
        mutants.extend((first * PER_FILE..).zip(of_file));
    }
    Ok(mutants)
}

/// What `cargo mutants --list` lists with these arguments.
pub fn list(arguments: &[&str]) -> Result<Vec<Mutant>> {
    let mut command = Command::new("cargo");
    command.args(["mutants", "--list", "--json", "--colors", "never"]);
    let json = output(command.args(arguments))?;
    let json = json.trim();
    // Without any mutant it may print nothing, or a note.
    if !json.starts_with('[') {
        return Ok(Vec::new());
    }
    let all: Vec<Value> = serde_json::from_str(json)?;
    all.iter().map(parse).collect()
}

fn parse(value: &Value) -> Result<Mutant> {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let position = |of: &str| -> Option<(usize, usize)> {
        let at = |key: &str| value["span"][of][key].as_u64()?.try_into().ok();
        Some((at("line")?, at("column")?))
    };
    let genre = match value["genre"].as_str().unwrap_or_default() {
        "FnValue" => Genre::Body,
        "BinaryOperator" => Genre::Binary,
        "UnaryOperator" => Genre::Unary,
        "MatchArm" => Genre::Arm,
        "MatchArmGuard" => Genre::Guard,
        "StructField" => Genre::Field,
        other => return Err(format!("unknown genre of mutants: {other}").into()),
    };
    Ok(Mutant {
        name: text("name")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        file: text("file"),
        genre,
        start: position("start").ok_or("a mutant without a place")?,
        end: position("end").ok_or("a mutant without a place")?,
        replacement: text("replacement"),
    })
}
