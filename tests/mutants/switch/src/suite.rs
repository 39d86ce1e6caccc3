//! A program with tests, run while a mutant is on.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::baseline::{self, Test};
use crate::lane::{EXECUTABLES, Lane};
use crate::{Result, output};

/// How many run at a time: as the variable LANES says.
pub fn lanes() -> usize {
    let lanes = std::env::var("LANES").ok();
    lanes.and_then(|lanes| lanes.parse().ok()).unwrap_or(2)
}

/// The first tests together take about this long, the next ones this many times as long.
const FIRST_BATCH: Duration = Duration::from_millis(100);
const NEXT_BATCH: u32 = 4;

/// Processor time and time that tests have, at least, and as many times as long as they took
/// without a mutant. The machine may be busy.
const PROCESSOR_TIME: (Duration, u32) = (Duration::from_secs(10), 5);
const TIME: (Duration, u32) = (Duration::from_secs(60), 20);

/// Whether this time has come, if there is one.
pub fn late(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() > until)
}

/// Which program it is.
pub enum Kind {
    /// Mutants are in the program itself: it is in each lane, with this name.
    Unit { program: String },
    /// Mutants are in the programs that it starts.
    Programs { harness: PathBuf },
}

/// Runs the tests in a process namespace of their own, if that can be had: nothing survives
/// them. Their process has a number that no other one has, for tests name files and addresses
/// after it. Then the processor time is written. The first argument is its limit.
const SCRIPT: &str = r#"
ulimit -t "$0"; ulimit -c 0
alone="unshare -pf --kill-child --mount-proc"
$alone true 2>/dev/null || exec "$@"
exec $alone sh -c 'echo "$0" >/proc/sys/kernel/ns_last_pid && "$@"; code=$?; times; exit $code' $$ "$@"
"#;

pub struct Suite {
    pub kind: Kind,
    /// Where it is run.
    pub dir: PathBuf,
    pub lanes: Vec<Lane>,
    pub tests: Vec<Test>,
}

/// What tests say about a mutant.
pub enum Verdict {
    /// It was noticed by this test, or by a crash or a limit of time.
    Noticed(String),
    Missed,
    /// None of them runs its code.
    NotReached,
}

enum Ended {
    Passed,
    Failed(String),
    Late,
    Crashed,
}

impl Suite {
    /// The tests whose names contain one of `filters`, each of which is run without a mutant,
    /// unless the file `known` has what came of that, or it is `late`. Returns also the names of
    /// those that fail, which are left out.
    pub fn new(
        kind: Kind,
        dir: PathBuf,
        lanes: Vec<Lane>,
        filters: &[&str],
        known: &Path,
        until: Option<Instant>,
    ) -> Result<(Self, Vec<String>)> {
        let mut suite = Self {
            kind,
            dir,
            lanes,
            tests: Vec::new(),
        };
        let mut list = suite.command(&suite.lanes[0]);
        let listed = output(list.args(["--list", "--format", "terse"]).args(filters))?;
        let names = listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"));
        let names: Vec<&str> = names.collect();
        let mut tests = baseline::read(known);
        let missing = |name: &&&str| !tests.iter().any(|test| test.name == **name);
        let missing: Vec<&str> = names.iter().filter(missing).copied().collect();
        let tried_out = suite.in_lanes(&missing, |lane, name| {
            if late(until) {
                return Ok(None);
            }
            let test = suite.try_out(lane, name)?;
            baseline::add(known, &test)?;
            Ok(Some(test))
        })?;
        tests.extend(tried_out.into_iter().flatten());
        tests.retain(|test| names.contains(&test.name.as_str()));
        let (passed, failed): (Vec<_>, Vec<_>) = tests.into_iter().partition(|test| test.passed);
        if passed.len() < failed.len() {
            return Err("most tests fail without a mutant".into());
        }
        suite.tests = passed;
        // The ones that reach less are about it more.
        suite
            .tests
            .sort_by_key(|test| (test.time, test.reaches.len()));
        Ok((suite, failed.into_iter().map(|test| test.name).collect()))
    }

    /// Runs a test without a mutant.
    fn try_out(&self, lane: &Lane, name: &str) -> Result<Test> {
        lane.take_notes()?;
        let from = Instant::now();
        let name = name.to_owned();
        let (ended, used) = self.run(lane, &[&name], Duration::from_secs(60))?;
        Ok(Test {
            passed: matches!(ended, Ended::Passed),
            time: match self.kind {
                Kind::Unit { .. } if used > Duration::ZERO => used,
                Kind::Unit { .. } => from.elapsed().min(Duration::from_millis(5)),
                _ => from.elapsed(),
            },
            reaches: lane.noted()?.into_iter().collect(),
            name,
        })
    }

