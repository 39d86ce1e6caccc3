//! The system calls that are left, as a seccomp filter.
//!
//! Everything else fails with EPERM. It does not kill: C libraries differ in
//! the calls they make, and take up new ones; one that is refused must not
//! cost a connection. abort(3) needs signals, which are refused, and ends in a
//! crash: a program that gives up calls exit_group.

use std::collections::BTreeMap;

use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, Ge, Le, MaskedEq};
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};
use unix::Errno;

use crate::Profile;

/// A system call that is left, and how its arguments must compare: number of
/// the argument, an int, operator, value. All conditions hold. A call that is
/// there twice is allowed if either row allows it. Each row more takes the
/// kernel time for every connection.
pub struct Call(i64, &'static [(u8, SeccompCmpOp, i32)]);

/// What an engine does.
pub const ENGINE: &[&[Call]] = &[
    COMMON,
    &[
        Call(libc::SYS_recvfrom, &[]),
        // To no address: only where the socket is connected.
        Call(libc::SYS_sendto, &[(5, Eq, 0)]),
        Call(libc::SYS_shutdown, &[]),
        // The flags of descriptors and files, from F_GETFD to F_SETFL; no copies.
        Call(
            libc::SYS_fcntl,
            &[(1, Ge, libc::F_GETFD), (1, Le, libc::F_SETFL)],
        ),
        Call(
            libc::SYS_setsockopt,
            &[(1, Eq, libc::IPPROTO_TCP), (2, Eq, libc::TCP_QUICKACK)],
        ),
    ],
];

/// What the keeper of a key does.
pub const GUARD: &[&[Call]] = &[COMMON];

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
    Call(libc::SYS_rt_sigaction, &[(0, Eq, libc::SIGPIPE)]),
    Call(libc::SYS_rt_sigaction, &[(0, Eq, libc::SIGXFSZ)]),
    // Memory that no code can come into.
    Call(libc::SYS_brk, &[]),
    Call(libc::SYS_munmap, &[]),
    Call(libc::SYS_mremap, &[]),
    Call(libc::SYS_madvise, &[]),
    Call(
        libc::SYS_mmap,
        &[NO_CODE, (3, ANONYMOUS, libc::MAP_ANONYMOUS)],
    ),
    Call(libc::SYS_mprotect, &[NO_CODE]),
    // Keys and nonces.
    Call(libc::SYS_getrandom, &[]),
];

const NO_CODE: (u8, SeccompCmpOp, i32) = (2, MaskedEq(libc::PROT_EXEC as u64), 0);
const ANONYMOUS: SeccompCmpOp = MaskedEq(libc::MAP_ANONYMOUS as u64);

const EPERM: u32 = libc::EPERM as u32;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | EPERM;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Allows what `profile` leaves, and nothing else, from now on.
pub fn filter(profile: &Profile<'_>) -> Result<(), Errno> {
    let program = program(profile).map_err(|_| Errno::EINVAL)?;
    seccompiler::apply_filter(&program).map_err(|error| match error {
        Error::Prctl(error) | Error::Seccomp(error) => unix::errno::of(&error),
        _ => Errno::EINVAL,
    })
}

fn program(profile: &Profile<'_>) -> Result<BpfProgram, BackendError> {
    let mut rules = Rules::new();
    for Call(number, conditions) in profile.calls.iter().copied().flatten() {
        allow(&mut rules, *number, conditions)?;
    }
    // Not from standard error, which may be somebody's terminal.
    for fd in profile.descriptors.read {
        allow(&mut rules, libc::SYS_read, &[(0, Eq, *fd)])?;
    }
    for fd in profile.descriptors.pipes {
        let size = [(0, Eq, *fd), (1, Eq, libc::F_SETPIPE_SZ)];
        allow(&mut rules, libc::SYS_fcntl, &size)?;
    }
    let mut program = refuse_gaps(rules.keys());
    let filter: BpfProgram = SeccompFilter::new(
        rules,
        SeccompAction::Errno(EPERM),
        SeccompAction::Allow,
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?
    .try_into()?;
    program.extend(filter);
    Ok(program)
}

/// Refuses the long runs of numbers that no allowed call has, before the
/// filter compares one number after the other. The kernel, when it is given a
/// filter, tries it on every number there is: this halves the time. It allows
/// nothing.
fn refuse_gaps<'a>(allowed: impl Iterator<Item = &'a i64>) -> BpfProgram {
    const LONG: u32 = 32;
    const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    let numbers = allowed.filter_map(|number| u32::try_from(*number).ok());
    // The number is the first field of what a filter looks at.
    let mut program = vec![instruction(
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        0,
        0,
        0,
    )];
    let mut next = 0;
    for number in numbers.chain([u32::MAX]) {
        if number - next >= LONG {
            program.extend([
                instruction(AT_LEAST, 0, 2, next),
                instruction(AT_LEAST, 1, 0, number),
                instruction(libc::BPF_RET | libc::BPF_K, 0, 0, REFUSE),
            ]);
        }
        next = number.saturating_add(1);
    }
    program
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    let code = code as u16;
    sock_filter { code, jt, jf, k }
}

/// Allows `call` if all of `conditions` hold; with any arguments if there are
/// none.
fn allow(
    rules: &mut Rules,
    call: i64,
    conditions: &[(u8, SeccompCmpOp, i32)],
) -> Result<(), BackendError> {
    let rules = rules.entry(call).or_default();
    if !conditions.is_empty() {
        let conditions = conditions.iter().map(|(argument, operator, value)| {
            let value = u64::from(*value as u32);
            SeccompCondition::new(*argument, Dword, operator.clone(), value)
        });
        rules.push(SeccompRule::new(conditions.collect::<Result<_, _>>()?)?);
    }
    Ok(())
}
