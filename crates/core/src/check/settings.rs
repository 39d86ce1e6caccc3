//! The options that both engines have, as facts.

use std::time::Duration;

use cli::{EngineOptions, Fatal};
use unix::quoted::quoted;

use super::Report;

/// Prints them. `guarded`: a key guard holds the private key.
pub fn print(report: &Report<'_>, options: &EngineOptions, guarded: bool) -> Result<(), Fatal> {
    let groups: Vec<&str> = options.groups.iter().map(|group| group.name()).collect();
    report.fact("groups", groups.join(" "))?;
    let protocols: Vec<String> = options.alpn.iter().map(|name| word(name, "none")).collect();
    report.fact("alpn", or_none(&protocols.join(" ")))?;
    report.fact("handshake-timeout", limit(options.handshake_timeout))?;
    report.fact("idle-timeout", limit(options.idle_timeout))?;
    let max_record = options
        .max_record
        .map_or("none".to_owned(), |n| n.to_string());
    report.fact("max-record", max_record)?;
    report.fact("key-guard", yes_or_no(guarded))?;
    report.fact("sandbox", yes_or_no(options.sandbox))
}

/// `text`, or `none` if it is empty.
pub fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

/// The text of others as one word that differs from `reserved`, which has a meaning of its own.
pub fn word(text: &[u8], reserved: &str) -> String {
    let word = quoted(text);
    match text.split_first() {
        Some((first, rest)) if word == reserved => format!("\\x{first:02x}{}", quoted(rest)),
        _ => word,
    }
}

fn yes_or_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn limit(limit: Option<Duration>) -> String {
    limit.map_or("none".to_owned(), |limit| {
        format!("{} ms", limit.as_millis())
    })
}
