//! What is in SNIDIR, for `--check`. A service does not list the directory.

use std::collections::BTreeSet;
use std::ffi::OsString;

use cli::Fatal;
use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, fstatat};
use unix::Errno;

use super::challenge::{CHALLENGE_FILES, CHALLENGES};
use super::{Place, SniDirectory, of_stem};
use crate::files::error::{Failure, unreadable};
use crate::files::{OpenFile, has_directory};

/// What the directory has.
#[derive(Default)]
pub struct Listing {
    /// The names, wildcards included, for which there is a file of a pair, or a directory.
    pub stems: BTreeSet<String>,
    /// The entries that cannot be looked into, and why.
    pub closed: Vec<(String, Fatal)>,
}

impl SniDirectory {
    /// Lists the directory.
    pub fn list(&self) -> Result<Listing, Fatal> {
        let failed = |errno| unreadable(&self.path, errno);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut directory = Dir::openat(&self.fd, ".", flags, Mode::empty()).map_err(failed)?;
        let mut listing = Listing::default();
        for entry in directory.iter() {
            let entry = entry.map_err(failed)?;
            let entry = entry.file_name().to_string_lossy();
            if !matches!(&*entry, "." | "..") {
                self.add(&entry, &mut listing);
            }
        }
        listing.closed.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(listing)
    }

    /// The names for which there is a file of an ACME challenge. None if there is no directory
    /// of challenges.
    pub fn challenges(&self) -> Result<Option<BTreeSet<String>>, Fatal> {
        if !has_directory(&self.fd, CHALLENGES) {
            return Ok(None);
        }
        let failed = |errno| unreadable(&self.full_path(CHALLENGES), errno);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = Dir::openat(&self.fd, CHALLENGES, flags, Mode::empty());
        let mut names = BTreeSet::new();
        for entry in directory.map_err(failed)?.iter() {
            let entry = entry.map_err(failed)?;
            let entry = entry.file_name().to_string_lossy();
            let mut ends = CHALLENGE_FILES.iter();
            names.extend(ends.find_map(|end| Some(entry.strip_suffix(end)?.to_owned())));
        }
        Ok(Some(names))
    }

    /// Adds an entry of the directory: a file of a pair, a directory, or neither.
    fn add(&self, entry: &str, listing: &mut Listing) {
        let [_, key, certificate, both] = of_stem("");
        let ends = [key.key, key.certificate, certificate.certificate, both.key];
        let stem = ends.iter().find_map(|end| entry.strip_suffix(end.as_str()));
        let stem = stem.filter(|stem| !stem.is_empty());
        match (self.has_pair_file(entry), stem) {
            (Ok(true), _) => {
                listing.stems.insert(entry.to_owned());
            }
            (_, Some(stem)) => {
                listing.stems.insert(stem.to_owned());
            }
            // A service expects a pair in it.
            (Ok(false), None) if has_directory(&self.fd, entry) => {
                listing.stems.insert(entry.to_owned());
            }
            (Ok(false), None) => {}
            (Err(errno), None) => {
                let why = self.not_opened(entry, errno).into_fatal();
                listing.closed.push((entry.to_owned(), why));
            }
        }
    }

    /// Whether the directory `entry` has a file of a pair. If a service may not follow a link
    /// to such a file, it is there all the same.
    fn has_pair_file(&self, entry: &str) -> Result<bool, Errno> {
        let [place, ..] = of_stem(entry);
        let mut found = Ok(false);
        for file in [&place.key, &place.certificate] {
            match OpenFile::beneath(&self.fd, file) {
                Ok(_) => return Ok(true),
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG) => {}
                Err(_) if fstatat(&self.fd, file.as_str(), AtFlags::empty()).is_ok() => {
                    return Ok(true);
                }
                Err(errno) => found = Err(errno),
            }
        }
        found
    }

    /// The first place under `stem` that has a whole pair.
    pub fn whole(&self, stem: &str) -> Result<Option<Place>, Failure> {
        let mut places = of_stem(stem);
        let whole = self.first_whole(&places)?;
        let whole = whole.map(|number| std::mem::take(&mut places[number]));
        Ok(whole.filter(|place| !self.is_half(place)))
    }

    /// The files of pairs that are there under `stem`, without those of `used`.
    pub fn others(&self, stem: &str, used: Option<&Place>) -> BTreeSet<String> {
        let used = |file: &String| used.is_some_and(|used| used.has(file));
        let files = of_stem(stem).into_iter();
        let files = files.flat_map(|place| [place.key, place.certificate]);
        let others = files.filter(|file| !used(file) && self.has(file).unwrap_or(true));
        others.collect()
    }

    /// The path of a file in the directory, for messages.
    pub fn full_path(&self, file: &str) -> OsString {
        [self.path.as_os_str(), "/".as_ref(), file.as_ref()]
            .into_iter()
            .collect()
    }
}
