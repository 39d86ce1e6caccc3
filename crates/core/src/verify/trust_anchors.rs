//! Trust anchors, from CADIR or CAFILE.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use cli::{Context, Fatal};
use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use pki::PemError;
use pki::der_store::DerStore;
use pki::x509::{Certificate, kind};
use rustls::DistinguishedName;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use unix::Errno;
use webpki::anchor_from_trusted_cert;

use crate::files::error::{Failure, unreadable, unusable};
use crate::files::retry::{Attempt, Files, Reader};
use crate::files::{OpenFile, variable};
use crate::verify::compiled_in::Packed;
use crate::{CONTEXT, crypto};

/// The trust anchors of an engine. Parsed lazily: usually one of some 140 is needed.
#[derive(Debug)]
pub struct Anchors {
    /// The certificates that were read, usable or not. A peer that has exactly one of
    /// the usable ones is accepted, whether or not it is marked as a CA.
    listed: DerStore,
    /// Anchors that are part of the program.
    compiled_in: Packed,
}

/// Where the anchors come from.
#[derive(Debug, Eq, PartialEq)]
pub enum Source {
    /// A directory of files.
    Directory(OsString),
    /// One file.
    File(OsString),
    /// No file: the anchors are part of the program.
    CompiledIn(Packed),
}

impl Source {
    /// CADIR, or else CAFILE, if one of them is set.
    pub fn from_environment(context: &Context) -> Result<Option<Self>, Fatal> {
        if let Some(path) = variable::path(context, "CADIR")? {
            return Ok(Some(Self::Directory(path.into())));
        }
        let path = variable::path(context, "CAFILE")?;
        Ok(path.map(|path| Self::File(path.into())))
    }
}

impl Anchors {
    /// Reads the anchors of `source`.
    pub fn load(files: &Files, source: &Source) -> Result<Self, Fatal> {
        match source {
            Source::Directory(path) => Self::load_directory(files, path),
            Source::File(path) => files.load(|reader| {
                let listed = from_file(reader, path)?;
                Self::new(listed).map_err(|unknown| none_in(path, unknown).into())
            }),
            Source::CompiledIn(anchors) => Ok(Self::compiled_in(*anchors)),
        }
    }

