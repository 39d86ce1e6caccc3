//! The system calls that the sandbox allows, as a seccomp filter.
//!
//! All others fail with EPERM. They do not kill the process: C libraries differ
//! in the calls they make, newer ones make new calls, and such a call must not
//! cost a connection. abort(3) sends a signal, which is refused, and then
//! crashes: a program that gives up calls exit_group.
//!
//! A call that changes an open file, and so affects every process that shares it,
//! is allowed only on the descriptors of the profile: standard error may be one
//! socket or terminal for a whole service.

use unix::Errno;

use crate::Profile;
use crate::filter::{Call, Condition, Test, compile};

/// The calls that are allowed whatever the profile. Each row costs the kernel time
/// in every connection.
const ALWAYS: &[Call<'_>] = &[
    // Waiting. After a stop signal the kernel resumes by restart_syscall.
    #[cfg(target_arch = "x86_64")]
    Call(libc::SYS_poll, &[]),
    #[cfg(not(target_arch = "x86_64"))]
    Call(libc::SYS_ppoll, &[]),
    Call(libc::SYS_restart_syscall, &[]),
    Call(libc::SYS_clock_gettime, &[]),
    // Writing and exiting.
    Call(libc::SYS_write, &[]),
    Call(libc::SYS_close, &[]),
    // The standard library checks descriptors before it closes them, in debug builds.
    Call(libc::SYS_fcntl, &[(1, is(libc::F_GETFD))]),
    Call(libc::SYS_exit_group, &[]),
    // Both signals are ignored while a message is written.
    Call(libc::SYS_rt_sigaction, &[(0, is(libc::SIGPIPE))]),
    Call(libc::SYS_rt_sigaction, &[(0, is(libc::SIGXFSZ))]),
    // Memory, but not executable.
    Call(libc::SYS_brk, &[]),
    Call(libc::SYS_munmap, &[]),
    Call(libc::SYS_mremap, &[]),
    // Allocators return memory this way. Other advice affects other processes: it
    // takes pages out of use, or shares them.
    Call(
        libc::SYS_madvise,
        &[(2, Test::OneOf(&[libc::MADV_DONTNEED, libc::MADV_FREE]))],
    ),
    Call(
        libc::SYS_mmap,
        &[NO_CODE, (3, Test::Has(libc::MAP_ANONYMOUS as u32))],
    ),
    Call(libc::SYS_mprotect, &[NO_CODE]),
    // Random numbers for keys and nonces.
    Call(libc::SYS_getrandom, &[]),
];

const NO_CODE: Condition<'_> = (2, Test::Lacks(libc::PROT_EXEC as u32));

/// From now on allows the calls of `profile` and no others.
pub fn filter(profile: &Profile<'_>) -> Result<(), Errno> {
    let descriptors = &profile.descriptors;
    let read = [(0, Test::OneOf(descriptors.read))];
    let socket = (0, Test::OneOf(descriptors.sockets));
    let sockets = [socket];
    // Without an address: only to the peer of a connected socket.
    let send = [socket, (5, Test::Is(0))];
    let acknowledge = [
        socket,
        (1, is(libc::IPPROTO_TCP)),
        (2, is(libc::TCP_QUICKACK)),
    ];
    let switched = (0, Test::OneOf(descriptors.switched));
    let restore = [switched, (1, is(libc::F_SETFL))];
    let pipe = (0, Test::OneOf(descriptors.pipes));
    let resize = [pipe, (1, is(libc::F_SETPIPE_SZ))];
    let on_descriptors = [
        Call(libc::SYS_read, &read),
        Call(libc::SYS_recvfrom, &sockets),
        Call(libc::SYS_sendto, &send),
        Call(libc::SYS_shutdown, &sockets),
        Call(libc::SYS_setsockopt, &acknowledge),
        Call(libc::SYS_fcntl, &restore),
        Call(libc::SYS_fcntl, &resize),
    ];
    unix::lockdown::filter_calls(&mut compile(&[ALWAYS, &on_descriptors].concat())?)
}

const fn is(value: i32) -> Test<'static> {
    Test::Is(value as u32)
}
