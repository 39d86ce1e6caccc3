//! Quoting of a peer's text in messages.

use std::ffi::OsStr;
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

/// A path for a line on standard output. Printable characters stay, so that it can be copied.
/// Control characters, marks that change the direction of text, bytes that are not UTF-8, and
/// backslashes become `\xHH`, byte by byte.
pub fn path(path: &OsStr) -> String {
    let mut out = String::new();
    for chunk in path.as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' || c.is_control() || changes_direction(c) {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                bytes.for_each(|byte| escape(byte, &mut out));
            } else {
                out.push(c);
            }
        }
        let invalid = chunk.invalid().iter();
        invalid.for_each(|byte| escape(*byte, &mut out));
    }
    out
}

/// Whether `c` has the Unicode property Bidi_Control, or is a line or paragraph separator.
fn changes_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}')
}

fn escape(byte: u8, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_quoted_text_is_one_word_that_looks_like_no_field_and_controls_no_terminal() {
        for (bytes, shown) in [
            (&b""[..], ""),
            (b"a.B-_~!", "a.B-_~!"),
            (b"a b", "a\\x20b"),
            (b"end=no", "end\\x3dno"),
            (b"\\x41", "\\x5cx41"),
            (b"a\n\x1b[2J\0\x7f", "a\\x0a\\x1b[2J\\x00\\x7f"),
            ("\u{202e}".as_bytes(), "\\xe2\\x80\\xae"),
        ] {
            assert_eq!(quoted(bytes), shown);
        }
    }

    #[test]
    fn a_quoted_text_that_was_cut_says_so() {
        let whole = "x".repeat(MAX_QUOTED);
        assert_eq!(quoted(whole.as_bytes()), whole);
        let longer = format!("{whole}y");
        assert_eq!(quoted(longer.as_bytes()), format!("{whole}..."));
    }

    #[test]
    fn a_path_stays_readable_and_cannot_be_taken_for_another() {
        for (bytes, shown) in [
            (&b"/a b/=c"[..], "/a b/=c"),
            ("/\u{fc}".as_bytes(), "/\u{fc}"),
            (b"/a\\x0a", "/a\\x5cx0a"),
            (b"/a\n\xff", "/a\\x0a\\xff"),
            ("/\u{202e}x\u{85}".as_bytes(), "/\\xe2\\x80\\xaex\\xc2\\x85"),
        ] {
            assert_eq!(path(OsStr::from_bytes(bytes)), shown);
        }
    }
}
