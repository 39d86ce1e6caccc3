//! What a program says about itself: the usage line, `--help`, `--version`.

use crate::row::{Program, Row};

impl Program {
    /// What the usage line shows behind the program's name.
    pub fn synopsis(&self) -> String {
        let mut words: Vec<String> = self
            .alternatives()
            .iter()
            .map(|rows| brackets(rows))
            .collect();
        words.extend(self.operands.iter().map(|operand| (*operand).to_owned()));
        words.join(" ")
    }

    /// The options, those that exclude each other together.
    pub fn alternatives(&self) -> Vec<Vec<&'static Row>> {
        let mut sets: Vec<Vec<&'static Row>> = Vec::new();
        for row in self.rows() {
            match sets.last_mut() {
                Some(set) if set.iter().all(|other| exclude(other, row)) => set.push(row),
                _ => sets.push(vec![row]),
            }
        }
        sets
    }

    /// The answer to `--help`: the usage line and a line for each option.
    pub fn help(&self) -> String {
        let mut text = format!("usage: {} {}\n", self.name, self.synopsis());
        for row in self.rows() {
            let spelling = self.spelling(row);
            text.push_str(&format!("  {spelling:<34} {}\n", row.help));
        }
        text
    }

    /// How the option may be given: `-K ms, --handshake-timeout=ms`.
    pub fn spelling(&self, row: &Row) -> String {
        let long = self.long.then(|| match row.value_name() {
            Some(value) => format!("--{}={value}", row.long),
            None => format!("--{}", row.long),
        });
        let short = row.short.map(|letter| match row.value_name() {
            Some(value) => format!("-{letter} {value}"),
            None => format!("-{letter}"),
        });
        let both: Vec<String> = short.into_iter().chain(long).collect();
        both.join(", ")
    }

    /// The answer to `--version`.
    pub fn version(&self) -> String {
        format!("{} (s6-tls) {}\n", self.name, env!("CARGO_PKG_VERSION"))
    }
}

/// Whether the second, which follows the first, stands for it or against it.
fn exclude(first: &Row, second: &Row) -> bool {
    let takes_back = |one: &Row, other: &Row| match (one.id(), other.id()) {
        (_, Some(id)) => one.clears().contains(&id),
        (_, None) => one.clears() == other.clears(),
    };
    takes_back(second, first) && (second.id().is_none() || takes_back(first, second))
}

/// The shortest spellings.
fn brackets(rows: &[&Row]) -> String {
    let shortest: Vec<String> = rows.iter().map(|row| shortest(row)).collect();
    format!("[ {} ]", shortest.join(" | "))
}

fn shortest(row: &Row) -> String {
    match (row.short, row.value_name()) {
        (Some(letter), Some(value)) => format!("-{letter} {value}"),
        (Some(letter), None) => format!("-{letter}"),
        (None, Some(value)) => format!("--{}={value}", row.long),
        (None, None) => format!("--{}", row.long),
    }
}
