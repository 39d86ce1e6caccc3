//! The two processes: when they part, and what each of them gives up.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use cli::{Common, Context, Fatal};
use rustls::pki_types::UnixTime;
use sandbox::Profile;
use unix::Errno;
use unix::fork::{EndsWithPeer, Forked, fork_companion};

use super::channel::{self, Silence};
use super::client::Remote;
use super::message::{Answer, MAX_ANSWER, MAX_QUESTION};
use super::policy::Keeper;
use super::{Held, Role, Secrets};
use crate::drop_privileges::Identity;
use crate::handshake_facts::Overheard;
use crate::outcome::Ending;

/// The engine that a guard is for.
pub struct Engine<'a> {
    /// Which side.
    pub role: Role,
    /// Its variables.
    pub context: &'a Context,
    /// Its options.
    pub options: &'a Common,
    /// When it was started.
    pub started: Instant,
    /// Where its trouble with the guard is left.
    pub overheard: &'a Overheard,
}

/// What `load` gives: in this process, or with a guard if it is to be
/// `guarded`.
pub fn hold(
    engine: &Engine<'_>,
    guarded: bool,
    load: impl FnOnce() -> Result<Secrets, Fatal>,
) -> Result<Held, Fatal> {
    match guarded {
        false => load().map(Held::Here),
        true => self::guarded(engine, load),
    }
}

/// Forks the guard off, which loads its secrets by `load` and gives up what it
/// does not need, and waits until it is ready.
///
/// Nothing secret may have been read yet, and there is one thread. The guard's
/// own failures are returned here, as if this process had done the loading.
fn guarded(
    engine: &Engine<'_>,
    load: impl FnOnce() -> Result<Secrets, Fatal>,
) -> Result<Held, Fatal> {
    let failed = |errno: Errno| Fatal::system("start the key guard", errno);
    let confinement = Confinement {
        identity: Identity::from_environment(engine.context)?,
        sandbox: engine.options.sandbox,
    };
    let (ours, theirs) = unix::net::socket_pair().map_err(failed)?;
    match fork_companion().map_err(failed)? {
        Forked::Child => {
            drop(ours);
            unix::signal::stay_quiet();
            let _ = keep(engine.role, load, confinement, &theirs);
            unix::entry::exit(0)
        }
        Forked::Parent(_) => {
            drop(theirs);
            let limit = engine.options.handshake_timeout;
            let deadline = limit.map(|limit| engine.started + limit);
            if deadline.is_some() {
                unix::fd::nonblocking(&ours).map_err(failed)?;
            }
            ready(&ours, deadline, engine.options.verbosity)?;
            let overheard = engine.overheard.clone();
            Ok(Held::Guarded(Remote::new(ours, deadline, overheard)))
        }
    }
}

/// What becomes of the guard once it needs no file any more.
struct Confinement {
    /// Who it is then.
    identity: Option<Identity>,
    /// Whether it locks itself in.
    sandbox: bool,
}

/// In the network's half: waits until the guard has loaded everything.
fn ready(socket: &OwnedFd, deadline: Option<Instant>, verbosity: u32) -> Result<(), Fatal> {
    let received = channel::receive(socket, MAX_ANSWER, deadline);
    match received.map(|(kind, content)| Answer::parse(kind, content)) {
        Ok(Some(Answer::Ready)) => Ok(()),
        Ok(Some(Answer::Failed(code, text))) if text.is_empty() => Err(Fatal::silent(code)),
        Ok(Some(Answer::Failed(code, text))) => Err(Fatal::new(code, text)),
        Err(Silence::Late) => Ending::handshake_timeout().result(verbosity).map(drop),
        Ok(_) | Err(Silence::Gone) => Ending::guard_gone().result(verbosity).map(drop),
    }
}

/// The guard's life. It ends when the other half hangs up, however that ends:
/// once that one has another identity or is locked in, it can kill nobody.
fn keep(
    role: Role,
    load: impl FnOnce() -> Result<Secrets, Fatal>,
    confinement: Confinement,
    socket: &OwnedFd,
) -> Result<(), Silence> {
    let mut later = Some(|| confinement.enter(socket));
    let loaded = load().and_then(|secrets| {
        alone(socket, secrets.certificates.number())?;
        if !secrets.certificates.needs_files() {
            later.take().map_or(Ok(()), |lock_in| lock_in())?;
        }
        Ok(secrets)
    });
    match loaded {
        Ok(secrets) => converse(Keeper::new(role, secrets), later, socket),
        Err(fatal) => say(socket, &failed(&fatal)),
    }
}