    /// Runs the tests that reach this mutant, quick ones first, until one fails.
    pub fn verdict(&self, lane: &Lane, number: u32) -> Result<Verdict> {
        let reaching = self
            .tests
            .iter()
            .filter(|test| test.reaches.contains(&number));
        let mut rest: Vec<&Test> = reaching.collect();
        if rest.is_empty() {
            return Ok(Verdict::NotReached);
        }
        lane.turn_on(number)?;
        let mut limit = FIRST_BATCH;
        while !rest.is_empty() {
            let mut time = Duration::ZERO;
            let fits = |test: &&&Test| {
                time += test.time;
                time < limit
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let later = rest.split_off(count);
            if let Some(by) = self.batch(lane, rest)? {
                return Ok(Verdict::Noticed(by));
            }
            rest = later;
            limit *= NEXT_BATCH;
        }
        Ok(Verdict::Missed)
    }

    /// Which of the tests fails, and does so again.
    fn batch(&self, lane: &Lane, mut tests: Vec<&Test>) -> Result<Option<String>> {
        while !tests.is_empty() {
            let names: Vec<&String> = tests.iter().map(|test| &test.name).collect();
            let time = tests.iter().map(|test| test.time).sum();
            let failed = match self.run(lane, &names, time)?.0 {
                Ended::Passed => return Ok(None),
                Ended::Late => return Ok(Some("a limit of time".into())),
                Ended::Crashed => return Ok(Some("a crash".into())),
                Ended::Failed(name) => name,
            };
            if !matches!(self.run(lane, &[&failed], time)?.0, Ended::Passed) {
                return Ok(Some(failed));
            }
            eprintln!("{failed} fails once and passes once: not counted");
            tests.retain(|test| test.name != failed);
        }
        Ok(None)
    }

    /// The program, without arguments.
    fn command(&self, lane: &Lane) -> Command {
        let program = match &self.kind {
            Kind::Unit { program } => lane.dir.join(program),
            Kind::Programs { harness } => harness.clone(),
        };
        let mut command = Command::new(program);
        command.current_dir(&self.dir).stdin(Stdio::null());
        if let Kind::Programs { .. } = self.kind {
            command.env("UNDER_TEST", &lane.dir);
        }
        command
    }

    /// Runs these tests, which take so long without a mutant, until one fails. Returns the
    /// processor time as well, if it is known.
    fn run(&self, lane: &Lane, names: &[&String], usual: Duration) -> Result<(Ended, Duration)> {
        let seconds = PROCESSOR_TIME.0.max(usual * PROCESSOR_TIME.1).as_secs();
        let plain = self.command(lane);
        let threads = match self.kind {
            Kind::Unit { .. } => "1",
            // Most of their time they wait.
            Kind::Programs { .. } => "3",
        };
        let nice = std::env::var("NICE").unwrap_or("15".into());
        let mut command = Command::new("nice");
        command.args(["-n", &nice, "sh", "-c", SCRIPT, &seconds.to_string()]);
        command.arg(plain.get_program());
        command
            .args(["--exact", "--test-threads", threads])
            .args(names);
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command
            .current_dir(&self.dir)
            .env("TMPDIR", lane.new_temporary()?);
        command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .stdout(Stdio::piped());
        let no_writer = EXECUTABLES.read();
        let child = command.spawn()?;
        drop(no_writer);
        Ok(until_one_fails(
            child,
            Instant::now() + TIME.0.max(usual * TIME.1),
        ))
    }

    /// Calls `each` for all `items`, in all lanes.
    pub fn in_lanes<T: Sync, R: Send>(
        &self,
        items: &[T],
        each: impl Fn(&Lane, &T) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Ok(Vec::new()));
        let work = |lane: &Lane| {
            while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = each(lane, item).map_err(|error| error.to_string());
                let Ok(mut results) = results.lock() else {
                    return;
                };
                match (result, &mut *results) {
                    (Ok(result), Ok(all)) => all.push(result),
                    (Err(error), _) => *results = Err(error),
                    (_, Err(_)) => return,
                }
            }
        };
        thread::scope(|scope| {
            for lane in &self.lanes {
                scope.spawn(|| work(lane));
            }
        });
        let results = results.into_inner().map_err(|error| error.to_string())?;
        Ok(results?)
    }
}

/// Reads what libtest writes, and kills it at the first test that fails. Returns the processor
/// time as well, if it is written.
fn until_one_fails(mut child: Child, deadline: Instant) -> (Ended, Duration) {
    let (sender, receiver) = mpsc::channel();
    let lines = child.stdout.take().map(BufReader::new);
    // It is left behind if a process keeps the pipe open.
    thread::spawn(move || {
        let lines = lines.into_iter().flat_map(|lines| lines.split(b'\n'));
        for line in lines.map_while(Result::ok) {
            let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
        }
    });
    let (mut passed, mut time) = (false, Duration::ZERO);
    let ended = loop {
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                passed |= line.starts_with("test result: ok");
                time = processor_time(&line).unwrap_or(time);
                let test = line.strip_prefix("test ");
                if let Some(name) = test.and_then(|line| line.strip_suffix(" ... FAILED")) {
                    break Ended::Failed(name.to_owned());
                }
            }
            Err(RecvTimeoutError::Timeout) => break Ended::Late,
            Err(RecvTimeoutError::Disconnected) if passed => break Ended::Passed,
            Err(RecvTimeoutError::Disconnected) => break Ended::Crashed,
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    (ended, time)
}

/// What a line of the shell's `times` says, such as `0m1.520s 0m0.080s`, together.
fn processor_time(line: &str) -> Option<Duration> {
    let one = |time: &str| {
        let (minutes, seconds) = time.strip_suffix('s')?.split_once('m')?;
        let minutes: f64 = minutes.parse().ok()?;
        let seconds: f64 = seconds.parse().ok()?;
        Duration::try_from_secs_f64(60.0 * minutes + seconds).ok()
    };
    let (user, system) = line.split_once(' ')?;
    Some(one(user)? + one(system)?)
}
