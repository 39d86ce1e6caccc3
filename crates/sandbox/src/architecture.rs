//! What differs between architectures: the numbers of system calls, and how the
//! kernel shows a call to a filter.

/// An architecture that the filter is written for.
#[derive(Debug)]
pub struct Architecture {
    /// The kernel's constant for it: AUDIT_ARCH_* in linux/audit.h.
    pub audit: u32,
    /// Whether the upper half of an argument comes first in `seccomp_data`.
    pub big_endian: bool,
    /// The column of [`Numbers`].
    column: usize,
}

/// The architecture of this program. None if no filter is written for it, as for
/// x32, MIPS and 32-bit PowerPC.
pub const HOST: Option<&Architecture> = {
    let wide = cfg!(target_pointer_width = "64");
    let little = cfg!(target_endian = "little");
    if cfg!(target_arch = "x86_64") && wide {
        Some(&X86_64)
    } else if cfg!(target_arch = "x86") {
        Some(&I386)
    } else if cfg!(target_arch = "arm") && little {
        Some(&ARM)
    } else if cfg!(target_arch = "aarch64") && wide && little {
        Some(&AARCH64)
    } else if cfg!(target_arch = "riscv64") {
        Some(&RISCV64)
    } else if cfg!(target_arch = "loongarch64") {
        Some(&LOONGARCH64)
    } else if cfg!(target_arch = "powerpc64") && little {
        Some(&POWERPC64LE)
    } else if cfg!(target_arch = "powerpc64") {
        Some(&POWERPC64)
    } else if cfg!(target_arch = "s390x") {
        Some(&S390X)
    } else {
        None
    }
};

// The columns. Architectures that came after 2010 share one.
const ON_X86_64: usize = 0;
const ON_I386: usize = 1;
const ON_ARM: usize = 2;
const ON_GENERIC: usize = 3;
const ON_POWERPC64: usize = 4;
const ON_S390X: usize = 5;

const fn little_endian(audit: u32, column: usize) -> Architecture {
    Architecture {
        audit,
        big_endian: false,
        column,
    }
}

const fn big_endian(audit: u32, column: usize) -> Architecture {
    Architecture {
        audit,
        big_endian: true,
        column,
    }
}

const X86_64: Architecture = little_endian(0xc000_003e, ON_X86_64);
const I386: Architecture = little_endian(0x4000_0003, ON_I386);
const ARM: Architecture = little_endian(0x4000_0028, ON_ARM);
const AARCH64: Architecture = little_endian(0xc000_00b7, ON_GENERIC);
const RISCV64: Architecture = little_endian(0xc000_00f3, ON_GENERIC);
const LOONGARCH64: Architecture = little_endian(0xc000_0102, ON_GENERIC);
const POWERPC64LE: Architecture = little_endian(0xc000_0015, ON_POWERPC64);
const POWERPC64: Architecture = big_endian(0x8000_0015, ON_POWERPC64);
const S390X: Architecture = big_endian(0x8000_0016, ON_S390X);

/// All architectures, by their names in Rust.
#[cfg(test)]
pub const ALL: &[(&str, &Architecture)] = &[
    ("x86_64", &X86_64),
    ("x86", &I386),
    ("arm", &ARM),
    ("aarch64", &AARCH64),
    ("riscv64", &RISCV64),
    ("loongarch64", &LOONGARCH64),
    ("powerpc64le", &POWERPC64LE),
    ("powerpc64", &POWERPC64),
    ("s390x", &S390X),
];

/// The numbers of a system call: one in each column, [`NONE`] where there is no such
/// call, or no C library makes it.
#[derive(Clone, Copy, Debug)]
pub struct Numbers([u16; 6]);

const NONE: u16 = u16::MAX;

impl Numbers {
    /// The number on `architecture`, if it has the call.
    pub const fn on(self, architecture: &Architecture) -> Option<u32> {
        match self.0[architecture.column] {
            NONE => None,
            number => Some(number as u32),
        }
    }
}

