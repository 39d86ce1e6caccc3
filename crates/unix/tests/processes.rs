//! Functions that change the whole process. Each is tried in a process of its own.
//! This program has one thread, as the others do, so that it can fork.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::os::fd::{AsRawFd, IntoRawFd, RawFd};

use unix::fork::{self, Forked, fork};
use unix::spawn::{Ended, wait};
use unix::{Errno, Signal, fd, signal, user};

/// A property, and a function that checks it and may change the process.
type Promise = (&'static str, fn() -> bool);

const PROMISES: &[Promise] = &[
    ("a forked child has the descriptors of its parent", copied),
    ("memory does not become executable", no_new_code),
    ("only what was inherited is closed", inherited_closed),
    ("a reserved standard error takes nothing", reserved),
    (
        "exec closes a reserved standard error, even without devices",
        reserved_without_devices,
    ),
    ("a guarded standard error is the null device", guarded),
    (
        "a signal is caught even if the caller does not keep the pipe",
        late,
    ),
    (
        "any number of signals can be caught, and none changes errno",
        caught,
    ),
    (
        "a failed write raises no signal while SIGPIPE is ignored",
        quiet,
    ),
    ("other ids are effective for an action only", other_ids),
    #[cfg(target_os = "linux")]
    (
        "EndsWithPeer ends a process in the middle of a system call",
        bound,
    ),
    #[cfg(target_os = "linux")]
    ("EndsWithPeer ends nothing after it is dropped", unbound),
];

fn main() {
    for (promise, holds) in PROMISES {
        assert!(ends_well(*holds), "{promise}");
        println!("ok: {promise}");
    }
}

fn ends_well(attempt: fn() -> bool) -> bool {
    match fork().unwrap() {
        Forked::Child => {
            nix::unistd::alarm::set(20);
            unix::entry::exit(u8::from(!attempt()))
        }
        Forked::Parent(pid) => wait(pid) == Ok(Ended::Exited(0)),
    }
}

fn copied() -> bool {
    let (near, far) = unix::net::socket_pair().unwrap();
    match fork().unwrap() {
        Forked::Child => {
            drop(near);
            fd::write_all(&far, b"here").unwrap();
            unix::entry::exit(7)
        }
        Forked::Parent(pid) => {
            drop(far);
            let mut buf = [0; 8];
            // Its message, and then the end.
            let said = [fd::read(&near, &mut buf), fd::read(&near, &mut buf)];
            said == [Ok(4), Ok(0)] && wait(pid) == Ok(Ended::Exited(7))
        }
    }
}

#[cfg(target_os = "linux")]
fn no_new_code() -> bool {
    let can = || {
        let mut page = memmap2::MmapMut::map_anon(4096).unwrap();
        page[0] = 1;
        page.make_exec().is_ok()
    };
    let before = can();
    match unix::lockdown::refuse_new_code() {
        Ok(()) => before && !can(),
        Err(errno) => errno == Errno::EINVAL,
    }
}

#[cfg(not(target_os = "linux"))]
fn no_new_code() -> bool {
    true
}

fn open(number: RawFd) -> bool {
    // SAFETY: F_GETFD only inspects the number, open or not.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

fn inherited_closed() -> bool {
    let low = fd::inherit(fd::pipe().unwrap().0).unwrap();
    let number = fd::inherit(fd::pipe().unwrap().0).unwrap();
    let taken = fd::take_inherited(number).unwrap();
    let (reader, writer) = fd::pipe().unwrap();
    let high = fd::inherit(fd::duplicate_above(&reader, 90).unwrap()).unwrap();
    fd::close_inherited(reader.as_raw_fd().max(writer.as_raw_fd())).unwrap();
    let ours = [&taken, &reader, &writer].map(|fd| fd.as_raw_fd());
    ours.into_iter().chain([2]).all(open) && ![low, high, 0, 1].into_iter().any(open)
}

fn reserved() -> bool {
    fd::close(2);
    fd::reserve_stderr().unwrap();
    let next = fd::pipe().unwrap().0.into_raw_fd();
    fd::message(b"lost\n");
    // It cannot be taken, and exec closes it.
    next > 2 && fd::take_inherited(2).err() == Some(Errno::EBADF) && open(2)
}

/// Only root can change the root directory; for others there is nothing to check.
fn reserved_without_devices() -> bool {
    if user::effective_ids() != [0, 0] {
        return true;
    }
    let directory = std::env::temp_dir().join(format!("s6-tls-root-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let above = std::fs::File::open(std::env::temp_dir()).unwrap();
    nix::unistd::chroot(&directory).unwrap();
    std::env::set_current_dir("/").unwrap();
    fd::close(2);
    fd::reserve_stderr().unwrap();
    // SAFETY: F_GETFD only inspects the number.
    let flags = unsafe { libc::fcntl(2, libc::F_GETFD) };
    let name = directory.file_name().unwrap();
    nix::unistd::unlinkat(above, name, nix::unistd::UnlinkatFlags::RemoveDir).unwrap();
    flags == libc::FD_CLOEXEC
}

fn guarded() -> bool {
    for number in 0..=2 {
        fd::close(number);
    }
    fd::reserve_stderr().unwrap();
    fd::guard_standard().unwrap();
    (0..=2).all(|number| fd::check(number).is_ok())
        && fd::read(fd::stdin(), &mut [0]) == Ok(0)
        && fd::write_all(fd::take_inherited(2).unwrap(), b"x").is_ok()
}

fn late() -> bool {
    let _ = signal::catch(&[Signal::SIGCHLD, Signal::SIGPIPE]).unwrap();
    signal::send(unix::Pid::this(), Signal::SIGCHLD).unwrap();
    signal::take().has(Signal::SIGCHLD)
}

/// More signals than a pipe has room for.
fn caught() -> bool {
    let _ = signal::catch(&[Signal::SIGCHLD]).unwrap();
    for _ in 0..70_000 {
        signal::send(unix::Pid::this(), Signal::SIGCHLD).unwrap();
    }
    Errno::ENOENT.set();
    signal::send(unix::Pid::this(), Signal::SIGCHLD).unwrap();
    Errno::last() == Errno::ENOENT && signal::take().has(Signal::SIGCHLD)
}

fn quiet() -> bool {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::sys::resource::{Resource, setrlimit};
    let file = memfd_create(c"full", MFdFlags::MFD_CLOEXEC).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0).unwrap();
    let refused = {
        let _quiet = signal::ignore_sigpipe();
        fd::write_all(&file, b"x")
    };
    let killed = match fork().unwrap() {
        Forked::Child => {
            let _ = fd::write_all(&file, b"x");
            unix::entry::exit(0)
        }
        Forked::Parent(pid) => wait(pid),
    };
    refused == Err(Errno::EFBIG) && killed == Ok(Ended::Signaled(Signal::SIGXFSZ as u8))
}

/// The child binds itself to its parent and opens a FIFO without a writer. The parent
/// closes its end.
#[cfg(target_os = "linux")]
fn bound() -> bool {
    use nix::sys::stat::Mode;
    use std::os::fd::AsFd;
    let (near, far) = unix::net::socket_pair().unwrap();
    let directory = std::env::temp_dir().join(format!("s6-tls-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let pipe = directory.join("pipe");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let ended = match fork().unwrap() {
        Forked::Child => {
            drop(near);
            let bound = fork::EndsWithPeer::over(far.as_fd());
            let _ = fd::write_all(&far, b"bound");
            let opened = std::fs::File::open(&pipe);
            unix::entry::exit(u8::from(bound.is_ok() && opened.is_ok()))
        }
        Forked::Parent(pid) => {
            drop(far);
            let said = fd::read(&near, &mut [0; 8]);
            drop(near);
            let ended = wait(pid);
            said == Ok(5) && ended == Ok(Ended::Signaled(9))
        }
    };
    std::fs::remove_dir_all(&directory).unwrap();
    ended
}

#[cfg(target_os = "linux")]
fn unbound() -> bool {
    use std::os::fd::AsFd;
    let (near, far) = unix::net::socket_pair().unwrap();
    let bound = fork::EndsWithPeer::over(far.as_fd());
    let was_bound = bound.is_ok();
    drop(bound);
    fd::write_all(&near, b"x").unwrap();
    let late = fork::EndsWithPeer::over(far.as_fd()).err();
    drop(near);
    let gone = fork::EndsWithPeer::over(far.as_fd()).err();
    was_bound && (late, gone) == (Some(Errno::EPIPE), Some(Errno::EPIPE))
}

/// Only root can take other ids; for others there is nothing to check.
fn other_ids() -> bool {
    if user::effective_ids() != [0, 0] {
        return true;
    }
    user::set_groups(&[7]).unwrap();
    let groups = || nix::unistd::getgroups().map(|groups| groups.len());
    let during = user::with_effective(5, 6, Some(&[]), || (user::effective_ids(), groups()));
    let alone = user::with_effective(0, 6, None, || (user::effective_ids(), groups()));
    let refused = [(u32::MAX, 6), (5, u32::MAX)]
        .map(|(uid, gid)| user::with_effective(uid, gid, None, || ()));
    during == Ok(([5, 6], Ok(0)))
        && alone == Ok(([0, 6], Ok(1)))
        && refused == ["setuid", "setgid"].map(|what| Err((what, Errno::EINVAL)))
        && user::effective_ids() == [0, 0]
        && nix::unistd::getgroups() == Ok(vec![nix::unistd::Gid::from_raw(7)])
}
