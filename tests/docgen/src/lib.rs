//! Writes what doc/*.md says about options and variables, from the tables of
//! [`cli::tables`] and [`cli::variables`]. It replaces what stands between
//! `<!-- table: PART -->` and `<!-- table: end -->`; everything else in a page
//! is written by hand.

mod markdown;
mod who;

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use cli::Program;

pub use who::consumer;

const BEGIN: &str = "<!-- table: ";
const END: &str = "<!-- table: end -->";

/// The pages that have such parts, with the program that each is about.
pub fn pages() -> impl Iterator<Item = (PathBuf, &'static Program)> {
    let doc = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../doc");
    let page =
        move |program: &'static Program| (doc.join(program.name).with_extension("md"), program);
    cli::tables::PROGRAMS.into_iter().map(page)
}

/// The text of a page with its parts as the tables have them.
pub fn rewritten(text: &str, program: &Program) -> Result<String, Error> {
    let mut rewritten = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let (before, part) = rest.split_at(at);
        let end = part.find(END).ok_or_else(|| malformed("no end"))?;
        let name = part[BEGIN.len()..end].split(" -->").next();
        let name = name.ok_or_else(|| malformed("no name"))?;
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

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("marker: {what}"))
}
