//! The sandbox. A process in it keeps its descriptors, and can read, write, wait,
//! allocate memory and exit. It can no longer open files, make connections,
//! execute programs or send signals. A [`Profile`] says exactly what is allowed.
//!
//! The steps are independent. A step that the system lacks or forbids is left
//! out: a program that serves without it is better than one that does not serve.
//! [`Enforced`] lists the steps that were taken. A step that fails for any other
//! reason is a [`Failure`].
//!
//! Only Linux has the sandbox. On other systems nothing happens.
#![forbid(unsafe_code)]

use std::fmt;
use std::os::fd::RawFd;

use unix::Errno;

#[cfg(target_os = "linux")]
mod architecture;
#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod rights;

/// The descriptors that a process keeps, besides standard error.
#[derive(Clone, Copy, Debug)]
pub struct Descriptors<'a> {
    /// The descriptors that it reads from. No others may be read.
    pub read: &'a [RawFd],
    /// The descriptors that it writes to.
    pub write: &'a [RawFd],
    /// The sockets among them. It may send to them, receive from them and shut
    /// them down.
    pub sockets: &'a [RawFd],
    /// The descriptors among them whose file status flags it may restore.
    pub switched: &'a [RawFd],
    /// The pipes among them. It may change their sizes.
    pub pipes: &'a [RawFd],
}

/// What a process in the sandbox may do.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "there is no sandbox there")
)]
pub struct Profile<'a> {
    descriptors: Descriptors<'a>,
    /// How many descriptors it polls at once; None if it does not call poll(2).
    polled: Option<u32>,
}

/// The steps of the sandbox that are in force.
#[derive(Debug, Default)]
pub struct Enforced {
    /// Executing a program gives no new privileges.
    pub no_new_privs: bool,
    /// Other processes of the same user can neither read the memory nor trace the
    /// process.
    pub not_dumpable: bool,
    /// A crash leaves no core file.
    pub no_core: bool,
    /// No memory can become executable.
    pub no_new_code: bool,
    /// Inherited descriptors that the profile does not name are closed, except
    /// standard error.
    pub descriptors_closed: bool,
    /// New descriptors can only have numbers below this. The filter of system
    /// calls prevents them altogether.
    pub descriptors_below: Option<u32>,
    /// Landlock denies access to files, TCP ports and other processes: its
    /// version.
    pub landlock: Option<u32>,
    /// The filter of system calls.
    pub seccomp: Filter,
}

/// Whether system calls are filtered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Filter {
    /// They are.
    Enforced,
    /// The system lacks or forbids it.
    #[default]
    Lacking,
    /// No filter is written for the architecture.
    NotWritten,
}

/// Hides the memory from other processes of the same user and from core files.
/// Called before the first secret is read, and again after a change of user or
/// group id, which may undo it (`fs.suid_dumpable`). [`Profile::enter`] includes
/// it.
pub fn hide() {
    #[cfg(target_os = "linux")]
    {
        let _ = nix::sys::prctl::set_dumpable(false);
        let _ = no_core();
    }
}

/// A step that the system has, but that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The step.
    pub step: &'static str,
    /// Why it failed.
    pub errno: Errno,
}

impl Failure {
    /// What could not be done, for a message.
    pub fn action(&self) -> String {
        format!("enter the sandbox: {}", self.step)
    }
}

impl<'a> Profile<'a> {
    /// The profile of an engine: it reads from two sockets, pipes, files or
    /// terminals, writes to two, and reports to others.
    pub const fn engine(descriptors: Descriptors<'a>) -> Self {
        Self {
            descriptors,
            polled: Some(4),
        }
    }

    /// The profile of the key guard: it reads from and writes to one stream
    /// socket.
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
            polled: None,
        }
    }

    /// Enters the sandbox, for good. The caller must own no descriptors but those of the profile:
    /// all others are closed, except standard error.
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
        // Landlock needs a descriptor: the limit on them comes after it.
        let landlock = taken("landlock", rights::give_up())?;
        let below = self.polled.unwrap_or(0);
        let limited = taken("limit descriptors", limit_descriptors(below))?;
        // The filter refuses the other steps: it comes last.
        let seccomp = match taken("seccomp", calls::filter(self))? {
            Some(()) => Filter::Enforced,
            None if architecture::HOST.is_none() => Filter::NotWritten,
            None => Filter::Lacking,
        };
        Ok(Enforced {
            no_new_privs: no_new_privs.is_some(),
            not_dumpable: not_dumpable.is_some(),
            no_core: no_core.is_some(),
            no_new_code: no_new_code.is_some(),
            descriptors_closed: descriptors_closed.is_some(),
            descriptors_below: limited.map(|()| below),
            landlock,
            seccomp,
        })
    }

    /// There is no sandbox on this system.
    #[cfg(not(target_os = "linux"))]
    pub fn enter(&self) -> Result<Enforced, Failure> {
        Ok(Enforced::default())
    }
}

/// The result of a step; None if the system lacks or forbids it. Any other error,
/// such as a lack of resources, is a failure: otherwise this process would be
/// less confined than others, and nobody would notice.
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

/// Limits the numbers of new descriptors to those below `polled`. Open descriptors
/// with higher numbers stay open. poll(2) fails with more descriptors than this limit.
#[cfg(target_os = "linux")]
fn limit_descriptors(polled: u32) -> Result<(), Errno> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_NOFILE, polled.into(), polled.into())
}

/// The names of the steps, for a message.
impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let landlock = self.landlock.map(|version| format!("landlock {version}"));
        let limit = |below| format!("new descriptors only below {below}");
        let below = self.descriptors_below.map(limit);
        let parts = [
            (self.no_new_privs, "no-new-privs"),
            (self.not_dumpable, "not dumpable"),
            (self.no_core, "no core"),
            (self.no_new_code, "no new code"),
            (self.descriptors_closed, "other descriptors closed"),
            (below.is_some(), below.as_deref().unwrap_or_default()),
            (landlock.is_some(), landlock.as_deref().unwrap_or_default()),
            (self.seccomp == Filter::Enforced, "seccomp"),
            (
                self.seccomp == Filter::NotWritten,
                "no filter of system calls for this architecture",
            ),
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
    fn step_that_the_system_lacks_is_left_out_and_lack_of_resources_is_a_failure() {
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
    fn display_names_the_steps_in_force() {
        assert_eq!(Enforced::default().to_string(), "nothing");
        let some = Enforced {
            no_new_privs: true,
            descriptors_below: Some(4),
            landlock: Some(3),
            ..Enforced::default()
        };
        let text = "no-new-privs, new descriptors only below 4, landlock 3";
        assert_eq!(some.to_string(), text);
        let unfiltered = Enforced {
            seccomp: Filter::NotWritten,
            ..some
        };
        let text = format!("{text}, no filter of system calls for this architecture");
        assert_eq!(unfiltered.to_string(), text);
    }
}
