//! Functions that change the whole process. Each is tried in a process of its own.
//! This program has one thread, as the others do, so that it can fork.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod one_thread;

use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::path::PathBuf;

use unix::fork::{self, Forked, fork};
use unix::spawn::{Ended, wait};
use unix::{Errno, Signal, fd, signal, user};

use one_thread::{Test, tests};

const TESTS: &[Test] = tests![
    a_forked_child_has_the_descriptors_of_its_parent,
    only_what_was_inherited_is_closed,
    a_reserved_standard_error_takes_nothing,
    exec_closes_a_reserved_standard_error_even_without_devices,
    a_guarded_standard_error_is_the_null_device,
    a_signal_is_caught_even_if_the_caller_does_not_keep_the_pipe,
    any_number_of_signals_can_be_caught_and_none_changes_errno,
    a_failed_write_raises_no_signal_while_sigpipe_is_ignored,
    other_ids_are_effective_for_an_action_only,
];

#[cfg(target_os = "linux")]
const OF_LINUX: &[Test] = tests![
    memory_does_not_become_executable,
    a_reserved_stack_has_grown,
    ends_with_peer_ends_a_process_in_the_middle_of_a_system_call,
    ends_with_peer_ends_nothing_after_it_is_dropped,
];

#[cfg(not(target_os = "linux"))]
const OF_LINUX: &[Test] = &[];

fn main() {
    one_thread::main(&[TESTS, OF_LINUX].concat());
}

fn a_forked_child_has_the_descriptors_of_its_parent() {
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
            assert_eq!(said, [Ok(4), Ok(0)]);
            assert_eq!(wait(pid), Ok(Ended::Exited(7)));
        }
    }
}

#[cfg(target_os = "linux")]
fn memory_does_not_become_executable() {
    let can = || {
        let mut page = memmap2::MmapMut::map_anon(4096).unwrap();
        page[0] = 1;
        page.make_exec().is_ok()
    };
    let before = can();
    match unix::lockdown::refuse_new_code() {
        Ok(()) => assert!(before && !can()),
        Err(errno) => assert_eq!(errno, Errno::EINVAL),
    }
}

/// At a depth to which the stack is not mapped from the start.
#[cfg(target_os = "linux")]
fn a_reserved_stack_has_grown() {
    let mut frame = [0u8; 256 << 10];
    std::hint::black_box(&mut frame);
    unix::memory::reserve_stack();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.ends_with("[stack]")).unwrap();
    let start = usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap();
    assert!((&raw const frame).addr() - start >= 64 << 10);
}

fn new_directory() -> PathBuf {
    nix::unistd::mkdtemp(&std::env::temp_dir().join("s6-tls-XXXXXX")).unwrap()
}

