//! Signals: caught by those who serve, and left to a chain as it had them.

use std::os::fd::{BorrowedFd, IntoRawFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::Pid;

use crate::fd;

/// The signals that were caught and not yet taken, one bit each. POSIX signals
/// have numbers below 32; 32-bit PowerPC and MIPS have no 64-bit atomics.
static CAUGHT: AtomicU32 = AtomicU32::new(0);

/// The signals that have a handler, one bit each.
static HANDLED: AtomicU32 = AtomicU32::new(0);

/// The writing end of the pipe that wakes the loop.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Catches `signals` from now on, even if the inherited mask blocks them, and
/// returns the pipe that becomes readable with each. Called once.
///
/// Both ends stay open as long as the process is: a signal may come while it
/// ends, and without a reader each write would raise SIGPIPE, which may be
/// among those that are caught.
pub fn catch(signals: &[Signal]) -> Result<BorrowedFd<'static>, Errno> {
    let (reader, writer) = fd::pipe()?;
    fd::nonblocking(&reader)?;
    fd::nonblocking(&writer)?;
    // SAFETY: it was just opened, and is never closed.
    let reader = unsafe { BorrowedFd::borrow_raw(reader.into_raw_fd()) };
    WAKE.store(writer.into_raw_fd(), Ordering::SeqCst);
    let mut set = SigSet::empty();
    let action = SigAction::new(
        SigHandler::Handler(note),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    for signal in signals {
        // SAFETY: `note` only uses atomics, write and errno, all of which a
        // signal handler may.
        unsafe { sigaction(*signal, &action) }?;
        HANDLED.fetch_or(1 << *signal as u32, Ordering::Relaxed);
        set.add(*signal);
    }
    set.thread_unblock()?;
    Ok(reader)
}

/// In a child that is about to exec: what is caught has its default action, as
/// it will after exec.
pub(crate) fn reset_caught() {
    let handled = HANDLED.load(Ordering::Relaxed);
    for signal in Signal::iterator().filter(|signal| handled & (1 << *signal as u32) != 0) {
        let _ = set(signal, SigHandler::SigDfl);
    }
}

/// Whether signals were caught that nobody took. It costs no system call.
pub fn pending() -> bool {
    CAUGHT.load(Ordering::Relaxed) != 0
}

/// The signals caught since the last call.
pub fn take() -> Caught {
    Caught(CAUGHT.swap(0, Ordering::SeqCst))
}

/// A set of signals that were caught.
#[derive(Clone, Copy)]
pub struct Caught(u32);

impl Caught {
    /// Whether `signal` is among them.
    pub fn has(self, signal: Signal) -> bool {
        self.0 & (1 << signal as u32) != 0
    }
}

/// Sends `signal` to process `pid`.
pub fn send(pid: Pid, signal: Signal) -> Result<(), Errno> {
    nix::sys::signal::kill(pid, signal)
}

extern "C" fn note(signal: libc::c_int) {
    let errno = Errno::last();
    CAUGHT.fetch_or(1 << signal, Ordering::SeqCst);
    // SAFETY: it writes one byte of a constant; a full pipe is as good as a
    // written one.
    unsafe { libc::write(WAKE.load(Ordering::SeqCst), c"".as_ptr().cast(), 1) };
    errno.set();
}

/// A signal has another action while this lives, and then its former one.
pub struct ScopedSignalAction {
    signal: Signal,
    former: Option<SigAction>,
}

impl ScopedSignalAction {
    /// SIGCHLD has its default action: where it is ignored, the system throws
    /// the exit codes of children away.
    pub fn keeping_children() -> Self {
        Self::with(Signal::SIGCHLD, SigHandler::SigDfl)
    }

    fn with(signal: Signal, handler: SigHandler) -> Self {
        Self {
            signal,
            former: set(signal, handler).ok(),
        }
    }
}

impl Drop for ScopedSignalAction {
    fn drop(&mut self) {
        if let Some(former) = &self.former {
            // SAFETY: it puts back the action that was in force before.
            let _ = unsafe { sigaction(self.signal, former) };
        }
    }
}

/// The signals that a write which fails raises: nobody reads, or a file may not
/// grow.
const OF_WRITES: [Signal; 2] = [Signal::SIGPIPE, Signal::SIGXFSZ];

/// A write that fails is an error and no signal while the result lives.
pub fn ignore_sigpipe() -> [ScopedSignalAction; 2] {
    OF_WRITES.map(|signal| ScopedSignalAction::with(signal, SigHandler::SigIgn))
}

/// Children that end leave nothing to wait for, from now on.
pub(crate) fn forget_children() {
    let _ = set(Signal::SIGCHLD, SigHandler::SigIgn);
}

/// The same for the rest of the process, for programs that exec nothing.
pub fn ignore_sigpipe_forever() {
    for signal in OF_WRITES {
        let _ = set(signal, SigHandler::SigIgn);
    }
}

/// Sets `signal` to its default or to be ignored; the former action is
/// returned.
fn set(signal: Signal, handler: SigHandler) -> Result<SigAction, Errno> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: neither SIG_IGN nor SIG_DFL runs code of ours.
    unsafe { sigaction(signal, &action) }
}
