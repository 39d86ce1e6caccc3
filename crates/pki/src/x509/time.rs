//! Dates of certificates (RFC 5280 section 4.1.2.5).

use std::fmt;

use crate::x509::der::element;

/// The tag of a UTCTime.
const UTC_TIME: u8 = 0x17;
/// The tag of a GeneralizedTime.
const GENERALIZED_TIME: u8 = 0x18;

/// The months, three letters each.
const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// A UTCTime or GeneralizedTime, in UTC. The month is 1 to 12 and the day 1 to 31.
#[derive(Clone, Copy)]
pub struct Date {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Date {
    /// Reads the date that `input` begins with. Also returns the bytes behind it.
    pub fn read(input: &[u8]) -> Option<(Self, &[u8])> {
        let (tag, digits, rest) = element(input)?;
        let digits = digits.strip_suffix(b"Z")?;
        let (year, digits) = match tag {
            UTC_TIME => {
                let (year, digits) = digits.split_at_checked(2)?;
                let year = number(year)?;
                (if year < 50 { 2000 } else { 1900 } + year, digits)
            }
            GENERALIZED_TIME => {
                let (year, digits) = digits.split_at_checked(4)?;
                (number(year)?, digits)
            }
            _ => return None,
        };
        if digits.len() != 10 {
            return None;
        }
        let part = |at: usize| number(&digits[at..at + 2]);
        let date = Self {
            year,
            month: part(0)?,
            day: part(2)?,
            hour: part(4)?,
            minute: part(6)?,
            second: part(8)?,
        };
        let possible = (1..=12).contains(&date.month) && (1..=31).contains(&date.day);
        possible.then_some((date, rest))
    }

    /// Seconds since 1970.
    pub fn seconds(&self) -> i64 {
        let days = days_from_civil(self.year, self.month, self.day);
        days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// Whether the month has this day, and the hour, minute and second are valid.
    /// Refuses leap seconds.
    pub fn exists(&self) -> bool {
        let first = days_from_civil(self.year, self.month, 1);
        let next = match self.month {
            12 => days_from_civil(self.year + 1, 1, 1),
            month => days_from_civil(self.year, month + 1, 1),
        };
        self.day <= next - first && self.hour < 24 && self.minute < 60 && self.second < 60
    }
}

/// As OpenSSL prints it: `Nov  5 12:00:00 2026 GMT`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        let month = usize::try_from(3 * (month - 1))
            .ok()
            .and_then(|at| MONTHS.get(at..at + 3))
            .unwrap_or("???");
        write!(
            f,
            "{month} {day:>2} {hour:02}:{minute:02}:{second:02} {year} GMT"
        )
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar. Counts from
/// March, so that a leap day is the last day of a year.
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
    fn seconds_of_dates_count_leap_days() {
        let read = |tag, text: &[u8]| Some(Date::read(&encode(tag, text))?.0.seconds());
        assert_eq!(
            read(GENERALIZED_TIME, b"20000301000000Z"),
            Some(951_868_800)
        );
        assert_eq!(read(UTC_TIME, b"240229000000Z"), Some(1_709_164_800));
        // The year 50 is 1950 (RFC 5280 section 4.1.2.5.1).
        assert_eq!(read(UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(read(UTC_TIME, b"500101000000Z"), Some(-631_152_000));
        assert_eq!(read(UTC_TIME, b"241329000000Z"), None);
        assert_eq!(read(UTC_TIME, b"2403290000Z"), None);
    }
    #[test]
    fn date_exists_only_in_the_calendar() {
        for (text, exists) in [
            (b"20240229235959Z", true),
            (b"20230229000000Z", false),
            (b"21000229000000Z", false),
            (b"20001231000000Z", true),
            (b"20260431000000Z", false),
            (b"20260430240000Z", false),
            (b"20260430006000Z", false),
            (b"20261231235960Z", false),
        ] {
            let bytes = encode(GENERALIZED_TIME, text);
            let (date, _) = Date::read(&bytes).unwrap();
            assert_eq!(date.exists(), exists, "{date}");
        }
    }
}
