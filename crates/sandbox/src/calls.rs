//! The system calls that the sandbox allows, as a seccomp filter.
//!
//! All others fail with EPERM. They do not kill the process: C libraries differ
//! in the calls they make, newer ones make new calls, and such a call must not
//! cost a connection. abort(3) sends a signal, which is refused, and then
//! crashes: a program that gives up calls exit_group. Newer kernels do not show
//! uretprobe and uprobe (x86_64) to filters: they fail, or kill by SIGILL.
//!
//! A call that changes an open file, and so affects every process that shares it,
//! is allowed only on the descriptors of the profile: standard error may be one
//! socket or terminal for a whole service.
//!
//! socketcall(2) is refused as a whole: no filter can see what its arguments point
//! to. [`unix::net`] makes the same calls without it.

use unix::Errno;

use crate::Profile;
use crate::architecture::{self as numbers, Architecture, HOST, Numbers};
use crate::filter::{Call, Condition, Test, compile};

/// A system call that is allowed if all conditions hold.
type Row<'a> = (Numbers, &'a [Condition<'a>]);

/// The calls of every profile. Each row costs the kernel time in every connection.
const ALWAYS: &[Row<'_>] = &[
    (numbers::CLOCK_GETTIME, &[TIME]),
    (numbers::CLOCK_GETTIME64, &[TIME]),
    (numbers::WRITE, &[]),
    (numbers::EXIT_GROUP, &[]),
    // Memory, but not executable.
    (numbers::BRK, &[]),
    (numbers::MUNMAP, &[]),
    (numbers::MREMAP, &[]),
    // Allocators return memory this way. Other advice affects other processes: it
    // takes pages out of use, or shares them.
    (
        numbers::MADVISE,
        &[(2, Test::OneOf(&[libc::MADV_DONTNEED, libc::MADV_FREE]))],
    ),
    (
        numbers::MMAP,
        &[NO_CODE, (3, Test::Has(libc::MAP_ANONYMOUS as u32))],
    ),
    (numbers::MMAP_BY_POINTER, &[]),
    // Random numbers for keys and nonces.
    (numbers::GETRANDOM, &[]),
];

/// The further calls of a process that waits for several descriptors, and closes some of
/// them before it ends.
const WITH_POLL: &[Row<'_>] = &[
    // After a stop signal the kernel resumes poll by restart_syscall.
    (numbers::POLL, &[]),
    (numbers::RESTART_SYSCALL, &[]),
    (numbers::CLOSE, &[]),
    // The standard library checks descriptors before it closes them, in debug builds.
    (numbers::FCNTL, &[(1, is(libc::F_GETFD))]),
    // Both signals are ignored while a message is written.
    (numbers::RT_SIGACTION, &[(0, is(libc::SIGPIPE))]),
    (numbers::RT_SIGACTION, &[(0, is(libc::SIGXFSZ))]),
    (numbers::MPROTECT, &[NO_CODE]),
];

/// The clocks of the standard library. Others show what any process has used of the processor.
const TIME: Condition<'_> = (
    0,
    Test::OneOf(&[libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC]),
);

const NO_CODE: Condition<'_> = (2, Test::Lacks(libc::PROT_EXEC as u32));

/// From now on allows the calls of `profile` and no others. ENOSYS where no filter
/// is written for the architecture, and on a kernel that has only socketcall(2).
pub fn filter(profile: &Profile<'_>) -> Result<(), Errno> {
    let architecture = HOST.ok_or(Errno::ENOSYS)?;
    unix::net::has_own_calls()?;
    unix::lockdown::filter_calls(&mut program(architecture, profile)?)
}

/// The filter of `profile` on `architecture`.
fn program(
    architecture: &Architecture,
    profile: &Profile<'_>,
) -> Result<Vec<libc::sock_filter>, Errno> {
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
    let on_descriptors: [Row<'_>; 7] = [
        (numbers::READ, &read),
        (numbers::RECVFROM, &sockets),
        (numbers::SENDTO, &send),
        (numbers::SHUTDOWN, &sockets),
        (numbers::SETSOCKOPT, &acknowledge),
        (numbers::FCNTL, &restore),
        (numbers::FCNTL, &resize),
    ];
    let polls = profile.polled.map_or(&[][..], |_| WITH_POLL);
    let rows = ALWAYS.iter().chain(polls).chain(&on_descriptors);
    let calls = rows.filter_map(|(call, conditions)| {
        let number = call.on(architecture)?;
        Some(Call(number, conditions))
    });
    compile(architecture, calls.collect())
}

