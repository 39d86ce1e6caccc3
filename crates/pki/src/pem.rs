//! The blocks of PEM files (RFC 7468).

use memchr::{memchr, memrchr};

pub(crate) const BEGIN: &[u8] = b"-----BEGIN ";
pub(crate) const END: &[u8] = b"-----END ";
pub(crate) const DASHES: &[u8] = b"-----";

/// A block: what is between its BEGIN and its END line.
pub struct Block<'a> {
    /// What it is said to be.
    pub label: &'a [u8],
    /// The lines that stand for its content.
    pub body: &'a [u8],
    /// Where what follows it begins.
    pub end: usize,
}

impl<'a> Block<'a> {
    /// The first block of a PEM file. Text in front of it is skipped, and so is
    /// a BEGIN without its END.
    pub fn first(content: &'a [u8]) -> Option<Self> {
        let mut after = content;
        loop {
            after = &after[find(after, BEGIN)? + BEGIN.len()..];
            let (label, inside) = after.split_at(find(after, DASHES)?);
            let inside = &inside[DASHES.len()..];
            if let Some((body, rest)) = split_at_end(inside, label) {
                let end = content.len() - rest.len();
                return Some(Self { label, body, end });
            }
        }
    }
}

impl Block<'_> {
    /// Whether the BEGIN line of a block with this label is in `content`, or
    /// `content` ends inside such a line.
    pub fn begins(content: &[u8], label: &[u8]) -> bool {
        let line = [BEGIN, label, DASHES].concat();
        let last = memrchr(b'\n', content).map_or(content, |at| &content[at + 1..]);
        let is_cut = !last.is_empty() && line.starts_with(last);
        is_cut || find(content, &line).is_some()
    }
}

/// What is in front of the END line with this label, and what follows it.
fn split_at_end<'a>(inside: &'a [u8], label: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut rest = inside;
    loop {
        rest = &rest[find(rest, END)?..];
        let end = rest;
        rest = &rest[END.len()..];
        let after = rest.strip_prefix(label);
        if let Some(after) = after.and_then(|after| after.strip_prefix(DASHES)) {
            return Some((&inside[..inside.len() - end.len()], after));
        }
    }
}

/// Where `needle` first stands in `hay`.
pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, _) = needle.split_first()?;
    let mut from = 0;
    loop {
        let at = from + memchr(first, hay.get(from..)?)?;
        if hay[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}
