//! The system calls that are left, as a seccomp filter.
//!
//! Everything else fails with EPERM. It does not kill: C libraries differ in
//! the calls they make, and take up new ones; one that is refused must not
//! cost a connection. abort(3) needs signals, which are refused, and ends in a
//! crash: a program that gives up calls exit_group.
//!
//! A call that acts on an open file, and so on everybody who shares it, is
//! allowed on the descriptors of the profile alone: standard error may be one
//! socket or terminal for a whole service.

use unix::Errno;

use crate::Profile;
use crate::filter::{Call, Condition, Test, compile};

/// What is left whatever the descriptors are. Each row more takes the kernel
/// time for every connection.
const ALWAYS: &[Call<'_>] = &[
    // Waiting. After a stop the kernel goes on by restart_syscall.
    #[cfg(target_arch = "x86_64")]
    Call(libc::SYS_poll, &[]),
    #[cfg(not(target_arch = "x86_64"))]
    Call(libc::SYS_ppoll, &[]),
    Call(libc::SYS_restart_syscall, &[]),
    Call(libc::SYS_clock_gettime, &[]),
    // Writing, and the end.
    Call(libc::SYS_write, &[]),
    Call(libc::SYS_close, &[]),
    // It only asks. The standard library does so before it closes, for debugging.
    Call(libc::SYS_fcntl, &[(1, is(libc::F_GETFD))]),
    Call(libc::SYS_exit_group, &[]),
    // These are ignored while a message is written.
    Call(libc::SYS_rt_sigaction, &[(0, is(libc::SIGPIPE))]),
    Call(libc::SYS_rt_sigaction, &[(0, is(libc::SIGXFSZ))]),
    // Memory that no code can come into.
    Call(libc::SYS_brk, &[]),
    Call(libc::SYS_munmap, &[]),
    Call(libc::SYS_mremap, &[]),
    // As allocators give memory back. Other advice reaches beyond the process:
    // it takes pages out of use, or shares them.
    Call(
        libc::SYS_madvise,
        &[(2, Test::OneOf(&[libc::MADV_DONTNEED, libc::MADV_FREE]))],
    ),
    Call(
        libc::SYS_mmap,
        &[NO_CODE, (3, Test::Has(libc::MAP_ANONYMOUS as u32))],
    ),
    Call(libc::SYS_mprotect, &[NO_CODE]),
    // Keys and nonces.
    Call(libc::SYS_getrandom, &[]),
];

const NO_CODE: Condition<'_> = (2, Test::Lacks(libc::PROT_EXEC as u32));

/// Allows what `profile` leaves, and nothing else, from now on.
pub fn filter(profile: &Profile<'_>) -> Result<(), Errno> {
    let descriptors = &profile.descriptors;
    let read = [(0, Test::OneOf(descriptors.read))];
    let socket = (0, Test::OneOf(descriptors.sockets));
    let sockets = [socket];
    // To no address: only where the socket is connected.
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
