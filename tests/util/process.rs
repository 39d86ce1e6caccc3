//! A program that runs, and what became of it.

use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use unix::spawn::Ended;

use super::Capture;
use super::stat::processes;

/// A program that runs. When it is dropped its whole process group is
/// killed.
pub struct Running {
    pid: Pid,
    line: String,
    stdin: Option<File>,
    /// What it prints on standard output.
    pub stdout: Capture,
    /// What it prints on standard error.
    pub stderr: Capture,
    until: Instant,
    exited: Receiver<()>,
    ended: Option<Ended>,
}

impl Running {
    pub(super) fn new(
        pid: Pid,
        line: String,
        stdin: Option<File>,
        stdout: Capture,
        stderr: Capture,
        until: Instant,
    ) -> Self {
        let (sender, exited) = channel();
        std::thread::spawn(move || {
            // WNOWAIT: until it is reaped, its pid and process group id are not
            // reused.
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(pid), flags) == Err(Errno::EINTR) {}
            let _ = sender.send(());
        });
        Self {
            pid,
            line,
            stdin,
            stdout,
            stderr,
            until,
            exited,
            ended: None,
        }
    }

    /// Its process id, which is also that of its process group.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Writes to its standard input, which [`super::Cmd::input_pipe`] made.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stdin
            .as_mut()
            .unwrap()
            .write_all(bytes.as_ref())
            .unwrap();
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until standard output holds `text`.
    pub fn wait_out(&self, text: &str) -> String {
        self.wait_text(&self.stdout, text)
    }

    /// Waits until standard error holds `text`.
    pub fn wait_err(&self, text: &str) -> String {
        self.wait_text(&self.stderr, text)
    }

    /// The line number `index` of standard output, when it has come.
    pub fn out_line(&self, index: usize) -> String {
        let line = self.stdout.wait(self.until, |bytes| nth_line(bytes, index));
        line.unwrap_or_else(|| self.fail(&format!("no line {index} on standard output")))
    }

    /// The port that a server prints as its first line.
    pub fn port(&self) -> u16 {
        let line = self.out_line(0);
        line.parse()
            .unwrap_or_else(|_| self.fail(&format!("{line:?} is no port")))
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Ended {
        if let Some(ended) = self.ended {
            return ended;
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if self.exited.recv_timeout(left).is_err() {
            self.fail("did not end");
        }
        let ended = self.status();
        self.ended = Some(ended);
        ended
    }

    /// Whether it still runs.
    pub fn alive(&self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        matches!(
            waitid(Id::Pid(self.pid), flags),
            Ok(nix::sys::wait::WaitStatus::StillAlive)
        )
    }

    /// Waits for its end and for that of everything it printed.
    pub fn finish(mut self) -> Output {
        self.stdin = None;
        let ended = self.wait();
        for stream in [&self.stdout, &self.stderr] {
            if !stream.wait_end(self.until) {
                self.fail("ended, but something holds what it printed to");
            }
        }
        Output {
            line: self.line.clone(),
            ended,
            stdout: self.stdout.bytes(),
            stderr: self.stderr.bytes(),
        }
    }

    /// The same, but its standard input stays open meanwhile.
    pub fn finish_open(mut self) -> Output {
        self.wait();
        self.finish()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    /// The processes of its group, except zombies.
    pub fn group(&self) -> Vec<Pid> {
        let own = self.pid.to_string();
        let of_group = processes().filter(|(_, stat)| stat.group == own && stat.state != "Z");
        of_group.map(|(pid, _)| pid).collect()
    }

    /// CPU time of all processes of its group that still run.
    pub fn cpu(&self) -> Duration {
        let files = self
            .group()
            .into_iter()
            .map(|pid| std::fs::read_to_string(format!("/proc/{pid}/schedstat")));
        let times = files.map(|text| {
            let text = text.unwrap_or_default();
            text.split(' ').next().and_then(|ns| ns.parse().ok())
        });
        Duration::from_nanos(times.map(|time| time.unwrap_or(0)).sum())
    }

    fn wait_text(&self, stream: &Capture, text: &str) -> String {
        let found = stream.wait(self.until, |bytes| {
            let all = String::from_utf8_lossy(bytes).into_owned();
            all.contains(text).then_some(all)
        });
        found.unwrap_or_else(|| self.fail(&format!("did not print {text:?}")))
    }

    /// Its end, which has been announced. It is not reaped here.
    fn status(&self) -> Ended {
        use nix::sys::wait::WaitStatus;
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.pid), flags).unwrap() {
            WaitStatus::Exited(_, code) => Ended::Exited(u8::try_from(code).unwrap()),
            WaitStatus::Signaled(_, signal, _) => Ended::Signaled(signal as u8),
            other => panic!("{other:?}"),
        }
    }

    /// Fails with all that it printed.
    pub fn fail(&self, why: &str) -> ! {
        panic!(
            "{why}: {}\n--- standard output:\n{}\n--- standard error:\n{}",
            self.line,
            shortened(&self.stdout.bytes()),
            shortened(&self.stderr.bytes()),
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = killpg(self.pid, Signal::SIGKILL);
        let _ = unix::spawn::wait(self.pid);
    }
}

/// What became of a program.
#[derive(Debug)]
pub struct Output {
    line: String,
    /// Its exit code or signal.
    pub ended: Ended,
    /// All that it printed on standard output.
    pub stdout: Vec<u8>,
    /// All that it printed on standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Fails unless it exited with `code`.
    pub fn code(self, code: u8) -> Self {
        assert!(
            self.ended == Ended::Exited(code),
            "{:?} instead of exit {code}: {}\n--- standard output:\n{}\n--- standard error:\n{}",
            self.ended,
            self.line,
            shortened(&self.stdout),
            shortened(&self.stderr),
        );
        self
    }

    /// Fails unless it exited with 0.
    pub fn success(self) -> Self {
        self.code(0)
    }

    /// Fails unless it exited with `code` and printed exactly `line`, without
    /// its newline, on standard error.
    pub fn fatal(self, code: u8, line: &str) -> Self {
        let output = self.code(code);
        assert_eq!(output.err(), format!("{line}\n"), "{}", output.line);
        output
    }

    /// Fails unless it exited with `code` and printed one line on standard
    /// error that begins like `start` and holds all of `words`.
    pub fn fatal_with(self, code: u8, start: &str, words: &[&str]) -> Self {
        let output = self.code(code);
        let text = output.err();
        let good = text.starts_with(start)
            && text.ends_with('\n')
            && text.matches('\n').count() == 1
            && words.iter().all(|word| text.contains(word));
        assert!(
            good,
            "not one line {start:?} with {words:?}: {text:?}: {}",
            output.line
        );
        output
    }
}

fn nth_line(bytes: &[u8], index: usize) -> Option<String> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let line = lines.nth(index)?;
    // What follows the last newline is not a line yet.
    lines.next()?;
    Some(String::from_utf8_lossy(line).into_owned())
}

fn shortened(bytes: &[u8]) -> String {
    let end = bytes.len().min(4000);
    let text = String::from_utf8_lossy(&bytes[..end]);
    match bytes.len() - end {
        0 => text.into_owned(),
        rest => format!("{text}\n... and {rest} bytes more"),
    }
}
