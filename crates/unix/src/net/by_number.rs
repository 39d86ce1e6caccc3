//! The calls on sockets that the sandbox allows, each by a number of its own.
//!
//! On i386 and s390x C libraries make them through socketcall(2), whose arguments are in memory,
//! where no filter of system calls can look. The sandbox refuses it. Before Linux 4.3 these
//! architectures have no other calls: then it is used all the same.

use libc::{c_int, c_long, c_void, size_t, sockaddr, socklen_t, ssize_t};
use nix::errno::Errno;

/// ENOSYS if the kernel has only socketcall(2) for these calls.
pub fn has_own_calls() -> Result<(), Errno> {
    // SAFETY: there is no such descriptor, and the call touches no memory.
    match Errno::result(unsafe { libc::syscall(libc::SYS_shutdown, -1 as c_long, 0 as c_long) }) {
        Err(Errno::ENOSYS) => Err(Errno::ENOSYS),
        _ => Ok(()),
    }
}

/// recvfrom(2).
///
/// # Safety
///
/// As for [`libc::recvfrom`].
pub unsafe fn recvfrom(
    socket: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> ssize_t {
    let [fd, how] = [socket, flags].map(|int| int as c_long);
    // SAFETY: the caller guarantees it.
    unsafe {
        match libc::syscall(libc::SYS_recvfrom, fd, buf, len, how, address, address_len) {
            -1 if lacking() => libc::recvfrom(socket, buf, len, flags, address, address_len),
            result => result as ssize_t,
        }
    }
}

/// sendto(2).
///
/// # Safety
///
/// As for [`libc::sendto`].
pub unsafe fn sendto(
    socket: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
    address: *const sockaddr,
    address_len: socklen_t,
) -> ssize_t {
    let [fd, how] = [socket, flags].map(|int| int as c_long);
    let size = address_len as size_t;
    // SAFETY: the caller guarantees it.
    unsafe {
        match libc::syscall(libc::SYS_sendto, fd, buf, len, how, address, size) {
            -1 if lacking() => libc::sendto(socket, buf, len, flags, address, address_len),
            result => result as ssize_t,
        }
    }
}

/// setsockopt(2).
///
/// # Safety
///
/// As for [`libc::setsockopt`].
pub unsafe fn setsockopt(
    socket: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    let [fd, layer, option] = [socket, level, name].map(|int| int as c_long);
    // SAFETY: the caller guarantees it.
    unsafe {
        match libc::syscall(
            libc::SYS_setsockopt,
            fd,
            layer,
            option,
            value,
            len as size_t,
        ) {
            -1 if lacking() => libc::setsockopt(socket, level, name, value, len),
            result => result as c_int,
        }
    }
}

/// shutdown(2).
///
/// # Safety
///
/// As for [`libc::shutdown`].
pub unsafe fn shutdown(socket: c_int, how: c_int) -> c_int {
    // SAFETY: the caller guarantees it.
    unsafe {
        match libc::syscall(libc::SYS_shutdown, socket as c_long, how as c_long) {
            -1 if lacking() => libc::shutdown(socket, how),
            result => result as c_int,
        }
    }
}

/// Whether the kernel does not have the call that just failed.
fn lacking() -> bool {
    Errno::last() == Errno::ENOSYS
}
