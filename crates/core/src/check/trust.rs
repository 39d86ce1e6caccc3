//! What the peer's certificate is checked against: anchors, pins, TLSA records, revocation lists.

use cli::Fatal;
use unix::quoted;

use super::Report;
use crate::verify::policy::{Sources, VerificationPolicy};
use crate::verify::trust_anchors::Source;
use crate::wall_clock;

/// Prints what was loaded from `sources`.
pub fn print(
    report: &Report<'_>,
    sources: &Sources,
    policy: &VerificationPolicy,
) -> Result<(), Fatal> {
    if let (Some(source), Some(anchors)) = (&sources.anchors, &policy.anchors) {
        match source {
            Source::Directory(path) => report.fact("anchors-directory", quoted::path(path))?,
            Source::File(path) => report.fact("anchors-file", quoted::path(path))?,
            Source::CompiledIn(_) => report.fact("anchors-compiled-in", "yes")?,
        }
        report.fact("anchors", anchors.count())?;
    }
    for pin in &policy.pins {
        report.fact("pin", pin.text())?;
    }
    if let (Some(path), Some(lists)) = (&sources.crl_file, &policy.revocations) {
        report.fact("crl-file", quoted::path(path))?;
        for list in lists.each(wall_clock::now()) {
            report.fact("crl", &list.issuer)?;
            report.fact("crl-this-update", list.this_update)?;
            report.fact("crl-next-update", list.next_update)?;
            let issuer = &list.issuer;
            if !list.is_valid {
                report.warning(format!(
                    "the revocation list of {issuer} is not valid yet: \
                     until then certificates of this issuer are refused if no other list covers them"
                ))?;
            } else if report.is_past(list.next_update) {
                report.warning(format!(
                    "the revocation list of {issuer} is out of date: \
                     certificates of this issuer are refused"
                ))?;
            }
        }
        let anchors = policy.anchors.as_ref();
        if anchors.is_some_and(|anchors| !lists.has_one_of(anchors)) {
            report.warning(
                "CRLFILE has no list of a trust anchor: certificates that an anchor has issued \
                 are refused",
            )?;
        }
    }
    Ok(())
}

/// What a certificate of the peer needs to be accepted.
pub fn verification(policy: &VerificationPolicy) -> &'static str {
    if policy.dane.is_some() {
        return if policy.pins.is_empty() {
            "TLSA records"
        } else {
            "TLSA records and pins"
        };
    }
    match (&policy.anchors, policy.pins.is_empty()) {
        (Some(_), true) => "anchors",
        (Some(_), false) => "anchors and pins",
        (None, false) => "pins",
        (None, true) => "none",
    }
}
