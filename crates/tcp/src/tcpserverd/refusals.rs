//! Lines of the log about refused clients, few even if refusals are many.

use super::client_key::ClientKey;

/// The shortest time between two lines about a client, in milliseconds.
const MINUTE: u64 = 60_000;

/// How many clients may have a line of their own in a minute.
const CLIENTS: usize = 64;

/// Refused connections that are not in the log yet. A client has at most one line a minute, and
/// all clients together have 65, one of which is for all clients without a line of their own.
///
/// Times are milliseconds of a clock that never goes back.
pub struct Refusals {
    told: Vec<Told>,
    others: Others,
}

/// A client that the log has a line about.
struct Told {
    key: ClientKey,
    /// How many of its connections were refused since.
    more: u64,
    /// The end of the minute after the line.
    end: u64,
}

/// The clients without a line of their own.
#[derive(Default)]
struct Others {
    more: u64,
    end: u64,
}

/// A line to log: so many more connections were refused in the last minute.
#[derive(Debug, Eq, PartialEq)]
pub struct Report {
    /// Whose; None for all who have no line of their own.
    pub client: Option<ClientKey>,
    /// How many.
    pub more: u64,
}

impl Refusals {
    /// No refused connections. All memory is allocated here.
    pub fn new() -> Self {
        Self {
            told: Vec::with_capacity(CLIENTS),
            others: Others::default(),
        }
    }

    /// Counts a refused connection of `client`. True if the log has to say so now; otherwise it
    /// will be in a report.
    pub fn note(&mut self, client: ClientKey, now: u64) -> bool {
        if let Some(told) = self.told.iter_mut().find(|told| told.key == client) {
            let silent = told.more > 0 || told.end > now;
            if silent {
                told.more += 1;
            } else {
                told.end = now + MINUTE;
            }
            return !silent;
        }
        self.told.retain(|told| told.more > 0 || told.end > now);
        if self.told.len() < CLIENTS {
            let (key, end) = (client, now + MINUTE);
            self.told.push(Told { key, more: 0, end });
            return true;
        }
        if self.others.more == 0 {
            self.others.end = now + MINUTE;
        }
        self.others.more += 1;
        false
    }

    /// When the next report is due.
    pub fn due(&self) -> Option<u64> {
        let told = self.told.iter().filter(|told| told.more > 0);
        let others = (self.others.more > 0).then_some(self.others.end);
        told.map(|told| told.end).chain(others).min()
    }

    /// A report that is due at the time `now`; call it until there is none.
    pub fn report(&mut self, now: u64) -> Option<Report> {
        let mut told = self.told.iter_mut();
        if let Some(told) = told.find(|told| told.more > 0 && told.end <= now) {
            told.end = now.saturating_add(MINUTE);
            let (client, more) = (Some(told.key), std::mem::take(&mut told.more));
            return Some(Report { client, more });
        }
        if self.others.more == 0 || self.others.end > now {
            return None;
        }
        let (client, more) = (None, std::mem::take(&mut self.others.more));
        Some(Report { client, more })
    }
}

#[cfg(test)]
mod tests {
    use super::super::client_key::tests::client;
    use super::*;

    fn numbered(number: usize) -> ClientKey {
        client(&format!("192.0.2.{number}"), 64)
    }

    fn report(client: Option<ClientKey>, more: u64) -> Report {
        Report { client, more }
    }

    fn reports(refusals: &mut Refusals, now: u64) -> Vec<Report> {
        std::iter::from_fn(|| refusals.report(now)).collect()
    }

    #[test]
    fn client_has_a_line_at_once_and_a_report_each_minute_as_long_as_it_is_refused() {
        let (mut refusals, key) = (Refusals::new(), numbered(1));
        assert!(refusals.note(key, 1_000));
        assert_eq!(refusals.due(), None);
        for now in 1_000..1_500 {
            assert!(!refusals.note(key, now));
        }
        assert_eq!(refusals.due(), Some(61_000));
        assert_eq!(reports(&mut refusals, 60_999), []);
        assert_eq!(reports(&mut refusals, 61_000), [report(Some(key), 500)]);
        assert_eq!(
            (refusals.due(), reports(&mut refusals, 61_000)),
            (None, vec![])
        );
        // Within a minute after the report.
        assert!(!refusals.note(key, 120_999));
        assert_eq!(refusals.due(), Some(121_000));
        assert_eq!(reports(&mut refusals, 130_000), [report(Some(key), 1)]);
        // After a minute without a refusal.
        assert!(refusals.note(key, 190_000));
        assert!(!refusals.note(key, 190_001));
        assert_eq!(refusals.due(), Some(250_000));
    }

    #[test]
    fn client_whose_report_is_late_is_not_forgotten_for_a_new_one() {
        let (mut refusals, key) = (Refusals::new(), numbered(1));
        assert!(refusals.note(key, 0));
        assert!(!refusals.note(key, 1));
        assert!(refusals.note(numbered(2), 70_000));
        assert_eq!(reports(&mut refusals, 70_000), [report(Some(key), 1)]);
    }

    #[test]
    fn late_report_comes_before_a_new_line() {
        let (mut refusals, key) = (Refusals::new(), numbered(1));
        assert!(refusals.note(key, 0));
        assert!(!refusals.note(key, 1));
        assert!(!refusals.note(key, 70_000));
        assert_eq!(reports(&mut refusals, 70_000), [report(Some(key), 2)]);
        assert!(!refusals.note(key, 129_999));
    }

    #[test]
    fn clients_beyond_the_bound_share_one_report() {
        let mut refusals = Refusals::new();
        for number in 0..CLIENTS {
            assert!(refusals.note(numbered(number), 0));
        }
        for now in 0..100 {
            assert!(!refusals.note(numbered(200), now));
            assert!(!refusals.note(numbered(201), now));
        }
        assert_eq!(refusals.due(), Some(MINUTE));
        assert_eq!(reports(&mut refusals, MINUTE - 1), []);
        assert_eq!(reports(&mut refusals, MINUTE), [report(None, 200)]);
        // The others' minutes are over, and nothing more of them was refused.
        assert!(refusals.note(numbered(200), MINUTE));
    }

    /// Memory and the number of lines are bounded.
    #[test]
    fn flood_of_many_clients_makes_few_lines() {
        let (mut refusals, mut lines) = (Refusals::new(), Vec::new());
        let mut refused = 0;
        for now in (0..10 * MINUTE).step_by(3) {
            let key = client(&format!("2001:db8:0:{:x}::1", now * 7919 % 65536), 64);
            refused += 1;
            lines.extend(refusals.note(key, now).then_some((now, 1)));
            let reports = reports(&mut refusals, now);
            lines.extend(reports.iter().map(|report| (now, report.more)));
            assert!(refusals.told.len() <= CLIENTS);
        }
        let rest = reports(&mut refusals, u64::MAX);
        let rest = rest.iter().map(|report| report.more).sum::<u64>();
        let told: u64 = lines.iter().map(|(_, more)| more).sum();
        assert_eq!(told + rest, refused);
        for from in (0..9 * MINUTE).step_by(1000) {
            let minute = from..from + MINUTE;
            let count = lines.iter().filter(|(now, _)| minute.contains(now)).count();
            assert!(count <= CLIENTS + 1, "{count} lines from {from}");
        }
    }
}