/// Answers until the other half hangs up, or something fails. Once the pair is
/// chosen the guard locks itself in, if it is still to do that `later`.
fn converse(
    mut keeper: Keeper,
    mut later: Option<impl FnOnce() -> Result<(), Fatal>>,
    socket: &OwnedFd,
) -> Result<(), Silence> {
    say(socket, &Answer::Ready)?;
    loop {
        let (kind, content) = channel::receive(socket, MAX_QUESTION, None)?;
        // The file system may hang, and the other half not wait for it.
        let bound = later.as_ref().map(|_| EndsWithPeer::over(socket.as_fd()));
        if let Some(Err(Errno::EPIPE)) = bound {
            return Err(Silence::Gone);
        }
        let mut answer = keeper.answer(kind, &content, UnixTime::now());
        drop(bound);
        if let Some(lock_in) = later.take_if(|_| keeper.has_chosen()) {
            keeper.close_files();
            if let Err(fatal) = lock_in() {
                answer = failed(&fatal);
            }
        }
        say(socket, &answer)?;
        if matches!(answer, Answer::Failed(..)) {
            return Ok(());
        }
    }
}

/// Leaves everything to the other half but the socket, SNIDIR and standard
/// error. What it has in hand besides was not opened here, and is closed by its
/// number. That has to wait until files are read: one may be a descriptor that
/// the engine was given (`/dev/fd/9`).
fn alone(socket: &OwnedFd, directory: Option<RawFd>) -> Result<(), Fatal> {
    let socket = socket.as_raw_fd();
    let highest = directory.map_or(socket, |directory| directory.max(socket));
    unix::fd::close_inherited(highest).map_err(|errno| Fatal::system("close descriptors", errno))
}

fn failed(fatal: &Fatal) -> Answer {
    Answer::Failed(fatal.code(), fatal.message().to_owned())
}

fn say(socket: &OwnedFd, answer: &Answer) -> Result<(), Silence> {
    channel::send(socket, &answer.encode(), None)
}

impl Confinement {
    fn enter(&self, socket: &OwnedFd) -> Result<(), Fatal> {
        if let Some(identity) = &self.identity {
            identity.take()?;
        }
        if self.sandbox {
            // With another identity it is as visible as fs.suid_dumpable says.
            sandbox::hide();
            let entered = Profile::guard(&socket.as_raw_fd()).enter();
            entered.map_err(|failure| {
                let what = format!("enter the sandbox: {}", failure.step);
                Fatal::system(&what, failure.errno)
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread::spawn;

    use super::*;
    use crate::credentials::resolver::Certificates;
    use crate::keyguard::message::Question;
    use crate::testing;

    /// What a guard that can, or cannot, lock itself in after the choice answers
    /// to `questions`, of which the last one may find it gone.
    fn answers(lock_in: Result<(), Fatal>, questions: &[Question<'_>]) -> Vec<Option<Answer>> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (ours, theirs) = (OwnedFd::from(ours), OwnedFd::from(theirs));
        let secrets = Secrets {
            certificates: Certificates::only(testing::pair()),
            sessions: None,
        };
        let keeper = Keeper::new(Role::Server, secrets);
        let guard = spawn(move || converse(keeper, Some(|| lock_in), &theirs));
        let hear = || {
            let (kind, content) = channel::receive(&ours, MAX_ANSWER, None).ok()?;
            Answer::parse(kind, content)
        };
        assert_eq!(hear(), Some(Answer::Ready));
        let ask = |question: &Question<'_>| {
            channel::send(&ours, &question.encode(), None).ok()?;
            hear()
        };
        let answers = questions.iter().map(ask).collect();
        drop(ours);
        let _ = guard.join().unwrap();
        answers
    }

    #[test]
    fn a_guard_that_cannot_lock_itself_in_ends() {
        let questions = [Question::Pair(None), Question::Pair(None)];
        let failed = answers(Err(Fatal::new(111, "why")), &questions);
        let why = Answer::Failed(111, "why".to_owned());
        assert_eq!(failed, [Some(why), None]);
        for answer in answers(Ok(()), &questions) {
            assert!(matches!(answer, Some(Answer::Pair(_))), "{answer:?}");
        }
    }

    #[test]
    fn it_stays_until_there_is_a_choice() {
        let questions = [Question::Seal(b""), Question::Pair(None)];
        let answers = answers(Err(Fatal::new(111, "why")), &questions);
        assert_eq!(answers[0], Some(Answer::None));
        assert!(matches!(answers[1], Some(Answer::Failed(..))));
    }
}
