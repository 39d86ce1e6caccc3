//! The manual pages: the words of doc/*.md, and the options of the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Error;

use cli::{OptionSpec, Program, suite};

use crate::mdoc::{arguments, flags, literal, paragraph};
use crate::reader::{Block, blocks};
use crate::{consumer, malformed};

/// Where the documents are installed, unless `make install` says otherwise.
const DOCDIR: &str = "/usr/local/share/doc/s6-tls";

/// The version of the suite.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The sections of a page of `doc`, with their names in a manual page, in the order of mdoc(7).
const SECTIONS: [(&str, &str); 8] = [
    ("Options", "OPTIONS"),
    ("Environment", "ENVIRONMENT"),
    ("Files", "FILES"),
    ("Exit codes", "EXIT STATUS"),
    ("Signals", "SIGNALS"),
    ("Notes", "NOTES"),
    ("Limits", "LIMITS"),
    ("Example", "EXAMPLES"),
];

/// The page in section 8 about `program`, from its page in doc.
pub fn program(text: &str, program: &Program, date: &str) -> Result<String, Error> {
    let mut sections = sections(blocks(text)?);
    sections.remove("");
    let mut page = head(program.name, 8, date, program.summary);
    page.push_str(&synopsis(program));
    page.push_str(&format!(
        ".Sh DESCRIPTION\n{}",
        paragraph(program.summary, Some(program))
    ));
    let interface = sections.remove("Interface").unwrap_or_default();
    if interface
        .iter()
        .any(|block| !matches!(block, Block::Part(_)))
    {
        page.push_str(".Pp\n");
    }
    page.push_str(&body(&interface, Some(program)));
    for (title, name) in SECTIONS {
        if let Some(blocks) = sections.remove(title) {
            page.push_str(&format!(".Sh {name}\n{}", body(&blocks, Some(program))));
        }
    }
    if let Some(unknown) = sections.keys().next() {
        return Err(malformed(&format!("{}: section {unknown}", program.name)));
    }
    page.push_str(&see_also(&page, Some(program)));
    Ok(page)
}

/// s6-tls(7), from the pages about all programs.
pub fn suite_page(overview: &str, index: &str, date: &str) -> Result<String, Error> {
    let mut page = head(
        "s6-tls",
        7,
        date,
        "TLS and TCP between the network and programs.",
    );
    let overview = sections(blocks(overview)?).remove("");
    page.push_str(".Sh DESCRIPTION\n");
    page.push_str(&body(&overview.unwrap_or_default(), None));
    let mut index = sections(blocks(index)?);
    for (title, name) in [
        ("TLS", "TLS PROGRAMS"),
        ("TCP", "TCP PROGRAMS"),
        ("All programs", "ALL PROGRAMS"),
        ("", "FILES"),
    ] {
        let blocks = index.remove(title).unwrap_or_default();
        page.push_str(&format!(".Sh {name}\n{}", body(&blocks, None)));
    }
    page.push_str(&see_also(&page, None));
    Ok(page)
}

/// The blocks below each heading of level 2. The summary is below none.
fn sections(blocks: Vec<Block>) -> BTreeMap<String, Vec<Block>> {
    let mut sections: BTreeMap<String, Vec<Block>> = BTreeMap::new();
    let mut title = String::new();
    for block in blocks {
        match block {
            Block::Heading(1, _) => {}
            Block::Heading(2, text) => title = text,
            block => sections.entry(title.clone()).or_default().push(block),
        }
    }
    sections
}

fn head(name: &str, section: u8, date: &str, summary: &str) -> String {
    let title = name.to_uppercase();
    let mut summary = summary.trim_end_matches('.').to_owned();
    let acronym = summary.chars().nth(1).is_some_and(char::is_uppercase);
    if let Some(first) = summary.get_mut(..1).filter(|_| !acronym) {
        first.make_ascii_lowercase();
    }
    format!(
        ".\\\" From the pages in doc and the tables in crates/cli, by `make docs`.\n\
         .Dd {date}\n.Dt {title} {section}\n.Os \"s6-tls {VERSION}\"\n\
         .Sh NAME\n.Nm {name}\n.Nd {summary}\n"
    )
}

fn synopsis(program: &Program) -> String {
    let mut text = ".Sh SYNOPSIS\n.Nm\n".to_owned();
    for rows in program.alternatives() {
        let shortest: Vec<String> = rows.iter().map(|row| flags(&row.shortest())).collect();
        text.push_str(&format!(".Op {}\n", shortest.join(" | ")));
    }
    for operand in program.operands {
        text.push_str(&match operand.strip_suffix("...") {
            Some(name) => format!(".Ar {name} ...\n"),
            None => format!(".Ar {operand}\n"),
        });
    }
    text
}

/// The text of blocks.
fn body(blocks: &[Block], program: Option<&Program>) -> String {
    let mut text = String::new();
    let mut paragraphs = false;
    for block in blocks {
        let part = match block {
            Block::Heading(_, title) => {
                text.push_str(&format!(".Ss {}\n", arguments(title, program)));
                paragraphs = false;
                continue;
            }
            Block::Paragraph(words) => {
                if paragraphs {
                    text.push_str(".Pp\n");
                }
                paragraph(words, program)
            }
            Block::Code(lines) => literal(lines),
            Block::List(items) => list(items, program),
            Block::Table(rows) => table(rows, program),
            Block::Part(name) => match program {
                Some(program) if name == "options" => options(program),
                _ => continue,
            },
        };
        text.push_str(&part);
        paragraphs = true;
    }
    text
}

