//! The text of system errors.

use std::io;

use nix::errno::Errno;

/// The text for `errno`, the same with every C library: that of glibc, which
/// most other programs of most systems print.
pub fn text(errno: Errno) -> &'static str {
    match errno {
        Errno::EAGAIN => "Resource temporarily unavailable",
        Errno::EBADF => "Bad file descriptor",
        Errno::EBADMSG => "Bad message",
        Errno::EDEADLK => "Resource deadlock avoided",
        Errno::EDQUOT => "Disk quota exceeded",
        Errno::EDOM => "Numerical argument out of domain",
        Errno::EILSEQ => "Invalid or incomplete multibyte or wide character",
        Errno::EIO => "Input/output error",
        Errno::ELOOP => "Too many levels of symbolic links",
        Errno::ENETRESET => "Network dropped connection on reset",
        Errno::ENFILE => "Too many open files in system",
        Errno::ENOLCK => "No locks available",
        Errno::ENOMEM => "Cannot allocate memory",
        Errno::ENOTTY => "Inappropriate ioctl for device",
        Errno::EOPNOTSUPP => "Operation not supported",
        Errno::ERANGE => "Numerical result out of range",
        Errno::EXDEV => "Invalid cross-device link",
        other => other.desc(),
    }
}

/// The errno inside an [`io::Error`]; EIO for one that the system did not make.
pub fn of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn texts_are_those_of_glibc() {
        for errno in (1..134).map(Errno::from_raw) {
            // SAFETY: strerror returns a string; nobody else calls it.
            let expected = unsafe { CStr::from_ptr(libc::strerror(errno as i32)) };
            if errno != Errno::UnknownErrno {
                assert_eq!(expected.to_str(), Ok(text(errno)));
            }
        }
    }
}
