//! The pairs of an engine: where they are, what their certificates say, and whether
//! peers will accept them.

use std::ffi::OsString;

use cli::message::NEEDS_A_LABEL;
use cli::{Context, Fatal, SniLevel};
use pki::x509::ocsp::{Status, Verdict};
use pki::x509::{Certificate, kind};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use tunnel::explain;
use unix::quoted::quoted;
use webpki::KeyUsage;

use super::Report;
use super::settings::or_none;
use crate::credentials::resolver::{self, Certificates};
use crate::credentials::sni_directory::SniDirectory;
use crate::files::retry::Files;
use crate::host_name;
use crate::verify::chain::Chain;
use crate::verify::trust_anchors::{Anchors, Source};
use crate::wall_clock;

/// A pair, without its private key.
pub struct Pair {
    /// The name for which it is used, which may be a wildcard; None: the default pair.
    name: Option<String>,
    key_file: OsString,
    certificate_file: OsString,
    chain: Vec<CertificateDer<'static>>,
    ocsp: Option<Vec<u8>>,
}

/// All pairs that are used at this `level`. Those of SNIDIR are loaded now, each as for a client.
pub fn all(
    report: &Report<'_>,
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
    // A name that is not UTF-8 never matches; loading it has given a warning.
    for name in resolver::names(context).filter_map(|name| std::str::from_utf8(name).ok()) {
        if let Some(pair) = certificates.choose(Some(name))? {
            let files = files(context, &format!(":{name}"));
            pairs.push(Pair::new(Some(name.to_owned()), files, &pair));
        }
    }
    if let Some(directory) = certificates.directory() {
        pairs.append(&mut of_directory(report, directory)?);
    }
    Ok(pairs)
}

/// The values of KEYFILE and CERTFILE, with `end` appended to these names.
fn files(context: &Context, end: &str) -> [OsString; 2] {
    ["KEYFILE", "CERTFILE"].map(|name| {
        let value = context.env.get(format!("{name}{end}"));
        value.unwrap_or_default().to_owned()
    })
}

/// The pairs of SNIDIR.
fn of_directory(report: &Report<'_>, directory: &SniDirectory) -> Result<Vec<Pair>, Fatal> {
    let mut pairs: Vec<Pair> = Vec::new();
    for stem in directory.stems()? {
        // A client that asks for this name gets this file first.
        let asked = match stem.strip_prefix("*.") {
            Some(parent) => format!("_.{parent}"),
            None => stem.clone(),
        };
        match (directory.pair(&asked)?, directory.files(&asked)) {
            // `_.b.org` comes before `*.b.org`: if both exist, one pair serves both.
            (Some(_), Some([key, _])) if pairs.iter().any(|pair| pair.key_file == key) => {}
            (Some(pair), Some(files)) => pairs.push(Pair::new(Some(stem), files, &pair)),
            _ => {
                let advice = if stem.is_ascii() { "" } else { NEEDS_A_LABEL };
                let stem = quoted(stem.as_bytes());
                let text = format!("SNIDIR has no pair for {stem}: {advice}");
                report.warning(text.trim_end_matches(": "))?;
            }
        }
    }
    if pairs.is_empty() {
        report.warning("SNIDIR has no pair")?;
    }
    Ok(pairs)
}

impl Pair {
    fn new(name: Option<String>, files: [OsString; 2], pair: &CertifiedKey) -> Self {
        let [key_file, certificate_file] = files;
        Self {
            name,
            key_file,
            certificate_file,
            chain: pair.cert.clone(),
            ocsp: pair.ocsp.clone(),
        }
    }

    /// Prints what is known of the pair. Its chain may lead to `anchors`, if any are given.
    pub fn print(
        &self,
        report: &mut Report<'_>,
        anchors: Option<&Anchors>,
        usage: KeyUsage,
    ) -> Result<(), Fatal> {
        let name = self.name.as_deref().unwrap_or("default");
        report.fact("pair", quoted(name.as_bytes()))?;
        report.fact("key-file", self.key_file.to_string_lossy())?;
        report.fact("certificate-file", self.certificate_file.to_string_lossy())?;
        let fields: Vec<_> = (self.chain.iter())
            .filter_map(|der| Certificate::parse(der))
            .collect();
        let Some(own) = fields.first() else {
            return Ok(());
        };
        self.print_own(report, own)?;
        report.fact("certificates", fields.len())?;
        self.print_chain(report, &fields, anchors, usage)?;
        self.print_ocsp(report)
    }

    /// Prints fields of the pair's own certificate, and warns if clients may refuse it.
    fn print_own(&self, report: &mut Report<'_>, own: &Certificate<'_>) -> Result<(), Fatal> {
        let file = self.certificate_file.to_string_lossy();
        let identities = own.identities();
        let names: Vec<String> = identities.iter().map(|name| quoted(name)).collect();
        report.fact("names", or_none(&names.join(" ")))?;
        report.fact("key-type", key_type(own))?;
        report.fact("issuer", issuer(own))?;
        let [not_before, not_after] = own.dates();
        report.fact("not-before", not_before)?;
        report.fact("not-after", not_after)?;
        let days = report.days_until(not_after);
        report.note_days(days);
        report.fact("days-left", days)?;
        if days < 0 {
            report.warning(format!("the certificate in {file} has expired"))?;
        } else if not_before.seconds() > report.now {
            report.warning(format!("the certificate in {file} is not valid yet"))?;
        }
        match &self.name {
            Some(name) if !covers(&identities, name) => {
                let name = quoted(name.as_bytes());
                report.warning(format!("the certificate in {file} is not for {name}"))
            }
            _ => Ok(()),
        }
    }

