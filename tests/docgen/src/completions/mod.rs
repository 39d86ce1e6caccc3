//! What shells complete behind the name of a program: its options, and the
//! program that it runs as a command of its own.

pub mod bash;
pub mod fish;
pub mod zsh;

use cli::{OptionSpec, Program};

/// The arguments that stand between the options and the program to run, and
/// whether there is such a program.
fn operands(program: &Program) -> (&'static [&'static str], bool) {
    match program.operands.split_last() {
        Some((last, before)) if last.ends_with("...") => (before, true),
        _ => (program.operands, false),
    }
}

/// The letters of the options that have a value, or of those that have none.
fn letters(program: &Program, with_value: bool) -> String {
    let rows = program
        .option_specs()
        .filter(|row| row.value_name().is_some() == with_value);
    rows.filter_map(|row| row.short).collect()
}

/// The long name, in programs that accept it.
fn long(program: &Program, row: &OptionSpec) -> Option<&'static str> {
    program.long.then_some(row.long)
}

fn quoted(text: &str, apostrophe: &str) -> String {
    format!("'{}'", text.replace('\'', apostrophe))
}
