//! The text of system errors.

use std::ffi::CStr;
use std::io;

use nix::errno::Errno;

/// The C library's text for `errno`, as every other program of the system
/// prints it.
pub fn text(errno: Errno) -> String {
    // SAFETY: strerror returns a valid string, and this process has one
    // thread, so nothing overwrites it before it is copied.
    let text = unsafe { CStr::from_ptr(libc::strerror(errno as i32)) };
    text.to_string_lossy().into_owned()
}

/// The errno inside an [`io::Error`]; EIO for one that the system did not make.
pub fn of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
