//! How long an engine waits for its files. There are two reasons to wait, each with
//! a limit: a file that cannot be used may be in the middle of a renewal, so it is
//! read again after a pause; a pipe or a terminal may not have written yet.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cli::{Context, EngineOptions, Fatal};
use nix::poll::{PollTimeout, poll};
use tunnel::outcome::Outcome;
use unix::{Env, Errno};

use crate::CONTEXT;
use crate::exit;
use crate::files::OpenFile;
use crate::files::error::{Failure, unreadable};

/// The most milliseconds of all pauses together.
const MAX_PAUSES: u32 = 333;

/// The first pause, in milliseconds. Each further pause for the same file is twice
/// as long.
const FIRST_PAUSE: u32 = 10;

/// How long to wait for the end of a pipe or a terminal without `-K`.
const STREAM_TIMEOUT: Duration = Duration::from_secs(10);

/// How the files of one engine are read. Clones share the time for pauses.
#[derive(Clone, Debug)]
pub struct Files {
    inner: Arc<Inner>,
    /// The time for pauses that is left to other files, in milliseconds.
    reserved: u32,
}

#[derive(Debug)]
struct Inner {
    /// For warnings; it has no variables.
    context: Context,
    /// The time that is left for pauses, in milliseconds.
    left: AtomicU32,
    /// When the handshake's time is over.
    handshake_until: Option<Instant>,
    /// When to give up on pipes and terminals.
    streams_until: Instant,
    /// The error when `streams_until` has passed, if that is the handshake's time limit.
    timeout_error: Option<Fatal>,
}

/// The result of one attempt to read files.
pub enum Attempt<T> {
    /// No later attempt will have another result.
    Final(T),
    /// It counts unless a later attempt has a final result.
    Interim(T),
}

/// Opens files, for one attempt after another.
pub struct Reader<'a> {
    files: &'a Files,
    /// The content of pipes and terminals, which can be read only once.
    streams: RefCell<BTreeMap<OsString, OpenFile>>,
}

impl Files {
    /// For an engine with these options that started at `started`. Pauses take at most half of the
    /// handshake's time limit. A guard has a copy with as much time: both wait at the same time, or
    /// the second one takes at most half of what the limit then leaves. So pauses alone never
    /// exceed it.
    pub fn new(context: &Context, options: &EngineOptions, started: Instant) -> Self {
        let limit = options.handshake_timeout;
        let half = limit.map_or(u128::MAX, |limit| limit.as_millis() / 2);
        let timeout_error = exit::result(Outcome::handshake_timeout(), options.verbosity).err();
        let pauses = u32::try_from(half).unwrap_or(MAX_PAUSES).min(MAX_PAUSES);
        Self::from_inner(Inner {
            handshake_until: limit.map(|limit| started + limit),
            streams_until: started + limit.unwrap_or(STREAM_TIMEOUT),
            timeout_error: limit.and(timeout_error),
            ..Inner::new(context, pauses)
        })
    }

    /// Without any waiting.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn at_once(context: &Context) -> Self {
        Self::from_inner(Inner::new(context, 0))
    }

    fn from_inner(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
            reserved: 0,
        }
    }

    /// A clone for files that the engine can do without. They get half of the time that is left
    /// for pauses: they must not use up that of files that are needed.
    pub fn optional(&self) -> Self {
        let left = self.inner.left.load(Ordering::Relaxed);
        Self {
            inner: Arc::clone(&self.inner),
            reserved: left.div_ceil(2),
        }
    }

    /// The context for warnings about files. It has no variables.
    pub fn context(&self) -> &Context {
        &self.inner.context
    }

    /// Returns what `attempt` loads. A failure that may pass is tried again while
    /// there is time for pauses.
    pub fn load<T>(&self, attempt: impl Fn(&Reader<'_>) -> Result<T, Failure>) -> Result<T, Fatal> {
        self.until_final(|reader| match attempt(reader) {
            Ok(loaded) => Attempt::Final(Ok(loaded)),
            Err(failure) => failure.into(),
        })
    }

    /// Repeats `attempt` until its result is final or there is no more time for
    /// pauses.
    pub fn until_final<T>(&self, attempt: impl Fn(&Reader<'_>) -> Attempt<T>) -> T {
        let reader = Reader {
            files: self,
            streams: RefCell::default(),
        };
        let now = Instant::now();
        let half = |end: Instant| now + end.saturating_duration_since(now) / 2;
        let until = self.inner.handshake_until.map(half);
        let mut pause = FIRST_PAUSE;
        loop {
            match attempt(&reader) {
                Attempt::Final(result) => return result,
                Attempt::Interim(result) if !self.pause(pause, until) => return result,
                Attempt::Interim(_) => pause *= 2,
            }
        }
    }

    /// Waits for so many milliseconds, or for as many as are left before `until`; false if none
    /// are.
    fn pause(&self, milliseconds: u32, until: Option<Instant>) -> bool {
        let left = self.inner.left.load(Ordering::Relaxed);
        let ends = until.map(|until| until.saturating_duration_since(Instant::now()).as_millis());
        let ends = ends.and_then(|ends| u32::try_from(ends).ok());
        let pause = milliseconds
            .min(left.saturating_sub(self.reserved))
            .min(ends.unwrap_or(u32::MAX));
        self.inner.left.store(left - pause, Ordering::Relaxed);
        if pause > 0 {
            // The sandbox allows poll, but no sleep.
            let timeout = PollTimeout::try_from(pause).unwrap_or(PollTimeout::ZERO);
            let _ = poll(&mut [], timeout);
        }
        pause > 0
    }
}

impl Inner {
    fn new(context: &Context, pauses: u32) -> Self {
        Self {
            context: Context {
                program: context.program,
                prog: context.prog.clone(),
                args: Vec::new(),
                env: Env::default(),
                verbosity: context.verbosity,
            },
            left: AtomicU32::new(pauses),
            handshake_until: None,
            streams_until: Instant::now(),
            timeout_error: None,
        }
    }
}

impl Reader<'_> {
    /// Opens the file at `path`. If it is no regular file it is read now, and later
    /// attempts get the same content.
    pub fn open(&self, path: &OsStr) -> Result<OpenFile, Failure> {
        if let Some(copy) = self.streams.borrow().get(path).and_then(OpenFile::copy) {
            return Ok(copy);
        }
        let opened = OpenFile::at(path, self.files.inner.streams_until)
            .map_err(|errno| self.failed(path, errno))?;
        if let Some(copy) = opened.copy() {
            self.streams.borrow_mut().insert(path.to_owned(), copy);
        }
        Ok(opened)
    }

    fn failed(&self, path: &OsStr, errno: Errno) -> Failure {
        match (errno, &self.files.inner.timeout_error) {
            (Errno::ETIMEDOUT, Some(timeout_error)) => Failure::lasting(timeout_error.clone()),
            (Errno::ETIMEDOUT, None) => Failure::lasting(no_end(path)),
            _ => unreadable(path, errno).into(),
        }
    }
}

