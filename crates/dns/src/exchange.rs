//! Which server to query next, without I/O.

use std::time::Duration;

use cli::address::Address;

use crate::{Config, Failure};

/// The progress of one query: each server in turn, then the next round with its
/// timeout.
#[derive(Debug)]
pub(crate) struct Exchange {
    servers: Vec<Address>,
    rounds: Vec<Duration>,
    round: usize,
    server: usize,
    failure: Failure,
}

impl Exchange {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            servers: config.servers.clone(),
            rounds: config.rounds.clone(),
            round: 0,
            server: 0,
            failure: Failure::NoServer,
        }
    }

    /// The current server and its timeout, or the final failure.
    pub(crate) fn current(&self) -> Result<(Address, Duration), Failure> {
        match (self.servers.get(self.server), self.rounds.get(self.round)) {
            (Some(server), Some(timeout)) => Ok((*server, *timeout)),
            _ => Err(self.failure),
        }
    }

    /// The current server failed. It is queried again in the next round.
    pub(crate) fn failed(&mut self, failure: Failure) {
        self.failure = failure;
        self.server += 1;
        self.wrap();
    }

    /// The current server refused the query. It is not queried again.
    pub(crate) fn refused(&mut self) {
        self.failure = Failure::Refused;
        if self.server < self.servers.len() {
            self.servers.remove(self.server);
        }
        self.wrap();
    }

    fn wrap(&mut self) {
        if self.server >= self.servers.len() {
            self.server = 0;
            self.round += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cli::address::Ip;

    fn exchange(servers: u8) -> Exchange {
        Exchange {
            servers: (1..=servers)
                .map(|n| Ip::V4([127, 0, 0, n]).into())
                .collect(),
            rounds: [3, 11].map(Duration::from_secs).to_vec(),
            round: 0,
            server: 0,
            failure: Failure::NoServer,
        }
    }

    fn asked(exchange: &Exchange) -> Option<(u8, u64)> {
        match exchange.current() {
            Ok((server, timeout)) => Some((server.ip.bytes()[3], timeout.as_secs())),
            _ => None,
        }
    }

    #[test]
    fn servers_are_queried_in_turn_in_each_round() {
        let mut exchange = exchange(2);
        for expected in [(1, 3), (2, 3), (1, 11), (2, 11)] {
            assert_eq!(asked(&exchange), Some(expected));
            exchange.failed(Failure::TimedOut);
        }
        assert_eq!(exchange.current(), Err(Failure::TimedOut));
    }

    #[test]
    fn server_that_refuses_is_not_queried_again() {
        let mut exchange = exchange(2);
        exchange.refused();
        assert_eq!(asked(&exchange), Some((2, 3)));
        exchange.failed(Failure::Server);
        assert_eq!(asked(&exchange), Some((2, 11)));
        exchange.refused();
        assert_eq!(exchange.current(), Err(Failure::Refused));
        exchange.refused();
        assert_eq!(exchange.current(), Err(Failure::Refused));
    }

    #[test]
    fn the_first_server_is_queried_again_after_the_last_one_refuses() {
        let mut exchange = exchange(2);
        exchange.failed(Failure::TimedOut);
        exchange.refused();
        assert_eq!(asked(&exchange), Some((1, 11)));
    }
}
