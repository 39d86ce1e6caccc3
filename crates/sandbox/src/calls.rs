//! The system calls that are left, as a seccomp filter.
//!
//! Everything else fails with EPERM. It does not kill: C libraries differ in
//! the calls they make, and take up new ones; one that is refused must not
//! cost a connection. abort(3) needs signals, which are refused, and ends in a
//! crash: a program that gives up calls exit_group.

use unix::Errno;

use crate::Profile;
use crate::filter::{Call, Condition, Test, compile};

/// The system calls that are left. Each row more takes the kernel time for
/// every connection.
pub type Calls = &'static [&'static [Call<'static>]];

/// What an engine does.
pub const ENGINE: Calls = &[
    COMMON,
    &[
        Call(libc::SYS_recvfrom, &[]),
        // To no address: only where the socket is connected.
        Call(libc::SYS_sendto, &[(5, Test::Is(0))]),
        Call(libc::SYS_shutdown, &[]),
        // The flags of descriptors and files, from F_GETFD to F_SETFL; no copies.
        Call(
            libc::SYS_fcntl,
            &[
                (1, Test::AtLeast(libc::F_GETFD as u32)),
                (1, Test::AtMost(libc::F_SETFL as u32)),
            ],
        ),
        Call(
            libc::SYS_setsockopt,
            &[(1, is(libc::IPPROTO_TCP)), (2, is(libc::TCP_QUICKACK))],
        ),
    ],
];

/// What the keeper of a key does.
pub const GUARD: Calls = &[COMMON];

/// What everybody does, besides reading.
const COMMON: &[Call] = &[
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
    Call(libc::SYS_exit_group, &[]),
    // These are ignored while a message is written.
    Call(libc::SYS_rt_sigaction, &[(0, is(libc::SIGPIPE))]),
    Call(libc::SYS_rt_sigaction, &[(0, is(libc::SIGXFSZ))]),
    // Memory that no code can come into.
    Call(libc::SYS_brk, &[]),
    Call(libc::SYS_munmap, &[]),
    Call(libc::SYS_mremap, &[]),
    Call(libc::SYS_madvise, &[]),
    Call(
        libc::SYS_mmap,
        &[NO_CODE, (3, Test::Has(libc::MAP_ANONYMOUS as u32))],
    ),
    Call(libc::SYS_mprotect, &[NO_CODE]),
    // Keys and nonces.
    Call(libc::SYS_getrandom, &[]),
];

const NO_CODE: Condition = (2, Test::Lacks(libc::PROT_EXEC as u32));

/// Allows what `profile` leaves, and nothing else, from now on.
pub fn filter(profile: &Profile<'_>) -> Result<(), Errno> {
    let descriptors = &profile.descriptors;
    // Not from standard error, which may be somebody's terminal.
    let readable = (descriptors.read.iter()).map(|fd| [(0, is(*fd))]);
    let readable: Vec<_> = readable.collect();
    let pipes = (descriptors.pipes.iter()).map(|fd| [(0, is(*fd)), (1, is(libc::F_SETPIPE_SZ))]);
    let pipes: Vec<_> = pipes.collect();
    let reads = readable.iter().map(|fd| Call(libc::SYS_read, fd));
    let sizes = pipes.iter().map(|fd| Call(libc::SYS_fcntl, fd));
    let calls = profile.calls.iter().copied().flatten().copied();
    let calls: Vec<_> = calls.chain(reads).chain(sizes).collect();
    unix::lockdown::filter_calls(&mut compile(&calls)?)
}

const fn is(value: i32) -> Test {
    Test::Is(value as u32)
}
