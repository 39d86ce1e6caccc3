//! The process between the benchmark and a server: it adopts orphans of the
//! server, and reports what all of them have cost.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use unix::{Pid, Signal};

use crate::account::Account;
use crate::{Result, processes};

/// The benchmark's argument for this mode.
pub const MODE: &str = "__subreaper";

/// The argument between the command lines of two servers.
pub const AND: &str = "__and";

/// How long after SIGTERM all processes must have ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs servers until standard input ends, and waits for everything that ever ran
/// below them. Prints the account for each byte of standard input, and in the end:
/// microseconds, page faults, and 1 if nothing is left out.
pub fn run(arguments: &[OsString]) -> Result<()> {
    nix::sys::prctl::set_child_subreaper(true)?;
    let mut account = Account::open();
    let servers = arguments.split(|argument| argument == AND).map(start);
    let servers = servers.collect::<Result<Vec<u32>>>()?;
    let mut killed = None;
    while reap()? {
        match killed {
            None => match asked()? {
                Some(0) => {
                    for server in &servers {
                        signal(*server, Signal::SIGTERM);
                    }
                    killed = Some(Instant::now());
                }
                Some(_) => print(&mut account)?,
                None => {}
            },
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
    print(&mut account)
}

/// Starts a server, which [`reap`] reaps with everything else.
fn start(server: &[OsString]) -> Result<u32> {
    let [program, args @ ..] = server else {
        return Err("no server to run".into());
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Ok(command.spawn()?.id())
}

fn print(account: &mut Account) -> Result<()> {
    let (microseconds, faults, complete) = account.read()?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{microseconds} {faults} {}", u8::from(complete))?;
    Ok(stdout.flush()?)
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

/// How many bytes standard input has, 0 at its end. Waits a moment for them.
fn asked() -> Result<Option<usize>> {
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, PollTimeout::from(20u8)) {
        Ok(0) | Err(Errno::EINTR) => Ok(None),
        Ok(_) => Ok(Some(stdin.lock().read(&mut [0; 1])?)),
        Err(errno) => Err(errno.into()),
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = unix::signal::send(Pid::from_raw(pid), signal);
    }
}