// The calls of the filter, by the kernel's names.
#[rustfmt::skip]
mod numbers {
    use super::{Numbers, NONE};
    //                                                x86_64  i386   arm  generic  ppc64  s390x
    pub const BRK: Numbers =                Numbers([     12,   45,   45,     214,    45,    45]);
    pub const CLOCK_GETTIME: Numbers =      Numbers([    228,  265,  263,     113,   246,   260]);
    pub const CLOCK_GETTIME64: Numbers =    Numbers([   NONE,  403,  403,    NONE,  NONE,  NONE]);
    pub const CLOSE: Numbers =              Numbers([      3,    6,    6,      57,     6,     6]);
    pub const EXIT_GROUP: Numbers =         Numbers([    231,  252,  248,      94,   234,   248]);
    /// fcntl64 on 32 bits, where C libraries do not call fcntl.
    pub const FCNTL: Numbers =              Numbers([     72,  221,  221,      25,    55,    55]);
    pub const GETRANDOM: Numbers =          Numbers([    318,  355,  384,     278,   359,   349]);
    pub const MADVISE: Numbers =            Numbers([     28,  219,  220,     233,   205,   219]);
    /// mmap2 on 32 bits. On s390x it is [`MMAP_BY_POINTER`].
    pub const MMAP: Numbers =               Numbers([      9,  192,  192,     222,    90,  NONE]);
    /// The mmap that reads its arguments from memory, where no filter can look.
    pub const MMAP_BY_POINTER: Numbers =    Numbers([   NONE, NONE, NONE,    NONE,  NONE,    90]);
    pub const MPROTECT: Numbers =           Numbers([     10,  125,  125,     226,   125,   125]);
    pub const MREMAP: Numbers =             Numbers([     25,  163,  163,     216,   163,   163]);
    pub const MUNMAP: Numbers =             Numbers([     11,   91,   91,     215,    91,    91]);
    /// ppoll where there is no poll.
    pub const POLL: Numbers =               Numbers([      7,  168,  168,      73,   167,   168]);
    pub const READ: Numbers =               Numbers([      0,    3,    3,      63,     3,     3]);
    pub const RECVFROM: Numbers =           Numbers([     45,  371,  292,     207,   337,   371]);
    pub const RESTART_SYSCALL: Numbers =    Numbers([    219,    0,    0,     128,     0,     7]);
    pub const RT_SIGACTION: Numbers =       Numbers([     13,  174,  174,     134,   173,   174]);
    pub const SENDTO: Numbers =             Numbers([     44,  369,  290,     206,   335,   369]);
    pub const SETSOCKOPT: Numbers =         Numbers([     54,  366,  294,     208,   339,   366]);
    pub const SHUTDOWN: Numbers =           Numbers([     48,  373,  293,     210,   338,   373]);
    pub const WRITE: Numbers =              Numbers([      1,    4,    4,      64,     4,     4]);
}
pub use numbers::*;

// Compiling for an architecture compares its column with the numbers of libc.
const _: () = {
    assert_number(BRK, libc::SYS_brk);
    assert_number(CLOCK_GETTIME, libc::SYS_clock_gettime);
    assert_number(CLOSE, libc::SYS_close);
    assert_number(EXIT_GROUP, libc::SYS_exit_group);
    #[cfg(target_pointer_width = "64")]
    assert_number(FCNTL, libc::SYS_fcntl);
    #[cfg(any(target_arch = "arm", target_arch = "x86"))]
    assert_number(FCNTL, libc::SYS_fcntl64);
    assert_number(GETRANDOM, libc::SYS_getrandom);
    assert_number(MADVISE, libc::SYS_madvise);
    #[cfg(all(target_pointer_width = "64", not(target_arch = "s390x")))]
    assert_number(MMAP, libc::SYS_mmap);
    #[cfg(any(target_arch = "arm", target_arch = "x86"))]
    assert_number(MMAP, libc::SYS_mmap2);
    #[cfg(target_arch = "s390x")]
    assert_number(MMAP_BY_POINTER, libc::SYS_mmap);
    assert_number(MPROTECT, libc::SYS_mprotect);
    assert_number(MREMAP, libc::SYS_mremap);
    assert_number(MUNMAP, libc::SYS_munmap);
    #[cfg(not(any(
        target_arch = "aarch64",
        target_arch = "loongarch64",
        target_arch = "riscv32",
        target_arch = "riscv64"
    )))]
    assert_number(POLL, libc::SYS_poll);
    #[cfg(any(
        target_arch = "aarch64",
        target_arch = "loongarch64",
        target_arch = "riscv64"
    ))]
    assert_number(POLL, libc::SYS_ppoll);
    assert_number(READ, libc::SYS_read);
    assert_number(RECVFROM, libc::SYS_recvfrom);
    assert_number(RESTART_SYSCALL, libc::SYS_restart_syscall);
    assert_number(RT_SIGACTION, libc::SYS_rt_sigaction);
    assert_number(SENDTO, libc::SYS_sendto);
    assert_number(SETSOCKOPT, libc::SYS_setsockopt);
    assert_number(SHUTDOWN, libc::SYS_shutdown);
    assert_number(WRITE, libc::SYS_write);
};

const fn assert_number(numbers: Numbers, number: libc::c_long) {
    if let Some(architecture) = HOST {
        let ours = numbers.on(architecture);
        assert!(matches!(ours, Some(ours) if ours as libc::c_long == number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_the_architecture_of_its_name() {
        let name = match std::env::consts::ARCH {
            "powerpc64" if cfg!(target_endian = "little") => "powerpc64le",
            name => name,
        };
        let named = ALL.iter().find(|(known, _)| *known == name);
        assert_eq!(named.map(|(_, a)| a.audit), HOST.map(|a| a.audit));
    }
}
