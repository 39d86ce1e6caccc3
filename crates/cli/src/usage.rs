//! What a program says about itself: the usage line, `--help`, `--version`.

use crate::option_spec::{OptionSpec, Program, Reads};
use crate::variables::VARIABLES;

/// The width of `--help`, in columns.
const WIDTH: usize = 80;

/// The longest synopsis in an error, in columns. In a longer one it is hard to see which operand is
/// missing.
const LONGEST: usize = 3 * WIDTH;

/// The column in `--help` where the texts about options and variables begin.
const TEXTS: usize = 34;

impl Program {
    /// The usage line without the program's name.
    pub fn synopsis(&self) -> String {
        self.synopsis_parts().join(" ")
    }

    /// The synopsis for an error. If there are many options, it only says how to list them.
    pub(crate) fn short_synopsis(&self) -> String {
        let synopsis = self.synopsis();
        if synopsis.len() <= LONGEST {
            return synopsis;
        }
        let operands = self.operands.join(" ");
        format!(
            "[ options ] {operands} ({} --help lists the options)",
            self.name
        )
    }

    /// The parts of the synopsis, none of which a line break may divide: options that exclude
    /// each other, in brackets, and operands.
    pub fn synopsis_parts(&self) -> Vec<String> {
        let alternatives = self.alternatives();
        let options = alternatives.iter().map(|specs| brackets(specs));
        let operands = self.operands.iter().map(|operand| (*operand).to_owned());
        options.chain(operands).collect()
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

    /// The answer to `--help`: usage, summary, a text for each option and each variable. Lines
    /// have at most 80 columns.
    pub fn help(&self) -> String {
        let mut text = format!("usage: {}", self.name);
        let indent = text.len();
        let parts = self.synopsis_parts();
        add_words(
            &mut text,
            indent,
            WIDTH,
            &mut parts.iter().map(String::as_str),
        );
        text.push('\n');
        text.push_str(self.summary);
        text.push('\n');
        let options = self.option_specs();
        let mut options = options.map(|spec| (self.spelling(spec), spec.help));
        add_entries(&mut text, "\noptions:\n", &mut options);
        let variables = self.variables();
        add_entries(&mut text, "\nenvironment:\n", &mut variables.into_iter());
        text
    }

    /// The variables that the program and those that it runs read, with their texts.
    pub fn variables(&self) -> Vec<(String, &'static str)> {
        let mut variables = Vec::new();
        for reads in self.reads {
            let engine = VARIABLES.iter().filter(|variable| match reads {
                Reads::Server => variable.server.is_some(),
                Reads::Client => variable.client.is_some(),
                Reads::These(_) => false,
            });
            variables.extend(engine.map(|variable| (variable.named("name"), variable.help)));
            if let Reads::These(these) = reads {
                variables.extend(these.iter().map(|(name, help)| ((*name).to_owned(), *help)));
            }
        }
        variables
    }

    /// How the option may be given: `-K ms, --handshake-timeout=ms`.
    pub fn spelling(&self, spec: &OptionSpec) -> String {
        let long = self.has_long_name(spec).then(|| spec.long_spelling());
        let both: Vec<String> = spec.short_spelling().into_iter().chain(long).collect();
        both.join(", ")
    }

    /// The answer to `--version`.
    pub fn version(&self) -> String {
        format!("{} (s6-tls) {}\n", self.name, env!("CARGO_PKG_VERSION"))
    }
}

/// Adds a heading and the entries below it; nothing if there are none.
fn add_entries(
    text: &mut String,
    heading: &str,
    entries: &mut dyn Iterator<Item = (String, &'static str)>,
) {
    let mut heading = Some(heading);
    for (name, help) in entries {
        text.push_str(heading.take().unwrap_or_default());
        text.push_str("  ");
        text.push_str(&name);
        if 2 + name.len() >= TEXTS {
            text.push('\n');
            add_blanks(text, TEXTS - 1);
        } else {
            add_blanks(text, TEXTS - 3 - name.len());
        }
        add_words(text, TEXTS - 1, WIDTH, &mut help.split(' '));
    }
}

/// Adds words to the last line of `text`, and ends it, in lines of at most `width` columns. A new
/// line begins with `indent` columns before the blank that precedes its first word. All is ASCII.
pub fn add_words(
    text: &mut String,
    indent: usize,
    width: usize,
    words: &mut dyn Iterator<Item = &str>,
) {
    let mut column = text.len() - text.rfind('\n').map_or(0, |at| at + 1);
    let mut empty = true;
    for word in words {
        let length = 1 + word.len();
        if !empty && column + length > width {
            text.push('\n');
            add_blanks(text, indent);
            column = indent;
        }
        text.push(' ');
        text.push_str(word);
        column += length;
        empty = false;
    }
    text.push('\n');
}

fn add_blanks(text: &mut String, count: usize) {
    for _ in 0..count {
        text.push(' ');
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

#[cfg(test)]
mod tests;
