//! Quoting of a peer's text in messages.

use std::fmt::Write;

/// The maximum number of bytes of a text that are shown.
pub const MAX_QUOTED: usize = 256;

/// The mark at the end of a text that was truncated.
pub const CUT: &str = "...";

/// Quotes `text` for a message. Printable ASCII characters except blank, `=` and
/// backslash stay, every other byte becomes `\xHH`. A text longer than
/// [`MAX_QUOTED`] bytes is truncated and ends with `...`.
///
/// The result is one word, cannot be taken for a `name=value` field, and has no
/// control sequence or change of direction for a terminal.
pub fn quoted(text: &[u8]) -> String {
    let shown = &text[..text.len().min(MAX_QUOTED)];
    let mut out = String::with_capacity(shown.len());
    for byte in shown {
        match byte {
            b'=' | b'\\' => escape(*byte, &mut out),
            b'!'..=b'~' => out.push(char::from(*byte)),
            _ => escape(*byte, &mut out),
        }
    }
    if shown.len() < text.len() {
        out.push_str(CUT);
    }
    out
}

fn escape(byte: u8, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}
