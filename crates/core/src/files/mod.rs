//! Reading the small files that keys, certificates and trust anchors are in.

pub mod error;
pub mod patience;
mod stream;
pub mod variable;

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use unix::Errno;

/// More than any key, chain or set of anchors; it keeps a device or a pipe
/// that never ends from filling the memory.
const LIMIT: usize = 64 << 20;

/// A file that is open for reading.
pub struct OpenFile {
    source: Source,
    stat: FileStat,
}

enum Source {
    /// A regular file or a directory.
    File(OwnedFd),
    /// What came through a pipe, a terminal or another device.
    Stream(Vec<u8>),
}

impl OpenFile {
    /// The file at `path`, of whatever kind. If it is a pipe or a device it is
    /// read here: ETIMEDOUT if its end has not come `until` then.
    pub fn at(path: &OsStr, until: Instant) -> Result<Self, Errno> {
        // Opening a pipe would wait for somebody who writes to it.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let mut opened = Self::new(open(path, flags, Mode::empty())?)?;
        if let Source::File(file) = &opened.source {
            let kind = kind(&opened.stat);
            if kind != SFlag::S_IFREG && kind != SFlag::S_IFDIR {
                let content = stream::read(file, kind == SFlag::S_IFIFO, until)?;
                opened.source = Source::Stream(content);
            }
        }
        Ok(opened)
    }

    /// The regular file `name` in an open directory. EINVAL if it is of
    /// another kind: a pipe could be waited for without end.
    pub fn in_directory(directory: impl AsFd, name: &CStr) -> Result<Self, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        Self::regular(openat(directory, name, flags, Mode::empty())?)
    }

    /// The regular file `name`, or `directory/name`, in an open directory. No
    /// link in that one leads out of it; what the inner directory holds may be
    /// links to anywhere.
    pub fn beneath(directory: impl AsFd, path: &str) -> Result<Self, Errno> {
        let Some((inner, name)) = path.split_once('/') else {
            return Self::regular(open_beneath(directory, path, OFlag::O_NONBLOCK)?);
        };
        let inner = open_beneath(directory, inner, OFlag::O_DIRECTORY)?;
        let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
        Self::in_directory(inner, &name)
    }

    fn regular(file: OwnedFd) -> Result<Self, Errno> {
        let opened = Self::new(file)?;
        match kind(&opened.stat) {
            SFlag::S_IFREG => Ok(opened),
            _ => Err(Errno::EINVAL),
        }
    }

    fn new(file: OwnedFd) -> Result<Self, Errno> {
        let stat = fstat(&file)?;
        Ok(Self {
            source: Source::File(file),
            stat,
        })
    }

    /// The same once more, if it came through a pipe or a device, which cannot
    /// be read again.
    pub fn copy(&self) -> Option<Self> {
        match &self.source {
            Source::File(_) => None,
            Source::Stream(content) => Some(Self {
                source: Source::Stream(content.clone()),
                stat: self.stat,
            }),
        }
    }

    /// Who may read and write it.
    pub fn mode(&self) -> Mode {
        Mode::from_bits_truncate(self.stat.st_mode)
    }

    /// Its content.
    pub fn content(self) -> Result<Vec<u8>, Errno> {
        let mut content = Vec::new();
        self.append_to(&mut content)?;
        Ok(content)
    }

    /// Reads its content to the end of `store`, which stays as it is if that
    /// fails.
    pub fn append_to(self, store: &mut Vec<u8>) -> Result<(), Errno> {
        let start = store.len();
        let end = match &self.source {
            Source::File(file) => self.fill(file, store),
            Source::Stream(content) => {
                store.extend_from_slice(content);
                return Ok(());
            }
        };
        store.truncate(end.unwrap_or(start));
        end.map(drop)
    }

    /// Reads `file` to behind the content of `store`. Where it ends there; what
    /// follows has no meaning.
    fn fill(&self, file: &OwnedFd, store: &mut Vec<u8>) -> Result<usize, Errno> {
        let start = store.len();
        let size = usize::try_from(self.stat.st_size).unwrap_or(0);
        if size > LIMIT {
            return Err(Errno::EFBIG);
        }
        // One byte more than the size, so that the end is seen without growing.
        let room = if size > 0 { size + 1 } else { 4096 };
        if store.capacity() == 0 {
            // Memory that comes from the system is zero without being touched.
            *store = vec![0; room];
        } else {
            store.resize(start + room, 0);
        }
        let mut end = start;
        loop {
            match unix::fd::read(file, &mut store[end..])? {
                0 => return Ok(end),
                count => end += count,
            }
            // One read is enough for a file that says how long it is.
            if end - start == size && kind(&self.stat) == SFlag::S_IFREG {
                return Ok(end);
            }
            if end == store.len() {
                if end - start > LIMIT {
                    return Err(Errno::EFBIG);
                }
                store.resize(2 * end - start, 0);
            }
        }
    }
}

/// Whether there is a directory `name` in another one.
pub fn has_directory(directory: impl AsFd, name: &str) -> bool {
    open_beneath(directory, name, OFlag::O_DIRECTORY).is_ok()
}

/// Opens `name` for reading without leaving `directory` (openat2(2)). Where
/// the system cannot promise that, the name, which has no `/`, has to do.
fn open_beneath(directory: impl AsFd, name: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    #[cfg(target_os = "linux")]
    {
        use nix::fcntl::{OpenHow, ResolveFlag, openat2};
        let inside = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags).resolve(inside);
        match openat2(directory.as_fd(), name, how) {
            Err(Errno::ENOSYS | Errno::EPERM) => {}
            opened => return opened,
        }
    }
    openat(directory, name, flags, Mode::empty())
}

/// Which kind of file it is.
fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_whatever_its_size() {
        let read = |path: &OsStr| OpenFile::at(path, Instant::now()).and_then(OpenFile::content);
        let path = std::env::temp_dir().join(format!("s6-tls-file-{}", std::process::id()));
        for size in [0, 1, 4095, 4096, 4097, 100_000] {
            let content: Vec<u8> = (0..size).map(|i| i as u8).collect();
            std::fs::write(&path, &content).unwrap();
            assert_eq!(read(path.as_os_str()).unwrap(), content);
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(path.as_os_str()).err(), Some(Errno::ENOENT));
        assert_eq!(read(OsStr::new("/")).err(), Some(Errno::EISDIR));
        // Files whose size the system does not tell.
        assert!(read(OsStr::new("/proc/self/status")).unwrap().len() > 100);
        assert_eq!(read(OsStr::new("/dev/zero")).err(), Some(Errno::EFBIG));
    }

    #[test]
    fn files_are_read_one_behind_the_other() {
        let mut store = Vec::new();
        let mut append = |path: &str| {
            let opened = OpenFile::at(OsStr::new(path), Instant::now());
            let appended = opened.and_then(|file| file.append_to(&mut store));
            (appended, store.clone())
        };
        let (appended, once) = append("/proc/version");
        assert_eq!(appended, Ok(()));
        for unreadable in ["/", "/dev/zero"] {
            let (appended, store) = append(unreadable);
            assert!(appended.is_err() && store == once, "{unreadable}");
        }
        let (appended, twice) = append("/proc/version");
        assert_eq!((appended, twice), (Ok(()), once.repeat(2)));
    }
}
