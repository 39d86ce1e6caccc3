//! Completion for zsh.

use cli::{Effect, OptionSpec, Program};

use super::{long, operands, quoted};

/// The file `site-functions/_NAME`.
pub fn file(program: &Program) -> String {
    let mut specs = Vec::new();
    for rows in program.alternatives() {
        // Each option excludes itself, and those that it stands against.
        let all: Vec<String> = rows
            .iter()
            .flat_map(|row| spellings(program, row))
            .collect();
        for row in &rows {
            specs.push(option(program, row, &all.join(" ")));
        }
    }
    let (before, runs) = operands(program);
    for (at, name) in (1..).zip(before) {
        specs.push(format!("'{at}:{name}:()'"));
    }
    if runs {
        specs.push("'*:::program:_normal'".to_owned());
    }
    format!(
        "#compdef {}\n# From the tables in crates/cli by `make docs`.\n\n\
         _arguments -s -S -A '-*' : \\\n  {}\n",
        program.name,
        specs.join(" \\\n  ")
    )
}

fn option(program: &Program, row: &OptionSpec, excluded: &str) -> String {
    let before = match row.effect {
        Effect::Append(_) => "*".to_owned(),
        _ => format!("({excluded})"),
    };
    let help = row.help.replace('[', "\\[").replace(']', "\\]");
    let value = row.value_name().map_or(String::new(), |name| {
        let action = match name {
            "dir" => "_directories",
            "file" => "_files",
            _ => " ",
        };
        format!(":{}:{action}", name.replace(':', "\\:"))
    });
    let short = row.short.map(|letter| {
        let more = if value.is_empty() { "" } else { "+" };
        format!("-{letter}{more}")
    });
    let long = long(program, row).map(|name| {
        let more = if value.is_empty() { "" } else { "=-" };
        format!("--{name}{more}")
    });
    let text = quoted(&format!("[{help}]{value}"), "'\\''");
    match (short, long) {
        (Some(short), Some(long)) => format!("'{before}'{{{short},{long}}}{text}"),
        (short, long) => format!("'{before}'{}{text}", short.or(long).unwrap_or_default()),
    }
}

fn spellings(program: &Program, row: &OptionSpec) -> Vec<String> {
    let short = row.short.map(|letter| format!("-{letter}"));
    let long = long(program, row).map(|name| format!("--{name}"));
    short.into_iter().chain(long).collect()
}
