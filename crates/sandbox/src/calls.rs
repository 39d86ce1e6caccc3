//! The system calls that are left, as a seccomp filter.
//!
//! Everything else fails with EPERM. It does not kill: C libraries differ in
//! the calls they make, and take up new ones; one that is refused must not
//! cost a connection.

use std::collections::BTreeMap;
use std::os::fd::RawFd;

use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

/// Calls that are allowed with any arguments.
const ANY: &[i64] = &[
    // Waiting. After a stop the kernel goes on by restart_syscall.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(not(target_arch = "x86_64"))]
    libc::SYS_ppoll,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    // Ending the directions and the process.
    libc::SYS_shutdown,
    libc::SYS_close,
    libc::SYS_exit_group,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Keys and nonces.
    libc::SYS_getrandom,
    // Dying: see `dying`.
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigprocmask,
];

const EPERM: u32 = libc::EPERM as u32;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | EPERM;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Allows what an engine does between the descriptors `read` and `write`, and
/// nothing else, from now on.
pub fn filter(read: &[RawFd], write: &[RawFd]) -> Result<(), Error> {
    seccompiler::apply_filter(&program(read, write)?)
}

fn program(read: &[RawFd], write: &[RawFd]) -> Result<BpfProgram, BackendError> {
    let mut rules: Rules = ANY.iter().map(|call| (*call, Vec::new())).collect();
    transfer(&mut rules, read, write)?;
    memory(&mut rules)?;
    dying(&mut rules)?;
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

/// Reading and writing, and what a descriptor needs before and after.
fn transfer(rules: &mut Rules, read: &[RawFd], write: &[RawFd]) -> Result<(), BackendError> {
    for fd in read {
        for call in [libc::SYS_read, libc::SYS_recvfrom] {
            allow(rules, call, vec![equal(0, *fd)?])?;
        }
    }
    for fd in write {
        allow(rules, libc::SYS_write, vec![equal(0, *fd)?])?;
        // To nowhere but where the socket is connected.
        let no_address = SeccompCondition::new(4, Qword, Eq, 0)?;
        allow(rules, libc::SYS_sendto, vec![equal(0, *fd)?, no_address])?;
    }
    // How the C library reports that memory is corrupt.
    allow(
        rules,
        libc::SYS_writev,
        vec![equal(0, libc::STDERR_FILENO)?],
    )?;
    // Debug builds of the standard library ask for F_GETFD before they close.
    for command in [libc::F_GETFL, libc::F_SETFL, libc::F_GETFD] {
        allow(rules, libc::SYS_fcntl, vec![equal(1, command)?])?;
    }
    let acknowledge = vec![equal(1, libc::IPPROTO_TCP)?, equal(2, libc::TCP_QUICKACK)?];
    allow(rules, libc::SYS_setsockopt, acknowledge)
}

/// Memory that no code can come into.
fn memory(rules: &mut Rules) -> Result<(), BackendError> {
    let no_code = || masked(2, libc::PROT_EXEC, 0);
    let no_file = masked(3, libc::MAP_ANONYMOUS, libc::MAP_ANONYMOUS)?;
    allow(rules, libc::SYS_mmap, vec![no_code()?, no_file])?;
    allow(rules, libc::SYS_mprotect, vec![no_code()?])
}

/// A panic and abort: a message, a signal to ourselves and to nobody else.
/// SIGPIPE is ignored while a message is written. The C library wakes up
/// whoever waits for its locks, though nobody does, and insists on it.
fn dying(rules: &mut Rules) -> Result<(), BackendError> {
    let own = std::process::id() as i32;
    let to_self = |signal: u8| -> Result<_, BackendError> {
        Ok(vec![equal(0, own)?, equal(signal, libc::SIGABRT)?])
    };
    allow(rules, libc::SYS_tgkill, to_self(2)?)?;
    allow(rules, libc::SYS_tkill, to_self(1)?)?;
    let wake = masked(1, libc::FUTEX_CMD_MASK, libc::FUTEX_WAKE)?;
    allow(rules, libc::SYS_futex, vec![wake])?;
    for signal in [libc::SIGPIPE, libc::SIGABRT] {
        allow(rules, libc::SYS_rt_sigaction, vec![equal(0, signal)?])?;
    }
    Ok(())
}

/// Allows `call` if all of `conditions` hold.
fn allow(
    rules: &mut Rules,
    call: i64,
    conditions: Vec<SeccompCondition>,
) -> Result<(), BackendError> {
    let rule = SeccompRule::new(conditions)?;
    rules.entry(call).or_default().push(rule);
    Ok(())
}

/// The argument, an int, has this value.
fn equal(argument: u8, value: i32) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Dword, Eq, u64::from(value as u32))
}

/// The argument, an int, has this value in the bits of `mask`.
fn masked(argument: u8, mask: i32, value: i32) -> Result<SeccompCondition, BackendError> {
    let [mask, value] = [mask, value].map(|int| u64::from(int as u32));
    SeccompCondition::new(argument, Dword, MaskedEq(mask), value)
}
