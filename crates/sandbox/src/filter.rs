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

use crate::architecture::Architecture;

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

/// The number of a system call that is allowed if all conditions hold.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a>(pub u32, pub &'a [Condition<'a>]);

/// Up to this many calls are searched linearly.
const FEW: usize = 3;

/// The program that allows `calls` on `architecture`. A call with several rows is allowed if one of
/// them allows it. All other calls fail with EPERM. A call by the number of another
/// architecture kills the process.
///
/// EOVERFLOW if the program is longer than jumps reach, which is far less than the kernel
/// accepts (BPF_MAXINSNS). No system call reports a missing feature by that error, so it is
/// never mistaken for that.
pub fn compile(
    architecture: &Architecture,
    mut calls: Vec<Call<'_>>,
) -> Result<Vec<sock_filter>, Errno> {
    calls.sort_by_key(|call| call.0);
    let mut program = Program::new(architecture)?;
    let mut bodies = Vec::new();
    for same in calls.chunk_by(|one, other| one.0 == other.0) {
        match program.alternatives(same)? {
            Program::REFUSE => {}
            body => bodies.push((same[0].0, body)),
        }
    }
    program.search(&bodies)?;
    program.load(offset_of!(seccomp_data, nr))?;
    program.by_architecture(architecture.audit)?;
    program.backward.reverse();
    Ok(program.backward)
}

/// The position of an instruction: the number of instructions after it.
type Label = usize;

struct Program {
    backward: Vec<sock_filter>,
    /// The offset of the first argument's lower half in the `seccomp_data`.
    args: usize,
}

impl Program {
    const ALLOW: Label = 0;
    const REFUSE: Label = 1;

    /// A program that consists of the two results at its end.
    fn new(architecture: &Architecture) -> Result<Self, Errno> {
        let upper_half = usize::from(architecture.big_endian) * size_of::<u32>();
        let mut program = Self {
            backward: Vec::with_capacity(128),
            args: offset_of!(seccomp_data, args) + upper_half,
        };
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
        let offset = self.args + argument * size_of::<u64>();
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
    fn by_architecture(&mut self, audit: u32) -> Result<Label, Errno> {
        let ours = self.backward.len() - 1;
        let other = self.result(libc::SECCOMP_RET_KILL_PROCESS)?;
        self.jump(libc::BPF_JEQ, audit, ours, other)?;
        self.load(offset_of!(seccomp_data, arch))
    }
}

#[cfg(test)]
pub mod testing;

#[cfg(test)]
mod tests {
    use super::testing::{ALLOWED, KILLED, REFUSED, Seen, holds, run};
    use super::*;
    use crate::architecture::ALL;

    /// Checks that the program decides as the rows do.
    fn assert_agrees(calls: &[Call<'_>]) {
        // Those of the rows and their neighbours, between which the search decides.
        let near = |call: &Call<'_>| [call.0.wrapping_sub(1), call.0, call.0 + 1];
        let mut numbers: Vec<u32> = calls.iter().flat_map(near).collect();
        numbers.extend([0, 999, 0x4000_0001, i32::MAX as u32, u32::MAX]);
        let values = [0, 1, 2, 3, 4, 5, 6, 12, 32, 33, 1031, u64::MAX, 7 << 32];
        // The first one that is little-endian, and the last one, which is not.
        for (_, architecture) in [ALL[0], ALL[ALL.len() - 1]] {
            let program = compile(architecture, calls.to_vec()).unwrap();
            for &number in &numbers {
                for (index, value) in values.iter().enumerate() {
                    for other in values.iter().cycle().skip(index).take(values.len()) {
                        let args = [*value, *other, *value, *other, 0, *other];
                        let allowed = calls.iter().any(|call| holds(call, number, &args));
                        let expected = if allowed { ALLOWED } else { REFUSED };
                        let seen = Seen::new(architecture, number, args);
                        assert_eq!(run(&program, &seen), expected, "{number} {args:?}");
                    }
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
        for (name, architecture) in ALL {
            let program = compile(architecture, vec![Call(7, &[])]).unwrap();
            for (other_name, other) in ALL {
                let result = run(&program, &Seen::new(other, 7, [0; 6]));
                let same = name == other_name;
                let expected = if same { ALLOWED } else { KILLED };
                // A program loads words as its own kernel lays them out.
                if architecture.big_endian == other.big_endian {
                    assert_eq!(result, expected, "{name} {other_name}");
                }
            }
        }
    }

    #[test]
    fn row_that_never_holds_takes_no_instructions() {
        let never = [Call(6, &[(0, Test::OneOf(&[]))]), Call(7, &[])];
        let len = |calls: &[Call<'_>]| compile(ALL[0].1, calls.to_vec()).unwrap().len();
        assert_eq!(len(&never), len(&never[1..]));
    }

    #[test]
    fn program_that_is_too_long_is_a_failure() {
        // Jumps do not reach that far.
        let calls: Vec<_> = (0..300).map(|number| Call(number, &[])).collect();
        let conditions: Vec<_> = (0..150).map(|n| (n % 2, Test::Is(1))).collect();
        for calls in [calls, vec![Call(1, &conditions)]] {
            let error = compile(ALL[0].1, calls).map(drop).unwrap_err();
            assert_eq!(error, Errno::EOVERFLOW);
            assert!(crate::taken("seccomp", Err::<(), _>(error)).is_err());
        }
    }
}
