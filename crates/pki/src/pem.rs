//! The blocks of PEM files (RFC 7468).

use memchr::{memchr, memrchr};

pub(crate) const BEGIN: &[u8] = b"-----BEGIN ";
pub(crate) const END: &[u8] = b"-----END ";
pub(crate) const DASHES: &[u8] = b"-----";

/// A block, from its BEGIN line to its END line.
pub struct Block<'a> {
    /// The label of both lines, such as `CERTIFICATE`.
    pub label: &'a [u8],
    /// The bytes between the two lines.
    pub body: &'a [u8],
    /// The offset of the first byte behind the block.
    pub end: usize,
}

impl<'a> Block<'a> {
    /// The first block of a PEM file. Skips text in front of it, and BEGIN lines
    /// without an END line.
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
    /// Whether `content` has a BEGIN line with this label, or ends within one.
    pub fn begins(content: &[u8], label: &[u8]) -> bool {
        let line = [BEGIN, label, DASHES].concat();
        let last = memrchr(b'\n', content).map_or(content, |at| &content[at + 1..]);
        let is_cut = !last.is_empty() && line.starts_with(last);
        is_cut || find(content, &line).is_some()
    }
}

/// Splits `inside` into the body in front of the END line with this label and the
/// bytes behind that line.
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

/// The offset of the first `needle` in `hay`.
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
