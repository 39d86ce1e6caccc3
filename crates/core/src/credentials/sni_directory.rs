//! SNIDIR: a directory of keys and certificates. Only the pair for the name that
//! the client asks for is opened. The layouts are those of certbot and dehydrated
//! (`NAME/privkey.pem`) and of flat directories (`NAME.key`).

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use cli::Fatal;
use cli::message::NEEDS_A_LABEL;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use rustls::sign::CertifiedKey;
use unix::Errno;

use crate::CONTEXT;
use crate::credentials::a_label;
use crate::credentials::certified_key::{self, PairFile};
use crate::files::error::{Failure, unreadable, unusable};
use crate::files::retry::{Attempt, Files};
use crate::files::{OpenFile, has_directory};
use crate::host_name;
use challenge::CHALLENGES;

/// The open directory.
pub struct SniDirectory {
    files: Files,
    path: OsString,
    fd: OwnedFd,
}

/// Why a link in the directory is not followed.
const LEADS_OUT: &str = "it is a symbolic link that is absolute or leads out of SNIDIR";

/// A pair, None if there is none, or why it cannot be used.
type Found = Result<Option<CertifiedKey>, Fatal>;

impl SniDirectory {
    /// Opens the directory at `path`. `files` also reads the pairs later.
    pub fn open(files: &Files, path: &OsStr) -> Result<Self, Fatal> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let failed = |errno| {
            let what = format!("open directory {}", path.to_string_lossy());
            Failure::from(Fatal::unable(CONTEXT, &what, errno))
        };
        let fd = files.load(|_| open(path, flags, Mode::empty()).map_err(failed))?;
        Ok(Self {
            files: files.clone(),
            path: path.to_owned(),
            fd,
        })
    }

    /// The number of the directory's descriptor.
    pub fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// The pair for `name`, which the peer chose: it may be any text. Warns of a pair of
    /// which one file stays missing.
    pub fn pair(&self, name: &str) -> Found {
        let places = places(name);
        self.find(|half| self.search(&places, half))
    }

    /// Searches until the result is final, and warns of the half pair that is stored then.
    fn find(&self, search: impl Fn(&RefCell<Option<Fatal>>) -> Attempt<Found>) -> Found {
        let half = RefCell::new(None);
        let found = self.files.until_final(|_| search(&half));
        if let (Ok(_), Some(half)) = (&found, half.into_inner()) {
            self.files.context().warn(half.message());
        }
        found
    }

    /// Looks once for the first complete pair. A pair of which one file is missing may be
    /// in the middle of a renewal: then a pair in a later place is not final. The message
    /// about the first such pair is stored in `half`.
    fn search(&self, places: &[Place], half: &RefCell<Option<Fatal>>) -> Attempt<Found> {
        let mut half = half.borrow_mut();
        *half = None;
        for of_stem in places.chunks(PLACES) {
            let whole = match self.first_whole(of_stem) {
                Ok(whole) => whole,
                Err(failure) => return failure.into(),
            };
            if whole != Some(0) {
                *half = half.take().or_else(|| self.half_of_directory(&of_stem[0]));
            }
            if let Some(place) = whole.map(|number| &of_stem[number]) {
                match self.load(place) {
                    Ok(pair) if half.is_some() => return Attempt::Interim(Ok(Some(pair))),
                    Ok(pair) => return Attempt::Final(Ok(Some(pair))),
                    Err(failure) if self.is_half(place) => {
                        half.get_or_insert(failure.into_fatal());
                    }
                    Err(failure) => return failure.into(),
                }
            }
            let mut flat = of_stem.iter();
            *half = half
                .take()
                .or_else(|| flat.find_map(|place| self.half(place)));
        }
        if half.is_some() {
            Attempt::Interim(Ok(None))
        } else {
            Attempt::Final(Ok(None))
        }
    }

    /// The number of the first place that has all files of a pair.
    fn first_whole(&self, places: &[Place]) -> Result<Option<usize>, Failure> {
        for (number, place) in places.iter().enumerate() {
            if self.has(&place.key)? && self.has(&place.certificate)? {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// Warns if there are no files for `name`, but files with its name in Unicode.
    pub fn warn_of_unicode(&self, name: &str) {
        let is_there = |place: &Place| OpenFile::beneath(&self.fd, &place.key).is_ok();
        if let Some(place) = unicode_places(name).into_iter().find(is_there) {
            let key = self.full_path(&place.key);
            let text = format!(
                "{} is of no use for {name}: {NEEDS_A_LABEL}",
                key.to_string_lossy()
            );
            self.files.context().warn(&text);
        }
    }

    /// The message about a pair of which one file is missing, if the other one is there.
    fn half(&self, place: &Place) -> Option<Fatal> {
        let has = |file| self.has(file).unwrap_or(true);
        match (has(&place.key), has(&place.certificate)) {
            (true, false) => Some(self.without(&place.key, &place.certificate)),
            (false, true) => Some(self.without(&place.certificate, &place.key)),
            _ => None,
        }
    }

    /// The message about a directory for a name that exists but has no complete pair.
    fn half_of_directory(&self, place: &Place) -> Option<Fatal> {
        let directory = place.directory();
        let is_there = has_directory(&self.fd, directory);
        let half = || {
            let half = self.half(place);
            half.unwrap_or_else(|| self.without(directory, &place.key))
        };
        is_there.then(half)
    }

    fn without(&self, there: &str, missing: &str) -> Fatal {
        let missing = self.full_path(missing);
        let why = format!("there is no {}", missing.to_string_lossy());
        unusable(&self.full_path(there), &why)
    }

    fn has(&self, file: &str) -> Result<bool, Failure> {
        match self.open_beneath(file) {
            Ok(_) => Ok(true),
            // Some file systems allow only shorter names.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG) => Ok(false),
            Err(errno) => Err(self.not_opened(file, errno)),
        }
    }

    /// Loads the pair at `place`.
    fn load(&self, place: &Place) -> Result<CertifiedKey, Failure> {
        let (key, certificate) = (
            self.full_path(&place.key),
            self.full_path(&place.certificate),
        );
        let key = PairFile {
            path: &key,
            open: &|| self.open_file(&place.key),
        };
        let certificate = PairFile {
            path: &certificate,
            open: &|| self.open_file(&place.certificate),
        };
        certified_key::read(self.files.context(), &key, &certificate)
    }

    /// Whether `place` is one file that holds only the key or only the chain.
    fn is_half(&self, place: &Place) -> bool {
        let path = self.full_path(&place.key);
        let file = PairFile {
            path: &path,
            open: &|| self.open_file(&place.key),
        };
        place.is_one_file() && certified_key::is_half(&file)
    }

    fn open_file(&self, file: &str) -> Result<OpenFile, Failure> {
        self.open_beneath(file)
            .map_err(|errno| self.not_opened(file, errno))
    }

    /// Opens one of its files. A file of a challenge may not be a symbolic link: whoever may write
    /// challenges could let the guard sign with any other key.
    fn open_beneath(&self, file: &str) -> Result<OpenFile, Errno> {
        match file.split_once('/') {
            Some((CHALLENGES, name)) => OpenFile::beneath_no_link(&self.fd, CHALLENGES, name),
            _ => OpenFile::beneath(&self.fd, file),
        }
    }

    fn not_opened(&self, file: &str, errno: Errno) -> Failure {
        let path = self.full_path(file);
        match errno {
            Errno::ELOOP if file.starts_with(CHALLENGES) => {
                unusable(&path, "it is a symbolic link").into()
            }
            Errno::EXDEV => {
                let link = file
                    .split_once('/')
                    .map_or(file, |(directory, _)| directory);
                unusable(&self.full_path(link), LEADS_OUT).into()
            }
            errno => unreadable(&path, errno).into(),
        }
    }
}

/// Where a pair may be: the names of its files in the directory, with no `..` and at
/// most one `/`. They are equal if one file holds key and chain.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// The private key.
    pub key: String,
    /// The chain.
    pub certificate: String,
}

impl Place {
    /// Whether one file holds key and chain.
    pub fn is_one_file(&self) -> bool {
        self.key == self.certificate
    }

    /// Whether `file` is one of its files.
    pub fn has(&self, file: &str) -> bool {
        file == self.key || file == self.certificate
    }

    /// The directory in SNIDIR that it is in; empty for SNIDIR itself.
    fn directory(&self) -> &str {
        self.key
            .split_once('/')
            .map_or("", |(directory, _)| directory)
    }
}

/// The places of the pair for `name`, in order of preference. None if it is not a
/// host name: no other text may become a path.
pub fn places(name: &str) -> Vec<Place> {
    host_name::checked(name).map_or_else(Vec::new, of_name)
}

/// The places of the pair for `name` in Unicode, where these differ. A wildcard may have no
/// label that does.
pub fn unicode_places(name: &str) -> Vec<Place> {
    let name = host_name::checked(name).and_then(|name| a_label::unicode(&name));
    let places = name.map_or_else(Vec::new, of_name).into_iter();
    places.filter(|place| !place.key.is_ascii()).collect()
}

/// The places under a name and its wildcards.
fn of_name(name: String) -> Vec<Place> {
    let parent = host_name::wildcard_parent(name.as_bytes())
        .and_then(|parent| std::str::from_utf8(parent).ok());
    let wildcards = parent.map(|parent| [format!("_.{parent}"), format!("*.{parent}")]);
    let stems = [name].into_iter().chain(wildcards.into_iter().flatten());
    stems.flat_map(|stem| of_stem(&stem)).collect()
}

/// How many places there are under one name. Only the first is in a directory.
const PLACES: usize = 4;

/// The places under one name.
fn of_stem(stem: &str) -> [Place; PLACES] {
    let place = |key: &str, certificate: &str| Place {
        key: format!("{stem}{key}"),
        certificate: format!("{stem}{certificate}"),
    };
    [
        place("/privkey.pem", "/fullchain.pem"),
        place(".key", ".crt"),
        place(".key", ".pem"),
        place(".pem", ".pem"),
    ]
}

pub mod challenge;
mod listing;
#[cfg(test)]
mod tests;
