//! A pump with pipes in memory and a simulated clock, and checks of what it does
//! with them. A check that fails is a panic.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use unix::Errno;

use crate::endpoints::{End, Ends, Interest, PerEnd, Ready};
use crate::outcome::Outcome;
use crate::pump::{Pump, Rules, Step};
use crate::session::Session;
use crate::throughput::Size;

/// For how many steps an end may be ready but unused while others are used.
const PATIENCE: u8 = 3;

/// How often a pump may ask for another step at once.
const AT_ONCE: usize = 10_000;

/// Bytes in one direction.
#[derive(Default)]
pub struct Pipe {
    /// Written but not read yet.
    pub bytes: VecDeque<u8>,
    /// How many bytes it can hold.
    pub capacity: usize,
    /// The most bytes that one read or write moves.
    pub piece: usize,
    /// Its writer has closed.
    pub ended: bool,
    /// Its reader has closed.
    pub reader_gone: bool,
    /// The error of every call.
    pub broken: Option<Errno>,
    /// How many calls fail with EAGAIN or EINTR although it was ready.
    pub spurious_wakeups: u8,
    /// Everything that a pump has written.
    pub record: Vec<u8>,
}

/// A pipe shared by its two sides.
pub type Stream = Rc<RefCell<Pipe>>;

impl Pipe {
    /// An empty pipe.
    pub fn stream(capacity: usize, piece: usize) -> Stream {
        Rc::new(RefCell::new(Self {
            capacity,
            piece,
            ..Self::default()
        }))
    }

    /// How much can be written.
    pub fn space(&self) -> usize {
        self.capacity.saturating_sub(self.bytes.len())
    }

    /// Takes the bytes, but does not free their space.
    pub fn take(&mut self) -> Vec<u8> {
        self.capacity = self.capacity.saturating_sub(self.bytes.len());
        std::mem::take(&mut self.bytes).into()
    }

    /// Reads; 0 is the end of the stream.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, Errno> {
        let count = self.bytes.len().min(buf.len()).min(self.piece);
        if count == 0 && !self.ended {
            return Err(Errno::EAGAIN);
        }
        // As slices: a fuzzer counts each step of a loop over bytes.
        let (first, second) = self.bytes.as_slices();
        let (from_first, from_second) = buf[..count].split_at_mut(count.min(first.len()));
        from_first.copy_from_slice(&first[..from_first.len()]);
        from_second.copy_from_slice(&second[..from_second.len()]);
        self.bytes.drain(..count);
        Ok(count)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        if self.reader_gone {
            return Err(Errno::EPIPE);
        }
        let count = self.space().min(bytes.len()).min(self.piece);
        if count == 0 {
            return Err(Errno::EAGAIN);
        }
        self.bytes.extend(&bytes[..count]);
        self.record.extend(&bytes[..count]);
        Ok(count)
    }

    fn is_ready(&self, interest: Interest) -> bool {
        let faults = self.spurious_wakeups != 0 || self.broken.is_some();
        match interest {
            Interest::None => false,
            Interest::Hangup => self.reader_gone,
            Interest::Read => !self.bytes.is_empty() || self.ended || faults,
            Interest::Write => self.space() != 0 || self.reader_gone || faults,
        }
    }

    /// The error that the next call is to have, if any.
    fn planned_error(&mut self) -> Result<(), Errno> {
        if self.spurious_wakeups != 0 {
            self.spurious_wakeups -= 1;
            return Err([Errno::EAGAIN, Errno::EINTR][usize::from(self.spurious_wakeups % 2)]);
        }
        self.broken.map_or(Ok(()), Err)
    }
}

/// How an operation is disturbed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It fails with this error.
    Error(Errno),
    /// It moves only one byte.
    Short,
}

/// Injects one fault.
#[derive(Default)]
pub struct FaultInjector {
    /// The number of the operation to disturb, and how.
    pub plan: Option<(usize, Fault)>,
    /// The end where it happened.
    pub hit: Option<End>,
    /// How many operations were done.
    count: usize,
}

impl FaultInjector {
    /// How many bytes the next operation may move, of `size`.
    fn limit(&mut self, end: End, size: usize) -> Result<usize, Errno> {
        let number = self.count;
        self.count += 1;
        let Some((_, fault)) = self.plan.filter(|(at, _)| *at == number) else {
            return Ok(size);
        };
        self.hit = Some(end);
        match fault {
            Fault::Error(errno) => Err(errno),
            Fault::Short => Ok(size.min(1)),
        }
    }
}

/// What a pump has done with an end.
#[derive(Default)]
struct Seen {
    closed: bool,
    /// In this step.
    used: bool,
    /// For how many steps it was ready but unused.
    passed_over: u8,
}

/// The four ends of a pump.
pub struct Pipes {
    /// The ends.
    pub ends: PerEnd<Stream>,
    /// Disturbs operations.
    pub faults: FaultInjector,
    /// The sizes that the pump has asked for.
    pub sizes: PerEnd<Option<Size>>,
    seen: PerEnd<Seen>,
}

impl Pipes {
    fn ready(&self, interest: PerEnd<Interest>) -> PerEnd<Option<Ready>> {
        PerEnd::from_fn(|end| {
            let closed = self.seen[end].closed;
            assert!(
                !closed || interest[end] == Interest::None,
                "waits for a closed end"
            );
            let ready = self.ends[end].borrow().is_ready(interest[end]);
            interest[end].met().filter(|_| ready)
        })
    }

