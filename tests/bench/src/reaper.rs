//! The process between the benchmark and a server: it adopts orphans of the
//! server, and reports the CPU time of all.

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use unix::{Pid, Signal};

use crate::{Result, processes};

/// The benchmark's argument for this mode.
pub const MODE: &str = "__subreaper";

/// How long after SIGTERM all processes must have ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs a server until standard input ends, takes note of everything that
/// ever ran below it, and prints the CPU time of all that in microseconds and
/// its page faults.
pub fn run(server: &[OsString]) -> Result<()> {
    let [program, args @ ..] = server else {
        return Err("no server to run".into());
    };
    nix::sys::prctl::set_child_subreaper(true)?;
    // Reaped below, with everything else.
    let server = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?
        .id();
    let mut killed = None;
    while reap()? {
        match killed {
            None if input_ended()? => {
                signal(server, Signal::SIGTERM);
                killed = Some(Instant::now());
            }
            None => {}
            Some(since) => {
                if since.elapsed() > PATIENCE {
                    for process in processes::below(std::process::id()) {
                        signal(process.pid, Signal::SIGKILL);
                    }
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let spent = usage.user_time() + usage.system_time();
    let faults = usage.minor_page_faults() + usage.major_page_faults();
    println!("{} {faults}", spent.num_microseconds());
    Ok(())
}

/// Reaps all children that have ended; returns whether others remain.
fn reap() -> Result<bool> {
    loop {
        match unix::spawn::reap_any() {
            Ok(Some(_)) | Err(Errno::EINTR) => {}
            Ok(None) => return Ok(true),
            Err(Errno::ECHILD) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Whether standard input has ended. Waits a moment for it.
fn input_ended() -> Result<bool> {
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, PollTimeout::from(20u8)) {
        Ok(0) | Err(Errno::EINTR) => Ok(false),
        Ok(_) => Ok(stdin.lock().read(&mut [0; 64])? == 0),
        Err(errno) => Err(errno.into()),
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = unix::signal::send(Pid::from_raw(pid), signal);
    }
}
