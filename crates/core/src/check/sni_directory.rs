//! The pairs of SNIDIR: those that a client can get, and files that are never used.

use cli::Fatal;
use cli::message::NEEDS_A_LABEL;
use unix::quoted;

use super::Report;
use super::pair::Pair;
use crate::credentials::resolver::Certificates;
use crate::credentials::sni_directory::challenge::CHALLENGES;
use crate::credentials::sni_directory::{Place, SniDirectory};
use crate::host_name;

/// Loads the pairs of `directory`, each as for a client. Warns of files that no client gets.
pub fn pairs(
    report: &Report<'_>,
    certificates: &Certificates,
    directory: &SniDirectory,
) -> Result<Vec<Pair>, Fatal> {
    let listing = directory.list()?;
    let mut pairs = Vec::new();
    for stem in &listing.stems {
        if let Some(why) = never_asked_for(certificates, directory, stem) {
            warn_of_others(report, directory, stem, None, &why)?;
        } else if let Some(pair) = pair(report, directory, stem)? {
            pairs.push(pair);
        }
    }
    for (name, why) in &listing.closed {
        if never_asked_for(certificates, directory, name).is_none() {
            let why = why.message();
            report.warning(format!(
                "{why}: a client that asks for this name is refused"
            ))?;
        }
    }
    if pairs.is_empty() {
        report.warning("SNIDIR has no pair")?;
    }
    Ok(pairs)
}

/// Loads the ACME challenges of `directory`, each as for a client. They come and go, so a fault
/// of one is only a warning.
pub fn challenges(report: &Report<'_>, directory: &SniDirectory) -> Result<(), Fatal> {
    let path = quoted::path(&directory.full_path(CHALLENGES));
    report.fact("acme-challenge-directory", &path)?;
    let Some(names) = directory.challenges()? else {
        return report.warning(format!(
            "there is no directory {path}: no ACME challenge is answered"
        ));
    };
    for name in &names {
        let shown = quoted::quoted(name.as_bytes());
        let wildcard = || {
            name.starts_with('*')
                .then_some("a challenge is for one name")
        };
        if let Some(why) = is_no_name(name).or_else(wildcard) {
            report.warning(format!(
                "the ACME challenge of {shown} is never used: {why}"
            ))?;
            continue;
        }
        match directory.challenge(name) {
            Ok(Some(_)) => report.fact("acme-challenge", shown)?,
            Ok(None) => report.warning(format!("the ACME challenge of {shown} lacks a file"))?,
            Err(fatal) => report.warning(fatal.message())?,
        }
    }
    Ok(())
}

/// Loads the pair under `stem`. None with a warning if a file of it is missing.
fn pair(report: &Report<'_>, directory: &SniDirectory, stem: &str) -> Result<Option<Pair>, Fatal> {
    // A client that asks for this name gets these files first.
    let asked = match stem.strip_prefix("*.") {
        Some(parent) => format!("_.{parent}"),
        None => stem.to_owned(),
    };
    let found = directory.pair(&asked);
    let place = match (directory.whole(stem), &found) {
        (Ok(Some(place)), _) => place,
        // What was found, or is at fault, has another name.
        (Ok(None), _) | (Err(_), Ok(_)) => {
            let name = quoted::quoted(stem.as_bytes());
            report.warning(format!("SNIDIR has no pair for {name}"))?;
            return Ok(None);
        }
        (Err(_), Err(fatal)) => return Err(fatal.clone()),
    };
    let files = [&place.key, &place.certificate].map(|file| directory.full_path(file));
    match found {
        Err(fatal) => Err(fatal),
        Ok(None) => Ok(None),
        Ok(Some(pair)) => {
            let first = quoted::path(&files[0]);
            let why = format!("{first} comes first");
            warn_of_others(report, directory, stem, Some(&place), &why)?;
            let pair = Pair::new(Some(stem.to_owned()), files, &pair);
            Ok(Some(pair.covering(covered(stem))))
        }
    }
}

/// Warns that the files under `stem` are never used, except those of `used`.
fn warn_of_others(
    report: &Report<'_>,
    directory: &SniDirectory,
    stem: &str,
    used: Option<&Place>,
    why: &str,
) -> Result<(), Fatal> {
    for file in directory.others(stem, used) {
        let file = quoted::path(&directory.full_path(&file));
        report.warning(format!("{file} is never used: {why}"))?;
    }
    Ok(())
}

/// The names that files under `stem` are for: `_.PARENT` stands for `*.PARENT`.
fn covered(stem: &str) -> String {
    let wildcard = stem
        .strip_prefix("_.")
        .and_then(|_| host_name::wildcard(stem.as_bytes()));
    let wildcard = wildcard.and_then(|wildcard| String::from_utf8(wildcard).ok());
    wildcard.unwrap_or_else(|| stem.to_owned())
}

/// Why no client gets the files under `stem`, if that is so.
fn never_asked_for(
    certificates: &Certificates,
    directory: &SniDirectory,
    stem: &str,
) -> Option<String> {
    if let Some(why) = is_no_name(stem) {
        return Some(why.to_owned());
    }
    if let Some(name) = certificates.variable_for(&covered(stem)) {
        return Some(format!("KEYFILE:{} comes first", quoted::quoted(name)));
    }
    let other = format!("_.{}", stem.strip_prefix("*.")?);
    let place = directory.whole(&other).ok()??;
    let first = quoted::path(&directory.full_path(&place.key));
    Some(format!("{first} comes first"))
}

/// Why `stem` is neither a name nor a wildcard as they are looked up, if that is so.
fn is_no_name(stem: &str) -> Option<&'static str> {
    if !stem.is_ascii() {
        return Some(NEEDS_A_LABEL);
    }
    let name = match stem.strip_prefix("*.") {
        Some(parent) if host_name::wildcard(stem.as_bytes()).is_none() => {
            return host_name::checked(parent)
                .map(|_| "two labels must follow the *")
                .or(Some(NO_NAME));
        }
        Some(parent) => parent,
        None => stem,
    };
    match host_name::checked(name) {
        None => Some(NO_NAME),
        Some(looked_up) if looked_up != name => {
            Some("names are looked up in lower case, without a final dot")
        }
        Some(_) => None,
    }
}

const NO_NAME: &str = "this is no host name";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_in_one_form() {
        for stem in ["a.b.org", "localhost", "_.b.org", "*.b.org", "_.org"] {
            assert_eq!(is_no_name(stem), None, "{stem}");
        }
        for (stem, why) in [
            ("A.b.org", "lower case"),
            ("*.B.org", "lower case"),
            ("a.b.org.", "lower case"),
            ("*.org", "two labels"),
            ("a b", "no host name"),
            ("*", "no host name"),
            ("*.*.b.org", "no host name"),
            ("\u{fc}.org", "A-label"),
        ] {
            let found = is_no_name(stem).unwrap_or_default();
            assert!(found.contains(why), "{stem}: {found}");
        }
    }

    #[test]
    fn an_underscore_stands_for_a_wildcard_where_one_is_allowed() {
        for (stem, names) in [
            ("_.b.org", "*.b.org"),
            ("_.org", "_.org"),
            ("*.b.org", "*.b.org"),
            ("a.b.org", "a.b.org"),
        ] {
            assert_eq!(covered(stem), names);
        }
    }
}