    /// How many bytes the next call at `end` may move, of `size`.
    fn attempt(&mut self, end: End, size: usize) -> Result<usize, Errno> {
        assert_ne!(size, 0, "moves nothing");
        assert!(!self.seen[end].closed, "uses a closed end");
        self.seen[end].used = true;
        self.ends[end].borrow_mut().planned_error()?;
        self.faults.limit(end, size)
    }

    fn close_all(&mut self) {
        for end in End::ALL {
            if !self.seen[end].closed {
                self.close(end);
            }
        }
    }
}

impl Ends for Pipes {
    fn read(&mut self, end: End, buf: &mut [u8]) -> Result<usize, Errno> {
        let size = self.attempt(end, buf.len())?;
        self.ends[end].borrow_mut().read(&mut buf[..size])
    }

    fn write(&mut self, end: End, bytes: &[u8]) -> Result<usize, Errno> {
        let size = self.attempt(end, bytes.len())?;
        self.ends[end].borrow_mut().write(&bytes[..size])
    }

    fn close(&mut self, end: End) {
        let seen = &mut self.seen[end];
        assert!(!seen.closed, "closes twice");
        (seen.closed, seen.used) = (true, true);
        let mut pipe = self.ends[end].borrow_mut();
        match end {
            End::NetIn | End::AppIn => pipe.reader_gone = true,
            End::NetOut | End::AppOut => pipe.ended = true,
        }
    }

    fn resize(&mut self, end: End, size: Size) -> bool {
        assert!(
            matches!(end, End::AppIn | End::AppOut),
            "resizes an end of the network"
        );
        let large = self.sizes[end] == Some(Size::Large);
        let full = self.ends[end].borrow().bytes.len() > Size::Small.pipe();
        if size == Size::Small && large && full && !self.seen[end].closed {
            return false;
        }
        self.sizes[end] = Some(size);
        true
    }
}

/// A pump with its pipes.
pub struct Simulation {
    /// The pump.
    pub pump: Pump,
    /// Its pipes.
    pub pipes: Pipes,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The program was told that the handshake is complete.
    pub established: bool,
    /// How many steps were taken.
    pub steps: usize,
    /// How often it freed memory.
    pub idles: usize,
}

impl Simulation {
    /// A simulation that starts at `now`.
    pub fn new(session: Session, rules: Rules, ends: PerEnd<Stream>, now: Instant) -> Self {
        Self {
            pump: Pump::new(session, rules, now).unwrap(),
            pipes: Pipes {
                ends,
                faults: FaultInjector::default(),
                sizes: PerEnd::default(),
                seen: PerEnd::default(),
            },
            outcome: None,
            established: false,
            steps: 0,
            idles: 0,
        }
    }

    /// The pipe at `end`.
    pub fn pipe(&self, end: End) -> std::cell::RefMut<'_, Pipe> {
        self.pipes.ends[end].borrow_mut()
    }

    /// Takes the first step, though nothing is ready.
    pub fn start(&mut self, now: Instant) {
        self.take_step(PerEnd::default(), now);
    }

    /// Takes a step if an end is ready or the deadline has passed; else false.
    pub fn step(&mut self, now: Instant) -> bool {
        if self.outcome.is_some() {
            return false;
        }
        let ready = self.pipes.ready(self.pump.interest());
        let due = self.pump.deadline().is_some_and(|deadline| now >= deadline);
        if !due && ready == PerEnd::default() {
            return false;
        }
        self.take_step(ready, now);
        true
    }

    /// Does what the event loop does.
    fn take_step(&mut self, ready: PerEnd<Option<Ready>>, now: Instant) {
        self.steps += 1;
        let interest = self.pump.interest();
        for end in End::ALL {
            self.pipes.seen[end].used = false;
        }
        let mut step = self.pump.step(&mut self.pipes, ready, now);
        for _ in 0..AT_ONCE {
            match step {
                Step::Again => {}
                Step::Established => self.establish(),
                Step::Idle | Step::Wait => {
                    self.idles += usize::from(step == Step::Idle);
                    return self.check_wait(interest, ready, now);
                }
                Step::Done(outcome) => {
                    self.outcome = Some(outcome);
                    return self.pipes.close_all();
                }
            }
            step = self.pump.step(&mut self.pipes, PerEnd::default(), now);
        }
        panic!("the pump never waits");
    }

    fn establish(&mut self) {
        assert!(!self.established, "established twice");
        self.established = true;
        let early = &self.pipe(End::AppOut).record;
        assert!(early.is_empty(), "data before the notification");
    }

    /// Checks that the pump has used ready ends, and waits for something.
    fn check_wait(&mut self, before: PerEnd<Interest>, ready: PerEnd<Option<Ready>>, now: Instant) {
        let after = self.pump.interest();
        for end in End::ALL {
            let seen = &mut self.pipes.seen[end];
            let in_vain = ready[end].is_some() && !seen.used && before[end] == after[end];
            seen.passed_over = if in_vain { seen.passed_over + 1 } else { 0 };
            assert!(seen.passed_over < PATIENCE, "spins: {end:?}, {before:?}");
        }
        let deadline = self.pump.deadline();
        assert!(
            deadline.is_none_or(|deadline| deadline > now),
            "waits for a deadline that has passed"
        );
        let waits = after != PerEnd::default();
        assert!(waits || deadline.is_some(), "waits for nothing");
    }

    /// The exit code.
    pub fn code(&self) -> Option<u8> {
        self.outcome.as_ref().map(|outcome| outcome.code())
    }
}
