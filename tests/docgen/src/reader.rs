//! Reads the Markdown that the pages in doc are written in: headings,
//! paragraphs, lists of one level, tables, indented code; in a line code,
//! strong text and links.

use crate::{BEGIN, END};

/// What a page consists of.
#[derive(Debug, PartialEq, Eq)]
pub enum Block {
    /// With its level.
    Heading(usize, String),
    Paragraph(String),
    Code(Vec<String>),
    List(Vec<String>),
    /// Its rows, the header first.
    Table(Vec<Vec<String>>),
    /// What stands here comes from the tables, and is not Markdown elsewhere.
    Part(String),
}

/// What a line consists of.
#[derive(Debug, PartialEq, Eq)]
pub enum Span {
    Text(String),
    Code(String),
    Strong(String),
    /// A text and where it leads.
    Link(String, String),
}

/// The blocks of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(part) = line.strip_prefix(BEGIN).filter(|_| line != END) {
            let name = part.trim_end_matches(" -->");
            // Lists in the words of the page, as any other.
            if matches!(name, "interface" | "options") {
                lines.by_ref().find(|line| *line == END);
                blocks.push(Block::Part(name.to_owned()));
            }
        } else if let Some(text) = line.strip_prefix("    ") {
            let mut code = vec![text.to_owned()];
            while let Some(next) = lines.next_if(|next| next.starts_with("    ") || next.is_empty())
            {
                code.push(next.strip_prefix("    ").unwrap_or_default().to_owned());
            }
            code.truncate(
                code.iter()
                    .rposition(|line| !line.is_empty())
                    .map_or(0, |at| at + 1),
            );
            blocks.push(Block::Code(code));
        } else if line.starts_with('#') {
            let text = line.trim_start_matches('#');
            blocks.push(Block::Heading(
                line.len() - text.len(),
                text.trim().to_owned(),
            ));
        } else if line.starts_with('|') {
            let mut rows = vec![cells(line)];
            while let Some(next) = lines.next_if(|next| next.starts_with('|')) {
                rows.push(cells(next));
            }
            rows.retain(|row| !row.iter().all(|cell| cell == "---"));
            blocks.push(Block::Table(rows));
        } else if let Some(text) = line.strip_prefix("- ") {
            let mut items = vec![text.to_owned()];
            while let Some(next) = lines.next_if(|next| next.starts_with(['-', ' '])) {
                match (next.strip_prefix("- "), items.last_mut()) {
                    (None, Some(item)) => item.push_str(&format!(" {}", next.trim())),
                    (text, _) => items.extend(text.map(str::to_owned)),
                }
            }
            blocks.push(Block::List(items));
        } else if !line.is_empty() && line != END {
            let mut text = line.to_owned();
            while let Some(next) = lines.next_if(|next| goes_on(next)) {
                text.push_str(&format!(" {next}"));
            }
            blocks.push(Block::Paragraph(text));
        }
    }
    blocks
}

/// Whether a paragraph goes on in this line.
fn goes_on(line: &str) -> bool {
    !line.is_empty() && !line.starts_with("- ") && !line.starts_with(['|', '#', '<'])
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim_matches('|').replace("\\|", "\0");
    let cells = inner.split('|').map(|cell| cell.trim().replace('\0', "|"));
    cells.collect()
}

/// The spans of a text.
pub fn spans(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match span(rest) {
            Some((span, length)) => {
                if !plain.is_empty() {
                    spans.push(Span::Text(std::mem::take(&mut plain)));
                }
                spans.push(span);
                rest = &rest[length..];
            }
            None => {
                plain.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    if !plain.is_empty() {
        spans.push(Span::Text(plain));
    }
    spans
}

/// The span that begins here, if it is no plain text, and its length.
fn span(text: &str) -> Option<(Span, usize)> {
    let between = |open: &str, close: &str| {
        let inner = text.strip_prefix(open)?;
        inner.find(close).map(|end| inner[..end].to_owned())
    };
    if let Some(code) = between("`", "`") {
        let length = code.len() + 2;
        return Some((Span::Code(code), length));
    }
    if let Some(strong) = between("**", "**") {
        let length = strong.len() + 4;
        return Some((Span::Strong(strong), length));
    }
    let name = between("[", "](")?;
    // What stands in brackets may come before a link.
    if name.contains(['[', ']']) {
        return None;
    }
    let rest = &text[name.len() + 3..];
    let target = rest[..rest.find(')')?].to_owned();
    let length = name.len() + target.len() + 4;
    Some((Span::Link(name, target), length))
}
