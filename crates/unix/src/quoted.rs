//! The text of a peer in a message.

use std::fmt::Write;

/// So many bytes of a peer's text are shown at most.
pub const MAX_QUOTED: usize = 256;

/// What stands where something was cut off.
pub const CUT: &str = "...";

/// The text of a peer for a message: printable ASCII without blank, `=` and
/// backslash as it is, every other byte as `\xHH`; after [`MAX_QUOTED`] bytes
/// of it `...`. So it is one word, is no field of a line, and holds nothing
/// that a terminal obeys or shows in another order.
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
    // Writing to a string does not fail.
    let _ = write!(out, "\\x{byte:02x}");
}