fn no_end(path: &OsStr) -> Fatal {
    let (path, seconds) = (path.to_string_lossy(), STREAM_TIMEOUT.as_secs());
    let text = format!("unable to read {path}: its end has not come within {seconds} seconds");
    Fatal::new(CONTEXT, text)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::testing;

    fn files(pauses: u32) -> Files {
        Files::from_inner(Inner::new(&testing::context(), pauses))
    }

    /// How many attempts there are if none is final, and how long all take.
    fn attempts(files: &Files) -> (u32, Duration) {
        let (count, started) = (Cell::new(0), Instant::now());
        files.until_final(|_| {
            count.set(count.get() + 1);
            Attempt::Interim(())
        });
        (count.get(), started.elapsed())
    }

    #[test]
    fn clones_share_the_time_for_pauses() {
        let files = files(25);
        let (count, elapsed) = attempts(&files.clone());
        assert_eq!(count, 3, "pauses of 10 and 15 ms");
        assert!(elapsed >= Duration::from_millis(25), "{elapsed:?}");
        assert_eq!(attempts(&files).0, 1, "no time is left");
    }

    #[test]
    fn files_that_are_optional_leave_half_of_the_time() {
        let files = files(100);
        for (optional, pauses) in [
            (true, &[10, 20, 20][..]),
            (true, &[10, 15]),
            (false, &[10, 15]),
        ] {
            let files = if optional {
                files.optional()
            } else {
                files.clone()
            };
            assert_eq!(attempts(&files).0 - 1, pauses.len() as u32, "{pauses:?}");
        }
        assert_eq!(attempts(&files).0, 1, "no time is left");
    }

    #[test]
    fn pauses_take_at_most_half_of_what_is_left_of_the_handshake_limit() {
        let count = |limit, passed| {
            let options = EngineOptions {
                handshake_timeout: Some(Duration::from_millis(limit)),
                ..EngineOptions::default()
            };
            let started = Instant::now().checked_sub(Duration::from_millis(passed));
            attempts(&Files::new(&testing::context(), &options, started.unwrap())).0
        };
        let few = count(600, 550);
        assert!(few <= 3, "{few}: pauses of 10 and less than 15 ms");
        assert_eq!(
            count(600_000, 0),
            7,
            "pauses of 10, 20, 40, 80, 160 and 23 ms"
        );
    }

    #[test]
    fn a_lasting_failure_is_not_tried_again() {
        let count = Cell::new(0);
        let loaded = files(1000).load(|_| {
            count.set(count.get() + 1);
            let fatal = Fatal::user("no");
            match count.get() {
                1 => Err(fatal.into()),
                2 => Err(Failure::lasting(fatal)),
                _ => Ok(()),
            }
        });
        assert_eq!((count.get(), loaded), (2, Err(Fatal::user("no"))));
    }

    #[test]
    fn pauses_take_at_most_half_of_the_handshake_limit() {
        for (limit, pauses) in [
            (None, 333),
            (Some(0), 0),
            (Some(100), 50),
            (Some(5000), 333),
        ] {
            let options = EngineOptions {
                handshake_timeout: limit.map(Duration::from_millis),
                ..EngineOptions::default()
            };
            let files = Files::new(&testing::context(), &options, Instant::now());
            assert_eq!(
                files.inner.left.load(Ordering::Relaxed),
                pauses,
                "{limit:?}"
            );
        }
    }
}
