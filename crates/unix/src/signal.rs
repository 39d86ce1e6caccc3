//! Signal handlers for servers, and scoped changes for programs that exec.

use std::os::fd::{BorrowedFd, IntoRawFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::Pid;

use crate::fd;

/// The signals that were caught and not yet taken, one bit each. 32 bits are
/// enough for POSIX signals, and 32-bit PowerPC and MIPS have no wider atomics.
static CAUGHT: AtomicU32 = AtomicU32::new(0);

/// The signals that have a handler, one bit each.
static HANDLED: AtomicU32 = AtomicU32::new(0);

/// The writing end of the pipe that wakes the loop.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Catches `signals` from now on, even if the inherited mask blocks them. Returns
/// a pipe that becomes readable with each. Called once.
///
/// Both ends stay open until the process ends. A signal may come while it exits;
/// without a reader the handler's write would raise SIGPIPE, which may be caught
/// as well.
pub fn catch(signals: &[Signal]) -> Result<BorrowedFd<'static>, Errno> {
    let (reader, writer) = fd::pipe()?;
    fd::nonblocking(&reader)?;
    fd::nonblocking(&writer)?;
    // SAFETY: the descriptor was just opened, and is never closed.
    let reader = unsafe { BorrowedFd::borrow_raw(reader.into_raw_fd()) };
    WAKE.store(writer.into_raw_fd(), Ordering::SeqCst);
    let mut set = SigSet::empty();
    let action = SigAction::new(
        SigHandler::Handler(note),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    for signal in signals {
        // SAFETY: `note` only uses atomics, write and errno, which are
        // async-signal-safe.
        unsafe { sigaction(*signal, &action) }?;
        HANDLED.fetch_or(1 << *signal as u32, Ordering::Relaxed);
        set.add(*signal);
    }
    set.thread_unblock()?;
    Ok(reader)
}

/// For a child that is about to exec: gives caught signals their default action,
/// as exec would.
pub(crate) fn reset_caught() {
    let handled = HANDLED.load(Ordering::Relaxed);
    for signal in Signal::iterator().filter(|signal| handled & (1 << *signal as u32) != 0) {
        let _ = set(signal, SigHandler::SigDfl);
    }
}

/// Whether there are caught signals to [`take`]. Makes no system call.
pub fn pending() -> bool {
    CAUGHT.load(Ordering::Relaxed) != 0
}

/// The signals caught since the last call.
pub fn take() -> Caught {
    Caught(CAUGHT.swap(0, Ordering::SeqCst))
}

/// A set of caught signals.
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
    // SAFETY: it writes one byte of a constant. If the pipe is full it is readable
    // already.
    unsafe { libc::write(WAKE.load(Ordering::SeqCst), c"".as_ptr().cast(), 1) };
    errno.set();
}

/// While this lives, a signal has another action. Dropped, it restores the former
/// one.
pub struct ScopedSignalAction {
    signal: Signal,
    former: Option<SigAction>,
}

impl ScopedSignalAction {
    /// SIGCHLD has its default action: if it is ignored, the system discards the
    /// exit codes of children.
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
            // SAFETY: it restores the action that was in force before.
            let _ = unsafe { sigaction(self.signal, former) };
        }
    }
}

/// The signals that a failed write raises: without a reader, and beyond the limit
/// on the size of files.
const OF_WRITES: [Signal; 2] = [Signal::SIGPIPE, Signal::SIGXFSZ];

/// While the result lives, a failed write is an error and raises no signal.
pub fn ignore_sigpipe() -> [ScopedSignalAction; 2] {
    OF_WRITES.map(|signal| ScopedSignalAction::with(signal, SigHandler::SigIgn))
}

/// From now on, children need not be waited for.
pub(crate) fn forget_children() {
    let _ = set(Signal::SIGCHLD, SigHandler::SigIgn);
}

/// From now on, a failed write is an error and raises no signal. For programs that
/// do not exec.
pub fn ignore_sigpipe_forever() {
    for signal in OF_WRITES {
        let _ = set(signal, SigHandler::SigIgn);
    }
}

/// Gives `signal` its default action or ignores it. Returns the former action.
fn set(signal: Signal, handler: SigHandler) -> Result<SigAction, Errno> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: neither SIG_IGN nor SIG_DFL runs code of ours.
    unsafe { sigaction(signal, &action) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `signal` does.
    fn action(signal: Signal) -> SigHandler {
        let former = set(signal, SigHandler::SigIgn).unwrap();
        // SAFETY: it was the action before.
        unsafe { sigaction(signal, &former) }.unwrap();
        former.handler()
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no signals")]
    fn a_caught_signal_wakes_and_a_child_has_its_default_action_again() {
        let (caught, ignored) = (Signal::SIGUSR1, Signal::SIGUSR2);
        SigSet::from(caught).thread_block().unwrap();
        let ignoring = ScopedSignalAction::with(ignored, SigHandler::SigIgn);
        let wake = catch(&[caught]).unwrap();
        assert!(!pending());
        for _ in 0..2 {
            send(nix::unistd::getpid(), ignored).unwrap();
            nix::sys::signal::raise(caught).unwrap();
            assert!(pending());
            let signals = take();
            assert!(signals.has(caught) && !signals.has(ignored));
            assert!(!pending());
            assert_eq!(fd::read(wake, &mut [0; 8]), Ok(1));
            assert_eq!(fd::read(wake, &mut [0; 8]), Err(Errno::EAGAIN));
        }
        assert!(matches!(action(caught), SigHandler::Handler(_)));
        reset_caught();
        assert!(matches!(action(caught), SigHandler::SigDfl));
        assert!(matches!(action(ignored), SigHandler::SigIgn));
        drop(ignoring);
        assert!(matches!(action(ignored), SigHandler::SigDfl));
    }
}
