//! Locks the process in: it keeps the descriptors that it has, and can read,
//! write, wait, allocate and end. It opens, connects, runs and signals
//! nothing any more.
//!
//! Each step stands alone. One that the system does not have, or does not let
//! us take, is left out: a program that serves without it is better than one
//! that does not serve. [`Enforced`] says which were taken.
//!
//! All of this is Linux. Elsewhere nothing happens.
#![forbid(unsafe_code)]

use std::fmt;
use std::os::fd::RawFd;

#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
mod calls;
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "aarch64", target_arch = "x86_64")
)))]
mod calls {
    /// No filter is written for this system.
    pub fn filter(_: &[super::RawFd], _: &[super::RawFd]) -> Result<(), ()> {
        Err(())
    }
}
#[cfg(target_os = "linux")]
mod rights;

/// What of the sandbox is in force.
#[derive(Debug, Default)]
pub struct Enforced {
    /// No program that is executed gives new rights.
    pub no_new_privs: bool,
    /// Processes of the same user can neither read the memory nor trace.
    pub not_dumpable: bool,
    /// There will be no core file.
    pub no_core: bool,
    /// No memory becomes executable.
    pub no_new_code: bool,
    /// Every other descriptor is closed.
    pub descriptors_closed: bool,
    /// No descriptor can be opened.
    pub no_descriptors: bool,
    /// No rights on files, TCP ports and other processes: the version of
    /// Landlock.
    pub landlock: Option<u32>,
    /// The system calls are filtered.
    pub seccomp: bool,
}

/// Keeps the memory from other processes of the same user, and out of core
/// files. For the time before [`enter`], from before the first secret is
/// read; taking on another identity may undo it.
pub fn hide() {
    #[cfg(target_os = "linux")]
    {
        let _ = no_core();
        let _ = nix::sys::prctl::set_dumpable(false);
    }
}

/// Locks the process in for good. It may read from the descriptors `read`,
/// write to the descriptors `write` and to standard error, change the size of
/// the `pipes` among them, and all others are closed.
#[cfg(target_os = "linux")]
pub fn enter(read: &[RawFd], write: &[RawFd], pipes: &[RawFd]) -> Enforced {
    let keep = [read, write, &[2]].concat();
    // The order matters: Landlock needs a descriptor, and no step is possible
    // once the calls are filtered.
    Enforced {
        no_new_privs: nix::sys::prctl::set_no_new_privs().is_ok(),
        not_dumpable: nix::sys::prctl::set_dumpable(false).is_ok(),
        no_core: no_core().is_ok(),
        no_new_code: unix::lockdown::refuse_new_code().is_ok(),
        descriptors_closed: unix::lockdown::close_others(&keep).is_ok(),
        landlock: rights::give_up(),
        no_descriptors: no_descriptors().is_ok(),
        seccomp: calls::filter(read, pipes).is_ok(),
    }
}

/// Nothing of this is known here.
#[cfg(not(target_os = "linux"))]
pub fn enter(_read: &[RawFd], _write: &[RawFd], _pipes: &[RawFd]) -> Enforced {
    Enforced::default()
}

#[cfg(target_os = "linux")]
fn no_core() -> Result<(), unix::Errno> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
}

/// poll takes as many descriptors as may be open, so this cannot be 0: an
/// engine polls four.
#[cfg(target_os = "linux")]
fn no_descriptors() -> Result<(), unix::Errno> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_NOFILE, 4, 4)
}

/// What is in force, for people.
impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let landlock = self.landlock.map(|version| format!("landlock {version}"));
        let parts = [
            (self.no_new_privs, "no-new-privs"),
            (self.not_dumpable, "not dumpable"),
            (self.no_core, "no core"),
            (self.no_new_code, "no new code"),
            (self.descriptors_closed, "other descriptors closed"),
            (self.no_descriptors, "no new descriptors"),
            (landlock.is_some(), landlock.as_deref().unwrap_or_default()),
            (self.seccomp, "seccomp"),
        ];
        let on: Vec<&str> = parts
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| *name)
            .collect();
        if on.is_empty() {
            return f.write_str("nothing");
        }
        f.write_str(&on.join(", "))
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use unix::fork::{Side, fork};
    use unix::spawn::{Ended, wait};

    use super::*;

    /// What `attempt` finds in a process of its own.
    pub fn alone(attempt: impl FnOnce() -> bool) -> bool {
        match fork().unwrap() {
            Side::Child => std::process::exit(attempt().into()),
            Side::Parent(pid) => wait(pid).unwrap() == Ended::Exited(1),
        }
    }

    #[test]
    fn no_descriptor_is_left_but_four_can_be_polled() {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        assert!(alone(|| {
            let taken = unix::fd::pipe().unwrap();
            no_descriptors().unwrap();
            let refused = unix::fd::pipe().is_err();
            let stdin = unix::fd::stdin();
            let mut fds = [stdin; 4].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            drop(taken);
            refused && poll(&mut fds, PollTimeout::ZERO).is_ok()
        }));
    }

    #[test]
    fn what_is_on_is_named_and_nothing_is_nothing() {
        assert_eq!(Enforced::default().to_string(), "nothing");
        let some = Enforced {
            no_new_privs: true,
            landlock: Some(3),
            ..Enforced::default()
        };
        assert_eq!(some.to_string(), "no-new-privs, landlock 3");
    }
}
