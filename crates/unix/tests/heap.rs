//! The allocator, each time in a process of its own: it is for programs of one
//! thread, and what it does without memory ends them.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::alloc::{GlobalAlloc, Layout};

use unix::Errno;
use unix::fork::{Forked, fork};
use unix::heap::{Allocator, reserve, trim};
use unix::spawn::{Ended, wait};

/// What has an area of its own.
const LARGE: usize = 128 << 10;

/// What is taken from the system at once.
const AREA: usize = 2 * LARGE;

/// More than an allocator keeps from earlier blocks.
const HUGE: usize = 64 * LARGE;

fn main() {
    resized_pieces_of_all_sizes_keep_their_content();
    println!("ok: resized_pieces_of_all_sizes_keep_their_content");
    process_without_memory_prints_one_line_and_exits_111();
    println!("ok: process_without_memory_prints_one_line_and_exits_111");
    reserved_memory_is_allocated_without_the_system();
    println!("ok: reserved_memory_is_allocated_without_the_system");
}

/// What a process of one thread does with an allocator.
fn alone(act: fn(&Allocator)) -> (Ended, String) {
    let (reader, writer) = unix::fd::pipe().unwrap();
    match fork().unwrap() {
        Forked::Child => {
            unix::fd::copy_to(&writer, 2).unwrap();
            // SAFETY: a forked process has one thread.
            act(&unsafe { Allocator::new("p") });
            unix::entry::exit(0)
        }
        Forked::Parent(pid) => {
            drop(writer);
            let mut line = [0; 4096];
            let count = unix::fd::read(&reader, &mut line).unwrap();
            let line = String::from_utf8_lossy(&line[..count]).into_owned();
            (wait(pid).unwrap(), line)
        }
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

fn resized_pieces_of_all_sizes_keep_their_content() {
    let (ended, line) = alone(|allocator| {
        // SAFETY: each piece is used with its layout.
        unsafe {
            let mut size = 1;
            let mut piece = allocator.alloc(layout(size));
            *piece = 7;
            for new in [
                30,
                5000,
                LARGE - 1,
                LARGE,
                3 * LARGE,
                LARGE,
                100,
                2 * LARGE,
                1,
            ] {
                piece = allocator.realloc(piece, layout(size), new);
                size = new;
                piece.add(size - 1).write(7);
                assert!(*piece == 7);
            }
            allocator.dealloc(piece, layout(size));
            assert!(*allocator.alloc_zeroed(layout(1)) == 0);
            trim();
        }
    });
    assert_eq!((ended, line.as_str()), (Ended::Exited(0), ""));
}

fn no_more_memory() {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_AS, 4096, 4096).unwrap();
}

fn process_without_memory_prints_one_line_and_exits_111() {
    for act in [
        |allocator: &Allocator| loop {
            no_more_memory();
            // SAFETY: it is not empty.
            unsafe { allocator.alloc(layout(5000)) };
        },
        |allocator: &Allocator| {
            no_more_memory();
            // SAFETY: it is not empty.
            unsafe { allocator.alloc(layout(HUGE)) };
        },
        |allocator: &Allocator| {
            // SAFETY: it is used with its layout.
            unsafe {
                let piece = allocator.alloc(layout(LARGE));
                no_more_memory();
                allocator.realloc(piece, layout(LARGE), HUGE);
            }
        },
    ] {
        let (ended, line) = alone(act);
        assert_eq!(ended, Ended::Exited(111));
        assert_eq!(line, "p: fatal: out of memory\n");
    }
}

fn reserved_memory_is_allocated_without_the_system() {
    let (ended, line) = alone(|allocator| {
        for _ in 0..2 {
            // SAFETY: it is not empty.
            unsafe { allocator.alloc(layout(LARGE - 2500)) };
        }
        reserve(40_000).unwrap();
        no_more_memory();
        for _ in 0..1000 {
            // SAFETY: it is not empty.
            unsafe { allocator.alloc(layout(32)) };
        }
        assert!(reserve(AREA) == Err(Errno::ENOMEM));
    });
    assert_eq!((ended, line.as_str()), (Ended::Exited(0), ""));
}
