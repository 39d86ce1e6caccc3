//! Completions for shells: the options of a program, and the command that it runs.

pub mod bash;
pub mod fish;
pub mod zsh;

use cli::{OptionSpec, Program};

/// The operands before the program to run, and whether there is such a program.
fn operands(program: &Program) -> (&'static [&'static str], bool) {
    match program.operands.split_last() {
        Some((last, before)) if last.ends_with("...") => (before, true),
        _ => (program.operands, false),
    }
}

/// The letters of the options with a value, or of those without.
fn letters(program: &Program, with_value: bool) -> String {
    let rows = program
        .option_specs()
        .filter(|row| row.value_name().is_some() == with_value);
    rows.filter_map(|row| row.short).collect()
}

/// The long name, if the program accepts it.
fn long(program: &Program, row: &OptionSpec) -> Option<&'static str> {
    program.has_long_name(row).then_some(row.long)
}

fn quoted(text: &str, apostrophe: &str) -> String {
    format!("'{}'", text.replace('\'', apostrophe))
}
