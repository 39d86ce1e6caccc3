//! Lines on standard error: `PROG: KIND: TEXT`. Every line of every program is made here, so
//! that none is too long and none contains a control character.

use unix::fd;
use unix::quoted::CUT;
pub use unix::quoted::{MAX_QUOTED, quoted};

/// The longest line, with its line feed: PIPE_BUF of Linux. A longer line may reach a pipe in
/// pieces, and loggers split it (s6-log at 8192 bytes): the rest, which a peer may have chosen,
/// would look like a line of its own.
pub const MAX_LINE: usize = 4096;

/// Advice about a host name that is not ASCII: DNS and TLS use its A-label (RFC 5890 section
/// 2.3.2.1).
pub const NEEDS_A_LABEL: &str = "a name that is not ASCII has to be given as its A-label (xn--...)";

/// Prints `PROG: KIND: TEXT`.
pub fn print(prog: &str, kind: &str, text: &str) {
    fd::message(line(prog, kind, text).as_bytes());
}

/// Whether `text` contains a control character of ASCII or Unicode (U+0080 to U+009F), which may
/// end a line or control a terminal. Bytes that are not UTF-8 are no control characters.
pub fn has_control(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).chars().any(char::is_control)
}

/// The line with its line feed. Control characters are escaped; a line longer than [`MAX_LINE`]
/// is cut and ends with `...`.
pub(crate) fn line(prog: &str, kind: &str, text: &str) -> String {
    bounded(format!("{prog}: {kind}: "), text)
}

/// The line `KEY: VALUE` with its line feed, escaped and cut in the same way.
pub fn fact(key: &str, value: &str) -> String {
    bounded(format!("{key}: "), value)
}

fn bounded(head: String, text: &str) -> String {
    let room = MAX_LINE - "\n".len();
    let mut line = head;
    // Where the line is cut if it turns out to be too long.
    let mut end = line.len();
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        if line.len() > room {
            line.truncate(end);
            line.push_str(CUT);
            break;
        }
        if line.len() + CUT.len() <= room {
            end = line.len();
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let text = "bad\nname\x1b[2J\r\u{85}";
        let shown = "bad\\nname\\u{1b}[2J\\r\\u{85}";
        assert_eq!(line("p", "info", text), format!("p: info: {shown}\n"));
        assert_eq!(fact("key", text), format!("key: {shown}\n"));
    }

    #[test]
    fn control_characters_are_found_in_ascii_and_beyond() {
        for text in ["a\0", "\r", "\x1b[2J", "\x7f", "é\u{9b}31m", "\u{85}"] {
            assert!(has_control(text.as_bytes()), "{text:?}");
        }
        for text in [&b""[..], b"a b", "é\u{a0}".as_bytes(), b"\xe9\x9b"] {
            assert!(!has_control(text), "{text:?}");
        }
    }

    #[test]
    fn no_line_is_too_long_and_a_cut_one_says_so() {
        let head = "p: fatal: ";
        let room = MAX_LINE - head.len() - 1;
        let whole = "x".repeat(room);
        assert_eq!(line("p", "fatal", &whole), format!("{head}{whole}\n"));
        let cut = "x".repeat(room - 3);
        let expected = format!("{head}{cut}...\n");
        assert_eq!(line("p", "fatal", &format!("{whole}x")), expected);
        assert_eq!(line("p", "fatal", &whole.repeat(100)), expected);
    }

    #[test]
    fn a_cut_splits_no_character_and_no_escape() {
        for unit in ["é", "\u{10348}", "\n", "\x1b"] {
            for shift in 0..8 {
                let text = "x".repeat(shift) + &unit.repeat(MAX_LINE);
                let line = line("p", "fatal", &text);
                let cut = line.strip_suffix("...\n").unwrap();
                let rest = cut.strip_prefix("p: fatal: ").unwrap();
                let escaped = match unit {
                    "\n" => "\\n",
                    "\x1b" => "\\u{1b}",
                    other => other,
                };
                assert!(rest[shift..].replace(escaped, "").is_empty(), "{rest}");
                let spare = MAX_LINE - line.len();
                assert!(spare < escaped.len(), "{unit:?}: {spare}");
            }
        }
    }

    #[test]
    fn a_peers_text_is_one_word_of_ascii() {
        let text = "a end=closed\n\\x20é\u{202e}~\x7f\0".as_bytes();
        let shown = "a\\x20end\\x3dclosed\\x0a\\x5cx20\\xc3\\xa9\\xe2\\x80\\xae~\\x7f\\x00";
        assert_eq!(quoted(text), shown);
        for byte in 0..=u8::MAX {
            let shown = quoted(&[byte]);
            let plain = byte.is_ascii_graphic() && byte != b'=' && byte != b'\\';
            let expected = if plain {
                char::from(byte).to_string()
            } else {
                format!("\\x{byte:02x}")
            };
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn a_peers_text_has_its_limit() {
        let whole = "x".repeat(MAX_QUOTED);
        assert_eq!(quoted(whole.as_bytes()), whole);
        let cut = format!("{whole}...");
        assert_eq!(quoted(whole.repeat(2).as_bytes()), cut);
        // The limit counts the peer's bytes, not what they become.
        let blanks = quoted(&[b' '; MAX_QUOTED + 1]);
        assert_eq!(blanks, "\\x20".repeat(MAX_QUOTED) + "...");
    }
}