    /// Reads a directory. An entry that may be in the middle of a renewal is tried
    /// again, and then left out with a warning. It is optional unless it is the only one.
    fn load_directory(files: &Files, path: &OsStr) -> Result<Self, Fatal> {
        let attempt = |_: &Reader<'_>| match directory(path) {
            Ok((listed, warning)) => match (Self::new(listed), warning) {
                (Ok(anchors), None) => Attempt::Final(Ok((anchors, None))),
                (Ok(anchors), warning) => Attempt::Interim(Ok((anchors, warning))),
                (Err(unknown), _) => Attempt::Interim(Err(none_in(path, unknown))),
            },
            Err(failure) => failure.into(),
        };
        let loaded = files.optional().until_final(attempt);
        let (anchors, warning) = loaded.or_else(|_| files.until_final(attempt))?;
        if let Some(warning) = warning {
            files.context().warn(warning.message());
        }
        Ok(anchors)
    }

    /// The anchors in `listed`. The error, if none of them can be used, is the type of
    /// the first key whose signatures cannot be verified.
    fn new(mut listed: DerStore) -> Result<Self, Option<String>> {
        listed.shrink();
        let anchors = Self {
            listed,
            compiled_in: Packed(&[]),
        };
        let any = anchors.usable(|_| true, |_| ()).next().is_some();
        if any {
            Ok(anchors)
        } else {
            Err(anchors.listed.iter().find_map(unknown_kind))
        }
    }

    /// The anchors in a PEM text.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut listed = DerStore::default();
        listed.bytes().extend_from_slice(text);
        listed.decode_certificates().ok()?;
        Self::new(listed).ok()
    }

    fn compiled_in(anchors: Packed) -> Self {
        Self {
            listed: DerStore::default(),
            compiled_in: anchors,
        }
    }

    /// Whether `certificate` is itself one of the anchors.
    pub fn contain(&self, certificate: &CertificateDer<'_>) -> bool {
        let mut listed = self.listed.iter();
        let is_known = |der| Certificate::parse(der).is_some_and(|parsed| is_known(&parsed));
        listed.any(|der| der == certificate.as_ref()) && is_known(certificate)
    }

    /// The anchors that may issue certificates, for chains to end in. `wanted` selects
    /// them by their subject, the content of a Name.
    pub fn roots(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<TrustAnchor<'static>> {
        // webpki does not check whether a root may issue certificates.
        let issues = |root: &Certificate<'_>| wanted(root.subject().0) && root.may_issue();
        let compiled_in = (self.compiled_in.iter()).filter(|anchor| wanted(&anchor.subject));
        let listed = self.usable(issues, |anchor| anchor.to_owned());
        listed.chain(compiled_in).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.usable(|_| true, |_| ()).count() + self.compiled_in.iter().count()
    }

    /// The certificates that were read, in DER.
    pub fn listed(&self) -> impl Iterator<Item = &[u8]> {
        self.listed.iter()
    }

    /// The subjects of the anchors that were read.
    pub fn subjects(&self) -> Vec<DistinguishedName> {
        let name = |anchor: &TrustAnchor<'_>| DistinguishedName::in_sequence(&anchor.subject);
        self.usable(|_| true, name).collect()
    }

    /// Applies `take` to each usable certificate that is `wanted`.
    fn usable<T>(
        &self,
        wanted: impl Fn(&Certificate<'_>) -> bool,
        take: impl Fn(&TrustAnchor<'_>) -> T,
    ) -> impl Iterator<Item = T> {
        self.listed.iter().filter_map(move |der| {
            let certificate = Certificate::parse(der)?;
            if !wanted(&certificate) || !is_known(&certificate) {
                return None;
            }
            anchor_from_trusted_cert(&der.into())
                .ok()
                .as_ref()
                .map(&take)
        })
    }
}

/// Whether signatures by the type of its key can be verified.
fn is_known(certificate: &Certificate<'_>) -> bool {
    let key = certificate.public_key();
    key.is_some_and(|key| crypto::can_verify(key.algorithm))
}

/// The type of a certificate's key, if its signatures cannot be verified.
fn unknown_kind(der: &[u8]) -> Option<String> {
    let algorithm = Certificate::parse(der)?.public_key()?.algorithm;
    (!crypto::can_verify(algorithm)).then(|| kind::name(algorithm))
}

fn from_file(reader: &Reader<'_>, path: &OsStr) -> Result<DerStore, Failure> {
    let mut listed = DerStore::default();
    let read = reader.open(path)?.append_to(listed.bytes());
    read.map_err(|errno| unreadable(path, errno))?;
    let decoded = listed.decode_certificates();
    decoded.map_err(|error| unusable(path, error.text()))?;
    Ok(listed)
}

/// The certificates of all files that count in a directory. Files that cannot be used
/// are skipped; the first error that [may pass](Skipped::passing_error) is returned, too.
fn directory(path: &OsStr) -> Result<(DerStore, Option<Fatal>), Failure> {
    let failed = |errno| unreadable(path, errno);
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut directory = Dir::open(path, flags, Mode::empty()).map_err(failed)?;
    let names = names(&mut directory).map_err(failed)?;
    let names = relevant(&names);
    let mut listed = DerStore::with_room_for(names.len());
    let mut first = None;
    for name in names {
        let former = listed.bytes().len();
        let opened = OpenFile::in_directory(&directory, name);
        let skipped = match opened.and_then(|file| file.append_to(listed.bytes())) {
            Ok(()) if listed.bytes().len() == former => Some(Skipped::Empty),
            Ok(()) => listed.decode_certificates().err().map(Skipped::For),
            Err(errno) => Some(Skipped::Unread(errno)),
        };
        if let Some(skipped) = skipped {
            first = first.or_else(|| skipped.passing_error(path, name));
        }
    }
    Ok((listed, first))
}

/// Why an entry of a directory is skipped.
enum Skipped {
    Empty,
    Unread(Errno),
    For(PemError),
}

impl Skipped {
    /// The error of entry `name` in `directory` if it may be in the middle of a
    /// renewal. None for files without certificates, directories and pipes. None also
    /// for links that lead nowhere: systems leave such links in hashed directories, and
    /// each start would wait for them.
    fn passing_error(&self, directory: &OsStr, name: &CStr) -> Option<Fatal> {
        let name = OsStr::from_bytes(name.to_bytes());
        let path: OsString = [directory, OsStr::new("/"), name].into_iter().collect();
        match self {
            Self::Unread(Errno::ENOENT | Errno::ELOOP | Errno::EINVAL | Errno::ENXIO) => None,
            Self::For(PemError::NoCertificate) => None,
            Self::Empty => Some(unusable(&path, PemError::NoCertificate.text())),
            Self::Unread(errno) => Some(unreadable(&path, *errno)),
            Self::For(error) => Some(unusable(&path, error.text())),
        }
    }
}

/// The names in a directory, each ended by NUL.
fn names(directory: &mut Dir) -> Result<Vec<u8>, Errno> {
    let mut names = Vec::new();
    for entry in directory.iter() {
        names.extend_from_slice(entry?.file_name().to_bytes_with_nul());
    }
    Ok(names)
}

/// The names that count: the hashed ones if there are any, otherwise all that do not
/// begin with a dot.
fn relevant(names: &[u8]) -> Vec<&CStr> {
    let all = (names.split_inclusive(|byte| *byte == 0))
        .filter_map(|name| CStr::from_bytes_with_nul(name).ok());
    let (hashed, others): (Vec<_>, Vec<_>) = all.partition(|name| is_hashed(name.to_bytes()));
    if !hashed.is_empty() {
        return hashed;
    }
    (others.into_iter())
        .filter(|name| !name.to_bytes().starts_with(b"."))
        .collect()
}

/// Whether `openssl rehash` makes such a name: eight hex digits, a dot, a decimal
/// number.
fn is_hashed(name: &[u8]) -> bool {
    let Some((hash, number)) = name.split_at_checked(8) else {
        return false;
    };
    let number = number.strip_prefix(b".").unwrap_or_default();
    hash.iter().all(u8::is_ascii_hexdigit)
        && !number.is_empty()
        && number.iter().all(u8::is_ascii_digit)
}

fn none_in(path: &OsStr, unknown: Option<String>) -> Fatal {
    let mut text = format!("no trust anchor in {}", path.to_string_lossy());
    if let Some(kind) = unknown {
        text += &format!(": no signature of a key of type {kind} can be verified");
    }
    Fatal::new(CONTEXT, text)
}

#[cfg(test)]
mod tests;
