//! Reading the small files that keys, certificates and trust anchors are in.

pub mod pem;
pub mod pkcs8;

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use unix::Errno;
use zeroize::Zeroizing;

/// More than any key, chain or set of anchors; it keeps a device or a pipe
/// that never ends from filling the memory.
const LIMIT: usize = 64 << 20;

/// The content of the file at `path`, wiped from memory when it is dropped.
pub fn read(path: &OsStr) -> Result<Zeroizing<Vec<u8>>, Errno> {
    read_with_mode(path).map(|(content, _)| content)
}

/// The same, and who may read and write the file.
pub fn read_with_mode(path: &OsStr) -> Result<(Zeroizing<Vec<u8>>, Mode), Errno> {
    let file = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let stat = fstat(&file)?;
    let mut secret = Zeroizing::default();
    fill(&mut secret, &file, &stat)?;
    Ok((secret, Mode::from_bits_truncate(stat.st_mode)))
}

/// The content of a file that has no secrets.
pub fn read_public(path: &OsStr) -> Result<Vec<u8>, Errno> {
    let file = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut content = Vec::new();
    fill(&mut content, &file, &fstat(&file)?)?;
    Ok(content)
}

/// The same of the file `name` in an open directory. EINVAL if it is not a
/// regular one: a pipe could be waited for without end.
pub fn read_regular(directory: impl AsFd, name: &CStr) -> Result<Vec<u8>, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = openat(directory, name, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    if !is_regular(&stat) {
        return Err(Errno::EINVAL);
    }
    let mut content = Vec::new();
    fill(&mut content, &file, &stat)?;
    Ok(content)
}

fn is_regular(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
}

/// Reads all of `file` into `content`, which is empty.
fn fill(content: &mut Vec<u8>, file: &OwnedFd, stat: &FileStat) -> Result<(), Errno> {
    let size = usize::try_from(stat.st_size).unwrap_or(0).min(LIMIT);
    // One byte more than the size, so that the end is seen without growing;
    // the content is never moved, for a copy left behind would not be wiped.
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
            let mut former = Zeroizing::new(vec![0; 2 * len]);
            former[..len].copy_from_slice(content);
            std::mem::swap(content, &mut former);
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
        let path = std::env::temp_dir().join(format!("s6-tls-file-{}", std::process::id()));
        for size in [0, 1, 4095, 4096, 4097, 100_000] {
            let content: Vec<u8> = (0..size).map(|i| i as u8).collect();
            std::fs::write(&path, &content).unwrap();
            assert_eq!(*read(path.as_os_str()).unwrap(), content);
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(path.as_os_str()).err(), Some(Errno::ENOENT));
        assert_eq!(read(OsStr::new("/")).err(), Some(Errno::EISDIR));
        // A file whose size the system does not tell.
        assert!(read(OsStr::new("/proc/self/status")).unwrap().len() > 100);
    }
}
