//! Processes in /proc: how engines end, and which descriptors the super-server
//! has open.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::util::Running;
use crate::util::stat::processes;

/// The ends of engines, which outlive the program they belong to and are
/// then children of this process.
#[derive(Default)]
pub struct Engines {
    /// How many have exited with a code.
    pub codes: BTreeMap<i32, u64>,
    /// Those that a signal has ended.
    pub signals: Vec<String>,
}

impl Engines {
    /// Reaps those that have ended.
    pub fn collect(&mut self) {
        let own = std::process::id().to_string();
        for (pid, stat) in processes() {
            if stat.parent != own || stat.state != "Z" || !stat.name.ends_with("-io") {
                continue;
            }
            match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => *self.codes.entry(code).or_default() += 1,
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    self.signals.push(format!("{} {pid}: {signal}", stat.name));
                }
                _ => {}
            }
        }
    }
}

/// What the super-server has when it has nothing to do.
#[derive(Debug, Eq, PartialEq)]
pub struct Footprint {
    /// Those of its group.
    pub processes: usize,
    /// Children that nobody has waited for.
    pub zombies: usize,
    /// Open descriptors.
    pub descriptors: usize,
}

/// What `server` has now.
pub fn footprint(server: &Running) -> Footprint {
    let pid = server.pid();
    let children = processes().filter(|(_, stat)| stat.parent == pid.to_string());
    Footprint {
        processes: server.group().len(),
        zombies: children.filter(|(_, stat)| stat.state == "Z").count(),
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
    }
}

/// Private memory that is in use, in KiB.
pub fn memory(pid: Pid) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Private_Dirty:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.unwrap_or(0)
}
