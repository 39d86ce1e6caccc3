//! When to say that the limit of connections is reached.

/// Whether the limit of connections is reached, as the log has it.
///
/// The log is told when the number of connections reaches the limit, and then
/// not before a quarter of the places, and at least one, is free again: a
/// number that goes up and down at the limit gives one line.
pub struct Fullness {
    maximum: usize,
    full: bool,
}

/// What the log has to be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// The limit is reached.
    Reached,
    /// There is room again.
    Left,
}

impl Fullness {
    /// For a server of at most `maximum` connections, that has none yet.
    pub fn new(maximum: usize) -> Self {
        Self {
            maximum,
            full: false,
        }
    }

    /// Takes note of the number of connections.
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
    fn a_number_that_goes_up_and_down_at_the_limit_is_told_once() {
        use Change::{Left, Reached};
        let counts = [39, 40, 39, 40, 31, 40, 30, 29, 30, 39, 40, 0];
        let told = [(40, Reached), (30, Left), (40, Reached), (0, Left)];
        assert_eq!(changes(40, &counts), told);
    }

    #[test]
    fn a_small_limit_is_left_when_one_place_is_free() {
        use Change::{Left, Reached};
        assert_eq!(changes(1, &[0, 1, 1, 0]), [(1, Reached), (0, Left)]);
        assert_eq!(changes(3, &[2, 3, 3, 2]), [(3, Reached), (2, Left)]);
        assert_eq!(changes(8, &[8, 7, 6]), [(8, Reached), (6, Left)]);
    }
}
