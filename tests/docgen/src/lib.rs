//! Writes the texts about options and variables from [`cli::tables`] and [`cli::variables`].
//!
//! In doc/*.md it replaces the text between `<!-- table: PART -->` and `<!-- table: end -->`; the
//! rest of a page is written by hand. The manual pages in doc/man are those pages in mdoc.

mod completions;
mod manual;
mod markdown;
mod mdoc;
mod reader;
mod who;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use cli::Program;
use cli::tables::PROGRAMS;

pub use who::consumer;

const BEGIN: &str = "<!-- table: ";
const END: &str = "<!-- table: end -->";

/// The directories that contain only generated files.
pub const DIRECTORIES: [&str; 4] = [
    "doc/man",
    "completions/bash",
    "completions/fish",
    "completions/zsh",
];

/// The path of a file in the source tree.
pub fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
}

/// All generated files, with their contents.
pub fn files() -> Result<BTreeMap<PathBuf, String>, Error> {
    let read = |name: &str| fs::read_to_string(root(name));
    let date = date(&read("packaging/debian/changelog")?)?;
    let mut files = BTreeMap::new();
    for program in PROGRAMS {
        let name = program.name;
        let page = format!("doc/{name}.md");
        let text = rewritten(&read(&page)?, program)?;
        let manual = manual::program(&text, program, &date)?;
        files.insert(root(&format!("doc/man/{name}.8")), manual);
        files.insert(root(&page), text);
        for (file, text) in [
            (format!("bash/{name}"), completions::bash::file(program)),
            (
                format!("fish/{name}.fish"),
                completions::fish::file(program),
            ),
            (format!("zsh/_{name}"), completions::zsh::file(program)),
        ] {
            files.insert(root("completions").join(file), text);
        }
    }
    let suite = manual::suite_page(&read("doc/overview.md")?, &read("doc/index.md")?, &date)?;
    files.insert(root("doc/man/s6-tls.7"), suite);
    Ok(files)
}

/// The text of a page with its generated parts up to date.
fn rewritten(text: &str, program: &Program) -> Result<String, Error> {
    let mut rewritten = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let (before, part) = rest.split_at(at);
        let end = part.find(END).ok_or_else(|| malformed("no end"))?;
        let comment = &part[BEGIN.len()..end];
        let (name, _) = comment
            .split_once(" -->")
            .ok_or_else(|| malformed("no name"))?;
        let content = match name {
            "interface" => markdown::interface(program),
            "options" => markdown::options(program),
            "variables" => markdown::variables(program),
            "cleaned" => markdown::cleaned(),
            _ => return Err(malformed(name)),
        };
        rewritten.push_str(&format!("{before}{BEGIN}{name} -->\n\n{content}\n{END}"));
        rest = &part[end + END.len()..];
    }
    rewritten.push_str(rest);
    Ok(rewritten)
}

/// The date of the version for manual pages, from the line of Debian's changelog that ends with
/// `Sat, 21 Nov 2026 12:00:00 +0000`.
fn date(changelog: &str) -> Result<String, Error> {
    let line = changelog.lines().find(|line| line.starts_with(" -- "));
    let date = line.and_then(|line| line.rsplit_once(", "));
    let mut words = date.map_or("", |(_, date)| date).split(' ');
    let (Some(day), Some(month), Some(year)) = (words.next(), words.next(), words.next()) else {
        return Err(malformed("no date in the changelog"));
    };
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let month = MONTHS
        .iter()
        .find(|name| name.starts_with(month))
        .ok_or_else(|| malformed("no month in the changelog"))?;
    Ok(format!("{month} {}, {year}", day.trim_start_matches('0')))
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}
