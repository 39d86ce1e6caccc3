//! How often a client may connect: the generic cell rate algorithm, which is a token bucket that
//! keeps one number for each client.
//!
//! Times are milliseconds of a clock that never goes back, multiplied by the rate's count: in
//! these units the time that one connection costs is an integer, so nothing is ever rounded.

use cli::Rate;

use super::client_key::ClientKey;

/// How many clients are remembered.
const CLIENTS: usize = 4096;

/// The clients that have connected lately, and how much of its allowance each has used.
///
/// A client whose allowance is full again counts as new, so its place is free. If no place is
/// free, a new client takes the place of the client whose allowance will be full soonest. So no
/// client is refused because of others; at worst a forgotten client has its whole allowance again.
pub struct RateLimit {
    /// The rate's count: how many units a millisecond has.
    scale: u64,
    /// What a connection costs.
    cost: u64,
    /// The whole allowance: what `count` connections cost.
    allowance: u64,
    clients: Vec<Client>,
    /// How many clients there may be.
    places: usize,
}

#[derive(Clone, Copy)]
struct Client {
    key: ClientKey,
    /// When its allowance is full again.
    full_at: u64,
}

impl RateLimit {
    /// A limit to `rate`. All its memory is allocated here.
    pub fn new(rate: Rate) -> Self {
        Self::with_places(rate, CLIENTS)
    }

    fn with_places(rate: Rate, places: usize) -> Self {
        let cost = u64::from(rate.seconds) * 1000;
        Self {
            scale: rate.count.into(),
            cost,
            allowance: cost * u64::from(rate.count),
            clients: Vec::with_capacity(places),
            places,
        }
    }

    /// Whether a client may connect at the time `now`. If so, the connection counts; a connection
    /// that is refused does not.
    ///
    /// After a pause `count` connections may come at once, then one every `seconds / count`
    /// seconds. So in any period of `seconds` at most twice `count` are admitted, and a client that
    /// waits `seconds / count` before each connection is never refused.
    pub fn admits(&mut self, key: ClientKey, now: u64) -> bool {
        let now = now.saturating_mul(self.scale);
        let (cost, allowance) = (self.cost, self.allowance);
        let client = self.find(key, now);
        let full_at = client.full_at.max(now).saturating_add(cost);
        if full_at - now > allowance {
            return false;
        }
        client.full_at = full_at;
        true
    }

    /// The entry of a client; a new one if there is none.
    fn find(&mut self, key: ClientKey, now: u64) -> &mut Client {
        let new = Client { key, full_at: now };
        let known = self.clients.iter().position(|client| client.key == key);
        let place = known.unwrap_or_else(|| self.place(now));
        if place == self.clients.len() {
            self.clients.push(new);
        } else if known.is_none() {
            self.clients[place] = new;
        }
        &mut self.clients[place]
    }

    /// The place for a new client.
    fn place(&self, now: u64) -> usize {
        let clients = self.clients.iter().enumerate();
        let soonest = clients.min_by_key(|(_, client)| client.full_at);
        let free = |full_at| full_at <= now || self.clients.len() == self.places;
        match soonest {
            Some((place, client)) if free(client.full_at) => place,
            _ => self.clients.len(),
        }
    }
}

#[cfg(test)]
mod tests;
