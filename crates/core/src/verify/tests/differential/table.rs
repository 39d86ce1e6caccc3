//! The differences that are known, with their reasons.

/// Rows with a verdict of each of the three and a pattern of labels.
pub struct Table {
    versions: String,
    rows: Vec<Row>,
}

struct Row {
    accepted: [bool; 3],
    label: String,
}

impl Table {
    /// Reads a text: a line with the versions of the peers, then reasons and their rows. A row
    /// is three signs, `+` for accepted and `-` for refused, by us, OpenSSL and GnuTLS; and a
    /// label in which `~` stands for any text.
    pub fn parse(text: &str) -> Self {
        let (versions, text) = text.split_once('\n').expect("versions");
        let mut reason = None;
        let mut rows = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.split_once(' ') {
                Some((signs, label)) if signs.starts_with(['+', '-']) => {
                    assert!(reason.is_some(), "no reason: {line}");
                    rows.push(Row::new(signs, label));
                }
                _ => reason = Some(line),
            }
        }
        let versions = versions.to_owned();
        Self { versions, rows }
    }

    /// The versions of the peers.
    pub fn versions(&self) -> &str {
        &self.versions
    }

    /// Whether a case with these features needs no row, or has what it needs: a row for all
    /// features together, or for each peer that differs from us a row of one feature in which
    /// it differs in the same way.
    pub fn explains(&self, labels: &[String], accepted: [bool; 3]) -> bool {
        let needs = |peer: &usize| accepted[*peer] != accepted[0];
        let mut needed = (1..3).filter(needs);
        self.rows.iter().any(|row| row.is_of(labels, accepted))
            || needed.all(|peer| {
                let mut rows = self.rows.iter();
                rows.any(|row| row.is_of_one(labels, accepted, peer))
            })
    }

    /// The labels of the rows that explain none of these cases.
    pub fn unused(&self, cases: &[(&[String], [bool; 3])]) -> Vec<&str> {
        let used = |row: &&Row| {
            cases.iter().any(|(labels, accepted)| {
                let of_one = |peer| row.is_of_one(labels, *accepted, peer);
                row.is_of(labels, *accepted) || (1..3).any(of_one)
            })
        };
        let unused = self.rows.iter().filter(|row| !used(row));
        unused.map(|row| row.label.as_str()).collect()
    }
}

impl Row {
    fn new(signs: &str, label: &str) -> Self {
        let signs: Vec<_> = signs.chars().map(|sign| sign == '+').collect();
        Self {
            accepted: signs.try_into().expect("three signs"),
            label: label.to_owned(),
        }
    }

    /// Whether the row is about all features of the case together.
    fn is_of(&self, labels: &[String], accepted: [bool; 3]) -> bool {
        self.accepted == accepted && self.matches(&labels.join(" + "))
    }

    /// Whether it is about one of several features, and `peer` differs from us there as in the
    /// case.
    fn is_of_one(&self, labels: &[String], accepted: [bool; 3], peer: usize) -> bool {
        let same = [0, peer].map(|who| self.accepted[who] == accepted[who]);
        let differs = accepted[peer] != accepted[0];
        let of_one = || labels.iter().any(|label| self.matches(label));
        labels.len() > 1 && differs && same == [true; 2] && of_one()
    }

    fn matches(&self, label: &str) -> bool {
        let mut parts = self.label.split('~');
        let Some(mut left) = parts.next().and_then(|first| label.strip_prefix(first)) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return left.is_empty();
        };
        for part in parts {
            match left.split_once(part) {
                Some((_, after)) => left = after,
                None => return false,
            }
        }
        left.ends_with(last)
    }
}
