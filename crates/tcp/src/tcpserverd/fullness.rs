//! When to log that the limit of connections is reached.

/// Whether the limit of connections is reached, with hysteresis: it counts as reached until a
/// quarter of the places, and at least one, is free. So a number that goes up and down at the limit
/// gives one line in the log.
pub struct Fullness {
    maximum: usize,
    full: bool,
}

/// A change to log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// The limit is reached.
    Reached,
    /// The limit is left.
    Left,
}

impl Fullness {
    /// For a server with this limit and no connections yet.
    pub fn new(maximum: usize) -> Self {
        Self {
            maximum,
            full: false,
        }
    }

    /// Updates the number of connections.
    pub fn note(&mut self, count: usize) -> Option<Change> {
        let room = (self.maximum / 4).max(1);
        if !self.full && count >= self.maximum {
            self.full = true;
            Some(Change::Reached)
        } else if self.full && count + room <= self.maximum {
            self.full = false;
            Some(Change::Left)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(maximum: usize, counts: &[usize]) -> Vec<(usize, Change)> {
        let mut fullness = Fullness::new(maximum);
        let noted = counts
            .iter()
            .filter_map(|count| Some((*count, fullness.note(*count)?)));
        noted.collect()
    }

    #[test]
    fn number_that_varies_at_the_limit_is_logged_once() {
        use Change::{Left, Reached};
        let counts = [39, 40, 39, 40, 31, 40, 30, 29, 30, 39, 40, 0];
        let told = [(40, Reached), (30, Left), (40, Reached), (0, Left)];
        assert_eq!(changes(40, &counts), told);
    }

    #[test]
    fn small_limit_is_left_when_one_place_is_free() {
        use Change::{Left, Reached};
        assert_eq!(changes(1, &[0, 1, 1, 0]), [(1, Reached), (0, Left)]);
        assert_eq!(changes(3, &[2, 3, 3, 2]), [(3, Reached), (2, Left)]);
        assert_eq!(changes(8, &[8, 7, 6]), [(8, Reached), (6, Left)]);
    }
}
