//! `--rate`: which connections come too soon, and what the log says of them.

use std::time::{Duration, Instant};

use cli::Rate;
use cli::address::Endpoint;

use super::client_key::ClientKey;
use super::rate::RateLimit;
use super::refusals::Refusals;

/// The number of bits of an IPv6 address that count by default: a network. A client that has one
/// address of a network can usually use all of them.
const NETWORK: u8 = 64;

/// The limit of the rate, and the lines about those who exceed it.
pub struct Throttle {
    rate: Rate,
    ipv6_prefix: u8,
    limit: RateLimit,
    refusals: Refusals,
    /// When its clock began.
    start: Instant,
}

impl Throttle {
    /// A limit to `rate`, which counts IPv6 clients by this number of bits. It allocates all its
    /// memory.
    pub fn new(rate: Rate, ipv6_prefix: Option<u8>) -> Self {
        Self {
            rate,
            ipv6_prefix: ipv6_prefix.unwrap_or(NETWORK),
            limit: RateLimit::new(rate),
            refusals: Refusals::new(),
            start: Instant::now(),
        }
    }

    /// Whether a connection of this client, whose address is not IPv4-mapped, may be served. If
    /// not, the log gets the lines.
    pub fn admits(&mut self, peer: Endpoint, log: impl Fn(&str)) -> bool {
        let now = self.now();
        let client = ClientKey::new(peer.address, self.ipv6_prefix);
        if self.limit.admits(client, now) {
            return true;
        }
        if self.refusals.note(client, now) {
            let Endpoint { address, port } = peer;
            log(&format!("reject {address}_{port} rate {}", self.rate));
        }
        // While connections come without a pause, nothing else would print the reports.
        self.print_reports(now, log);
        false
    }

    /// When the next report is due.
    pub fn due(&self) -> Option<Instant> {
        let millis = self.refusals.due()?;
        self.start.checked_add(Duration::from_millis(millis))
    }

    /// Gives the log the reports that are due.
    pub fn report(&mut self, log: impl Fn(&str)) {
        self.print_reports(self.now(), log);
    }

    /// Gives the log the reports on all that it has not told.
    pub fn report_rest(&mut self, log: impl Fn(&str)) {
        self.print_reports(u64::MAX, log);
    }

    fn print_reports(&mut self, now: u64, log: impl Fn(&str)) {
        while let Some(report) = self.refusals.report(now) {
            let client = report.client.map(|client| client.to_string());
            let client = client.as_deref().unwrap_or("others");
            let (rate, more) = (self.rate, report.more);
            log(&format!(
                "reject {client} rate {rate}: {more} more in the last minute"
            ));
        }
    }

    /// The time in milliseconds since the start.
    fn now(&self) -> u64 {
        self.start
            .elapsed()
            .as_millis()
            .try_into()
            .unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use cli::address::Address;

    use super::*;

    const RATE: Rate = Rate {
        count: 1,
        seconds: 86400,
    };

    fn peer(address: &str, port: u16) -> Endpoint {
        let address = Address::parse(address.as_bytes()).unwrap();
        Endpoint { address, port }
    }

    #[test]
    fn refused_clients_are_logged_with_their_rate_and_the_rest_in_a_report() {
        let lines = RefCell::new(Vec::new());
        let log = |line: &str| lines.borrow_mut().push(line.to_owned());
        let mut throttle = Throttle::new(RATE, None);
        let mut admits = |address: &str, port| throttle.admits(peer(address, port), log);
        assert!(admits("2001:db8::1", 1));
        assert!(!admits("2001:db8::2", 2));
        assert!(!admits("2001:db8::ffff:0:0:3", 3));
        assert!(!admits("2001:db8::1", 4));
        assert!(admits("2001:db8:0:1::1", 5));
        assert!(admits("192.0.2.1", 6));
        assert!(admits("192.0.2.2", 7));
        assert!(!admits("192.0.2.2", 8));
        assert!(throttle.due().is_some_and(|due| due > Instant::now()));
        throttle.report(log);
        throttle.report_rest(log);
        let expected = [
            "reject 2001:db8::2_2 rate 1/86400",
            "reject 192.0.2.2_8 rate 1/86400",
            "reject 2001:db8::/64 rate 1/86400: 2 more in the last minute",
        ];
        assert_eq!(*lines.borrow(), expected);
    }

    /// A limit with two refused clients, the first of which is due for a report.
    fn due() -> Throttle {
        let mut throttle = Throttle::new(RATE, None);
        for _ in 0..3 {
            throttle.admits(peer("192.0.2.1", 1), |_| {});
        }
        throttle.start -= Duration::from_secs(61);
        throttle.admits(peer("192.0.2.2", 2), |_| panic!("the report comes later"));
        throttle
    }

    const DUE: &str = "reject 192.0.2.1 rate 1/86400: 1 more in the last minute";

    #[test]
    fn report_is_logged_when_it_is_due() {
        let (mut throttle, lines) = (due(), RefCell::new(Vec::new()));
        assert!(throttle.due().is_some_and(|due| due <= Instant::now()));
        throttle.report(|line| lines.borrow_mut().push(line.to_owned()));
        assert_eq!(*lines.borrow(), [DUE]);
        assert_eq!(throttle.due(), None);
    }

    #[test]
    fn report_that_is_due_is_logged_with_the_next_refusal() {
        let (mut throttle, lines) = (due(), RefCell::new(Vec::new()));
        let log = |line: &str| lines.borrow_mut().push(line.to_owned());
        assert!(!throttle.admits(peer("192.0.2.2", 3), log));
        assert_eq!(*lines.borrow(), ["reject 192.0.2.2_3 rate 1/86400", DUE]);
    }
}
