//! A pair of an engine: what its certificates say, and whether peers will accept them.

use std::ffi::OsString;

use cli::Fatal;
use pki::x509::ocsp::{Status, Verdict};
use pki::x509::{Certificate, kind};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error};
use tunnel::explain::refusal::Refusal;
use unix::quoted::{self, quoted};
use webpki::KeyUsage;

use super::Report;
use super::certificate::{covers, date, is_by_another_key, issuer, key_type, names, why};
use super::settings::word;
use crate::crypto;
use crate::verify::chain::Chain;
use crate::verify::trust_anchors::Anchors;
use crate::wall_clock;

/// A pair, without its private key.
pub struct Pair {
    /// The name that chooses it; None: the default pair.
    name: Option<String>,
    /// The names that its certificate has to cover: one name, or `*.PARENT`.
    covered: Option<String>,
    /// The path of its private key.
    key_file: OsString,
    certificate_file: OsString,
    chain: Vec<CertificateDer<'static>>,
    ocsp: Option<Vec<u8>>,
}

/// Those who judge our certificates.
pub struct Peers<'a> {
    /// They may have these trust anchors.
    pub anchors: Option<&'a Anchors>,
    /// They are clients, so that our certificates are those of a server.
    pub are_clients: bool,
}

impl Pair {
    /// The pair that `name` chooses. Its files are a key and a certificate.
    pub fn new(name: Option<String>, files: [OsString; 2], pair: &CertifiedKey) -> Self {
        let [key_file, certificate_file] = files;
        Self {
            covered: name.clone(),
            name,
            key_file,
            certificate_file,
            chain: pair.cert.clone(),
            ocsp: pair.ocsp.clone(),
        }
    }

    /// The same pair, which serves the names that `covered` stands for.
    pub fn covering(mut self, covered: String) -> Self {
        self.covered = Some(covered);
        self
    }

    /// Prints what is known of the pair, and what `peers` may refuse.
    pub fn print(&self, report: &mut Report<'_>, peers: &Peers<'_>) -> Result<(), Fatal> {
        let name = self.name.as_deref();
        let name = name.map(|name| word(name.as_bytes(), "default"));
        report.fact("pair", name.as_deref().unwrap_or("default"))?;
        report.fact("key-file", quoted::path(&self.key_file))?;
        report.fact("certificate-file", self.file())?;
        let fields: Vec<_> = (self.chain.iter())
            .filter_map(|der| Certificate::parse(der))
            .collect();
        let Some(own) = fields.first() else {
            return Ok(());
        };
        self.print_own(report, own)?;
        self.warn_of_own(report, own, peers)?;
        report.fact("certificates", fields.len())?;
        self.print_chain(report, &fields, peers)?;
        for (number, certificate) in (1..).zip(&fields) {
            self.note_validity(report, number, certificate)?;
        }
        self.print_ocsp(report, own)
    }

    /// The path of the certificate, for messages.
    fn file(&self) -> String {
        quoted::path(&self.certificate_file)
    }

    /// Prints fields of the pair's own certificate.
    fn print_own(&self, report: &Report<'_>, own: &Certificate<'_>) -> Result<(), Fatal> {
        report.fact("names", names(&own.identities()))?;
        report.fact("key-type", key_type(own))?;
        report.fact("issuer", issuer(own))?;
        let [not_before, not_after] = own.dates();
        report.fact("not-before", date(not_before))?;
        report.fact("not-after", date(not_after))?;
        if not_after.exists() {
            report.fact("days-left", report.days_until(not_after))?;
        }
        Ok(())
    }

    /// Warns of a key that few peers know, and of a certificate that is not for the names that
    /// choose the pair.
    fn warn_of_own(
        &self,
        report: &Report<'_>,
        own: &Certificate<'_>,
        peers: &Peers<'_>,
    ) -> Result<(), Fatal> {
        let file = self.file();
        if own.public_key().is_some_and(|key| key.is_rsa_pss()) {
            report.warning(format!(
                "the key of the certificate in {file} is of type RSASSA-PSS: only peers that know \
                 such keys accept it, and only in TLS 1.3"
            ))?;
        }
        if peers.are_clients && own.alternative_names().next().is_none() {
            report.warning(format!(
                "the certificate in {file} has no subjectAltName: most clients refuse it"
            ))?;
        }
        match &self.covered {
            Some(name) if !covers(&own.identities(), name) => {
                let name = quoted(name.as_bytes());
                report.warning(format!("the certificate in {file} is not for {name}"))
            }
            _ => Ok(()),
        }
    }

