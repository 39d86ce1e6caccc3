//! A child that only execs, started without a copy of the parent where the system
//! can do that.

#[cfg(target_os = "linux")]
use std::mem::MaybeUninit;

use nix::errno::Errno;
use nix::unistd::Pid;

use super::wait;

/// The size of the child's stack until it execs. The child needs less than a KiB,
/// even without optimisation, and up to 3 KiB more if the dynamic linker resolves
/// functions of the C library when they are first called.
#[cfg(target_os = "linux")]
const STACK: usize = 8192;

/// Runs `child` in a new process, and returns when that has executed a program. If
/// `child` fails it returns why, which is the error. It has its own descriptors and
/// signal actions, but shares our memory: it allocates nothing, and signals with
/// handlers stay blocked.
///
/// This is vfork(2), but the child has a stack of its own and leaves our frames
/// alone.
#[cfg(target_os = "linux")]
pub(crate) fn until_exec(child: &dyn Fn() -> Errno) -> Result<Pid, Errno> {
    // Uninitialised, so that only the pages that the child uses are touched.
    let mut stack = [MaybeUninit::uninit(); STACK];
    on_stack(child, &mut stack)
}

#[cfg(target_os = "linux")]
fn on_stack(child: &dyn Fn() -> Errno, stack: &mut [MaybeUninit<u8>]) -> Result<Pid, Errno> {
    /// What the child runs, and why it failed if it returns.
    struct Call<'a> {
        child: &'a dyn Fn() -> Errno,
        failure: Option<Errno>,
    }
    extern "C" fn run(call: *mut libc::c_void) -> libc::c_int {
        // SAFETY: this is the `Call` below, which the parent does not use
        // meanwhile.
        let call = unsafe { &mut *call.cast::<Call<'_>>() };
        call.failure = Some((call.child)());
        127
    }
    let mut call = Call {
        child,
        failure: None,
    };
    let end = stack.as_mut_ptr_range().end;
    // The ABIs want a multiple of 16.
    let top = end.wrapping_sub(end.addr() % 16);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: CLONE_VFORK suspends us until the child no longer uses our memory,
    // as if `child` had been called here. Only the child uses the stack.
    let result = unsafe { libc::clone(run, top.cast(), flags, (&raw mut call).cast()) };
    let pid = Pid::from_raw(Errno::result(result)?);
    match call.failure {
        None => Ok(pid),
        Some(errno) => wait(pid).and(Err(errno)),
    }
}

/// Runs `child` in a new process, and returns when that has executed a program. If
/// `child` fails it returns why, which is the error: it comes through a pipe that
/// exec closes.
#[cfg(not(target_os = "linux"))]
pub(crate) fn until_exec(child: &dyn Fn() -> Errno) -> Result<Pid, Errno> {
    use crate::fork::{Forked, fork};
    let (reader, writer) = crate::fd::pipe()?;
    match fork()? {
        Forked::Parent(pid) => {
            drop(writer);
            let mut errno = [0; 4];
            match crate::fd::read(&reader, &mut errno)? {
                0 => Ok(pid),
                _ => wait(pid).and(Err(Errno::from_raw(i32::from_ne_bytes(errno)))),
            }
        }
        Forked::Child => {
            let errno = child() as i32;
            let _ = crate::fd::write_all(&writer, &errno.to_ne_bytes());
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
    use crate::spawn::mask::Mask;

    #[test]
    #[cfg_attr(miri, ignore = "miri has no clone")]
    fn child_uses_less_than_a_quarter_of_its_stack() {
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
        let run = || match child.prepare(&Mask::empty()) {
            Ok(()) => image.exec(&paths),
            Err(errno) => errno,
        };
        let mut stack = [MaybeUninit::new(UNTOUCHED); STACK];
        assert_eq!(on_stack(&run, &mut stack), Err(Errno::ENOTDIR));
        // SAFETY: all bytes were initialised.
        let is_untouched = |byte: &&MaybeUninit<u8>| unsafe { byte.assume_init() } == UNTOUCHED;
        let untouched = stack.iter().take_while(is_untouched).count();
        assert!(untouched > STACK / 4 * 3, "{untouched}");
    }
}