const fn is(value: i32) -> Test<'static> {
    Test::Is(value as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Descriptors;
    use crate::architecture::ALL;
    use crate::filter::testing::{ALLOWED, REFUSED, Seen, run};

    const READ_FROM: i32 = 5;
    const SOCKET: i32 = 6;
    const STDERR: u64 = 2;

    /// The result for a call of an engine on `architecture`.
    fn result(architecture: &Architecture, call: Numbers, args: [u64; 6]) -> Option<u32> {
        let profile = Profile::engine(Descriptors {
            read: &[READ_FROM, SOCKET],
            write: &[7],
            sockets: &[SOCKET],
            switched: &[READ_FROM],
            pipes: &[READ_FROM],
        });
        let program = program(architecture, &profile).unwrap();
        let number = call.on(architecture)?;
        Some(run(&program, &Seen::new(architecture, number, args)))
    }

    /// Arguments in the lower halves of registers with something in the upper ones,
    /// which the kernel ignores for an int.
    fn dirty(args: [u64; 6]) -> [u64; 6] {
        args.map(|arg| arg | 0xabcd << 32)
    }

    #[test]
    fn filter_of_each_architecture_looks_at_its_arguments() {
        use numbers::*;
        let (read, socket) = (READ_FROM as u64, SOCKET as u64);
        let (tcp, quickack) = (libc::IPPROTO_TCP as u64, libc::TCP_QUICKACK as u64);
        let code = libc::PROT_EXEC as u64;
        let anonymous = libc::MAP_ANONYMOUS as u64;
        let own_time = libc::CLOCK_PROCESS_CPUTIME_ID as u64;
        // The clock of the processor time of process 1.
        let time_of_another = (!1 << 3 | 2) as u64;
        let cases = [
            (READ, [read, 0, 0, 0, 0, 0], ALLOWED),
            (READ, [STDERR, 0, 0, 0, 0, 0], REFUSED),
            (RECVFROM, [socket, 0, 0, 0, 0, 0], ALLOWED),
            (RECVFROM, [read, 0, 0, 0, 0, 0], REFUSED),
            (SENDTO, [socket, 0, 0, 0, 0, 0], ALLOWED),
            (SENDTO, [socket, 0, 0, 0, 0, 16], REFUSED),
            (SENDTO, [STDERR, 0, 0, 0, 0, 0], REFUSED),
            (SHUTDOWN, [socket, 1, 0, 0, 0, 0], ALLOWED),
            (SHUTDOWN, [STDERR, 1, 0, 0, 0, 0], REFUSED),
            (SETSOCKOPT, [socket, tcp, quickack, 0, 0, 0], ALLOWED),
            (SETSOCKOPT, [socket, tcp, 1, 0, 0, 0], REFUSED),
            (FCNTL, [read, libc::F_SETFL as u64, 0, 0, 0, 0], ALLOWED),
            (FCNTL, [STDERR, libc::F_SETFL as u64, 0, 0, 0, 0], REFUSED),
            (FCNTL, [STDERR, libc::F_GETFD as u64, 0, 0, 0, 0], ALLOWED),
            (
                CLOCK_GETTIME,
                [libc::CLOCK_REALTIME as u64, 0, 0, 0, 0, 0],
                ALLOWED,
            ),
            (
                CLOCK_GETTIME,
                [libc::CLOCK_MONOTONIC as u64, 0, 0, 0, 0, 0],
                ALLOWED,
            ),
            (CLOCK_GETTIME, [own_time, 0, 0, 0, 0, 0], REFUSED),
            (CLOCK_GETTIME, [time_of_another, 0, 0, 0, 0, 0], REFUSED),
            (
                CLOCK_GETTIME64,
                [libc::CLOCK_MONOTONIC as u64, 0, 0, 0, 0, 0],
                ALLOWED,
            ),
            (CLOCK_GETTIME64, [time_of_another, 0, 0, 0, 0, 0], REFUSED),
            (MMAP, [0, 4096, 3, anonymous, 0, 0], ALLOWED),
            (MMAP, [0, 4096, code, anonymous, 0, 0], REFUSED),
            (MMAP, [0, 4096, 3, 2, read, 0], REFUSED),
            (MPROTECT, [0, 4096, 3, 0, 0, 0], ALLOWED),
            (MPROTECT, [0, 4096, code, 0, 0, 0], REFUSED),
        ];
        for (name, architecture) in ALL {
            for (call, args, expected) in cases {
                let seen = result(architecture, call, dirty(args));
                assert!(
                    seen.is_none_or(|seen| seen == expected),
                    "{name} {call:?} {args:?}"
                );
            }
        }
    }

    #[test]
    fn filter_of_each_architecture_allows_all_that_an_engine_needs() {
        for (name, architecture) in ALL {
            let has = |call: Numbers| call.on(architecture).is_some();
            let rows = ALWAYS.iter().chain(WITH_POLL);
            let lacking = rows.filter(|(call, _)| !has(*call)).count();
            // One of the two for mmap, and clock_gettime64 only on 32 bits.
            let expected = if has(numbers::CLOCK_GETTIME64) { 1 } else { 2 };
            assert_eq!(lacking, expected, "{name}");
            assert!(
                has(numbers::MMAP) != has(numbers::MMAP_BY_POINTER),
                "{name}"
            );
        }
    }

    #[test]
    fn filter_of_a_guard_refuses_what_only_engines_need() {
        for (name, architecture) in ALL {
            let program = program(architecture, &Profile::guard(&READ_FROM)).unwrap();
            for (call, _) in WITH_POLL {
                let number = call.on(architecture).unwrap();
                let seen = Seen::new(architecture, number, [READ_FROM as u64, 1, 0, 0, 0, 0]);
                assert_eq!(run(&program, &seen), REFUSED, "{name} {number}");
            }
        }
    }

    #[test]
    fn filter_of_each_architecture_refuses_all_other_numbers() {
        for (name, architecture) in ALL {
            let profile = Profile::guard(&READ_FROM);
            let program = program(architecture, &profile).unwrap();
            let rows = ALWAYS.iter().map(|(call, _)| *call);
            let allowed: Vec<u32> = rows
                .chain([numbers::READ])
                .filter_map(|call| call.on(architecture))
                .collect();
            // Beyond the numbers of x32 and the private calls of arm.
            let others = (0..0x1000)
                .chain(0x4000_0000..0x4000_0200)
                .chain(0xf_0000..0xf_0010);
            for number in others.filter(|number| !allowed.contains(number)) {
                let seen = Seen::new(architecture, number, [READ_FROM as u64; 6]);
                assert_eq!(run(&program, &seen), REFUSED, "{name} {number}");
            }
        }
    }
}
