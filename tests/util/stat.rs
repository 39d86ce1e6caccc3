//! What /proc says of processes: proc_pid_stat(5).

use std::fs;

use nix::unistd::Pid;

/// A line of /proc/PID/stat.
pub struct Stat {
    pub name: String,
    /// `Z` is a zombie.
    pub state: String,
    pub parent: String,
    pub group: String,
    /// The terminal that controls it, as a number; 0 is none.
    pub terminal: String,
}

impl Stat {
    /// That of `pid`; None if the process is gone.
    pub fn of(pid: Pid) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold blanks: count from its end.
        let (start, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let field = |number: usize| fields.get(number).map(|field| (*field).to_owned());
        Some(Self {
            name: start.split_once('(')?.1.to_owned(),
            state: field(0)?,
            parent: field(1)?,
            group: field(2)?,
            terminal: field(4)?,
        })
    }
}

/// All processes.
pub fn processes() -> impl Iterator<Item = (Pid, Stat)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let pid = Pid::from_raw(pid);
        Some((pid, Stat::of(pid)?))
    })
}
