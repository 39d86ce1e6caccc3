//! doc/performance.svg: a few rows as bars, readable on light and dark.

use std::fmt::Write;

use crate::peers::Peer;
use crate::report::figure;
use crate::results::{ROWS, Results};

/// The panels: row and title.
const PANELS: &[(&str, &str)] = &[
    ("tls13.cpu", "CPU ms per TLS 1.3 connection"),
    ("down.cpu", "CPU s per GB sent"),
    ("up.cpu", "CPU s per GB received"),
    ("idle", "Private KiB per idle connection"),
];

const WIDTH: usize = 400;
const MARGIN: usize = 16;
const TITLE: usize = 24;
const BAR: usize = 24;
/// Where bars begin, behind the peers' names, and how long they may be.
const LEFT: usize = 104;
const LONGEST: f64 = 220.0;

const STYLE: &str = "<style>\
text{font:13px sans-serif;fill:#24292f}\
.t{font-weight:bold}\
.page{fill:#fff}\
.bar{fill:#8c959f}\
.ours{fill:#0969da}\
@media (prefers-color-scheme:dark){\
text{fill:#e6edf3}\
.page{fill:#0d1117}\
.bar{fill:#6e7681}\
.ours{fill:#4493f8}}\
</style>";

/// The plot: two panels side by side; shorter is better in all.
pub fn draw(peers: &[Peer], results: &Results) -> String {
    let panel = MARGIN + TITLE + peers.len() * BAR;
    let (width, height) = (
        2 * WIDTH,
        PANELS.len().div_ceil(2) * panel + 2 * MARGIN + TITLE,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>s6-tls beside its peers: shorter is better</title>\n{STYLE}\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    for (index, (id, title)) in PANELS.iter().enumerate() {
        let (x, y) = (index % 2 * WIDTH + MARGIN, index / 2 * panel + MARGIN);
        let medians: Vec<_> = (0..peers.len())
            .map(|peer| results.median(id, peer))
            .collect();
        let digits = ROWS.iter().find(|row| row.id == *id);
        let digits = digits.map_or(2, |row| row.digits);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        let _ = writeln!(svg, "<text class=\"t\" y=\"14\">{title}</text>");
        svg += &bars(peers, &medians, digits);
        svg += "</g>\n";
    }
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"{}\">Shorter is better.</text>\n</svg>",
        height - MARGIN
    );
    svg
}

fn bars(peers: &[Peer], medians: &[Option<f64>], digits: usize) -> String {
    let most = medians
        .iter()
        .flatten()
        .copied()
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = String::new();
    for (index, (peer, median)) in peers.iter().zip(medians).enumerate() {
        let y = TITLE + index * BAR;
        let length = median.unwrap_or_default() / most * LONGEST;
        let class = if index == 0 { "bar ours" } else { "bar" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{}</text>",
            LEFT - 6,
            y + 16,
            peer.name,
            y + 3,
            BAR - 6,
            LEFT as f64 + length + 6.0,
            y + 16,
            figure(*median, digits),
        );
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_name_rows() {
        for (id, _) in PANELS {
            assert!(ROWS.iter().any(|row| row.id == *id), "{id}");
        }
    }
}