    /// Counts the days that certificate `number` of the chain has left. Warns if it is not
    /// valid now.
    fn note_validity(
        &self,
        report: &mut Report<'_>,
        number: usize,
        certificate: &Certificate<'_>,
    ) -> Result<(), Fatal> {
        let file = self.file();
        let what = match number {
            1 => format!("the certificate in {file}"),
            _ => format!("certificate {number} in {file}"),
        };
        let [not_before, not_after] = certificate.dates();
        if !not_before.exists() || !not_after.exists() {
            return report.unfit(format!("{what} has a malformed date: peers refuse it"));
        }
        let days = report.days_until(not_after);
        report.note_days(days, format!("certificate {number} in {file}"));
        if report.is_past(not_after) {
            report.warning(format!("{what} has expired"))
        } else if not_before.seconds() > report.now {
            report.unfit(format!("{what} is not valid yet"))
        } else {
            Ok(())
        }
    }

    /// Prints whether the chain is in order, and leads to an anchor.
    fn print_chain(
        &self,
        report: &Report<'_>,
        fields: &[Certificate<'_>],
        peers: &Peers<'_>,
    ) -> Result<(), Fatal> {
        let file = self.file();
        let verified = peers.anchors.map(|anchors| self.verify(anchors, peers));
        report.fact(
            "chain-to-anchor",
            match &verified {
                None => "unknown".to_owned(),
                Some(Ok(())) => "yes".to_owned(),
                Some(Err(error)) => format!("no: {}", why(error)),
            },
        )?;
        for (number, (ders, pair)) in (2..).zip(self.chain.windows(2).zip(fields.windows(2))) {
            if pair[0].issuer().0 != pair[1].subject().0 {
                report.warning(format!(
                    "certificate {number} in {file} is not the issuer of the one before it"
                ))?;
            } else if is_by_another_key(&ders[0], &pair[1]) {
                report.warning(format!(
                    "certificate {number} in {file} has the name of the issuer of the one before \
                     it, but another key has signed that"
                ))?;
            }
        }
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let no_issuer = verified.is_none_or(|verified| verified == Err(unknown));
        match fields {
            [own] if own.issuer().0 != own.subject().0 && no_issuer => {
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
    fn verify(&self, anchors: &Anchors, peers: &Peers<'_>) -> Result<(), Error> {
        let Some((end_entity, intermediates)) = self.chain.split_first() else {
            return Ok(());
        };
        let usage = if peers.are_clients {
            KeyUsage::server_auth()
        } else {
            KeyUsage::client_auth()
        };
        let chain = Chain {
            end_entity,
            intermediates,
            usage,
            common_name_counts: false,
        };
        let algorithms = crypto::signature_algorithms();
        let now = wall_clock::now();
        chain.verify(anchors, None, now, &algorithms, |_| ())?;
        let key = Certificate::parse(end_entity).and_then(|certificate| certificate.public_key());
        match key.filter(|key| !crypto::can_verify(key.algorithm)) {
            Some(key) => Err(Refusal::KeyType(kind::name(key.algorithm)).into()),
            None => Ok(()),
        }
    }

    /// Prints the stapled response, if there is one.
    fn print_ocsp(&self, report: &Report<'_>, own: &Certificate<'_>) -> Result<(), Fatal> {
        let Some(response) = &self.ocsp else {
            return Ok(());
        };
        let of = self.file();
        let Some(status) = Status::parse(response) else {
            report.fact("ocsp", "unreadable")?;
            return report.warning(format!("the OCSP response for {of} says nothing"));
        };
        let verdict = status.verdict;
        report.fact("ocsp", verdict.name())?;
        report.fact("ocsp-this-update", status.this_update)?;
        if status.serial_number != own.serial_number() {
            report.warning(format!(
                "the OCSP response for {of} is about another certificate: \
                 the serial numbers differ"
            ))?;
        }
        if verdict != Verdict::Good {
            let verdict = verdict.name();
            report.warning(format!("the OCSP response calls {of} {verdict}"))?;
        }
        let Some(next_update) = status.next_update else {
            return Ok(());
        };
        report.fact("ocsp-next-update", next_update)?;
        if report.is_past(next_update) {
            report.warning(format!("the OCSP response for {of} is out of date"))?;
        }
        Ok(())
    }
}
