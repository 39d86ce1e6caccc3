//! Restrictions that a process cannot undo.

use nix::errno::Errno;

/// From now on no memory can be mapped writable and executable, or become
/// executable. EINVAL before Linux 6.3.
pub fn refuse_new_code() -> Result<(), Errno> {
    let flags = libc::c_ulong::from(libc::PR_MDWE_REFUSE_EXEC_GAIN);
    let none: libc::c_ulong = 0;
    // SAFETY: this prctl takes numbers and touches no memory.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_MDWE, flags, none, none, none) }).map(drop)
}

/// Filters all further system calls by `program` (seccomp(2)). EACCES without
/// no_new_privs or privileges; EOVERFLOW if the program is too long.
pub fn filter_calls(program: &mut [libc::sock_filter]) -> Result<(), Errno> {
    let len = program.len().try_into().map_err(|_| Errno::EOVERFLOW)?;
    let filter = program.as_mut_ptr();
    let program = libc::sock_fprog { len, filter };
    let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, 0 as libc::c_uint);
    // SAFETY: the call reads the program, which lives until it returns.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    Errno::result(result).map(drop)
}

/// The version of the kernel's Landlock.
pub fn landlock_version() -> Result<u32, Errno> {
    const VERSION: libc::c_uint = 1;
    let nothing: *const libc::c_void = std::ptr::null();
    let size: libc::size_t = 0;
    // SAFETY: with this flag the call takes no attributes and changes nothing.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, size, VERSION) };
    Ok(Errno::result(version)?.try_into().unwrap_or(0))
}
