//! Trust anchors, from CADIR or CAFILE.

use std::ffi::{CString, OsStr, OsString};

use cli::{Context, Fatal};
use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use rustls::DistinguishedName;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use unix::Errno;
use webpki::anchor_from_trusted_cert;

use crate::files::problem::{unreadable, unusable};
use crate::files::{Opened, pem};
use crate::x509::Certificate;
use crate::{CONTEXT, crypto};

/// Whom the engine trusts. There are more anchors than any peer asks for, so
/// they are looked at when it has shown its chain.
#[derive(Debug)]
pub struct Anchors {
    /// The certificates that were read, usable or not. A peer that shows
    /// exactly a usable one of these is accepted, whether or not it is marked
    /// as a CA.
    listed: Vec<CertificateDer<'static>>,
    /// Those that are there without certificates.
    compiled_in: &'static [TrustAnchor<'static>],
}

/// Where the anchors are.
#[derive(Debug, Eq, PartialEq)]
pub enum Source {
    /// A directory of files.
    Directory(OsString),
    /// One file.
    File(OsString),
    /// Mozilla's roots, as compiled in.
    Mozilla,
}

impl Source {
    /// CADIR, or else CAFILE, if one of them is set.
    pub fn from_environment(context: &Context) -> Option<Self> {
        let variable = |name: &str| context.env.get(name).map(OsString::from);
        let directory = variable("CADIR").map(Self::Directory);
        directory.or_else(|| variable("CAFILE").map(Self::File))
    }

    /// The same; neither is wrong usage.
    pub fn required(context: &Context) -> Result<Self, Fatal> {
        let source = Self::from_environment(context);
        source.ok_or_else(|| Fatal::user("CADIR or CAFILE not set"))
    }
}

impl Anchors {
    /// Reads the anchors of `source`.
    pub fn load(source: &Source) -> Result<Self, Fatal> {
        let (listed, path) = match source {
            Source::Directory(path) => (directory(path)?, path),
            Source::File(path) => (from_file(path)?, path),
            Source::Mozilla => return Ok(Self::mozilla()),
        };
        Self::new(listed).ok_or_else(|| none_in(path))
    }

    /// Those of `listed` that can be anchors; None if none can.
    fn new(listed: Vec<CertificateDer<'static>>) -> Option<Self> {
        let anchors = Self {
            listed,
            compiled_in: &[],
        };
        let any = anchors.usable().next().is_some();
        any.then_some(anchors)
    }

    /// The anchors in PEM text.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn parse(text: &[u8]) -> Option<Self> {
        Self::new(pem::certificates(text).ok()?)
    }

    /// Mozilla's roots, as compiled in.
    fn mozilla() -> Self {
        Self {
            listed: Vec::new(),
            compiled_in: webpki_roots::TLS_SERVER_ROOTS,
        }
    }

    /// Whether `certificate` is itself one of the anchors.
    pub fn contain(&self, certificate: &CertificateDer<'_>) -> bool {
        self.listed.contains(certificate) && known(certificate).is_some()
    }

    /// What a chain may end in: those that may issue certificates, as far as
    /// `wanted` says yes to their subject, the content of a Name.
    pub fn roots(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<TrustAnchor<'_>> {
        let listed = self.listed.iter().filter_map(|der| {
            // webpki lets every root issue certificates, whatever it says.
            let issues = |root: &Certificate<'_>| wanted(root.subject().0) && root.may_issue();
            known(der).filter(issues)?;
            anchor_from_trusted_cert(der).ok()
        });
        let compiled_in = self.compiled_in.iter();
        let compiled_in = compiled_in.filter(|anchor| wanted(&anchor.subject));
        listed.chain(compiled_in.cloned()).collect()
    }

    /// The subjects of those that were read.
    pub fn subjects(&self) -> Vec<DistinguishedName> {
        self.usable()
            .map(|anchor| DistinguishedName::in_sequence(&anchor.subject))
            .collect()
    }

    fn usable(&self) -> impl Iterator<Item = TrustAnchor<'_>> {
        let listed = self.listed.iter().filter(|der| known(der).is_some());
        listed.filter_map(|der| anchor_from_trusted_cert(der).ok())
    }
}

/// A certificate whose kind of key can be verified.
fn known<'a>(der: &'a CertificateDer<'_>) -> Option<Certificate<'a>> {
    let certificate = Certificate::parse(der)?;
    let key = certificate.public_key()?;
    let algorithms = crypto::signature_algorithms().all;
    let mut kinds = algorithms.iter().map(|known| known.public_key_alg_id());
    let known = kinds.any(|known| known.as_ref() == key.algorithm);
    known.then_some(certificate)
}

fn from_file(path: &OsStr) -> Result<Vec<CertificateDer<'static>>, Fatal> {
    let content = Opened::at(path).and_then(Opened::content);
    let content = content.map_err(|errno| unreadable(path, errno))?;
    pem::certificates(&content).map_err(|defect| unusable(path, defect.text()))
}

/// The certificates of every file that counts in a directory. Entries that
/// cannot be read or parsed are skipped.
fn directory(path: &OsStr) -> Result<Vec<CertificateDer<'static>>, Fatal> {
    let failed = |errno| unreadable(path, errno);
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut directory = Dir::open(path, flags, Mode::empty()).map_err(failed)?;
    let names = names(&mut directory).map_err(failed)?;
    let read = |name: &CString| Opened::in_directory(&directory, name)?.content();
    let texts = names.iter().filter_map(|name| read(name).ok());
    let certificates = texts.filter_map(|text| pem::certificates(&text).ok());
    Ok(certificates.flatten().collect())
}

/// The files of a directory that count: those with hashed names if there are
/// any, else all that do not begin with a dot.
fn names(directory: &mut Dir) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in directory.iter() {
        let name = entry?.file_name().to_owned();
        if !name.to_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    if names.iter().any(|name| is_hashed(name.to_bytes())) {
        names.retain(|name| is_hashed(name.to_bytes()));
    }
    Ok(names)
}

/// Whether a name is one that `openssl rehash` makes: eight hex digits, a
/// dot, a decimal number.
fn is_hashed(name: &[u8]) -> bool {
    let Some((hash, number)) = name.split_at_checked(8) else {
        return false;
    };
    let number = number.strip_prefix(b".").unwrap_or_default();
    hash.iter().all(u8::is_ascii_hexdigit)
        && !number.is_empty()
        && number.iter().all(u8::is_ascii_digit)
}

fn none_in(path: &OsStr) -> Fatal {
    Fatal::new(
        CONTEXT,
        format!("no trust anchor in {}", path.to_string_lossy()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_made_by_rehash_are_recognised() {
        for (name, hashed) in [
            ("0a1b2c3d.0", true),
            ("0a1b2c3d.12", true),
            ("0A1B2C3D.0", true),
            ("0a1b2c3d.", false),
            ("0a1b2c3d.r0", false),
            ("0a1b2c3d", false),
            ("0a1b2c3.00", false),
            ("xa1b2c3d.0", false),
            ("ca.pem", false),
        ] {
            assert_eq!(is_hashed(name.as_bytes()), hashed, "{name}");
        }
    }
}
