//! Object identifiers (ITU-T X.690 section 8.19) as text.

/// The number of bytes that [`dotted`] reads.
const LONGEST: usize = 39;

/// The content of an OBJECT IDENTIFIER as dotted numbers, up to [`LONGEST`] bytes.
pub fn dotted(content: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_u64;
    for byte in content.iter().take(LONGEST) {
        number = number << 7 | u64::from(byte & 0x7f);
        if *byte < 0x80 {
            numbers.push(std::mem::take(&mut number));
        }
    }
    let first = numbers.first().copied().unwrap_or_default();
    let root = (first / 40).min(2);
    let text = [root, first - 40 * root]
        .into_iter()
        .chain(numbers.into_iter().skip(1));
    text.map(|number| number.to_string())
        .collect::<Vec<_>>()
        .join(".")
}

/// Whether no other content gives the same numbers with [`dotted`]: it is complete and
/// not too long, and each number has its shortest form and at most 32 bits. The first
/// byte must encode the first two numbers.
pub fn is_exact(content: &[u8]) -> bool {
    let begins = matches!(content, [0..120, ..]) && content.len() <= LONGEST;
    let ends = content.last().is_some_and(|byte| *byte < 0x80);
    let mut numbers = content.split_inclusive(|byte| *byte < 0x80);
    begins && ends && numbers.all(is_number)
}

fn is_number(number: &[u8]) -> bool {
    let value = number.iter().try_fold(0_u32, |value, byte| {
        value.checked_mul(0x80)?.checked_add(u32::from(byte & 0x7f))
    });
    number.first() != Some(&0x80) && value.is_some()
}

/// Looks up dotted numbers in `table`. Each of its lines has such numbers, a space
/// and their name.
pub fn name_in(table: &'static str, dotted: &str) -> Option<&'static str> {
    let mut names = table.lines().filter_map(|line| line.split_once(' '));
    names.find_map(|(identifier, name)| (identifier == dotted).then_some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_numbers_are_those_of_the_encoding() {
        for (content, text) in [
            (&[0x55, 4, 3][..], "2.5.4.3"),
            (
                b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01",
                "1.2.840.113549.1.9.1",
            ),
            (b"\x88\x37\x03", "2.999.3"),
            (b"\x27", "0.39"),
            (b"\x2a\x81\x80\x80\x01", "1.2.2097153"),
        ] {
            assert_eq!(dotted(content), text);
        }
        for content in [&[][..], &[0x80; 100], &[0xff; 100]] {
            assert!(dotted(content).len() < 200);
        }
    }

    #[test]
    fn exact_identifiers_are_whole_and_shortest() {
        for (content, exact) in [
            (&[0x55, 4, 3][..], true),
            (&[0x55; 39], true),
            (&[0x55; 40], false),
            (&[0x2a, 0x8f, 0xff, 0xff, 0xff, 0x7f], true),
            (&[0x2a, 0x90, 0x80, 0x80, 0x80, 0x00], false),
            (&[0x88, 0x37, 0x03], false),
            (&[0x78], false),
            (&[0x2a, 0x86], false),
            (&[0x2a, 0x81, 0x80], false),
            (&[0x2a, 0x81, 0x80, 0x80, 0x01], true),
            (&[0x55, 0x1d, 0x80, 17], false),
            (&[], false),
        ] {
            assert_eq!(is_exact(content), exact, "{content:x?}");
        }
    }
}
