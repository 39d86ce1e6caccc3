//! The allocator, each time in a process of its own: it is for programs of one
//! thread, and what it does without memory ends them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod one_thread;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::OsString;
use std::sync::atomic::{AtomicUsize, Ordering};

use unix::fork::{Forked, fork};
use unix::heap::{Allocator, reserve, trim};
use unix::spawn::{Child, Ended, wait};
use unix::{Env, Errno};

use one_thread::{Test, tests};

/// What has an area of its own.
const LARGE: usize = 128 << 10;

/// What is taken from the system at once.
const AREA: usize = 2 * LARGE;

/// More than an allocator keeps from earlier blocks.
const HUGE: usize = 64 * LARGE;

/// The allocator of the C library, which counts.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many bytes were allocated so far, in blocks as our heap has them.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all memory comes from `System`, and goes back to it with the same layout.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = (layout.size() + size_of::<usize>()).next_multiple_of(16);
        ALLOCATED.fetch_add(block, Ordering::Relaxed);
        // SAFETY: as for the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: as for the caller.
        unsafe { System.dealloc(piece, layout) }
    }
}

const TESTS: &[Test] = tests![
    a_child_takes_no_more_memory_than_it_says,
    resized_pieces_of_all_sizes_keep_their_content,
    process_without_memory_prints_one_line_and_exits_111,
    reserved_memory_is_allocated_without_the_system,
    large_pieces_are_reserved_if_the_system_has_memory_for_them,
];

fn main() {
    one_thread::main(TESTS);
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

fn a_child_takes_no_more_memory_than_it_says() {
    let long = |byte: &str| OsString::from(byte.repeat(200));
    let path = (0..200).map(|n| format!("/{n}:")).collect::<String>();
    for (args, variables, path) in [(1, 0, ""), (5000, 0, ""), (1, 5000, ""), (1, 0, &path)] {
        let mut env = Env::default();
        env.set("PATH", path);
        for number in 0..variables {
            env.set(format!("V{number}"), "");
        }
        let argv = vec![long("x"); args];
        let child = Child::new(&argv, &env);
        let (bound, before) = (child.memory(), ALLOCATED.load(Ordering::Relaxed));
        // Also what is freed meanwhile counts.
        assert_eq!(child.spawn(), Err(Errno::ENOENT));
        let taken = ALLOCATED.load(Ordering::Relaxed) - before;
        assert!(taken <= bound, "{args} {variables}: {taken} of {bound}");
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

/// Allocates 210,000 bytes in small pieces without memory from the system.
fn spend(allocator: &Allocator) {
    reserve(210_000).unwrap();
    no_more_memory();
    for _ in 0..210_000 / 24 {
        // SAFETY: it is not empty.
        unsafe { allocator.alloc(layout(24)) };
    }
}

fn reserved_memory_is_allocated_without_the_system() {
    for act in [
        |allocator: &Allocator| {
            for _ in 0..2 {
                // SAFETY: it is not empty.
                unsafe { allocator.alloc(layout(LARGE - 2500)) };
            }
            spend(allocator);
            assert!(reserve(AREA) == Err(Errno::ENOMEM));
        },
        // Almost a whole area is free, which has room for the bytes, but not for the blocks.
        |allocator: &Allocator| {
            // SAFETY: it is not empty.
            unsafe { allocator.alloc(layout(1)) };
            spend(allocator);
        },
    ] {
        let (ended, line) = alone(act);
        assert_eq!((ended, line.as_str()), (Ended::Exited(0), ""));
    }
}

fn large_pieces_are_reserved_if_the_system_has_memory_for_them() {
    let (ended, line) = alone(|allocator| {
        // SAFETY: it is not empty.
        unsafe { allocator.alloc(layout(1)) };
        let len = 2 * LARGE;
        // Now there is enough for small pieces.
        reserve(len).unwrap();
        for (more, reserved) in [(2 * len - 1, Err(Errno::ENOMEM)), (2 * len, Ok(()))] {
            limit_to_more(more);
            let before = mapped();
            assert!(reserve(len) == reserved && mapped() == before);
        }
        // Without pieces of that size no such memory is needed.
        limit_to_more(0);
        assert!(reserve(LARGE - 1) == Ok(()));
    });
    assert_eq!((ended, line.as_str()), (Ended::Exited(0), ""));
}

/// How many bytes the process has mapped.
fn mapped() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    let page_size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).unwrap();
    pages * page_size.unwrap() as u64
}

/// Limits the process to the memory that it has, and so many bytes.
fn limit_to_more(more: usize) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
    setrlimit(Resource::RLIMIT_AS, mapped() + more as u64, hard).unwrap();
}
