//! A child that runs only until it execs, started without copying the parent
//! where the system can do that.

#[cfg(target_os = "linux")]
use std::mem::MaybeUninit;

use nix::errno::Errno;
use nix::unistd::Pid;

use super::wait;

/// The stack of a child between its start and its exec. The child needs less
/// than a KiB, even without optimisation; where functions of the C library are
/// looked up when they are first called, three more.
#[cfg(target_os = "linux")]
const STACK: usize = 8192;

/// Runs `child` in a new process, with descriptors and signal actions of its
/// own, and returns when it has execed. If it could not, `child` returns why,
/// which is the error. It takes no memory, and leaves no signal that has a
/// handler unblocked: the memory is ours.
///
/// This is vfork(2) on a stack of its own, so that our frames stay as they
/// are.
#[cfg(target_os = "linux")]
pub(crate) fn until_exec(child: &dyn Fn() -> Errno) -> Result<Pid, Errno> {
    // Not cleared: only the pages that the child needs are touched.
    let mut stack = [MaybeUninit::uninit(); STACK];
    on_stack(child, &mut stack)
}

#[cfg(target_os = "linux")]
fn on_stack(child: &dyn Fn() -> Errno, stack: &mut [MaybeUninit<u8>]) -> Result<Pid, Errno> {
    /// What the child runs, and what it leaves if it comes back.
    struct Call<'a> {
        child: &'a dyn Fn() -> Errno,
        failure: Option<Errno>,
    }
    extern "C" fn run(call: *mut libc::c_void) -> libc::c_int {
        // SAFETY: it is the `Call` below, which its owner does not use
        // meanwhile.
        let call = unsafe { &mut *call.cast::<Call<'_>>() };
        call.failure = Some((call.child)());
        127
    }
    let mut call = Call {
        child,
        failure: None,
    };
    let top = stack.as_mut_ptr_range().end;
    // The ABIs want it at a multiple of 16.
    let top = top.wrapping_sub(top.addr() % 16);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: CLONE_VFORK suspends us until the child uses our memory no
    // more, as if `child` had been called here; the stack is for it alone.
    let pid = unsafe { libc::clone(run, top.cast(), flags, (&raw mut call).cast()) };
    let pid = Pid::from_raw(Errno::result(pid)?);
    match call.failure {
        None => Ok(pid),
        Some(errno) => wait(pid).and(Err(errno)),
    }
}

/// The same with a copy of the process, which tells its failure by a pipe
/// that exec closes.
#[cfg(not(target_os = "linux"))]
pub(crate) fn until_exec(child: &dyn Fn() -> Errno) -> Result<Pid, Errno> {
    use crate::fork::{Forked, fork};
    let (failure, told) = crate::fd::pipe()?;
    match fork()? {
        Forked::Parent(pid) => {
            drop(told);
            let mut errno = [0; 4];
            match crate::fd::read(&failure, &mut errno)? {
                0 => Ok(pid),
                _ => wait(pid).and(Err(Errno::from_raw(i32::from_ne_bytes(errno)))),
            }
        }
        Forked::Child => {
            let errno = child() as i32;
            let _ = crate::fd::write_all(&told, &errno.to_ne_bytes());
            crate::entry::exit(127)
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::ffi::{CString, OsString};
    use std::os::fd::{AsFd, AsRawFd};

    use super::*;
    use crate::Env;
    use crate::exec::Image;
    use crate::spawn::Child;
    use nix::sys::signal::SigSet;

    #[test]
    fn a_child_needs_less_than_a_quarter_of_its_stack() {
        const UNTOUCHED: u8 = 0xa5;
        let argv = [OsString::from("x")];
        let env = Env::inherited();
        let (reader, writer) = crate::fd::pipe().unwrap();
        let child = Child::new(&argv, &env)
            .descriptor(reader.as_fd(), writer.as_raw_fd())
            .descriptor(writer.as_fd(), writer.as_raw_fd());
        let args = [CString::from(c"x")];
        let paths = [c"/nonexistent/x", c"/etc/passwd/x"].map(CString::from);
        let image = Image::new(&args, &env);
        let run = || match child.prepare(&SigSet::empty()) {
            Ok(()) => image.exec(&paths),
            Err(errno) => errno,
        };
        let mut stack = [MaybeUninit::new(UNTOUCHED); STACK];
        assert_eq!(on_stack(&run, &mut stack), Err(Errno::ENOTDIR));
        // SAFETY: all of it was initialised.
        let untouched = |byte: &&MaybeUninit<u8>| unsafe { byte.assume_init() } == UNTOUCHED;
        let untouched = stack.iter().take_while(untouched).count();
        assert!(untouched > STACK / 4 * 3, "{untouched}");
    }
}
