//! Locks the process in: it keeps the descriptors that it has, and can read,
//! write, wait, allocate and end. It opens, connects, runs and signals
//! nothing any more. A [`Profile`] says what exactly is left.
//!
//! Each step stands alone. One that the system does not have, or does not let
//! us take, is left out: a program that serves without it is better than one
//! that does not serve. [`Enforced`] says which were taken. A step that fails
//! for any other reason is a [`Failure`].
//!
//! All of this is Linux. Elsewhere nothing happens.
#![forbid(unsafe_code)]

use std::fmt;
use std::os::fd::RawFd;

use unix::Errno;

#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
mod calls;
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
mod filter;
#[cfg(all(
    target_os = "linux",
    not(all(
        target_pointer_width = "64",
        any(target_arch = "aarch64", target_arch = "x86_64")
    ))
))]
mod calls {
    //! No filter is written for this system.

    use unix::Errno;

    pub fn filter(_: &super::Profile<'_>) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
}
#[cfg(target_os = "linux")]
mod rights;

/// The descriptors that a process keeps, besides standard error.
#[derive(Clone, Copy, Debug)]
pub struct Descriptors<'a> {
    /// Those that it reads from. No others may be read.
    pub read: &'a [RawFd],
    /// Those that it writes to.
    pub write: &'a [RawFd],
    /// The sockets among them, which it may send to, receive from and shut
    /// down.
    pub sockets: &'a [RawFd],
    /// Those among them whose flags it may put back.
    pub switched: &'a [RawFd],
    /// The pipes among them, whose size it may change.
    pub pipes: &'a [RawFd],
}

/// What a process is left with.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "nothing is taken from it there")
)]
pub struct Profile<'a> {
    descriptors: Descriptors<'a>,
    /// How many descriptors it polls at once.
    polled: u32,
}

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
    /// New descriptors have numbers below this, and only where one of these is
    /// free. That there are none at all is for the filter to see to.
    pub descriptors_below: Option<u32>,
    /// No rights on files, TCP ports and other processes: the version of
    /// Landlock.
    pub landlock: Option<u32>,
    /// The system calls are filtered.
    pub seccomp: bool,
}

/// Keeps the memory from other processes of the same user, and out of core
/// files. For the time before [`Profile::enter`], from before the first secret is
/// read. Taking on another identity may undo it, as fs.suid_dumpable says: it has
/// to be done again right after that.
pub fn hide() {
    #[cfg(target_os = "linux")]
    {
        let _ = nix::sys::prctl::set_dumpable(false);
        let _ = no_core();
    }
}

/// A step that could not be taken, though the system has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The step.
    pub step: &'static str,
    /// Why not.
    pub errno: Errno,
}

impl<'a> Profile<'a> {
    /// For an engine: two sockets, pipes, files or terminals to read from and
    /// two to write to, and what it reports to.
    pub const fn engine(descriptors: Descriptors<'a>) -> Self {
        Self {
            descriptors,
            polled: 4,
        }
    }

    /// For the keeper of a key, which answers on one stream socket by read and
    /// write.
    pub const fn guard(socket: &'a RawFd) -> Self {
        let descriptors = std::slice::from_ref(socket);
        Self {
            descriptors: Descriptors {
                read: descriptors,
                write: descriptors,
                sockets: &[],
                switched: &[],
                pipes: &[],
            },
            polled: 1,
        }
    }

    /// Locks the process in for good. It owns no descriptors but those of the
    /// profile; what it has inherited besides is closed, but for standard error.
    #[cfg(target_os = "linux")]
    pub fn enter(&self) -> Result<Enforced, Failure> {
        use nix::sys::prctl::{set_dumpable, set_no_new_privs};
        let no_new_privs = taken("no new privileges", set_no_new_privs())?;
        let not_dumpable = taken("not dumpable", set_dumpable(false))?;
        let no_core = taken("no core", no_core())?;
        let no_new_code = taken("no new code", unix::lockdown::refuse_new_code())?;
        let Descriptors { read, write, .. } = self.descriptors;
        let highest = read.iter().chain(write).copied().max().unwrap_or(2);
        let descriptors_closed = taken("close descriptors", unix::fd::close_inherited(highest))?;
        // It needs a descriptor.
        let landlock = taken("landlock", rights::give_up())?;
        let limited = taken("limit descriptors", limit_descriptors(self.polled))?;
        // After this none of the steps would be possible.
        let seccomp = taken("seccomp", calls::filter(self))?;
        Ok(Enforced {
            no_new_privs: no_new_privs.is_some(),
            not_dumpable: not_dumpable.is_some(),
            no_core: no_core.is_some(),
            no_new_code: no_new_code.is_some(),
            descriptors_closed: descriptors_closed.is_some(),
            descriptors_below: limited.map(|()| self.polled),
            landlock,
            seccomp: seccomp.is_some(),
        })
    }

    /// Nothing of this is known here.
    #[cfg(not(target_os = "linux"))]
    pub fn enter(&self) -> Result<Enforced, Failure> {
        Ok(Enforced::default())
    }
}

/// What came of a step; None if it was not taken. What the system does not
/// have, or forbids, is left out. A step that fails for lack of resources must
/// not be: the process would be less locked in than others, and nobody knows.
#[cfg(target_os = "linux")]
fn taken<T>(step: &'static str, result: Result<T, Errno>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::ENOSYS | Errno::EINVAL | Errno::EOPNOTSUPP | Errno::EPERM | Errno::EACCES) => {
            Ok(None)
        }
        Err(errno) => Err(Failure { step, errno }),
    }
}

#[cfg(target_os = "linux")]
fn no_core() -> Result<(), Errno> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
}

/// poll takes as many descriptors as may be open, so this cannot be 0. It bounds
/// numbers: what has a higher one stays open, and a lower one that gets free
/// could be used again.
#[cfg(target_os = "linux")]
fn limit_descriptors(polled: u32) -> Result<(), Errno> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_NOFILE, polled.into(), polled.into())
}

/// What is in force, for people.
impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let landlock = self.landlock.map(|version| format!("landlock {version}"));
        let below = self.descriptors_below;
        let below = below.map(|below| format!("new descriptors only below {below}"));
        let parts = [
            (self.no_new_privs, "no-new-privs"),
            (self.not_dumpable, "not dumpable"),
            (self.no_core, "no core"),
            (self.no_new_code, "no new code"),
            (self.descriptors_closed, "other descriptors closed"),
            (below.is_some(), below.as_deref().unwrap_or_default()),
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
mod tests {
    use super::*;

    #[test]
    fn what_the_system_lacks_is_left_out_and_what_we_lack_is_not() {
        for errno in [
            Errno::ENOSYS,
            Errno::EINVAL,
            Errno::EOPNOTSUPP,
            Errno::EPERM,
        ] {
            assert_eq!(taken("x", Err::<(), _>(errno)), Ok(None));
        }
        for errno in [Errno::ENOMEM, Errno::EAGAIN, Errno::ENFILE, Errno::EMFILE] {
            assert_eq!(
                taken("x", Err::<(), _>(errno)),
                Err(Failure { step: "x", errno })
            );
        }
        assert_eq!(taken("x", Ok(7)), Ok(Some(7)));
    }

    #[test]
    fn what_is_on_is_named_and_nothing_is_nothing() {
        assert_eq!(Enforced::default().to_string(), "nothing");
        let some = Enforced {
            no_new_privs: true,
            descriptors_below: Some(4),
            landlock: Some(3),
            ..Enforced::default()
        };
        let text = "no-new-privs, new descriptors only below 4, landlock 3";
        assert_eq!(some.to_string(), text);
    }
}
