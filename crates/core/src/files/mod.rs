//! Reading the small files that keys, certificates and trust anchors are in.

pub mod key;
pub mod pem;
pub mod problem;

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use unix::Errno;

/// More than any key, chain or set of anchors; it keeps a device or a pipe
/// that never ends from filling the memory.
const LIMIT: usize = 64 << 20;

/// A file that is open for reading.
pub struct Opened {
    file: OwnedFd,
    stat: FileStat,
}

impl Opened {
    /// The file at `path`, of whatever kind.
    pub fn at(path: &OsStr) -> Result<Self, Errno> {
        Self::new(open(
            path,
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?)
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
        match is_regular(&opened.stat) {
            true => Ok(opened),
            false => Err(Errno::EINVAL),
        }
    }

    fn new(file: OwnedFd) -> Result<Self, Errno> {
        let stat = fstat(&file)?;
        Ok(Self { file, stat })
    }

    /// Who may read and write it.
    pub fn mode(&self) -> Mode {
        Mode::from_bits_truncate(self.stat.st_mode)
    }

    /// Its content.
    pub fn content(self) -> Result<Vec<u8>, Errno> {
        let mut content = Vec::new();
        fill(&mut content, &self.file, &self.stat)?;
        Ok(content)
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

fn is_regular(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
}

/// Reads all of `file` into `content`, which is empty.
fn fill(content: &mut Vec<u8>, file: &OwnedFd, stat: &FileStat) -> Result<(), Errno> {
    let size = usize::try_from(stat.st_size).unwrap_or(0).min(LIMIT);
    // One byte more than the size, so that the end is seen without growing.
    *content = vec![0; size.max(4095) + 1];
    let mut len = 0;
    loop {
        match unix::fd::read(file, &mut content[len..])? {
            0 => break,
            count => len += count,
        }
        // One read is enough for a file that says how long it is.
        if len == size && is_regular(stat) {
            break;
        }
        if len == content.len() {
            if len > LIMIT {
                return Err(Errno::EFBIG);
            }
            content.resize(2 * len, 0);
        }
    }
    content.truncate(len);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_whatever_its_size() {
        let read = |path: &OsStr| Opened::at(path).and_then(Opened::content);
        let path = std::env::temp_dir().join(format!("s6-tls-file-{}", std::process::id()));
        for size in [0, 1, 4095, 4096, 4097, 100_000] {
            let content: Vec<u8> = (0..size).map(|i| i as u8).collect();
            std::fs::write(&path, &content).unwrap();
            assert_eq!(read(path.as_os_str()).unwrap(), content);
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(path.as_os_str()).err(), Some(Errno::ENOENT));
        assert_eq!(read(OsStr::new("/")).err(), Some(Errno::EISDIR));
        // A file whose size the system does not tell.
        assert!(read(OsStr::new("/proc/self/status")).unwrap().len() > 100);
    }
}
