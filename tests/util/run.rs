//! A command, and the state that its program inherits.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;

use super::dir::EXECUTABLES;
use super::{Capture, DEADLINE, Output, Running, find_in, path, pipe};

/// The command `argv`. Its program is looked for among those under test
/// first. It is given nothing of the test's own environment but PATH.
pub fn cmd<S: AsRef<OsStr>>(argv: impl IntoIterator<Item = S>) -> Cmd {
    Cmd {
        argv: argv.into_iter().map(|arg| arg.as_ref().into()).collect(),
        env: vec![("PATH".into(), path())],
        fds: Vec::new(),
        closed: Vec::new(),
        input: Input::Null,
        prelude: String::new(),
        blocked: SigSet::empty(),
        deadline: DEADLINE,
    }
}

/// A program to be started.
///
/// It starts in a process group of its own, with an empty signal mask and
/// default signal dispositions, standard input on the null device, standard
/// output and standard error captured, and no other descriptor, unless a
/// method says otherwise.
pub struct Cmd {
    argv: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    fds: Vec<(RawFd, OwnedFd)>,
    closed: Vec<RawFd>,
    input: Input,
    prelude: String,
    blocked: SigSet,
    deadline: Duration,
}

enum Input {
    Null,
    Bytes(Vec<u8>),
    Pipe,
}

