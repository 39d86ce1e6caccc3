//! The two processes: when they part, and what each of them gives up.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use cli::{Context, EngineOptions, Fatal};
use rustls::pki_types::UnixTime;
use sandbox::Profile;
use tunnel::handshake_facts::HandshakeFacts;
use tunnel::outcome::Outcome;
use unix::Errno;
use unix::fork::{EndsWithPeer, Forked, fork_companion};

use super::channel::{self, ChannelError};
use super::client::GuardClient;
use super::message::{MAX_REQUEST, MAX_RESPONSE, Response};
use super::policy::SigningPolicy;
use super::{PrivateMaterial, Role};
use crate::drop_privileges::Identity;
use crate::exit;

/// The engine that a guard is for.
pub struct GuardSetup<'a> {
    /// Which side.
    pub role: Role,
    /// Its variables.
    pub context: &'a Context,
    /// Its options.
    pub options: &'a EngineOptions,
    /// When it was started.
    pub started: Instant,
    /// Where its trouble with the guard is left.
    pub facts: &'a HandshakeFacts,
}

/// Forks off the guard and waits until it is ready. The guard loads its secrets by
/// `load`, and then gives up what it does not need.
///
/// The caller has read nothing secret yet, and has one thread. Failures of the
/// guard are returned here, as if this process had done the loading.
pub fn fork(
    setup: &GuardSetup<'_>,
    load: impl FnOnce() -> Result<PrivateMaterial, Fatal>,
) -> Result<GuardClient, Fatal> {
    let failed = |errno: Errno| Fatal::system("start the key guard", errno);
    let confinement = Confinement {
        identity: Identity::from_environment(setup.context)?,
        sandbox: setup.options.sandbox,
    };
    let (ours, theirs) = unix::net::socket_pair().map_err(failed)?;
    match fork_companion().map_err(failed)? {
        Forked::Child => {
            drop(ours);
            unix::signal::ignore_sigpipe_forever();
            let _ = serve(setup.role, load, confinement, &theirs);
            unix::entry::exit(0)
        }
        Forked::Parent(_) => {
            drop(theirs);
            let limit = setup.options.handshake_timeout;
            let deadline = limit.map(|limit| setup.started + limit);
            if deadline.is_some() {
                unix::fd::nonblocking(&ours).map_err(failed)?;
            }
            ready(&ours, deadline, setup.options.verbosity)?;
            let facts = setup.facts.clone();
            Ok(GuardClient::new(ours, deadline, facts))
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
    let received = channel::receive(socket, MAX_RESPONSE, deadline);
    match received.map(|(kind, content)| Response::parse(kind, content)) {
        Ok(Some(Response::Ready)) => Ok(()),
        Ok(Some(Response::Failed(code, text))) if text.is_empty() => Err(Fatal::silent(code)),
        Ok(Some(Response::Failed(code, text))) => Err(Fatal::new(code, text)),
        Err(ChannelError::TimedOut) => {
            exit::result(Outcome::handshake_timeout(), verbosity).map(drop)
        }
        Ok(_) | Err(ChannelError::Closed) => {
            exit::result(Outcome::guard_gone(), verbosity).map(drop)
        }
    }
}

/// Serves requests until the socket is closed. The guard exits on end of file; it
/// is not killed, because the engine may no longer signal it.
fn serve(
    role: Role,
    load: impl FnOnce() -> Result<PrivateMaterial, Fatal>,
    confinement: Confinement,
    socket: &OwnedFd,
) -> Result<(), ChannelError> {
    let mut later = Some(|| confinement.enter(socket));
    let loaded = load().and_then(|material| {
        alone(socket, material.certificates.number())?;
        if !material.certificates.needs_files() {
            later.take().map_or(Ok(()), |lock_in| lock_in())?;
        }
        Ok(material)
    });
    match loaded {
        Ok(material) => converse(SigningPolicy::new(role, material), later, socket),
        Err(fatal) => say(socket, &failed(&fatal)),
    }
}

/// Answers until the other half hangs up, or something fails. Once the pair is
/// chosen the guard locks itself in, if it is still to do that `later`.
fn converse(
    mut policy: SigningPolicy,
    mut later: Option<impl FnOnce() -> Result<(), Fatal>>,
    socket: &OwnedFd,
) -> Result<(), ChannelError> {
    say(socket, &Response::Ready)?;
    loop {
        let (kind, content) = channel::receive(socket, MAX_REQUEST, None)?;
        // The file system may hang, and the other half not wait for it.
        let bound = later.as_ref().map(|_| EndsWithPeer::over(socket.as_fd()));
        if let Some(Err(Errno::EPIPE)) = bound {
            return Err(ChannelError::Closed);
        }
        let mut response = policy.respond(kind, &content, UnixTime::now());
        drop(bound);
        if let Some(lock_in) = later.take_if(|_| policy.has_chosen()) {
            policy.close_files();
            if let Err(fatal) = lock_in() {
                response = failed(&fatal);
            }
        }
        say(socket, &response)?;
        if matches!(response, Response::Failed(..)) {
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

fn failed(fatal: &Fatal) -> Response {
    Response::Failed(fatal.code(), fatal.message().to_owned())
}

fn say(socket: &OwnedFd, response: &Response) -> Result<(), ChannelError> {
    channel::send(socket, &response.encode(), None)
}

impl Confinement {
    fn enter(&self, socket: &OwnedFd) -> Result<(), Fatal> {
        if let Some(identity) = &self.identity {
            identity.take()?;
        }
        if self.sandbox {
            // With another identity it is as visible as fs.suid_dumpable says.
            sandbox::hide();
            Profile::guard(&socket.as_raw_fd())
                .enter()
                .map_err(|failure| Fatal::system(&failure.action(), failure.errno))?;
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
    use crate::keyguard::message::Request;
    use crate::testing;

    /// What a guard that can, or cannot, lock itself in after the choice answers
    /// to `requests`, of which the last one may find it gone.
    fn responses(lock_in: Result<(), Fatal>, questions: &[Request<'_>]) -> Vec<Option<Response>> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (ours, theirs) = (OwnedFd::from(ours), OwnedFd::from(theirs));
        let material = PrivateMaterial {
            certificates: Certificates::only(testing::pair()),
            sessions: None,
        };
        let policy = SigningPolicy::new(Role::Server, material);
        let guard = spawn(move || converse(policy, Some(|| lock_in), &theirs));
        let hear = || {
            let (kind, content) = channel::receive(&ours, MAX_RESPONSE, None).ok()?;
            Response::parse(kind, content)
        };
        assert_eq!(hear(), Some(Response::Ready));
        let ask = |request: &Request<'_>| {
            channel::send(&ours, &request.encode(), None).ok()?;
            hear()
        };
        let responses = questions.iter().map(ask).collect();
        drop(ours);
        let _ = guard.join().unwrap();
        responses
    }

    #[test]
    fn a_guard_that_cannot_lock_itself_in_ends() {
        let questions = [Request::Pair(None), Request::Pair(None)];
        let failed = responses(Err(Fatal::new(111, "why")), &questions);
        let why = Response::Failed(111, "why".to_owned());
        assert_eq!(failed, [Some(why), None]);
        for response in responses(Ok(()), &questions) {
            assert!(matches!(response, Some(Response::Pair(_))), "{response:?}");
        }
    }

    #[test]
    fn it_stays_until_there_is_a_choice() {
        let questions = [Request::Seal(b""), Request::Pair(None)];
        let responses = responses(Err(Fatal::new(111, "why")), &questions);
        assert_eq!(responses[0], Some(Response::None));
        assert!(matches!(responses[1], Some(Response::Failed(..))));
    }
}
