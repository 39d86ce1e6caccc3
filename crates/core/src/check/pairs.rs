//! The pairs of an engine: where they are, and those who judge them.

use std::ffi::OsString;

use cli::{Context, Fatal, SniLevel};
use unix::quoted::quoted;

use super::Report;
use super::pair::Pair;
use super::sni_directory;
use crate::credentials::resolver::{self, Certificates};
use crate::files::retry::Files;
use crate::verify::trust_anchors::{Anchors, Source};

/// All pairs that are used at this `level`. Those of SNIDIR are loaded now, each as for a client.
pub fn all(
    report: &mut Report<'_>,
    certificates: &Certificates,
    level: SniLevel,
) -> Result<Vec<Pair>, Fatal> {
    let context = report.context;
    let mut pairs = Vec::new();
    if let Some(pair) = certificates.choose(None)? {
        pairs.push(Pair::new(None, files(context, ""), &pair));
    }
    if level == SniLevel::Ignore {
        if context.env.get("SNIDIR").is_some() {
            report.warning("SNIDIR is not used without --sni or --mandatory-sni")?;
        }
        return Ok(pairs);
    }
    warn_of_variables(report)?;
    // A name that is not UTF-8 never matches; loading it has given a warning.
    for name in resolver::names(context).filter_map(|name| std::str::from_utf8(name).ok()) {
        if let Some(pair) = certificates.choose(Some(name))? {
            let files = files(context, &format!(":{name}"));
            pairs.push(Pair::new(Some(name.to_owned()), files, &pair));
        }
    }
    if let Some(directory) = certificates.directory() {
        pairs.append(&mut sni_directory::pairs(report, certificates, directory)?);
    }
    if pairs.is_empty() {
        report.unfit("there is no pair: every client is refused")?;
    }
    Ok(pairs)
}

/// Warns of variables of names that have no effect, or another one than in SNIDIR.
fn warn_of_variables(report: &Report<'_>) -> Result<(), Fatal> {
    let context = report.context;
    for (variable, _) in context.env.iter() {
        for kind in ["CERTFILE:", "OCSPFILE:"] {
            let name = variable.strip_prefix(kind.as_bytes());
            let Some(name) = name.filter(|name| !name.is_empty()) else {
                continue;
            };
            if context.env.get([b"KEYFILE:", name].concat()).is_none() {
                let name = quoted(name);
                report.warning(format!(
                    "{kind}{name} is never used: KEYFILE:{name} is not set"
                ))?;
            }
        }
    }
    for name in resolver::names(context).filter(|name| name.starts_with(b"_.")) {
        let name = quoted(name);
        report.warning(format!(
            "KEYFILE:{name} is for the name {name} alone: in variables only * is a wildcard"
        ))?;
    }
    Ok(())
}

/// The values of KEYFILE and CERTFILE, with `end` appended to these names.
fn files(context: &Context, end: &str) -> [OsString; 2] {
    ["KEYFILE", "CERTFILE"].map(|name| {
        let value = context.env.get(format!("{name}{end}"));
        value.unwrap_or_default().to_owned()
    })
}

/// The anchors of CADIR or CAFILE for our own chain, where peers are not verified by them.
/// The service does not read them then, so a fault is only a warning.
pub fn own_anchors(report: &Report<'_>, files: &Files) -> Result<Option<Anchors>, Fatal> {
    let source = Source::from_environment(report.context);
    let anchors = source.and_then(|source| {
        let source = source.as_ref();
        source
            .map(|source| Anchors::load(files, source))
            .transpose()
    });
    match anchors {
        Ok(anchors) => Ok(anchors),
        Err(fatal) => report.warning(fatal.message()).map(|()| None),
    }
}
