//! Who is admitted, at which time.

use super::super::client_key::tests::client;
use super::*;

fn limit(count: u32, seconds: u32) -> RateLimit {
    RateLimit::new(Rate { count, seconds })
}

/// A limit with room for eight clients.
fn small_limit(count: u32, seconds: u32) -> RateLimit {
    RateLimit::with_places(Rate { count, seconds }, 8)
}

/// The client with this number.
fn numbered(number: u64) -> ClientKey {
    client(&format!("2001:db8:0:{number:x}::1"), 64)
}

/// Numbers that look random, the same ones each time (xorshift64).
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// How many of `attempts` at this time are admitted.
fn admitted(limit: &mut RateLimit, key: ClientKey, now: u64, attempts: u32) -> u32 {
    (0..attempts)
        .map(|_| u32::from(limit.admits(key, now)))
        .sum()
}

#[test]
fn new_client_has_its_whole_allowance_and_regains_it_piece_by_piece() {
    let (mut limit, key) = (limit(3, 60), numbered(1));
    assert_eq!(admitted(&mut limit, key, 5_000, 9), 3);
    assert_eq!(admitted(&mut limit, key, 24_999, 9), 0);
    assert_eq!(admitted(&mut limit, key, 25_000, 9), 1);
    assert_eq!(admitted(&mut limit, key, 64_999, 9), 1);
    assert_eq!(admitted(&mut limit, key, 65_000, 9), 1);
    assert_eq!(admitted(&mut limit, key, 1_000_000, 9), 3);
    assert_eq!(admitted(&mut limit, numbered(2), 1_000_000, 9), 3);
}

#[test]
fn rate_that_does_not_divide_a_millisecond_is_exact() {
    // One each 1/7 ms, and one each 142.857 s.
    let (mut fast, mut slow) = (limit(7000, 1), limit(7, 1000));
    let key = numbered(1);
    assert_eq!(admitted(&mut fast, key, 0, 8000), 7000);
    assert_eq!(admitted(&mut slow, key, 0, 8), 7);
    for now in 1..100 {
        assert_eq!(admitted(&mut fast, key, now, 9), 7, "{now}");
    }
    assert_eq!(admitted(&mut slow, key, 142_857, 1), 0);
    assert_eq!(admitted(&mut slow, key, 142_858, 2), 1);
    assert_eq!(admitted(&mut slow, key, 285_714, 1), 0);
    assert_eq!(admitted(&mut slow, key, 285_715, 2), 1);
}

#[test]
fn highest_rate_and_longest_time_do_not_overflow() {
    let (key, day) = (numbered(1), 86_400_000);
    let mut limit = limit(Rate::MAX_COUNT, Rate::MAX_SECONDS);
    assert_eq!(admitted(&mut limit, key, 0, 1_000_001), 1_000_000);
    assert_eq!(admitted(&mut limit, key, 86, 9), 0);
    assert_eq!(admitted(&mut limit, key, 87, 9), 1);
    // After 500 years.
    assert_eq!(admitted(&mut limit, key, 500 * 365 * day, 9), 9);
    for now in [u64::MAX - 1, u64::MAX] {
        limit.admits(key, now);
    }
}

/// In any period of `seconds` at most twice `count` are admitted, and at least `count` if the
/// client always tries.
#[test]
fn window_admits_at_most_twice_the_count_and_at_least_the_count_of_a_steady_client() {
    let mut noise = Noise(42);
    for (count, seconds) in [(1, 1), (3, 1), (7, 2), (10, 1), (999, 1)] {
        let (mut limit, mut times) = (limit(count, seconds), Vec::new());
        let window = u64::from(seconds) * 1000;
        for now in 0..10 * window {
            // It pauses now and then, for as long as a window and longer.
            let pauses = (now / window) % 4 == 2 && noise.below(50) > 0;
            let attempts = if pauses { 0 } else { 3 };
            let admitted = admitted(&mut limit, numbered(1), now, attempts);
            times.extend((0..admitted).map(|_| now));
        }
        let between = |from| {
            times
                .iter()
                .filter(|time| (from..from + window).contains(*time))
                .count()
        };
        for from in (0..9 * window).step_by(7) {
            assert!(
                between(from) <= 2 * count as usize,
                "{count} {seconds} {from}"
            );
            if from + window <= 2 * window {
                assert!(between(from) >= count as usize, "{count} {seconds} {from}");
            }
        }
    }
}

#[test]
fn client_that_comes_no_sooner_than_its_rate_is_never_refused() {
    let mut noise = Noise(7);
    for (count, seconds) in [(1, 60), (3, 1), (600, 60)] {
        let mut limit = limit(count, seconds);
        let apart = (u64::from(seconds) * 1000).div_ceil(count.into());
        let mut now = 0;
        for _ in 0..2000 {
            assert!(limit.admits(numbered(1), now), "{count}/{seconds} at {now}");
            now += apart + noise.below(3);
        }
    }
}

/// Many clients at once, compared with a token bucket for each that is filled in fractions.
#[test]
fn mixed_clients_are_admitted_as_by_token_buckets() {
    let mut noise = Noise(2026);
    let (count, seconds) = (5, 3);
    let mut limit = limit(count, seconds);
    // Tokens in units of 1/3000, as each millisecond brings 5/3000 of one.
    let (token, full) = (3000, 15_000);
    let mut buckets = vec![(full, 0); 1000];
    let mut now = 0;
    for _ in 0..50_000 {
        now += noise.below(3);
        let number = noise.below(1 + noise.0 % 1000);
        let (tokens, since) = &mut buckets[number as usize];
        *tokens = full.min(*tokens + 5 * (now - *since));
        *since = now;
        let expected = *tokens >= token;
        *tokens -= if expected { token } else { 0 };
        assert_eq!(
            limit.admits(numbered(number), now),
            expected,
            "{number} {now}"
        );
    }
}

#[test]
fn memory_is_bounded_whoever_comes() {
    let (mut limit, mut noise) = (small_limit(2, 3600), Noise(1));
    let capacity = limit.clients.capacity();
    for now in 0..10_000 {
        let address = format!("2001:db8:{:x}:{:x}::1", noise.below(65536), now);
        assert!(limit.admits(client(&address, 64), now), "{address}");
        assert!(limit.clients.len() <= 8);
    }
    assert_eq!(
        (limit.clients.len(), limit.clients.capacity()),
        (8, capacity)
    );
    // As doc/s6-tcpserverd.md has it; 32-bit processors may need less.
    assert_eq!(super::tests::limit(1, 1).places, CLIENTS);
    assert!(CLIENTS * size_of::<Client>() <= 192 << 10);
}

#[test]
fn full_table_forgets_the_client_whose_allowance_is_full_soonest() {
    let mut limit = small_limit(2, 3600);
    let busy = numbered(0);
    assert_eq!(admitted(&mut limit, busy, 0, 3), 2);
    for number in 1..100 {
        assert!(limit.admits(numbered(number), number));
    }
    assert!(
        !limit.admits(busy, 100),
        "it has used most and is remembered"
    );
    assert!(limit.admits(numbered(99), 100));
    assert!(!limit.admits(numbered(99), 100), "nobody has come since");
    assert_eq!(admitted(&mut limit, numbered(1), 100, 3), 2, "forgotten");
}

#[test]
fn place_of_a_client_with_a_full_allowance_is_used_again() {
    let mut limit = limit(2, 1);
    for number in 0..1000 {
        assert!(limit.admits(numbered(number), number * 250));
    }
    // Each allowance is full again after half a second.
    assert_eq!(limit.clients.len(), 2);
}
