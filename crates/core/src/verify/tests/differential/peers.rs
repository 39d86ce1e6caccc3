//! Whether we, OpenSSL and GnuTLS accept a chain.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::server::danger::ClientCertVerifier;

use super::super::*;
use super::spec::Spec;
use crate::verify::policy::VerificationPolicy;
use crate::verify::verifiers::{ClientVerifier, ServerVerifier};

/// The verdicts of all three; an error is the reason for a refusal.
pub struct Verdicts {
    /// Ours.
    pub ours: Result<(), String>,
    /// OpenSSL's and GnuTLS's.
    pub peers: [Result<(), String>; 2],
}

impl Verdicts {
    /// Who accepts the chain: we, OpenSSL, GnuTLS.
    pub fn accepted(&self) -> [bool; 3] {
        let [openssl, gnutls] = &self.peers;
        [&self.ours, openssl, gnutls].map(Result::is_ok)
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signs = self.accepted().map(|yes| if yes { '+' } else { '-' });
        writeln!(f, "  {}", signs.iter().collect::<String>())?;
        let [openssl, gnutls] = &self.peers;
        for (who, verdict) in [("we", &self.ours), ("openssl", openssl), ("gnutls", gnutls)] {
            if let Err(why) = verdict {
                let why: String = why.chars().take(400).collect();
                writeln!(f, "  {who}: {why}")?;
            }
        }
        Ok(())
    }
}

/// The versions of OpenSSL and GnuTLS, without their last number; None if one is missing.
pub fn versions() -> Option<String> {
    let version = |program: &str, option: &str| {
        let output = Command::new(program)
            .arg(option)
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words = text.split_whitespace();
        let number = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        number
            .rsplit_once('.')
            .map(|(version, _)| version.to_owned())
    };
    let (openssl, gnutls) = (
        version("openssl", "version")?,
        version("certtool", "--version")?,
    );
    Some(format!("OpenSSL {openssl}, GnuTLS {gnutls}"))
}

/// A chain that is encoded.
struct Presented<'a> {
    spec: &'a Spec,
    sent: Vec<CertificateDer<'static>>,
    anchors: String,
}

impl Verdicts {
    /// Asks all; the programs read files in `dir`.
    pub fn of(spec: &Spec, keys: &[Key], dir: &Path) -> Self {
        let all = spec.signed(keys);
        let at = |places: &[usize]| places.iter().map(|place| all[*place].clone()).collect();
        let (sent, anchors): (_, Vec<_>) = (at(&spec.sent), at(&spec.anchors));
        let anchors = pem("CERTIFICATE", &anchors);
        let presented = Presented {
            spec,
            sent,
            anchors,
        };
        fs::write(dir.join("anchors"), &presented.anchors).unwrap();
        fs::write(dir.join("sent"), pem("CERTIFICATE", &presented.sent)).unwrap();
        fs::write(dir.join("leaf"), pem("CERTIFICATE", &presented.sent[..1])).unwrap();
        fs::write(
            dir.join("issuers"),
            pem("CERTIFICATE", &presented.sent[1..]),
        )
        .unwrap();
        Self {
            ours: presented.ours().map_err(|error| format!("{error:?}")),
            peers: [presented.openssl(dir), presented.gnutls(dir)],
        }
    }
}

impl Presented<'_> {
    fn ours(&self) -> Result<(), Error> {
        let anchors = Anchors::parse(self.anchors.as_bytes());
        let policy = VerificationPolicy {
            anchors: Some(anchors.ok_or(Error::General("no anchor".to_owned()))?),
            ..VerificationPolicy::default()
        };
        let (leaf, issuers) = self.sent.split_first().unwrap();
        if self.spec.of_client {
            let verifier = ClientVerifier::new(policy, true);
            return verifier.verify_client_cert(leaf, issuers, now()).map(drop);
        }
        let name =
            |name: String| ServerName::try_from(name).map_err(|_| Error::General("name".into()));
        let verifier = ServerVerifier {
            policy: policy.into(),
            name: self.spec.wanted.clone().map(name).transpose()?,
            algorithms: crypto::signature_algorithms(),
        };
        let ignored = ServerName::try_from("ignored.test").unwrap();
        verifier
            .verify_server_cert(leaf, issuers, &ignored, &[], now())
            .map(drop)
    }

    /// The name that is wanted of a server, and whether it is an address.
    fn wanted(&self) -> Option<(&str, bool)> {
        let wanted = self
            .spec
            .wanted
            .as_deref()
            .filter(|_| !self.spec.of_client)?;
        Some((wanted, wanted.parse::<std::net::IpAddr>().is_ok()))
    }

    fn openssl(&self, dir: &Path) -> Result<(), String> {
        let purpose = if self.spec.of_client {
            "sslclient"
        } else {
            "sslserver"
        };
        let mut command = Command::new("openssl");
        command.args([
            "verify",
            "-x509_strict",
            "-partial_chain",
            "-auth_level",
            "2",
        ]);
        command.args([
            "-no-CApath",
            "-no-CAstore",
            "-purpose",
            purpose,
            "-CAfile",
            "anchors",
        ]);
        if self.sent.len() > 1 {
            command.args(["-untrusted", "issuers"]);
        }
        match self.wanted() {
            Some((address, true)) => command.args(["-verify_ip", address]),
            Some((name, false)) => command.args(["-verify_hostname", name]),
            None => &mut command,
        };
        said(command.arg("leaf").current_dir(dir))
    }

    fn gnutls(&self, dir: &Path) -> Result<(), String> {
        let purpose = if self.spec.of_client { 2 } else { 1 };
        let mut command = Command::new("certtool");
        command.args(["--verify", "--load-ca-certificate=anchors", "--infile=sent"]);
        command.arg(format!("--verify-purpose=1.3.6.1.5.5.7.3.{purpose}"));
        if let Some((name, _)) = self.wanted() {
            command.arg(format!("--verify-hostname={name}"));
        }
        said(command.current_dir(dir))
    }
}

/// Whether the program accepts the chain, or what it says.
fn said(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().replace('\n', "; ");
    if output.status.success() {
        Ok(())
    } else {
        Err(text)
    }
}