fn open(number: RawFd) -> bool {
    // SAFETY: F_GETFD only inspects the number, open or not.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

fn only_what_was_inherited_is_closed() {
    let low = fd::inherit(fd::pipe().unwrap().0).unwrap();
    let number = fd::inherit(fd::pipe().unwrap().0).unwrap();
    let taken = fd::take_inherited(number).unwrap();
    let (reader, writer) = fd::pipe().unwrap();
    let high = fd::inherit(fd::duplicate_above(&reader, 90).unwrap()).unwrap();
    fd::close_inherited(reader.as_raw_fd().max(writer.as_raw_fd())).unwrap();
    let ours = [&taken, &reader, &writer].map(|fd| fd.as_raw_fd());
    assert!(ours.into_iter().chain([2]).all(open));
    assert!(![low, high, 0, 1].into_iter().any(open));
}

fn a_reserved_standard_error_takes_nothing() {
    fd::close(2);
    fd::reserve_stderr().unwrap();
    let next = fd::pipe().unwrap().0.into_raw_fd();
    fd::message(b"lost\n");
    // It cannot be taken, and exec closes it.
    assert!(next > 2 && open(2));
    assert_eq!(fd::take_inherited(2).err(), Some(Errno::EBADF));
}

fn exec_closes_a_reserved_standard_error_even_without_devices() {
    if user::effective_ids() != [0, 0] {
        return one_thread::skip("only root can change the root directory");
    }
    let directory = new_directory();
    let above = std::fs::File::open(std::env::temp_dir()).unwrap();
    nix::unistd::chroot(&directory).unwrap();
    std::env::set_current_dir("/").unwrap();
    fd::close(2);
    fd::reserve_stderr().unwrap();
    // SAFETY: F_GETFD only inspects the number.
    let flags = unsafe { libc::fcntl(2, libc::F_GETFD) };
    let name = directory.file_name().unwrap();
    nix::unistd::unlinkat(above, name, nix::unistd::UnlinkatFlags::RemoveDir).unwrap();
    assert_eq!(flags, libc::FD_CLOEXEC);
}

fn a_guarded_standard_error_is_the_null_device() {
    for number in 0..=2 {
        fd::close(number);
    }
    fd::reserve_stderr().unwrap();
    fd::guard_standard().unwrap();
    assert!((0..=2).all(|number| fd::check(number).is_ok()));
    assert_eq!(fd::read(fd::stdin(), &mut [0]), Ok(0));
    assert!(fd::write_all(fd::take_inherited(2).unwrap(), b"x").is_ok());
}

fn a_signal_is_caught_even_if_the_caller_does_not_keep_the_pipe() {
    let _ = signal::catch(&[Signal::SIGCHLD, Signal::SIGPIPE]).unwrap();
    signal::send(unix::Pid::this(), Signal::SIGCHLD).unwrap();
    assert!(signal::take().has(Signal::SIGCHLD));
}

/// More signals than a pipe has room for.
fn any_number_of_signals_can_be_caught_and_none_changes_errno() {
    let _ = signal::catch(&[Signal::SIGCHLD]).unwrap();
    for _ in 0..70_000 {
        signal::send(unix::Pid::this(), Signal::SIGCHLD).unwrap();
    }
    Errno::ENOENT.set();
    signal::send(unix::Pid::this(), Signal::SIGCHLD).unwrap();
    assert_eq!(Errno::last(), Errno::ENOENT);
    assert!(signal::take().has(Signal::SIGCHLD));
}

fn a_failed_write_raises_no_signal_while_sigpipe_is_ignored() {
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
    assert_eq!(refused, Err(Errno::EFBIG));
    assert_eq!(killed, Ok(Ended::Signaled(Signal::SIGXFSZ as u8)));
}

/// The child binds itself to its parent and opens a FIFO without a writer. The parent
/// closes its end.
#[cfg(target_os = "linux")]
fn ends_with_peer_ends_a_process_in_the_middle_of_a_system_call() {
    use nix::sys::stat::Mode;
    use std::os::fd::AsFd;
    let (near, far) = unix::net::socket_pair().unwrap();
    let directory = new_directory();
    let pipe = directory.join("pipe");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    match fork().unwrap() {
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
            std::fs::remove_dir_all(&directory).unwrap();
            assert_eq!(said, Ok(5));
            assert_eq!(ended, Ok(Ended::Signaled(9)));
        }
    }
}

#[cfg(target_os = "linux")]
fn ends_with_peer_ends_nothing_after_it_is_dropped() {
    use std::os::fd::AsFd;
    let (near, far) = unix::net::socket_pair().unwrap();
    let bound = fork::EndsWithPeer::over(far.as_fd());
    let was_bound = bound.is_ok();
    drop(bound);
    fd::write_all(&near, b"x").unwrap();
    let late = fork::EndsWithPeer::over(far.as_fd()).err();
    drop(near);
    let gone = fork::EndsWithPeer::over(far.as_fd()).err();
    assert!(was_bound);
    assert_eq!((late, gone), (Some(Errno::EPIPE), Some(Errno::EPIPE)));
}

fn other_ids_are_effective_for_an_action_only() {
    if user::effective_ids() != [0, 0] {
        return one_thread::skip("only root can take other ids");
    }
    user::set_groups(&[7]).unwrap();
    let groups = || nix::unistd::getgroups().map(|groups| groups.len());
    let during = user::with_effective(5, 6, Some(&[]), || (user::effective_ids(), groups()));
    let alone = user::with_effective(0, 6, None, || (user::effective_ids(), groups()));
    let refused = [(u32::MAX, 6), (5, u32::MAX)]
        .map(|(uid, gid)| user::with_effective(uid, gid, None, || ()));
    assert_eq!(during, Ok(([5, 6], Ok(0))));
    assert_eq!(alone, Ok(([0, 6], Ok(1))));
    let invalid = ["setuid", "setgid"].map(|what| Err((what, Errno::EINVAL)));
    assert_eq!(refused, invalid);
    assert_eq!(user::effective_ids(), [0, 0]);
    let groups = nix::unistd::getgroups();
    assert_eq!(groups, Ok(vec![nix::unistd::Gid::from_raw(7)]));
}
