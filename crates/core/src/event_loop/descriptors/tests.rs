//! Flags of descriptors that several ends share, which are also shared with others.

use std::fs::{File, OpenOptions};
use std::os::fd::IntoRawFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::unistd::{dup, pipe};

use super::*;

/// Two open files of one pipe, which is ready for both directions: the first blocks,
/// the second does not.
fn blocking_and_not() -> [File; 2] {
    let (reader, _writer) = pipe().unwrap();
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    [OFlag::empty(), OFlag::O_NONBLOCK].map(|flags| {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true);
        options.custom_flags(flags.bits()).open(&path).unwrap()
    })
}

/// The ends with these open files, in the order of [`End::ALL`].
fn ends(files: [&File; 4]) -> Descriptors {
    let mut files = files.into_iter();
    // A duplicate is like an inherited descriptor: it has no owner here.
    let numbers = PerEnd::from_fn(|_| dup(files.next().unwrap()).unwrap().into_raw_fd());
    Descriptors::new(numbers).unwrap()
}

fn blocks(file: &File) -> bool {
    !flags(file.as_fd()).unwrap().contains(OFlag::O_NONBLOCK)
}

#[test]
fn a_file_of_two_ends_blocks_again_once_both_are_closed() {
    let [[shared, _], [other, _]] = [blocking_and_not(), blocking_and_not()];
    let mut ends = ends([&other, &other, &shared, &shared]);
    assert!(!blocks(&shared) && !blocks(&other));
    ends.close(End::AppIn);
    assert!(!blocks(&shared), "the other end still uses it");
    ends.close(End::AppOut);
    assert!(blocks(&shared) && !blocks(&other));
    drop(ends);
    assert!(blocks(&other));
}

#[test]
fn a_file_that_did_not_block_stays_so_and_concerns_no_other_file_of_the_same_pipe() {
    let [[blocking, not], [other, _]] = [blocking_and_not(), blocking_and_not()];
    let mut ends = ends([&blocking, &not, &other, &other]);
    ends.close(End::NetIn);
    assert!(blocks(&blocking) && !blocks(&not));
    ends.close(End::NetOut);
    assert!(!blocks(&not));
}

#[test]
fn ends_with_one_file_are_told_from_one_with_another_file_of_the_same_pipe() {
    let [[blocking, not], [other, _]] = [blocking_and_not(), blocking_and_not()];
    let mut ends = ends([&blocking, &not, &blocking, &other]);
    ends.close(End::NetIn);
    assert!(!blocks(&blocking), "the other end still uses it");
    ends.close(End::AppIn);
    assert!(blocks(&blocking) && !blocks(&not));
}

#[test]
fn sockets_are_not_switched() {
    let (socket, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let socket = File::from(OwnedFd::from(socket));
    let [pipe, _] = blocking_and_not();
    let ends = ends([&socket, &socket, &pipe, &pipe]);
    assert!(blocks(&socket) && !blocks(&pipe));
    assert_eq!((ends.sockets().len(), ends.switched().len()), (2, 2));
}

#[test]
fn pipes_of_the_program_grow_and_get_their_size_back_at_the_end() {
    let size = |pipe: &File| fcntl(pipe, FcntlArg::F_GETPIPE_SZ).unwrap();
    for ends_by_close in [true, false] {
        let [[network, _], [of_app, _]] = [blocking_and_not(), blocking_and_not()];
        fcntl(&of_app, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        let mut ends = ends([&network, &network, &of_app, &of_app]);
        assert_eq!(ends.pipes().len(), 2);
        let former = size(&network);
        for end in End::ALL {
            assert!(ends.resize(end, Size::Large));
        }
        assert_eq!(size(&network), former);
        assert!(size(&of_app) > 4096);
        if ends_by_close {
            ends.close(End::AppIn);
            ends.close(End::AppOut);
        } else {
            drop(ends);
        }
        assert_eq!(size(&of_app), 4096);
    }
}