/// A list of definitions, or of sentences.
fn list(items: &[String], program: Option<&Program>) -> String {
    let items: Vec<&str> = items.iter().flat_map(|item| codes(item)).collect();
    let split: Option<Vec<_>> = items.iter().map(|item| explained(item)).collect();
    if let Some(split) = split {
        return tagged(split.into_iter(), program);
    }
    let mut text = ".Bl -bullet -compact\n".to_owned();
    for item in items {
        text.push_str(&format!(".It\n{}", paragraph(item, program)));
    }
    text + ".El\n"
}

/// Splits an item that explains several exit codes.
fn codes(item: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut rest = item;
    let is_code = |text: &str| explained(text).is_some_and(|(tag, _)| !tag.contains('`'));
    let ends: Vec<usize> = item.match_indices("; ").map(|(at, _)| at).collect();
    for at in ends {
        if is_code(item) && is_code(&item[at + 2..]) {
            let start = item.len() - rest.len();
            items.push(&item[start..at]);
            rest = &item[at + 2..];
        }
    }
    items.push(rest);
    items
}

/// The code or numbers that an item begins with, and their explanation.
fn explained(item: &str) -> Option<(&str, &str)> {
    let mut code = false;
    let at = item.char_indices().find(|(at, c)| {
        code ^= *c == '`';
        !code && item[*at..].starts_with(": ")
    });
    let (tag, text) = item.split_at(at?.0);
    let of_codes = tag.split(", ").all(|one| {
        let code = one.starts_with(['`', '[']) && one.ends_with(['`', ')']);
        code || one.parse::<u8>().is_ok()
    });
    of_codes.then_some((tag, &text[2..]))
}

fn tagged<'a>(
    items: impl Iterator<Item = (&'a str, &'a str)>,
    program: Option<&Program>,
) -> String {
    let items = items.map(|(tag, text)| {
        let tag = arguments(tag, program);
        format!(".It {tag}\n{}", paragraph(&capital(text), program))
    });
    format!(".Bl -tag -width Ds\n{}.El\n", items.collect::<String>())
}

/// A table as a list: the second column explains the first.
fn table(rows: &[Vec<String>], program: Option<&Program>) -> String {
    let header = rows
        .first()
        .and_then(|row| row.get(1))
        .filter(|header| !header.is_empty());
    let rows: Vec<(String, String)> = rows
        .iter()
        .skip(1)
        .map(|row| {
            let text = row.get(1).map_or("", String::as_str);
            let text = match header {
                Some(header) => format!("{header}: {text}"),
                None => text.to_owned(),
            };
            (row.first().cloned().unwrap_or_default(), text)
        })
        .collect();
    let rows = rows.iter().map(|(tag, text)| (tag.as_str(), text.as_str()));
    tagged(rows, program)
}

/// All options: first those that the program consumes, then those that it hands on.
fn options(program: &Program) -> String {
    let for_itself = |row: &&OptionSpec| {
        row.subject()
            .is_some_and(|id| consumer(program, id) == program.name)
    };
    let own: Vec<&OptionSpec> = program.option_specs().filter(for_itself).collect();
    let others: Vec<&OptionSpec> = program
        .option_specs()
        .filter(|row| !for_itself(row))
        .collect();
    let mut text = String::new();
    if own.is_empty() && others.is_empty() {
        text.push_str("None.\n");
    }
    if !own.is_empty() {
        text.push_str(&option_list(program, &own, |row| {
            let default = if row.id().is_none() { "default: " } else { "" };
            paragraph(
                &capital(&format!("{default}{}", row.doc.text())),
                Some(program),
            )
        }));
    }
    if !others.is_empty() {
        if !own.is_empty() {
            text.push_str(".Pp\n");
        }
        text.push_str("These are handed on to the programs named, whose pages say more:\n");
        text.push_str(&option_list(program, &others, |row| {
            let name = row.subject().map_or("", |id| consumer(program, id));
            let help = paragraph(&format!("{}.", row.help), Some(program));
            format!(".Xr {name} 8 :\n{help}")
        }));
    }
    text
}

fn option_list(
    program: &Program,
    rows: &[&OptionSpec],
    text: impl Fn(&OptionSpec) -> String,
) -> String {
    let items = rows.iter().map(|row| {
        let spelling = program.spelling(row);
        let each: Vec<String> = spelling.split(", ").map(flags).collect();
        format!(".It {}\n{}", each.join(" , "), text(row))
    });
    format!(".Bl -tag -width Ds\n{}.El\n", items.collect::<String>())
}

fn capital(text: &str) -> String {
    let mut text = text.to_owned();
    // Names of variables and programs are not changed.
    let word = text.split(' ').next().unwrap_or_default();
    let plain = word.trim_end_matches([',', ';', ':']);
    if plain.chars().all(|c| c.is_ascii_lowercase()) {
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
    }
    text
}

/// The pages that this page refers to, and the directory of the documents.
fn see_also(page: &str, program: Option<&Program>) -> String {
    let mut pages: BTreeSet<(&str, &str)> = BTreeSet::new();
    for reference in page.split("Xr ").skip(1) {
        let mut words = reference.split_whitespace();
        pages.extend(
            words
                .next()
                .zip(words.next())
                .map(|(name, section)| (section, name)),
        );
    }
    match program {
        Some(_) => pages.extend([("7", "s6-tls")]),
        None => pages.extend(suite::all().map(|name| ("8", name))),
    }
    let pages: Vec<String> = pages
        .iter()
        .map(|(section, name)| format!(".Xr {name} {section}"))
        .collect();
    let mut text = format!(".Sh SEE ALSO\n{}\n", pages.join(" ,\n"));
    if page.contains(".md") {
        text.push_str(&format!(".Pp\nThe documents are in\n.Pa {DOCDIR} .\n"));
    }
    text
}
