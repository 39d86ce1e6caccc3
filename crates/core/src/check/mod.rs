//! `--check`: what an engine has read at its start, as facts on standard output. It is read with
//! the functions that a connection uses, in the same order and as the same users. There is no
//! connection, no guard and no sandbox.

mod certificate;
pub mod client;
pub mod pair;
mod pairs;
pub mod server;
mod settings;
mod sni_directory;
mod trust;

#[cfg(any(test, feature = "fuzzing"))]
use std::cell::RefCell;
use std::fmt::Display;

use cli::{Context, EngineOptions, Fatal, StartCheck};
use pki::x509::time::Date;

use crate::wall_clock;

/// The exit code if a certificate is valid for fewer days than asked for, or of no use now.
const FEWER_DAYS: u8 = 1;

const SECONDS_OF_DAY: i64 = 86_400;

/// What `--check` prints, and the exit code.
pub struct Report<'a> {
    context: &'a Context,
    /// Where lines go in place of standard output.
    #[cfg(any(test, feature = "fuzzing"))]
    lines: Option<&'a RefCell<Vec<String>>>,
    check: StartCheck,
    /// Seconds since 1970.
    now: i64,
    /// The fewest whole days that a certificate of ours has left, and which one it is.
    least: Option<(i64, String)>,
    /// Whether something of ours is of no use now, however many days it has left.
    unfit: bool,
}

impl<'a> Report<'a> {
    /// A report that counts days from now.
    fn new(context: &'a Context, options: &EngineOptions) -> Self {
        Self {
            context,
            #[cfg(any(test, feature = "fuzzing"))]
            lines: None,
            check: options.check.unwrap_or_default(),
            now: i64::try_from(wall_clock::now().as_secs()).unwrap_or(i64::MAX),
            least: None,
            unfit: false,
        }
    }

    /// The same, but it puts its lines there.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn into_lines(
        context: &'a Context,
        options: &EngineOptions,
        lines: &'a RefCell<Vec<String>>,
    ) -> Self {
        Self {
            lines: Some(lines),
            ..Self::new(context, options)
        }
    }

    /// Prints a line. The caller quotes text of certificates.
    fn fact(&self, key: &str, value: impl Display) -> Result<(), Fatal> {
        #[cfg(any(test, feature = "fuzzing"))]
        if let Some(lines) = self.lines {
            let line = cli::message::fact(key, &value.to_string());
            lines.borrow_mut().push(line);
            return Ok(());
        }
        self.context.fact(key, value)
    }

    /// Prints a fault that does not keep the service from starting.
    fn warning(&self, text: impl Display) -> Result<(), Fatal> {
        self.fact("warning", text)
    }

    /// The same for what peers refuse now. With `days=N` the exit code is not 0 then.
    fn unfit(&mut self, text: impl Display) -> Result<(), Fatal> {
        self.unfit = true;
        self.warning(text)
    }

    /// Prints which user the engine is from now on.
    fn user(&self) -> Result<(), Fatal> {
        let [uid, gid] = unix::user::effective_ids();
        self.fact("engine-uid", uid)?;
        self.fact("engine-gid", gid)
    }

    /// Prints what the options say about the connections.
    fn settings(&self, options: &EngineOptions, guarded: bool) -> Result<(), Fatal> {
        settings::print(self, options, guarded)
    }

    /// How many whole days are left until `date`; negative if it is past.
    fn days_until(&self, date: Date) -> i64 {
        (date.seconds() - self.now).div_euclid(SECONDS_OF_DAY)
    }

    /// Whether `date` is past.
    fn is_past(&self, date: Date) -> bool {
        date.seconds() < self.now
    }

    /// Records for how many days a certificate is valid that we send. `which` names it.
    fn note_days(&mut self, days: i64, which: String) {
        if self.least.as_ref().is_none_or(|(least, _)| days < *least) {
            self.least = Some((days, which));
        }
    }

    /// Ends the report, with the exit code of the program.
    pub fn finish(self) -> Result<u8, Fatal> {
        if let Some((days, which)) = &self.least {
            self.fact("least-days-left", days)?;
            self.fact("least-days-of", which)?;
        }
        let days = self.least.map(|(days, _)| days);
        Ok(code(self.check, days, self.unfit))
    }
}

fn code(check: StartCheck, least_days: Option<i64>, unfit: bool) -> u8 {
    let fewer = |wanted| unfit || least_days.is_some_and(|least| least < i64::from(wanted));
    if check.days.is_some_and(fewer) {
        FEWER_DAYS
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_1_only_if_days_are_asked_for_and_are_too_few_or_of_no_use() {
        for (days, least, unfit, expected) in [
            (None, Some(-5), true, 0),
            (Some(0), Some(0), false, 0),
            (Some(0), Some(-1), false, 1),
            (Some(14), Some(14), false, 0),
            (Some(14), Some(13), false, 1),
            (Some(14), Some(90), true, 1),
            (Some(14), None, false, 0),
            (Some(0), None, true, 1),
            (Some(u32::MAX), Some(3), false, 1),
        ] {
            let code = code(StartCheck { days }, least, unfit);
            assert_eq!(code, expected, "{days:?} {least:?} {unfit}");
        }
    }

    #[test]
    fn days_are_whole_and_an_expired_certificate_has_fewer_than_0() {
        let context = crate::testing::context();
        let certificate = pki::read::certificates(crate::testing::CERTIFICATE).unwrap();
        let fields = pki::x509::Certificate::parse(&certificate[0]).unwrap();
        let [_, end] = fields.dates();
        let mut report = Report::new(&context, &EngineOptions::default());
        for (before, days) in [(0, 0), (86_399, 0), (86_400, 1), (-1, -1), (-86_400, -1)] {
            report.now = end.seconds() - before;
            assert_eq!(report.days_until(end), days, "{before}");
            assert_eq!(report.is_past(end), days < 0, "{before}");
        }
        for (number, days) in (1..).zip([5, 3, 4, 3]) {
            report.note_days(days, format!("certificate {number}"));
        }
        // The first one of several.
        assert_eq!(report.least, Some((3, "certificate 2".to_owned())));
    }
}
