//! The system calls that are left, as a seccomp filter.
//!
//! Everything else fails with EPERM. It does not kill: C libraries differ in
//! the calls they make, and take up new ones; one that is refused must not
//! cost a connection. There is no way to abort but by a crash: who wants to
//! end with grace has exit_group.

use std::collections::BTreeMap;
use std::os::fd::RawFd;

use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, Ge, Le, MaskedEq};
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

/// Calls that are allowed with any arguments. Each one more takes the kernel
/// time for every connection.
const ANY: &[i64] = &[
    // Waiting. After a stop the kernel goes on by restart_syscall.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(not(target_arch = "x86_64"))]
    libc::SYS_ppoll,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    // Reading and writing: see also `transfer`.
    libc::SYS_recvfrom,
    libc::SYS_write,
    // Ending the directions and the process.
    libc::SYS_shutdown,
    libc::SYS_close,
    libc::SYS_exit_group,
    // Memory: see also `memory`.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Keys and nonces.
    libc::SYS_getrandom,
];

const EPERM: u32 = libc::EPERM as u32;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | EPERM;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Allows what an engine does, and nothing else, from now on. It reads from
/// the descriptors `read` and resizes `pipes`; that there are no others but
/// those it writes to is for the caller to see to.
pub fn filter(read: &[RawFd], pipes: &[RawFd]) -> Result<(), Error> {
    seccompiler::apply_filter(&program(read, pipes)?)
}

fn program(read: &[RawFd], pipes: &[RawFd]) -> Result<BpfProgram, BackendError> {
    let mut rules: Rules = ANY.iter().map(|call| (*call, Vec::new())).collect();
    transfer(&mut rules, read)?;
    for fd in pipes {
        let size = argument(1, Eq, libc::F_SETPIPE_SZ)?;
        allow(
            &mut rules,
            libc::SYS_fcntl,
            vec![argument(0, Eq, *fd)?, size],
        )?;
    }
    memory(&mut rules)?;
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

/// Reading and writing, and what goes with them.
fn transfer(rules: &mut Rules, read: &[RawFd]) -> Result<(), BackendError> {
    // Not from standard error, which may be somebody's terminal.
    for fd in read {
        allow(rules, libc::SYS_read, vec![argument(0, Eq, *fd)?])?;
    }
    // To no address: only where the socket is connected.
    allow(rules, libc::SYS_sendto, vec![argument(5, Eq, 0)?])?;
    // The flags of descriptors and files, from F_GETFD to F_SETFL; no copies.
    let flags = vec![
        argument(1, Ge, libc::F_GETFD)?,
        argument(1, Le, libc::F_SETFL)?,
    ];
    allow(rules, libc::SYS_fcntl, flags)?;
    let acknowledge = vec![
        argument(1, Eq, libc::IPPROTO_TCP)?,
        argument(2, Eq, libc::TCP_QUICKACK)?,
    ];
    allow(rules, libc::SYS_setsockopt, acknowledge)?;
    // It is ignored while a message is written.
    let pipe = vec![argument(0, Eq, libc::SIGPIPE)?];
    allow(rules, libc::SYS_rt_sigaction, pipe)
}

/// Memory that no code can come into.
fn memory(rules: &mut Rules) -> Result<(), BackendError> {
    let no_code = || argument(2, MaskedEq(libc::PROT_EXEC as u64), 0);
    let anonymous = MaskedEq(libc::MAP_ANONYMOUS as u64);
    let no_file = argument(3, anonymous, libc::MAP_ANONYMOUS)?;
    allow(rules, libc::SYS_mmap, vec![no_code()?, no_file])?;
    allow(rules, libc::SYS_mprotect, vec![no_code()?])
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

/// How an argument, an int, compares with this value.
fn argument(
    number: u8,
    operator: SeccompCmpOp,
    value: i32,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(number, Dword, operator, u64::from(value as u32))
}
