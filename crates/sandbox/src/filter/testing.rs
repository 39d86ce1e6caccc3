//! The kernel's machine for programs of seccomp(2), of any architecture.

use libc::sock_filter;

use super::{Call, Test};
use crate::architecture::Architecture;

pub const KILLED: u32 = libc::SECCOMP_RET_KILL_PROCESS;
pub const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;
pub const REFUSED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

/// The `seccomp_data` of a call, as that kernel has it in memory.
pub struct Seen {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Seen {
    /// The call `number` of a program for `architecture`.
    pub fn new(architecture: &Architecture, number: u32, args: [u64; 6]) -> Self {
        let big_endian = architecture.big_endian;
        let half = |word: u32| match big_endian {
            true => word.to_be_bytes(),
            false => word.to_le_bytes(),
        };
        let whole = |word: u64| match big_endian {
            true => word.to_be_bytes(),
            false => word.to_le_bytes(),
        };
        let mut bytes = [number, architecture.audit].map(half).concat();
        bytes.extend(whole(0));
        bytes.extend(args.map(whole).as_flattened());
        Self { bytes, big_endian }
    }

    fn word(&self, offset: usize) -> u32 {
        let bytes = self.bytes[offset..offset + 4].try_into().unwrap();
        match self.big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        }
    }
}

/// The result of the program for a call.
pub fn run(program: &[sock_filter], seen: &Seen) -> u32 {
    let (mut at, mut loaded) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let jump = |holds: bool| usize::from(if holds { jt } else { jf });
        match code {
            0x20 => loaded = seen.word(k as usize),
            0x06 => return k,
            0x15 => at += jump(loaded == k),
            0x35 => at += jump(loaded >= k),
            0x45 => at += jump(loaded & k != 0),
            _ => unreachable!("{code:#x}"),
        }
    }
}

/// Whether the row allows the call `number`.
pub fn holds(row: &Call<'_>, number: u32, args: &[u64; 6]) -> bool {
    let holds = |(argument, test): &(usize, Test<'_>)| {
        let value = args[*argument] as u32;
        match *test {
            Test::Is(is) => value == is,
            Test::Has(bits) => value & bits != 0,
            Test::Lacks(bits) => value & bits == 0,
            Test::OneOf(values) => values.iter().any(|one| value == *one as u32),
        }
    };
    row.0 == number && row.1.iter().all(holds)
}
