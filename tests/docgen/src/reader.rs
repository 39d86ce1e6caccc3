//! Reads the Markdown of the pages in doc: the blocks that a manual page can show.

use std::io::Error;
use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::{BEGIN, END, malformed};

/// A part of a page. Texts are Markdown on one line, for [`spans`].
#[derive(Debug, PartialEq, Eq)]
pub enum Block {
    /// With its level.
    Heading(usize, String),
    Paragraph(String),
    Code(Vec<String>),
    List(Vec<String>),
    /// Its rows, the header first.
    Table(Vec<Vec<String>>),
    /// The place of a generated part, which a manual page has in another form.
    Part(String),
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub enum Span {
    Text(String),
    Code(String),
    Strong(String),
    /// A text and its target.
    Link(String, String),
}

/// The blocks of a page. The error names a construct that a manual page has no form for.
pub fn blocks(page: &str) -> Result<Vec<Block>, Error> {
    let mut reader = Reader {
        page,
        blocks: Vec::new(),
        inline: None,
        code: None,
        in_list: false,
        skipping: false,
    };
    for (event, range) in Parser::new_ext(page, Options::ENABLE_TABLES).into_offset_iter() {
        reader.read(event, range)?;
    }
    Ok(reader.blocks)
}

struct Reader<'a> {
    page: &'a str,
    blocks: Vec<Block>,
    /// Where the text is that has been read since the last block.
    inline: Option<Range<usize>>,
    /// The text of a block of code.
    code: Option<String>,
    in_list: bool,
    /// Whether the generated part that is being read has another form in a manual page.
    skipping: bool,
}

impl Reader<'_> {
    fn read(&mut self, event: Event, range: Range<usize>) -> Result<(), Error> {
        match event {
            Event::Html(comment) => self.comment(comment.trim()),
            _ if self.skipping => {}
            Event::Start(tag) => self.start(&tag, range)?,
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.code.is_some() => {
                self.code.get_or_insert_default().push_str(&text);
            }
            Event::Text(_) | Event::Code(_) | Event::SoftBreak | Event::InlineHtml(_) => {
                self.extend(range);
            }
            other => return Err(malformed(&format!("no manual page has {other:?}"))),
        }
        Ok(())
    }

    /// The generated parts other than these two are lists like any other.
    fn comment(&mut self, comment: &str) {
        if comment == END {
            self.skipping = false;
        } else if let Some(part) = comment.strip_prefix(BEGIN) {
            let name = part.trim_end_matches(" -->");
            if matches!(name, "interface" | "options") {
                self.skipping = true;
                self.blocks.push(Block::Part(name.to_owned()));
            }
        }
    }

    fn start(&mut self, tag: &Tag, range: Range<usize>) -> Result<(), Error> {
        match tag {
            Tag::Heading { .. } | Tag::Paragraph | Tag::Item | Tag::TableCell | Tag::HtmlBlock => {}
            Tag::Strong | Tag::Link { .. } => self.extend(range),
            Tag::CodeBlock(_) => self.code = Some(String::new()),
            Tag::List(None) if !self.in_list => {
                self.in_list = true;
                self.blocks.push(Block::List(Vec::new()));
            }
            Tag::Table(_) => self.blocks.push(Block::Table(Vec::new())),
            Tag::TableHead | Tag::TableRow => {
                if let Some(Block::Table(rows)) = self.blocks.last_mut() {
                    rows.push(Vec::new());
                }
            }
            other => return Err(malformed(&format!("no manual page has {other:?}"))),
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let text = self.text();
                self.blocks.push(Block::Heading(level as usize, text));
            }
            TagEnd::Paragraph if !self.in_list => {
                let text = self.text();
                self.blocks.push(Block::Paragraph(text));
            }
            TagEnd::CodeBlock => {
                let code = self.code.take().unwrap_or_default();
                let lines = code.lines().map(str::to_owned);
                self.blocks.push(Block::Code(lines.collect()));
            }
            TagEnd::List(_) => self.in_list = false,
            TagEnd::Item => {
                let text = self.text();
                if let Some(Block::List(items)) = self.blocks.last_mut() {
                    items.push(text);
                }
            }
            TagEnd::TableCell => {
                // A bar in a cell is escaped, in code too.
                let text = self.text().replace("\\|", "|");
                if let Some(Block::Table(rows)) = self.blocks.last_mut() {
                    if let Some(row) = rows.last_mut() {
                        row.push(text);
                    }
                }
            }
            _ => {}
        }
    }

    fn extend(&mut self, range: Range<usize>) {
        let inline = self.inline.get_or_insert(range.clone());
        inline.end = inline.end.max(range.end);
    }

    /// The text that has been read since the last block, on one line.
    fn text(&mut self) -> String {
        let text = self.inline.take().map_or("", |range| &self.page[range]);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        lines.join(" ")
    }
}

/// The spans of a text.
pub fn spans(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut events = Parser::new(text);
    while let Some(event) = events.next() {
        let span = match event {
            Event::Code(code) => Span::Code(code.into_string()),
            Event::Start(Tag::Strong) => Span::Strong(inner(&mut events)),
            Event::Start(Tag::Link { dest_url, .. }) => {
                Span::Link(inner(&mut events), dest_url.into_string())
            }
            Event::Text(text) | Event::InlineHtml(text) => Span::Text(text.into_string()),
            _ => continue,
        };
        match (spans.last_mut(), span) {
            (Some(Span::Text(text)), Span::Text(more)) => text.push_str(&more),
            (_, span) => spans.push(span),
        }
    }
    spans
}

/// The text up to the end of a strong text or of a link.
fn inner<'a>(events: &mut impl Iterator<Item = Event<'a>>) -> String {
    let mut text = String::new();
    for event in events.by_ref() {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::End(TagEnd::Strong | TagEnd::Link) => break,
            _ => {}
        }
    }
    text
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
        assert_eq!(blocks(page).unwrap(), expected);
    }

    #[test]
    fn a_construct_without_a_form_in_a_manual_page_is_an_error() {
        for page in ["- a\n  - b\n", "1. a\n", "> a\n", "![a](b)\n", "a\n\n---\n"] {
            assert!(blocks(page).is_err(), "{page}");
        }
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