    /// Prints whether the chain is in order, and leads to an anchor.
    fn print_chain(
        &self,
        report: &Report<'_>,
        fields: &[Certificate<'_>],
        anchors: Option<&Anchors>,
        usage: KeyUsage,
    ) -> Result<(), Fatal> {
        let file = self.certificate_file.to_string_lossy();
        let verified = anchors.map(|anchors| self.verify(anchors, usage));
        report.fact(
            "chain-to-anchor",
            match &verified {
                None => "unknown".to_owned(),
                Some(Ok(())) => "yes".to_owned(),
                Some(Err(why)) => format!("no: {why}"),
            },
        )?;
        for (number, pair) in (2..).zip(fields.windows(2)) {
            if pair[0].issuer().0 != pair[1].subject().0 {
                report.warning(format!(
                    "certificate {number} in {file} is not the issuer of the one before it"
                ))?;
            }
            if report.days_until(pair[1].dates()[1]) < 0 {
                report.warning(format!("certificate {number} in {file} has expired"))?;
            }
        }
        match fields {
            [own] if own.issuer().0 != own.subject().0 && verified != Some(Ok(())) => {
                let issuer = issuer(own);
                report.warning(format!(
                    "{file} has no certificate of the issuer: \
                     only peers that know {issuer} will accept it"
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether a peer with these anchors accepts the chain; dates count, names do not.
    fn verify(&self, anchors: &Anchors, usage: KeyUsage) -> Result<(), String> {
        let Some((end_entity, intermediates)) = self.chain.split_first() else {
            return Ok(());
        };
        if anchors.contain(end_entity) {
            return Ok(());
        }
        let chain = Chain {
            end_entity,
            intermediates,
            usage,
            common_name_counts: false,
        };
        let algorithms = crate::crypto::signature_algorithms();
        let verified = chain.verify(anchors, None, wall_clock::now(), &algorithms, |_| ());
        verified.map_err(|error| {
            let text = explain::text(&error);
            let why = text.strip_prefix("certificate of remote refused: ");
            why.unwrap_or(&text).to_owned()
        })
    }

    /// Prints the stapled response, if there is one.
    fn print_ocsp(&self, report: &Report<'_>) -> Result<(), Fatal> {
        let Some(response) = &self.ocsp else {
            return Ok(());
        };
        let of = self.certificate_file.to_string_lossy();
        let Some(status) = Status::parse(response) else {
            report.fact("ocsp", "unreadable")?;
            return report.warning(format!("the OCSP response for {of} says nothing"));
        };
        let verdict = status.verdict;
        report.fact("ocsp", verdict.name())?;
        report.fact("ocsp-this-update", status.this_update)?;
        if verdict != Verdict::Good {
            let verdict = verdict.name();
            report.warning(format!("the OCSP response calls {of} {verdict}"))?;
        }
        let Some(next_update) = status.next_update else {
            return Ok(());
        };
        report.fact("ocsp-next-update", next_update)?;
        if report.days_until(next_update) < 0 {
            report.warning(format!("the OCSP response for {of} is out of date"))?;
        }
        Ok(())
    }
}

/// Whether one of these names of a certificate covers `name`, which may be a wildcard.
fn covers(identities: &[Vec<u8>], name: &str) -> bool {
    let (stem, parent) = name.split_once('.').unwrap_or((name, ""));
    let wanted = match stem {
        "*" | "_" => format!("any.{parent}"),
        _ => name.to_owned(),
    };
    let mut patterns = identities
        .iter()
        .filter_map(|name| std::str::from_utf8(name).ok());
    patterns.any(|pattern| host_name::covers(pattern, &wanted))
}

fn key_type(certificate: &Certificate<'_>) -> String {
    let Some(key) = certificate.public_key() else {
        return "unknown".to_owned();
    };
    let name = kind::name(key.algorithm);
    match key.rsa_bits() {
        Some(bits) => format!("{name} {bits}"),
        None => name,
    }
}

fn issuer(certificate: &Certificate<'_>) -> String {
    let name = certificate.issuer().line();
    name.map_or("none".to_owned(), |name| quoted(name.as_bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_covered_by_a_wildcard_only() {
        let identities = [b"a.b.org".to_vec(), b"*.c.org".to_vec(), vec![0xff]];
        for (name, covered) in [
            ("a.b.org", true),
            ("A.b.org.", true),
            ("x.c.org", true),
            ("*.c.org", true),
            ("_.c.org", true),
            ("*.b.org", false),
            ("b.org", false),
            ("localhost", false),
        ] {
            assert_eq!(covers(&identities, name), covered, "{name}");
        }
    }
}
