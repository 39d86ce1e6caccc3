//! Reads small files: keys, certificates, trust anchors, revocation lists.

pub mod error;
pub mod retry;
mod stream;
pub mod variable;

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use unix::Errno;

/// The most bytes that are read from a file: more than any useful file has. So an endless device or
/// pipe does not fill the memory.
const LIMIT: usize = 64 << 20;

/// A file that is open for reading.
pub struct OpenFile {
    source: Source,
    stat: FileStat,
}

enum Source {
    /// A regular file or a directory.
    File(OwnedFd),
    /// The content of a pipe, a terminal or another device.
    Stream(Vec<u8>),
}

impl OpenFile {
    /// Opens the file at `path`, of any kind. A pipe or a device is also read: ETIMEDOUT if its end
    /// has not come by `until`.
    pub fn at(path: &OsStr, until: Instant) -> Result<Self, Errno> {
        // Without O_NONBLOCK, opening a pipe waits for a writer.
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

    /// Opens the regular file `name` in an open directory. EINVAL if it is of another
    /// kind: a pipe could block for ever.
    pub fn in_directory(directory: impl AsFd, name: &CStr) -> Result<Self, Errno> {
        Self::opened(directory, name, OFlag::empty())
    }

    fn opened(directory: impl AsFd, name: &CStr, flags: OFlag) -> Result<Self, Errno> {
        let flags = flags | OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        Self::regular(openat(directory, name, flags, Mode::empty())?)
    }

    /// Opens the regular file `name`, or `inner/name`, in an open directory. Symbolic
    /// links of that directory must not lead out of it; those of `inner` may.
    pub fn beneath(directory: impl AsFd, path: &str) -> Result<Self, Errno> {
        let Some((inner, name)) = path.split_once('/') else {
            return Self::regular(open_beneath(directory, path, OFlag::O_NONBLOCK)?);
        };
        Self::inner(directory, inner, name, OFlag::empty())
    }

    /// Opens the regular file `inner/name` in an open directory, as [`Self::beneath`] does, but
    /// fails with ELOOP if it is a symbolic link.
    pub fn beneath_no_link(directory: impl AsFd, inner: &str, name: &str) -> Result<Self, Errno> {
        Self::inner(directory, inner, name, OFlag::O_NOFOLLOW)
    }

    fn inner(directory: impl AsFd, inner: &str, name: &str, flags: OFlag) -> Result<Self, Errno> {
        let inner = open_beneath(directory, inner, OFlag::O_DIRECTORY)?;
        let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
        Self::opened(inner, &name, flags)
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

    /// A copy, if it came through a pipe or a device: these cannot be read again.
    pub fn copy(&self) -> Option<Self> {
        match &self.source {
            Source::File(_) => None,
            Source::Stream(content) => Some(Self {
                source: Source::Stream(content.clone()),
                stat: self.stat,
            }),
        }
    }

    /// Its permissions.
    pub fn mode(&self) -> Mode {
        Mode::from_bits_truncate(self.stat.st_mode)
    }

    /// Its content.
    pub fn content(self) -> Result<Vec<u8>, Errno> {
        let mut content = Vec::new();
        self.append_to(&mut content)?;
        Ok(content)
    }

    /// Appends its content to `store`, which is unchanged if that fails.
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

    /// Appends the content of `file` to `store`. Returns where it ends there; the bytes
    /// that follow have no meaning.
    fn fill(&self, file: &OwnedFd, store: &mut Vec<u8>) -> Result<usize, Errno> {
        let start = store.len();
        let size = usize::try_from(self.stat.st_size).unwrap_or(0);
        if size > LIMIT {
            return Err(Errno::EFBIG);
        }
        // One byte more than the size, so that the end is seen without growing.
        let room = if size > 0 { size + 1 } else { 4096 };
        if store.capacity() == 0 {
            // New memory from the system is zero already, so this does not touch it.
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

/// Whether `directory` has a directory `name` in it.
pub fn has_directory(directory: impl AsFd, name: &str) -> bool {
    open_beneath(directory, name, OFlag::O_DIRECTORY).is_ok()
}

/// Opens `name`, which has no `/`, for reading without leaving `directory`
/// (openat2(2)). If the system lacks that call, symbolic links may lead out.
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

/// The type of a file.
fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_of_any_size_is_read_whole() {
        let read = |path: &OsStr| OpenFile::at(path, Instant::now()).and_then(OpenFile::content);
        let path = std::env::temp_dir().join(format!("s6-tls-file-{}", std::process::id()));
        for size in [0, 1, 4095, 4096, 4097, 100_000] {
            let content: Vec<u8> = (0..size).map(|i| i as u8).collect();
            std::fs::write(&path, &content).unwrap();
            assert_eq!(read(path.as_os_str()).unwrap(), content);
        }
        // A hole: it takes no space.
        let large = std::fs::File::create(&path).unwrap();
        large.set_len(LIMIT as u64).unwrap();
        assert_eq!(read(path.as_os_str()).unwrap().len(), LIMIT);
        large.set_len(LIMIT as u64 + 1).unwrap();
        assert_eq!(read(path.as_os_str()).err(), Some(Errno::EFBIG));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(path.as_os_str()).err(), Some(Errno::ENOENT));
        assert_eq!(read(OsStr::new("/")).err(), Some(Errno::EISDIR));
        // Files whose size the system does not know.
        assert!(read(OsStr::new("/proc/self/status")).unwrap().len() > 100);
        // Not every kernel has this one, which has 8 bytes for each page of the address space.
        let huge = OsStr::new("/proc/self/pagemap");
        if usize::BITS == 64 && std::path::Path::new(huge).exists() {
            assert_eq!(read(huge).err(), Some(Errno::EFBIG));
        }
        assert_eq!(read(OsStr::new("/dev/zero")).err(), Some(Errno::EFBIG));
    }

    #[test]
    fn a_pipe_in_a_directory_is_refused_without_waiting_for_its_writer() {
        let path = nix::unistd::mkdtemp(&std::env::temp_dir().join("s6-tls-XXXXXX")).unwrap();
        std::fs::create_dir(path.join("inner")).unwrap();
        for pipe in ["pipe", "inner/pipe"] {
            nix::unistd::mkfifo(&path.join(pipe), Mode::S_IRWXU).unwrap();
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let directory = path.clone();
        std::thread::spawn(move || {
            let open = || std::fs::File::open(&directory).unwrap();
            let opened = [
                OpenFile::in_directory(open(), c"pipe"),
                OpenFile::beneath(open(), "pipe"),
                OpenFile::beneath(open(), "inner/pipe"),
                OpenFile::beneath_no_link(open(), "inner", "pipe"),
                OpenFile::beneath(open(), "pipe/name"),
            ];
            sender.send(opened.map(|opened| opened.err()))
        });
        let refused = receiver.recv_timeout(Duration::from_secs(60));
        std::fs::remove_dir_all(&path).unwrap();
        let [a_pipe, no_directory] = [Some(Errno::EINVAL), Some(Errno::ENOTDIR)];
        assert_eq!(refused, Ok([a_pipe, a_pipe, a_pipe, a_pipe, no_directory]));
    }

    #[test]
    fn files_are_appended_and_an_unreadable_one_changes_nothing() {
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
