//! The parts of a page in Markdown.

use cli::usage::add_words;
use cli::variables::{VARIABLES, Variable};
use cli::{OptionSpec, Paragraph, Program, Reads, suite};

use crate::consumer;

/// No line of the pages is longer, but for tables.
const WIDTH: usize = 84;

/// The command line.
pub fn interface(program: &Program) -> String {
    let first = format!("    {}", program.name);
    let parts = program.synopsis_parts();
    fill(&first, &mut parts.iter().map(String::as_str))
}

/// The options: a list of those that the program consumes, a table of those that it hands on.
pub fn options(program: &Program) -> String {
    let its_own = |row: &&OptionSpec| {
        row.subject()
            .is_some_and(|id| consumer(program, id) == program.name)
    };
    let own: Vec<&OptionSpec> = program.option_specs().filter(its_own).collect();
    let others: Vec<&OptionSpec> = program.option_specs().filter(|row| !its_own(row)).collect();
    if own.is_empty() && others.is_empty() {
        return "None.\n".to_owned();
    }
    let mut text = list(program, &own);
    if !own.is_empty() && !others.is_empty() {
        text.push('\n');
    }
    text + &table(program, &others)
}

/// One item for each option. A negation is in the item of the option before it.
fn list(program: &Program, rows: &[&OptionSpec]) -> String {
    let mut items: Vec<String> = Vec::new();
    for row in rows {
        let spelling = spelling(program, row);
        match items.last_mut().filter(|_| row.id().is_none()) {
            Some(item) => item.push_str(&format!(" {spelling} (default): {}", row.doc.text())),
            None => items.push(format!("{spelling}: {}", row.doc.text())),
        }
    }
    let items = items.iter().map(|item| fill("-", &mut item.split(' ')));
    items.collect()
}

fn table(program: &Program, rows: &[&OptionSpec]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = "| option | for | |\n|---|---|---|\n".to_owned();
    for row in rows {
        let name = row.subject().map_or("", |id| consumer(program, id));
        let cells = [
            spelling(program, row),
            format!("[{name}]({name}.md)"),
            row.help.to_owned(),
        ];
        // A bar ends a cell, in code too.
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// The spellings of the option, as code.
fn spelling(program: &Program, row: &OptionSpec) -> String {
    let spelling = program.spelling(row);
    let each = spelling.split(", ").map(|one| format!("`{one}`"));
    each.collect::<Vec<_>>().join(", ")
}

/// The variables that the program reads: in the page of an engine all about them, in other pages
/// a few words.
pub fn variables(program: &Program) -> String {
    let paragraph: fn(&Variable) -> Option<Paragraph> = match program.name {
        suite::TLSD_IO => |variable| variable.server,
        suite::TLSC_IO => |variable| variable.client,
        _ => return brief_variables(program),
    };
    let mut items = String::new();
    let mut names: Vec<String> = Vec::new();
    for variable in VARIABLES {
        let Some(text) = paragraph(variable).map(Paragraph::text) else {
            continue;
        };
        names.push(format!("`{}`", variable.named("name")));
        if !text.is_empty() {
            let item = format!("{}: {text}", names.join(", "));
            items.push_str(&fill("-", &mut item.split(' ')));
            names.clear();
        }
    }
    for reads in program.reads {
        if let Reads::These(these) = reads {
            items.extend(these.iter().map(|(name, help)| brief_item(name, help)));
        }
    }
    items
}

fn brief_variables(program: &Program) -> String {
    let variables = program.variables();
    let items = variables.iter().map(|(name, help)| brief_item(name, help));
    items.collect()
}

fn brief_item(name: &str, help: &str) -> String {
    let item = format!("`{name}`: {help}.");
    fill("-", &mut item.split(' '))
}

/// The variables that the program behind an engine does not see.
pub fn cleaned() -> String {
    let names: Vec<String> = VARIABLES
        .iter()
        .map(|variable| format!("`{}`", variable.named("*")))
        .collect();
    let item = format!("removed, unless `-Z` is given: {}", names.join(", "));
    fill("-", &mut item.split(' '))
}

/// Lines of at most [`WIDTH`], which are indented as far as `first`.
fn fill(first: &str, words: &mut dyn Iterator<Item = &str>) -> String {
    let mut text = first.to_owned();
    add_words(&mut text, first.len(), WIDTH, words);
    text
}
