//! The tables are sound, and the generated files are up to date.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use cli::tables::PROGRAMS;
use cli::{OptionSpec, Program};

#[test]
fn generated_files_are_up_to_date() {
    // A release build leaves the paragraphs out.
    if !cfg!(debug_assertions) {
        return;
    }
    let files = tables::files().unwrap();
    for (path, text) in &files {
        let found = std::fs::read_to_string(path).unwrap_or_default();
        let first = found
            .lines()
            .zip(text.lines())
            .find(|(old, new)| old != new);
        assert!(&found == text, "run `make docs`: {path:?}: {first:?}");
    }
    for directory in tables::DIRECTORIES {
        for entry in std::fs::read_dir(tables::root(directory)).unwrap() {
            let path = entry.unwrap().path();
            assert!(files.contains_key(&path), "run `make docs`: {path:?}");
        }
    }
}

#[test]
fn every_page_has_the_parts_of_its_program() {
    for program in PROGRAMS {
        let name = program.name;
        let text = std::fs::read_to_string(tables::root(&format!("doc/{name}.md"))).unwrap();
        for part in ["interface", "options"] {
            assert!(text.contains(&format!("<!-- table: {part} -->")), "{name}");
        }
        assert_eq!(text.lines().nth(2), Some(program.summary), "{name}");
    }
}

#[test]
fn every_row_has_a_help_text_and_a_text_for_the_page() {
    for program in PROGRAMS {
        for row in program.option_specs() {
            let name = format!("{}: {}", program.name, row.long);
            assert!(!row.help.is_empty() && row.help.len() <= 64, "{name}");
            assert!(!row.help.ends_with('.'), "{name}");
            assert!(
                row.doc.text().is_empty() != cfg!(debug_assertions),
                "{name}"
            );
            assert!(row.subject().is_some(), "{name}");
        }
    }
}

/// Who reads `--help` or a completion sees this text and no other one.
#[test]
fn a_help_text_stands_alone() {
    for program in PROGRAMS {
        unique(program, |row| Some(row.help.to_owned()));
        for row in program.option_specs() {
            let name = format!("{}: {}: {}", program.name, row.long, row.help);
            assert!(row.help.split(' ').count() >= 3, "{name}");
            assert!(row.help.starts_with(|c: char| c.is_alphabetic()), "{name}");
            // Words of CONTRIBUTING's glossary.
            for word in ["pair", "engine", "notification", "hand on"] {
                assert!(!row.help.contains(word), "{name}");
            }
        }
    }
}

#[test]
fn no_program_has_two_rows_with_one_name_or_id() {
    for program in PROGRAMS {
        unique(program, |row| row.short.map(|letter| letter.to_string()));
        // `--name` and `--name=VALUE` are two options.
        unique(program, |row| {
            let value = row.value_name().map_or("", |_| "=");
            Some(format!("{}{value}", row.long))
        });
        unique(program, |row| row.id().map(|id| format!("{id:?}")));
    }
}

fn unique(program: &Program, key: impl Fn(&OptionSpec) -> Option<String>) {
    let mut seen = BTreeSet::new();
    for key in program.option_specs().filter_map(key) {
        assert!(seen.insert(key.clone()), "{}: {key} twice", program.name);
    }
}

#[test]
fn every_id_has_a_row() {
    for id in cli::Id::ALL {
        let known = PROGRAMS
            .iter()
            .any(|program| program.option_spec(*id).is_some());
        assert!(known, "{id:?}");
    }
}

#[test]
fn every_discarded_option_has_a_row() {
    for program in PROGRAMS {
        for row in program.option_specs() {
            for id in row.clears() {
                assert!(
                    program.option_spec(*id).is_some(),
                    "{}: {}",
                    program.name,
                    row.long
                );
            }
        }
    }
}

/// An option has the same name in the program that it is handed on to.
#[test]
fn an_option_has_one_name_in_all_programs() {
    for program in PROGRAMS {
        for row in program.option_specs().filter(|row| row.id().is_some()) {
            let id = row.id().unwrap();
            let name = tables::consumer(program, id);
            let consumer = PROGRAMS
                .iter()
                .find(|program| program.name == name)
                .unwrap();
            let known = consumer
                .option_spec(id)
                .unwrap_or_else(|| unreachable!("{id:?}"));
            assert_eq!(known.short, row.short, "{}: {}", program.name, row.long);
            if consumer.has_long_name(known) {
                assert_eq!(known.long, row.long, "{}", program.name);
            }
        }
    }
}
