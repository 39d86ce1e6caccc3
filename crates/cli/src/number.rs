//! Numbers as the suite reads them: decimal digits and nothing else.

/// `text` as an unsigned integer up to 2^32-1: one or more decimal digits, no
/// sign, no blank, no prefix.
pub fn unsigned(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u32, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// A list of unsigned integers, separated by any of comma, semicolon, colon, blank, tab, CR and
/// LF. It may be empty; any other text is refused.
pub fn list_u32(text: &[u8]) -> Option<Vec<u32>> {
    text.split(|byte| b",;: \t\r\n".contains(byte))
        .filter(|item| !item.is_empty())
        .map(unsigned)
        .collect()
}

/// Two unsigned integers `x+y`, or `x` for `x+0`.
pub fn rounds(text: &[u8]) -> Option<[u32; 2]> {
    match text.iter().position(|byte| *byte == b'+') {
        Some(at) => Some([unsigned(&text[..at])?, unsigned(&text[at + 1..])?]),
        None => Some([unsigned(text)?, 0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_up_to_32_bits_are_numbers() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("99999999999999999999", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("0x10", None),
            ("1a", None),
        ] {
            assert_eq!(unsigned(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn a_list_takes_all_separators_and_nothing_else() {
        assert_eq!(list_u32(b""), Some(vec![]));
        assert_eq!(
            list_u32(b"1,2;3:4 5\t6\r\n7"),
            Some(vec![1, 2, 3, 4, 5, 6, 7])
        );
        assert_eq!(list_u32(b"100,abc"), None);
        assert_eq!(list_u32(b"1/2"), None);
    }

    #[test]
    fn rounds_are_one_or_two_numbers() {
        assert_eq!(rounds(b"1+2"), Some([1, 2]));
        assert_eq!(rounds(b"3"), Some([3, 0]));
        for bad in [&b""[..], b"+", b"1+", b"+1", b"1+2+3", b"x"] {
            assert_eq!(rounds(bad), None);
        }
    }
}
