//! What a program says about itself: the usage line, `--help`, `--version`.

use crate::option_spec::{OptionSpec, Program};

impl Program {
    /// The usage line without the program's name.
    pub fn synopsis(&self) -> String {
        let mut words: Vec<String> = self
            .alternatives()
            .iter()
            .map(|specs| brackets(specs))
            .collect();
        words.extend(self.operands.iter().map(|operand| (*operand).to_owned()));
        words.join(" ")
    }

    /// The options, grouped: options that exclude each other are in one group.
    pub fn alternatives(&self) -> Vec<Vec<&'static OptionSpec>> {
        let mut sets: Vec<Vec<&'static OptionSpec>> = Vec::new();
        for spec in self.option_specs() {
            match sets.last_mut() {
                Some(set) if set.iter().all(|other| exclude(other, spec)) => set.push(spec),
                _ => sets.push(vec![spec]),
            }
        }
        sets
    }

    /// The answer to `--help`: the usage line and a line for each option.
    pub fn help(&self) -> String {
        let mut text = format!("usage: {} {}\n", self.name, self.synopsis());
        for spec in self.option_specs() {
            let spelling = self.spelling(spec);
            text.push_str(&format!("  {spelling:<34} {}\n", spec.help));
        }
        text
    }

    /// How the option may be given: `-K ms, --handshake-timeout=ms`.
    pub fn spelling(&self, spec: &OptionSpec) -> String {
        let long = self.long.then(|| spec.long_spelling());
        let both: Vec<String> = spec.short_spelling().into_iter().chain(long).collect();
        both.join(", ")
    }

    /// The answer to `--version`.
    pub fn version(&self) -> String {
        format!("{} (s6-tls) {}\n", self.name, env!("CARGO_PKG_VERSION"))
    }
}

/// Whether these two, of which the second follows the first, exclude each other.
fn exclude(first: &OptionSpec, second: &OptionSpec) -> bool {
    let takes_back = |one: &OptionSpec, other: &OptionSpec| match (one.id(), other.id()) {
        (_, Some(id)) => one.clears().contains(&id),
        (_, None) => one.clears() == other.clears(),
    };
    takes_back(second, first) && (second.id().is_none() || takes_back(first, second))
}

/// The shortest spellings, in brackets.
fn brackets(specs: &[&OptionSpec]) -> String {
    let shortest: Vec<String> = specs.iter().map(|spec| spec.shortest()).collect();
    format!("[ {} ]", shortest.join(" | "))
}

impl OptionSpec {
    /// The shortest spelling, with the name of the value: `-K ms`.
    pub fn shortest(&self) -> String {
        self.short_spelling()
            .unwrap_or_else(|| self.long_spelling())
    }

    fn short_spelling(&self) -> Option<String> {
        let letter = self.short?;
        Some(match self.value_name() {
            Some(value) => format!("-{letter} {value}"),
            None => format!("-{letter}"),
        })
    }

    fn long_spelling(&self) -> String {
        match self.value_name() {
            Some(value) => format!("--{}={value}", self.long),
            None => format!("--{}", self.long),
        }
    }
}
