//! Signal dispositions that a chain must find again as it left them.

use nix::errno::Errno;
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
