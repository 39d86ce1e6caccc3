//! The rows of the table, and the figures of all rounds.

use std::collections::{BTreeMap, BTreeSet};

/// A row of the table.
pub struct Row {
    /// Its identifier in the program.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Digits after the point.
    pub digits: usize,
}

const fn row(id: &'static str, title: &'static str, digits: usize) -> Row {
    Row { id, title, digits }
}

/// The table: three rows for each kind of connection, with an addition to the
/// titles of its costs, then the other rows.
macro_rules! table {
    ([$($id:literal, $title:literal, $costs:literal;)*] $($row:expr,)*) => {
        &[
            $(
                row(concat!($id, ".rate"), concat!("**", $title, "**: connections/s"), 0),
                row(concat!($id, ".cpu"), concat!("CPU ms per connection", $costs), 2),
                row(concat!($id, ".faults"), concat!("page faults per connection", $costs), 0),
            )*
            $($row,)*
        ]
    };
}

/// The rows, in the order of the table.
pub const ROWS: &[Row] = table![
    [
        "tls13", "TLS 1.3, P-256", "";
        "hybrid", "TLS 1.3, P-256, X25519MLKEM768", "";
        "tls12", "TLS 1.2, P-256", "";
        "rsa", "TLS 1.3, RSA-2048", "";
        "ed25519", "TLS 1.3, Ed25519", "";
        "client", "TLS 1.3, P-256, client certificate", "";
        "resumed", "TLS 1.3, resumed", "";
        "smallest", "TLS 1.3, P-256, the smallest program instead of `echo`", "";
        "identity", "TLS 1.3, P-256, with `-u` and `-g`", "";
        "access", "TLS 1.3, P-256, with rules on addresses, `-i`", "";
        "guarded", "TLS 1.3, P-256, with `--key-guard`", "";
        "sni10", "TLS 1.3, P-256, SNIDIR with 10 pairs", "";
        "sni1000", "TLS 1.3, P-256, SNIDIR with 1,000 pairs", "";
        "sni10000", "TLS 1.3, P-256, SNIDIR with 10,000 pairs", "";
    ]
    row("down.cpu", "**Download**: CPU s/GB", 2),
    row("down.rate", "GB/s", 2),
    row("down64.cpu", "written by 64 KiB: CPU s/GB", 2),
    row("down64.rate", "GB/s", 2),
    row("up.cpu", "**Upload**: CPU s/GB", 2),
    row("up.rate", "GB/s", 2),
    row("up64.cpu", "read by 64 KiB: CPU s/GB", 2),
    row("up64.rate", "GB/s", 2),
    row(
        "both.cpu",
        "**Full duplex**: CPU s/GB, both directions counted",
        2,
    ),
    row("both.rate", "GB/s", 2),
    row("ping", "**Ping-pong**: round trip, µs", 0),
    row("idle", "**Idle connection**: private KiB", 0),
    row("idle.after", "after 100 MB, private KiB", 0),
    row(
        "growth.few",
        "**With 5 open connections**: CPU ms per connection",
        2,
    ),
    row("growth.many", "with 500: CPU ms per connection", 2),
    row("held", "connections held, of 1,000", 0),
    row(
        "start.file",
        "**Client**: ms from exec to ClientHello, CAFILE",
        2,
    ),
    row("start.dir", "CADIR", 2),
];

/// All figures.
#[derive(Default)]
pub struct Results {
    /// By row and peer, then by round.
    figures: BTreeMap<(&'static str, usize), BTreeMap<usize, f64>>,
    /// By peer and note, the tasks that it is about.
    notes: BTreeMap<(&'static str, String), BTreeSet<&'static str>>,
    /// How many rounds there were.
    pub rounds: usize,
}

impl Results {
    /// Nothing yet, of so many rounds.
    pub fn of(rounds: usize) -> Self {
        Self {
            rounds,
            ..Self::default()
        }
    }

    /// One round's figure.
    pub fn add(&mut self, row: &'static str, peer: usize, round: usize, figure: f64) {
        let rounds = self.figures.entry((row, peer)).or_default();
        rounds.insert(round, figure);
    }

    /// A note about this peer at this task.
    pub fn note(&mut self, peer: &'static str, note: &str, task: &'static str) {
        let tasks = self.notes.entry((peer, note.to_owned())).or_default();
        tasks.insert(task);
    }

    /// All notes, a line for each: peer, tasks, text.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.notes.iter().map(|((peer, note), tasks)| {
            let tasks: Vec<&str> = tasks.iter().copied().collect();
            format!("{peer}, {}: {note}", tasks.join(", "))
        })
    }

    /// The median.
    pub fn median(&self, row: &'static str, peer: usize) -> Option<f64> {
        median(self.figures.get(&(row, peer))?.values().copied().collect())
    }

    /// The median of the rounds' ratios. Each is of two figures measured one
    /// after the other, under the same conditions.
    pub fn ratio(&self, row: &'static str, peer: usize, to: usize) -> Option<f64> {
        let figures = self.figures.get(&(row, peer))?;
        let others = self.figures.get(&(row, to))?;
        let ratios = figures
            .iter()
            .filter_map(|(round, one)| Some(one / others.get(round)?));
        median(ratios.filter(|ratio| ratio.is_finite()).collect())
    }
}

/// The median, if there is anything.
pub fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    if figures.len() % 2 == 1 {
        return Some(upper);
    }
    Some((figures[middle - 1] + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_or_the_mean_of_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let mut results = Results::default();
        results.add("ping", 0, 1, 7.0);
        for (round, one, other) in [(2, 1.0, 2.0), (3, 10.0, 40.0), (4, 3.0, 3.0)] {
            results.add("ping", 0, round, one);
            results.add("ping", 1, round, other);
        }
        assert_eq!(results.ratio("ping", 0, 1), Some(0.5));
        assert_eq!(results.ratio("ping", 0, 2), None);
    }

    #[test]
    fn a_note_names_all_its_tasks() {
        let mut results = Results::default();
        for task in ["rsa.rate", "ping-pong", "rsa.rate"] {
            results.note("ncat", "why", task);
        }
        let notes: Vec<_> = results.notes().collect();
        assert_eq!(notes, ["ncat, ping-pong, rsa.rate: why"]);
    }

    #[test]
    fn rows_have_different_names() {
        let ids: BTreeSet<_> = ROWS.iter().map(|row| row.id).collect();
        assert_eq!(ids.len(), ROWS.len());
    }
}
