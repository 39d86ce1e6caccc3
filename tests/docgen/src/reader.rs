//! Reads the Markdown that the pages in doc are written in: headings,
//! paragraphs, lists of one level, tables, indented code; in a line code,
//! strong text and links.

use std::iter::Peekable;

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

type Lines<'a> = Peekable<std::str::Lines<'a>>;

/// The blocks of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() || line == END {
            continue;
        }
        if let Some(part) = line.strip_prefix(BEGIN) {
            let name = part.trim_end_matches(" -->");
            // The others are lists as they are.
            if matches!(name, "interface" | "options") {
                lines.by_ref().find(|line| *line == END);
                blocks.push(Block::Part(name.to_owned()));
            }
        } else if let Some(text) = line.strip_prefix("    ") {
            blocks.push(Block::Code(code(text, &mut lines)));
        } else if line.starts_with('#') {
            let text = line.trim_start_matches('#');
            let level = line.len() - text.len();
            blocks.push(Block::Heading(level, text.trim().to_owned()));
        } else if line.starts_with('|') {
            blocks.push(Block::Table(table(line, &mut lines)));
        } else if let Some(text) = line.strip_prefix("- ") {
            blocks.push(Block::List(items(text, &mut lines)));
        } else {
            let mut text = line.to_owned();
            while let Some(next) = lines.next_if(|next| goes_on(next)) {
                text.push_str(&format!(" {next}"));
            }
            blocks.push(Block::Paragraph(text));
        }
    }
    blocks
}

/// The lines of code, of which this is the first.
fn code(first: &str, lines: &mut Lines) -> Vec<String> {
    let mut code = vec![first.to_owned()];
    while let Some(next) = lines.next_if(|next| next.starts_with("    ") || next.is_empty()) {
        code.push(next.strip_prefix("    ").unwrap_or_default().to_owned());
    }
    let last = code.iter().rposition(|line| !line.is_empty());
    code.truncate(last.map_or(0, |at| at + 1));
    code
}

fn table(first: &str, lines: &mut Lines) -> Vec<Vec<String>> {
    let mut rows = vec![cells(first)];
    while let Some(next) = lines.next_if(|next| next.starts_with('|')) {
        rows.push(cells(next));
    }
    rows.retain(|row| !row.iter().all(|cell| cell == "---"));
    rows
}

fn items(first: &str, lines: &mut Lines) -> Vec<String> {
    let mut items = vec![first.to_owned()];
    while let Some(next) = lines.next_if(|next| next.starts_with(['-', ' '])) {
        match (next.strip_prefix("- "), items.last_mut()) {
            (None, Some(item)) => item.push_str(&format!(" {}", next.trim())),
            (text, _) => items.extend(text.map(str::to_owned)),
        }
    }
    items
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

#[cfg(test)]
mod tests {
    use super::{Block, Span, blocks, spans};

    #[test]
    fn a_page_is_read() {
        let page = "# Title\n\nSome\nwords.\n\n    code\n\n      more\n\n- one\n  item\n- two\n\n\
                    | a | |\n|---|---|\n| `x\\|y` | z |\n\n<!-- table: options -->\n\nNone.\n\n\
                    <!-- table: end -->\n\n<!-- table: variables -->\n\n- V\n\n\
                    <!-- table: end -->\n";
        let text = |text: &str| text.to_owned();
        let expected = [
            Block::Heading(1, text("Title")),
            Block::Paragraph(text("Some words.")),
            Block::Code(["code", "", "  more"].map(text).into()),
            Block::List(["one item", "two"].map(text).into()),
            Block::Table(vec![
                ["a", ""].map(text).into(),
                ["`x|y`", "z"].map(text).into(),
            ]),
            Block::Part(text("options")),
            Block::List(vec![text("V")]),
        ];
        assert_eq!(blocks(page), expected);
    }

    #[test]
    fn spans_are_told_apart() {
        let text = |text: &str| text.to_owned();
        let expected = [
            Span::Text(text("a ")),
            Span::Code(text("[b]")),
            Span::Text(text(" [c] ")),
            Span::Link(text("d e"), text("f.md")),
            Span::Strong(text("g")),
            Span::Text(text("`")),
        ];
        assert_eq!(spans("a `[b]` [c] [d e](f.md)**g**`"), expected);
    }
}