impl Cmd {
    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.argv.push(arg.as_ref().into());
        self
    }

    /// More arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.argv
            .extend(args.into_iter().map(|arg| arg.as_ref().into()));
        self
    }

    /// The command `argv` runs it: it is appended to that as arguments.
    pub fn run_by<S: AsRef<OsStr>>(mut self, argv: impl IntoIterator<Item = S>) -> Self {
        let first = argv.into_iter().map(|arg| arg.as_ref().into());
        self.argv.splice(0..0, first);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.retain(|(known, _)| known != name.as_ref());
        self.env.push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// Removes a variable; only PATH is there from the start.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self
    }

    /// Puts `dir` before everything else in PATH.
    pub fn path_first(self, dir: &Path) -> Self {
        let mut path = dir.as_os_str().to_owned();
        path.push(":");
        path.push(self.variable("PATH"));
        self.env("PATH", path)
    }

    /// Standard input is a pipe with these bytes.
    pub fn input(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.input = Input::Bytes(bytes.as_ref().to_vec());
        self
    }

    /// Standard input is a pipe, which [`Running::stdin`] writes to.
    pub fn input_pipe(mut self) -> Self {
        self.input = Input::Pipe;
        self
    }

    /// Descriptor `number` is `fd`, 0 to 2 included.
    pub fn fd(mut self, number: RawFd, fd: impl Into<OwnedFd>) -> Self {
        self.fds.push((number, high(fd.into())));
        self
    }

    /// Descriptor `number` is closed.
    pub fn closed(mut self, number: RawFd) -> Self {
        self.closed.push(number);
        self
    }

    /// The working directory.
    pub fn cwd(mut self, dir: &Path) -> Self {
        self.prelude += &format!("cd {}\n", quoted(dir));
        self
    }

    /// SIGPIPE (or what else the shell knows as `signal`) is ignored. dash does not ignore SIGCHLD.
    pub fn ignored(mut self, signal: &str) -> Self {
        self.prelude += &format!("trap '' {signal}\n");
        self
    }

    /// `commands` of the shell run before the program, in its process.
    pub fn prelude(mut self, commands: &str) -> Self {
        self.prelude += &format!("{commands}\n");
        self
    }

    /// The signal is blocked.
    pub fn blocked(mut self, signal: Signal) -> Self {
        self.blocked.add(signal);
        self
    }

    /// The program is killed, and the test fails, when it takes longer.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = time;
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Output {
        self.start().finish()
    }

    /// Starts it.
    pub fn start(mut self) -> Running {
        let until = Instant::now() + self.deadline;
        let mut stdin = None;
        if !self.given(0) {
            stdin = self.open_input();
        }
        let [stdout, stderr] = [1, 2].map(|number| {
            if self.given(number) {
                return Capture::nothing();
            }
            let (reader, writer) = pipe();
            self.fds.push((number, high(writer)));
            Capture::new(reader)
        });
        let pid = self.spawn();
        Running::new(pid, self.line(), stdin, stdout, stderr, until)
    }

    fn given(&self, number: RawFd) -> bool {
        self.closed.contains(&number) || self.fds.iter().any(|(given, _)| *given == number)
    }

    /// Opens standard input, and gives the end to write to if the test does.
    fn open_input(&mut self) -> Option<File> {
        match std::mem::replace(&mut self.input, Input::Null) {
            Input::Null => {
                let null = File::open("/dev/null").unwrap();
                self.fds.push((0, high(null.into())));
                None
            }
            Input::Bytes(bytes) => {
                let (reader, writer) = pipe();
                self.fds.push((0, high(reader)));
                std::thread::spawn(move || {
                    // A program that does not read all of it is no error.
                    let _ = File::from(writer).write_all(&bytes);
                });
                None
            }
            Input::Pipe => {
                let (reader, writer) = pipe();
                self.fds.push((0, high(reader)));
                Some(writer.into())
            }
        }
    }

    fn spawn(&mut self) -> Pid {
        let mut actions = PosixSpawnFileActions::init().unwrap();
        for (number, fd) in &self.fds {
            actions.add_dup2(fd.as_raw_fd(), *number).unwrap();
        }
        for number in inherited().iter().filter(|number| !self.given(**number)) {
            actions.add_close(*number).unwrap();
        }
        for number in &self.closed {
            actions.add_close(*number).unwrap();
        }
        let mut attributes = PosixSpawnAttr::init().unwrap();
        attributes.set_sigmask(&self.blocked).unwrap();
        attributes.set_sigdefault(&SigSet::all()).unwrap();
        attributes.set_pgroup(Pid::from_raw(0)).unwrap();
        attributes
            .set_flags(
                PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
                    | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
                    | PosixSpawnFlags::POSIX_SPAWN_SETPGROUP,
            )
            .unwrap();
        let name = self.argv[0].to_str().unwrap();
        let file = find_in(name, &path()).unwrap_or_else(|| panic!("there is no program {name}"));
        let mut argv: Vec<&OsStr> = Vec::new();
        let script = format!("{}exec \"$@\"", self.prelude);
        if !self.prelude.is_empty() {
            argv.extend(["/bin/sh", "-ec", &script, "sh"].map(OsStr::new));
            argv.push(file.as_os_str());
        } else {
            argv.push(&self.argv[0]);
        }
        argv.extend(self.argv[1..].iter().map(OsString::as_os_str));
        let argv: Vec<CString> = argv.into_iter().map(c_string).collect();
        let program = if self.prelude.is_empty() {
            c_string(file.as_os_str())
        } else {
            c"/bin/sh".to_owned()
        };
        let env: Vec<CString> = self.env.iter().map(assignment).collect();
        let _no_writer = EXECUTABLES.read();
        posix_spawn(program.as_c_str(), &actions, &attributes, &argv, &env)
            .unwrap_or_else(|errno| panic!("cannot start {name}: {errno}"))
    }

    fn variable(&self, name: &str) -> OsString {
        let mut known = self.env.iter().filter(|(known, _)| known == name);
        known
            .next()
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    }

    fn line(&self) -> String {
        let args = self.argv.iter().map(|arg| arg.to_string_lossy());
        args.collect::<Vec<_>>().join(" ")
    }
}

/// Descriptors that the test process was started with and would pass on.
/// Its own are all closed by exec.
fn inherited() -> &'static [RawFd] {
    static FOUND: LazyLock<Vec<RawFd>> = LazyLock::new(|| {
        (3..1024)
            .filter(|number| {
                let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"));
                let info = info.unwrap_or_default();
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
                let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
                flags.is_some_and(|flags| flags & OFlag::O_CLOEXEC.bits() == 0)
            })
            .collect()
    });
    &FOUND
}

/// The same file at a number that no program is to be given, so that placing
/// one descriptor never overwrites another.
fn high(fd: OwnedFd) -> OwnedFd {
    unix::fd::duplicate_above(fd, 100).unwrap()
}

fn c_string(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).unwrap()
}

fn assignment((name, value): &(OsString, OsString)) -> CString {
    let mut text = name.clone();
    text.push("=");
    text.push(value);
    c_string(&text)
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}
