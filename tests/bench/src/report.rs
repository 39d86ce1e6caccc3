//! The results in doc/performance.md and README.md, between marks in the
//! text that people write.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::Result;
use crate::peers::Peer;
use crate::plot;
use crate::results::{ROWS, Results, Row};

const DOCUMENT: &str = "doc/performance.md";
const README: &str = "README.md";
const PLOT: &str = "doc/performance.svg";

/// The rows of the summary, with titles that stand alone.
const SUMMARY: &[(&str, &str)] = &[
    ("tls13.rate", "TLS 1.3 connections/s"),
    ("tls13.cpu", "CPU ms per connection"),
    ("down.cpu", "CPU s per GB sent"),
    ("up.cpu", "CPU s per GB received"),
    ("idle", "private KiB per idle connection"),
    ("ping", "round trip, µs"),
];

/// The peers that are divided by.
const RATIOS: &[&str] = &["stunnel", "ncat", "hitch", "haproxy"];

/// The mark for a missing figure.
const NOTHING: &str = "–";

/// Everything in the report.
pub struct Report<'a> {
    /// Lines about the machine. The first three stand in the summary.
    pub machine: &'a [String],
    /// The peers, ours first.
    pub peers: &'a [Peer],
    /// The figures.
    pub results: &'a Results,
}

impl Report<'_> {
    /// Updates the documents of the tree `from`, in the tree `to`.
    pub fn write(&self, from: &Path, to: &Path) -> Result<()> {
        fs::create_dir_all(to.join("doc"))?;
        let mut document = fs::read_to_string(from.join(DOCUMENT))?;
        for (name, content) in [
            ("machine", self.circumstances()),
            ("table", self.table()),
            ("notes", self.notes()),
        ] {
            document = replaced(&document, name, &content)?;
        }
        fs::write(to.join(DOCUMENT), document)?;
        let readme = fs::read_to_string(from.join(README))?;
        fs::write(
            to.join(README),
            replaced(&readme, "summary", &self.summary())?,
        )?;
        fs::write(to.join(PLOT), plot::draw(self.peers, self.results))?;
        print!("{}", self.table());
        Ok(())
    }

    fn circumstances(&self) -> String {
        let versions: Vec<&str> = self
            .peers
            .iter()
            .map(|peer| peer.version.as_str())
            .collect();
        let mut text = String::new();
        for line in self.machine {
            let _ = writeln!(text, "- {line}");
        }
        let _ = writeln!(text, "- Programs: {}", versions.join("; "));
        let _ = writeln!(text, "- Rounds: {}", self.results.rounds);
        text
    }

    fn table(&self) -> String {
        let others = RATIOS.iter().filter_map(|name| {
            let index = self.peers.iter().position(|peer| peer.name == *name)?;
            Some((format!("s6-tls ÷ {name}"), index))
        });
        let (titles, others): (Vec<_>, Vec<_>) = others.unzip();
        let titles: Vec<_> = titles.iter().map(String::as_str).collect();
        let mut text = self.head(&titles);
        for row in ROWS {
            let _ = write!(text, "| {} |{}", row.title, self.figures(row));
            for other in &others {
                let ratio = figure(self.results.ratio(row.id, 0, *other), 2);
                let _ = write!(text, " {ratio} |");
            }
            text += "\n";
        }
        text
    }

    fn notes(&self) -> String {
        let lines = self.results.notes();
        lines.map(|note| format!("- {note}\n")).collect()
    }

    fn summary(&self) -> String {
        let mut text = self.head(&[]);
        for (id, title) in SUMMARY {
            let row = ROWS.iter().find(|row| row.id == *id);
            let figures = row.map(|row| self.figures(row)).unwrap_or_default();
            let _ = writeln!(text, "| {title} |{figures}");
        }
        let lines = &self.machine[..self.machine.len().min(3)];
        let _ = writeln!(text, "\n{}.", lines.join("; "));
        text
    }

    /// The first two lines of a table.
    fn head(&self, more: &[&str]) -> String {
        let names = self.peers.iter().map(|peer| peer.name);
        let names: Vec<&str> = names.chain(more.iter().copied()).collect();
        format!(
            "| | {} |\n|---|{}\n",
            names.join(" | "),
            "---:|".repeat(names.len())
        )
    }

    fn figures(&self, row: &Row) -> String {
        let mut text = String::new();
        for index in 0..self.peers.len() {
            let median = self.results.median(row.id, index);
            let _ = write!(text, " {} |", figure(median, row.digits));
        }
        text
    }
}

/// A figure as the table shows it.
pub fn figure(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| NOTHING.to_owned(), |figure| format!("{figure:.digits$}"))
}

/// The text with `content` between its marks `<!-- bench: NAME -->` and
/// `<!-- bench: end -->`.
fn replaced(text: &str, name: &str, content: &str) -> Result<String> {
    let (start, end) = (format!("<!-- bench: {name} -->\n"), "<!-- bench: end -->");
    let parts = text.split_once(&start).and_then(|(head, rest)| {
        let (_, tail) = rest.split_once(end)?;
        Some((head, tail))
    });
    let (head, tail) = parts.ok_or_else(|| format!("no marks for the {name}"))?;
    Ok(format!("{head}{start}\n{content}\n{end}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_what_is_between_the_marks() {
        let text = "a\n<!-- bench: x -->\nold\n<!-- bench: end -->\nb\n";
        let once = replaced(text, "x", "new\n").unwrap();
        assert_eq!(
            once,
            "a\n<!-- bench: x -->\n\nnew\n\n<!-- bench: end -->\nb\n"
        );
        assert_eq!(replaced(&once, "x", "new\n").unwrap(), once);
        assert!(replaced(text, "y", "new\n").is_err());
    }

    #[test]
    fn summary_names_rows() {
        for (id, _) in SUMMARY {
            assert!(ROWS.iter().any(|row| row.id == *id), "{id}");
        }
    }

    #[test]
    fn the_tree_has_all_marks() {
        let tree = Path::new(crate::TREE);
        let to = tree.join("doc/performance.md");
        let document = fs::read_to_string(to).unwrap();
        for name in ["machine", "table", "notes"] {
            assert!(replaced(&document, name, "").is_ok(), "{name}");
        }
        let readme = fs::read_to_string(tree.join(README)).unwrap();
        assert!(replaced(&readme, "summary", "").is_ok());
    }
}
