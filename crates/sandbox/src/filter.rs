//! A compiler of filters for seccomp(2): programs for the kernel's classic BPF
//! machine.
//!
//! For each connection the kernel checks the program, translates it twice, and
//! runs it once for every number of a system call. So the program is short, and
//! finds numbers by binary search.
//!
//! The program is written from its end to its start: the target of a jump exists
//! before the jump.

use std::mem::{offset_of, size_of};
use std::os::fd::RawFd;

use libc::{c_uint, seccomp_data, sock_filter};
use unix::Errno;

/// A test of the lower 32 bits of an argument of a system call.
#[derive(Clone, Copy, Debug)]
pub enum Test<'a> {
    /// Equal to this value.
    Is(u32),
    /// At least one of these bits is set.
    Has(u32),
    /// None of these bits is set.
    Lacks(u32),
    /// Equal to one of these values. Never true if there are none.
    OneOf(&'a [RawFd]),
}

/// The number of an argument, counted from 0, and its test.
pub type Condition<'a> = (usize, Test<'a>);

/// A system call that is allowed if all conditions hold.
#[derive(Clone, Copy)]
pub struct Call<'a>(pub i64, pub &'a [Condition<'a>]);

/// The maximum length of a program (BPF_MAXINSNS).
const LONGEST: usize = 4096;

/// Up to how many calls are searched linearly.
const FEW: usize = 3;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// The program that allows `calls`. A call with several rows is allowed if one of
/// them allows it. All other calls fail with EPERM. A call by the number of another
/// architecture kills the process.
///
/// EOVERFLOW if the program is longer than jumps reach or the kernel accepts. No
/// system call reports a missing feature by that error, so it is never taken for
/// one.
pub fn compile(calls: &[Call<'_>]) -> Result<Vec<sock_filter>, Errno> {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| call.0);
    let mut program = Program::new()?;
    let mut bodies = Vec::new();
    for same in calls.chunk_by(|one, other| one.0 == other.0) {
        let number = u32::try_from(same[0].0).map_err(|_| Errno::EOVERFLOW)?;
        match program.alternatives(same)? {
            Program::REFUSE => {}
            body => bodies.push((number, body)),
        }
    }
    program.search(&bodies)?;
    program.load(offset_of!(seccomp_data, nr))?;
    program.by_architecture()?;
    if program.backward.len() > LONGEST {
        return Err(Errno::EOVERFLOW);
    }
    program.backward.reverse();
    Ok(program.backward)
}

/// The position of an instruction: the number of instructions after it.
type Label = usize;

struct Program {
    backward: Vec<sock_filter>,
}

impl Program {
    const ALLOW: Label = 0;
    const REFUSE: Label = 1;

    /// A program that consists of the two results at its end.
    fn new() -> Result<Self, Errno> {
        let backward = Vec::with_capacity(128);
        let mut program = Self { backward };
        program.result(libc::SECCOMP_RET_ALLOW)?;
        program.result(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32)?;
        Ok(program)
    }

    fn push(&mut self, code: c_uint, jumps: [u8; 2], k: u32) -> Result<Label, Errno> {
        let code = u16::try_from(code).map_err(|_| Errno::EOVERFLOW)?;
        let [jt, jf] = jumps;
        self.backward.push(sock_filter { code, jt, jf, k });
        Ok(self.backward.len() - 1)
    }

    fn result(&mut self, result: u32) -> Result<Label, Errno> {
        self.push(libc::BPF_RET | libc::BPF_K, [0, 0], result)
    }

    /// Loads the 32 bits at `offset` in the `seccomp_data`.
    fn load(&mut self, offset: usize) -> Result<Label, Errno> {
        let offset = u32::try_from(offset).map_err(|_| Errno::EOVERFLOW)?;
        self.push(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, [0, 0], offset)
    }

    /// Compares the loaded value, and goes on at `yes` or `no`.
    fn jump(&mut self, how: c_uint, value: u32, yes: Label, no: Label) -> Result<Label, Errno> {
        let here = self.backward.len();
        let over = |label: Label| u8::try_from(here - 1 - label).map_err(|_| Errno::EOVERFLOW);
        let jumps = [over(yes)?, over(no)?];
        self.push(libc::BPF_JMP | libc::BPF_K | how, jumps, value)
    }

    /// Allows the call if all conditions of one of its rows hold.
    fn alternatives(&mut self, rows: &[Call<'_>]) -> Result<Label, Errno> {
        rows.iter().rev().try_fold(Self::REFUSE, |otherwise, row| {
            let mut conditions = row.1.iter().rev();
            conditions.try_fold(Self::ALLOW, |then, condition| {
                self.condition(*condition, then, otherwise)
            })
        })
    }

    /// Goes on at `then` if the condition holds, else at `otherwise`.
    fn condition(
        &mut self,
        (argument, test): Condition<'_>,
        then: Label,
        otherwise: Label,
    ) -> Result<Label, Errno> {
        if matches!(test, Test::OneOf([])) {
            return Ok(otherwise);
        }
        let offset = offset_of!(seccomp_data, args) + argument * size_of::<u64>();
        let [then, otherwise] = [then, otherwise].map(|label| self.loaded(label, offset));
        match test {
            Test::Is(value) => self.jump(libc::BPF_JEQ, value, then, otherwise),
            Test::Has(bits) => self.jump(libc::BPF_JSET, bits, then, otherwise),
            Test::Lacks(bits) => self.jump(libc::BPF_JSET, bits, otherwise, then),
            Test::OneOf(values) => values.iter().rev().try_fold(otherwise, |next, value| {
                self.jump(libc::BPF_JEQ, *value as u32, then, next)
            }),
        }?;
        self.load(offset)
    }

    /// The label to jump to instead of `label` when the value at `offset` is loaded
    /// already: it skips a load of the same value.
    fn loaded(&self, label: Label, offset: usize) -> Label {
        const LOAD: c_uint = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
        let there = self.backward[label];
        let again = c_uint::from(there.code) == LOAD && there.k as usize == offset;
        label - usize::from(again)
    }

    /// Finds the loaded number among `calls`, which are sorted, and goes on at its
    /// label.
    fn search(&mut self, calls: &[(u32, Label)]) -> Result<Label, Errno> {
        if calls.len() <= FEW {
            return calls.iter().rev().try_fold(Self::REFUSE, |next, call| {
                self.jump(libc::BPF_JEQ, call.0, call.1, next)
            });
        }
        let (below, above) = calls.split_at(calls.len() / 2);
        let above_starts = self.search(above)?;
        let below_starts = self.search(below)?;
        self.jump(libc::BPF_JGE, above[0].0, above_starts, below_starts)
    }

    /// Starts with the check of the architecture.
    fn by_architecture(&mut self) -> Result<Label, Errno> {
        let ours = self.backward.len() - 1;
        let other = self.result(libc::SECCOMP_RET_KILL_PROCESS)?;
        self.jump(libc::BPF_JEQ, ARCHITECTURE, ours, other)?;
        self.load(offset_of!(seccomp_data, arch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;
    const REFUSED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

    /// The result of the program on the kernel's machine.
    fn run(program: &[sock_filter], data: &seccomp_data) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let jump = |holds: bool| usize::from(if holds { jt } else { jf });
            match code {
                0x20 => loaded = word(data, k as usize),
                0x06 => return k,
                0x15 => at += jump(loaded == k),
                0x35 => at += jump(loaded >= k),
                0x45 => at += jump(loaded & k != 0),
                _ => unreachable!("{code:#x}"),
            }
        }
    }

    fn word(data: &seccomp_data, offset: usize) -> u32 {
        match offset {
            0 => data.nr as u32,
            4 => data.arch,
            _ => data.args[(offset - 16) / 8] as u32,
        }
    }

    fn holds(call: &Call<'_>, data: &seccomp_data) -> bool {
        let holds = |(argument, test): &Condition| {
            let value = data.args[*argument] as u32;
            match *test {
                Test::Is(is) => value == is,
                Test::Has(bits) => value & bits != 0,
                Test::Lacks(bits) => value & bits == 0,
                Test::OneOf(values) => values.iter().any(|one| value == *one as u32),
            }
        };
        call.0 == i64::from(data.nr) && call.1.iter().all(holds)
    }

    fn data(nr: i32, args: [u64; 6]) -> seccomp_data {
        seccomp_data {
            nr,
            arch: ARCHITECTURE,
            instruction_pointer: 0,
            args,
        }
    }

    /// Checks that the program decides as the rows do.
    fn assert_agrees(calls: &[Call<'_>]) {
        let program = compile(calls).unwrap();
        let values = [0, 1, 2, 3, 4, 5, 6, 12, 32, 33, 1031, u64::MAX, 7 << 32];
        for nr in (-1..1000).chain([0x4000_0001, i32::MAX, i32::MIN]) {
            for (index, value) in values.iter().enumerate() {
                for other in values.iter().cycle().skip(index).take(values.len()) {
                    let args = [*value, *other, *value, *other, 0, *other];
                    let data = data(nr, args);
                    let allowed = calls.iter().any(|call| holds(call, &data));
                    let expected = if allowed { ALLOWED } else { REFUSED };
                    assert_eq!(run(&program, &data), expected, "{nr} {args:?}");
                }
            }
        }
    }

    #[test]
    fn program_decides_as_its_rows_do() {
        use Test::{Has, Is, Lacks, OneOf};
        assert_agrees(&[]);
        assert_agrees(&[Call(7, &[])]);
        let numbers: Vec<_> = (0..40).map(|number| Call(number * 9 % 401, &[])).collect();
        (0..numbers.len()).for_each(|count| assert_agrees(&numbers[..count]));
        assert_agrees(&[
            Call(5, &[(0, Is(3)), (1, Is(4))]),
            Call(5, &[(0, Is(12))]),
            Call(5, &[(1, Has(2)), (1, Lacks(4))]),
            Call(5, &[(1, Is(32)), (0, Is(1))]),
            Call(3, &[(2, Lacks(4)), (3, Has(32))]),
            Call(3, &[(2, Lacks(1)), (3, Has(6)), (5, Is(0))]),
            Call(900, &[(5, Is(1031))]),
            Call(900, &[]),
            Call(4, &[(0, Is(5))]),
            Call(4, &[(0, Is(6))]),
        ]);
        assert_agrees(&[
            Call(5, &[(0, OneOf(&[3])), (5, Is(0))]),
            Call(5, &[(0, OneOf(&[])), (1, Is(4))]),
            Call(5, &[(0, OneOf(&[4, 12])), (1, OneOf(&[5, 6, 32]))]),
            Call(5, &[(1, Is(1)), (0, OneOf(&[5, 6]))]),
            Call(6, &[(0, OneOf(&[]))]),
            Call(7, &[(2, OneOf(&[1, 2, 3]))]),
            Call(8, &[(1, Is(5)), (2, OneOf(&[]))]),
        ]);
    }

    #[test]
    fn call_of_another_architecture_kills_the_process() {
        let program = compile(&[Call(7, &[])]).unwrap();
        let mut data = data(7, [0; 6]);
        assert_eq!(run(&program, &data), ALLOWED);
        data.arch = 0x4000_0003;
        assert_eq!(run(&program, &data), KILLED);
    }

    #[test]
    fn row_that_never_holds_takes_no_instructions() {
        let never = [Call(6, &[(0, Test::OneOf(&[]))]), Call(7, &[])];
        let without = compile(&never[1..]).unwrap().len();
        assert_eq!(compile(&never).unwrap().len(), without);
    }

    #[test]
    fn program_that_is_too_long_is_a_failure() {
        // Jumps do not reach that far.
        let calls: Vec<_> = (0..300).map(|number| Call(number, &[])).collect();
        // The kernel accepts no more than 4096 instructions.
        let conditions: Vec<_> = (0..2100).map(|n| (n % 2, Test::Is(1))).collect();
        for calls in [&calls[..], &[Call(1, &conditions)], &[Call(-1, &[])]] {
            let error = compile(calls).map(drop).unwrap_err();
            assert_eq!(error, Errno::EOVERFLOW);
            assert!(crate::taken("seccomp", Err::<(), _>(error)).is_err());
        }
    }
}
