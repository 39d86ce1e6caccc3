//! Signals: caught by those who serve, and left to a chain as it had them.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// SIGPIPE is ignored while this lives, and then as it was.
pub struct IgnoredPipe {
    former: Option<SigAction>,
}

impl IgnoredPipe {
    /// Ignores SIGPIPE.
    #[expect(clippy::new_without_default, reason = "it acts on the process")]
    pub fn new() -> Self {
        Self {
            former: set(Signal::SIGPIPE, SigHandler::SigIgn).ok(),
        }
    }
}

impl Drop for IgnoredPipe {
    fn drop(&mut self) {
        if let Some(former) = &self.former {
            // SAFETY: it puts back the action that was in force before.
            let _ = unsafe { sigaction(Signal::SIGPIPE, former) };
        }
    }
}

/// Ignores SIGPIPE for the rest of the process, for programs that exec
/// nothing.
pub fn ignore_pipe() {
    let _ = set(Signal::SIGPIPE, SigHandler::SigIgn);
}

/// Sets `signal` to its default or to be ignored; the former action is
/// returned.
fn set(signal: Signal, handler: SigHandler) -> Result<SigAction, Errno> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: neither SIG_IGN nor SIG_DFL runs code of ours.
    unsafe { sigaction(signal, &action) }
}

/// Where the handler writes the numbers of signals that came.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Catches `signals`, and unblocks them if they were blocked. Each one that
/// comes writes its number, one byte, to the pipe whose reading end is
/// returned; it does not block. A program does this once.
pub fn catch(signals: &[Signal]) -> Result<OwnedFd, Errno> {
    let (reader, writer) = crate::fd::pipe()?;
    for end in [&reader, &writer] {
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    PIPE.store(writer.into_raw_fd(), Ordering::Relaxed);
    let handler = SigHandler::Handler(note);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    let mut caught = SigSet::empty();
    for signal in signals {
        // SAFETY: the handler does nothing but an atomic load and a write.
        unsafe { sigaction(*signal, &action) }?;
        caught.add(*signal);
    }
    caught.thread_unblock()?;
    Ok(reader)
}

extern "C" fn note(signal: libc::c_int) {
    let former = Errno::last_raw();
    let number = [signal as u8];
    // SAFETY: write is async-signal-safe, and the descriptor is never closed;
    // if the pipe is full, there is enough in it to wake the program.
    unsafe { libc::write(PIPE.load(Ordering::Relaxed), number.as_ptr().cast(), 1) };
    Errno::set_raw(former);
}
