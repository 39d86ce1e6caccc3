//! Waiting for children.

use nix::errno::Errno;
use nix::unistd::Pid;

/// How a child ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// The child exited with this code.
    Exited(u8),
    /// A signal with this number killed the child.
    Signaled(u8),
}

/// Waits for the end of the child `pid`.
pub fn wait(pid: Pid) -> Result<Ended, Errno> {
    loop {
        match reap(Some(pid), 0) {
            Ok(Some((_, ended))) => return Ok(ended),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Reaps one child that has ended, without waiting. None if none has ended; ECHILD
/// if there are no children.
pub fn reap_any() -> Result<Option<(Pid, Ended)>, Errno> {
    reap(None, libc::WNOHANG)
}

/// waitpid(2). The function of nix fails if a real-time signal killed the child.
fn reap(pid: Option<Pid>, options: libc::c_int) -> Result<Option<(Pid, Ended)>, Errno> {
    let mut status = 0;
    let which = pid.map_or(-1, Pid::as_raw);
    // SAFETY: `status` is valid for the write.
    let pid = Errno::result(unsafe { libc::waitpid(which, &mut status, options) })?;
    if pid == 0 {
        return Ok(None);
    }
    let ended = if libc::WIFSIGNALED(status) {
        Ended::Signaled(libc::WTERMSIG(status) as u8)
    } else {
        Ended::Exited(libc::WEXITSTATUS(status) as u8)
    };
    Ok(Some((Pid::from_raw(pid), ended)))
}
