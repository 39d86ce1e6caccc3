//! Dates of certificates (RFC 5280 section 4.1.2.5).

use crate::x509::der::element;

/// The tag of a UTCTime.
const UTC_TIME: u8 = 0x17;
/// The tag of a GeneralizedTime.
const GENERALIZED_TIME: u8 = 0x18;

/// A UTCTime or GeneralizedTime as seconds since 1970, and what follows it.
pub fn read(input: &[u8]) -> Option<(i64, &[u8])> {
    let (tag, digits, rest) = element(input)?;
    let digits = digits.strip_suffix(b"Z")?;
    let (year, digits) = match tag {
        UTC_TIME => {
            let year = number(digits.get(..2)?)?;
            (
                if year < 50 { 2000 + year } else { 1900 + year },
                &digits[2..],
            )
        }
        GENERALIZED_TIME => (number(digits.get(..4)?)?, &digits[4..]),
        _ => return None,
    };
    if digits.len() != 10 {
        return None;
    }
    let part = |at: usize| number(&digits[at..at + 2]);
    let (month, day) = (part(0)?, part(2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = part(4)? * 3600 + part(6)? * 60 + part(8)?;
    Some((days_from_civil(year, month, day) * 86_400 + seconds, rest))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, by
/// counting from the first of March so that leap days come last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400;
    days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        Some(10 * number + i64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::encode;

    #[test]
    fn leap_years_count() {
        let read = |tag, text: &[u8]| Some(read(&encode(tag, text))?.0);
        assert_eq!(
            read(GENERALIZED_TIME, b"20000301000000Z"),
            Some(951_868_800)
        );
        assert_eq!(read(UTC_TIME, b"240229000000Z"), Some(1_709_164_800));
        assert_eq!(read(UTC_TIME, b"241329000000Z"), None);
        assert_eq!(read(UTC_TIME, b"2403290000Z"), None);
    }
}
