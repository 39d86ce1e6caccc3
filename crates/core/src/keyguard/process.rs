//! The guard's process: how it is forked off, confined and ended.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use cli::{Context, EngineOptions, Fatal};
use sandbox::Profile;
use tunnel::handshake_facts::{HandshakeAbort, HandshakeFacts};
use tunnel::outcome::Outcome;
use unix::Errno;
use unix::fork::{EndsWithPeer, Forked, fork_companion};

use super::channel::{self, ChannelError};
use super::client::{Ends, GuardClient};
use super::message::{MAX_REQUEST, Response};
use super::policy::SigningPolicy;
use super::{PrivateMaterial, Role};
use crate::drop_privileges::Identity;
use crate::exit;
use crate::wall_clock;

/// The engine that starts a guard.
pub struct GuardSetup<'a> {
    /// Which side of the handshake it is.
    pub role: Role,
    /// Its variables.
    pub context: &'a Context,
    /// Its options.
    pub options: &'a EngineOptions,
    /// When it was started.
    pub started: Instant,
    /// Where failures of the guard are recorded.
    pub facts: &'a HandshakeFacts,
    /// Whether the guard reads files when the client has asked for a name.
    pub reads_later: bool,
}

/// Forks off the guard, which loads its secrets by `load` and then gives up what it does not need.
/// [`wait`] returns once it has.
///
/// The caller has read nothing secret yet, and has one thread.
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
    let (watched, lifeline) = setup
        .reads_later
        .then(unix::fd::pipe)
        .transpose()
        .map_err(failed)?
        .unzip();
    match fork_companion().map_err(failed)? {
        Forked::Child => {
            drop((ours, lifeline));
            unix::signal::ignore_sigpipe_forever();
            let _ = serve(setup.role, load, confinement, &theirs, watched);
            unix::entry::exit(0)
        }
        Forked::Parent(_) => {
            let limit = setup.options.handshake_timeout;
            let deadline = limit.map(|limit| setup.started + limit);
            if deadline.is_some() {
                unix::fd::nonblocking(&ours).map_err(failed)?;
            }
            let socket = ours;
            let ends = Ends { socket, lifeline };
            Ok(GuardClient::new(ends, deadline, setup.facts.clone()))
        }
    }
}

/// Waits until the guard has loaded everything. Its failures are returned as if this
/// process had done the loading.
pub fn wait(guard: &GuardClient, verbosity: u32) -> Result<(), Fatal> {
    let outcome = match guard.ready() {
        Ok(()) => return Ok(()),
        Err(HandshakeAbort::Failed(code, text)) if text.is_empty() => {
            return Err(Fatal::silent(code));
        }
        Err(HandshakeAbort::Failed(code, text)) => return Err(Fatal::new(code, text)),
        Err(HandshakeAbort::TimedOut) => Outcome::handshake_timeout(),
        // Only a client's offer lacks a protocol, and there is none yet.
        Err(HandshakeAbort::GuardGone | HandshakeAbort::NoProtocol) => Outcome::guard_gone(),
    };
    exit::result(outcome, verbosity).map(drop)
}

/// How the guard is confined once it needs no more files.
struct Confinement {
    /// The identity that it changes to.
    identity: Option<Identity>,
    /// Whether it enters the sandbox.
    sandbox: bool,
}

/// Serves requests until the socket is closed. The guard exits on end of file; it
/// is not killed, because the engine may no longer signal it.
fn serve(
    role: Role,
    load: impl FnOnce() -> Result<PrivateMaterial, Fatal>,
    confinement: Confinement,
    socket: &OwnedFd,
    lifeline: Option<OwnedFd>,
) -> Result<(), ChannelError> {
    // The engine sends nothing before the guard is ready, so the socket can be watched till then.
    let loaded = while_engine_runs(lifeline.as_ref().unwrap_or(socket), load)?;
    let confine = || confinement.enter(socket);
    let mut reader = lifeline.map(|lifeline| FileReader { lifeline, confine });
    let confined = loaded.and_then(|material| {
        let directory = material.certificates.number();
        match (&reader, directory) {
            (Some(reader), Some(directory)) => {
                close_others(&[socket.as_raw_fd(), reader.lifeline.as_raw_fd(), directory])?
            }
            _ => {
                reader = None;
                confine()?;
            }
        }
        Ok(material)
    });
    match confined {
        Ok(material) => answer(SigningPolicy::new(role, material), reader, socket),
        Err(fatal) => send(socket, &failed(&fatal)),
    }
}

/// What a guard has while it may read files.
struct FileReader<C> {
    /// The reading end of the pipe whose other end the engine holds.
    lifeline: OwnedFd,
    /// Confines the guard.
    confine: C,
}

impl<C: FnOnce() -> Result<(), Fatal>> FileReader<C> {
    fn confine(self) -> Result<(), Fatal> {
        drop(self.lifeline);
        (self.confine)()
    }
}

/// Does `work`, which may read files. If the engine ends while the file system hangs, the guard
/// ends too.
fn while_engine_runs<T>(lifeline: &OwnedFd, work: impl FnOnce() -> T) -> Result<T, ChannelError> {
    let ends_with_engine = EndsWithPeer::over(lifeline.as_fd());
    if let Err(Errno::EPIPE) = ends_with_engine {
        return Err(ChannelError::Closed);
    }
    Ok(work())
}

/// Answers requests until the policy grants no more, the engine closes the socket, or
/// something fails. A guard that is still a `reader` confines itself once the certificate
/// is chosen, because the choice may need files.
fn answer(
    mut policy: SigningPolicy,
    mut reader: Option<FileReader<impl FnOnce() -> Result<(), Fatal>>>,
    socket: &OwnedFd,
) -> Result<(), ChannelError> {
    send(socket, &policy.ready())?;
    loop {
        let (kind, content) = channel::receive(socket, MAX_REQUEST, None)?;
        let mut respond = || policy.respond(kind, &content, wall_clock::now());
        let mut response = match &reader {
            Some(reader) => while_engine_runs(&reader.lifeline, respond)?,
            None => respond(),
        };
        if let Some(reader) = reader.take_if(|_| policy.has_chosen()) {
            policy.close_files();
            if let Err(fatal) = reader.confine() {
                response = failed(&fatal);
            }
        }
        send(socket, &response)?;
        if policy.is_spent() || matches!(response, Response::Failed(..)) {
            return Ok(());
        }
    }
}

/// Closes all descriptors but the guard's own, which are `kept`, and standard error. The
/// others are inherited and have no owner here, so they are closed by their numbers. Files
/// must have been read before: one may be an inherited descriptor (`/dev/fd/9`).
fn close_others(kept: &[RawFd]) -> Result<(), Fatal> {
    unix::fd::close_inherited(kept.iter().copied().max().unwrap_or_default())
        .map_err(|errno| Fatal::system("close descriptors", errno))
}

fn failed(fatal: &Fatal) -> Response {
    Response::Failed(fatal.code(), fatal.message().to_owned())
}

fn send(socket: &OwnedFd, response: &Response) -> Result<(), ChannelError> {
    channel::send(socket, &response.encode(), None)
}

impl Confinement {
    fn enter(&self, socket: &OwnedFd) -> Result<(), Fatal> {
        if let Some(identity) = &self.identity {
            identity.assume()?;
            if self.sandbox {
                // With another identity, fs.suid_dumpable decides anew who may look into
                // the memory.
                sandbox::hide();
            }
        }
        let socket = socket.as_raw_fd();
        if !self.sandbox {
            return close_others(&[socket]);
        }
        Profile::guard(&socket)
            .enter()
            .map(drop)
            .map_err(|failure| Fatal::system(&failure.action(), failure.errno))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread::spawn;

    use rustls::SignatureScheme;

    use super::*;
    use crate::credentials::resolver::Certificates;
    use crate::keyguard::message::{MAX_RESPONSE, Request};
    use crate::testing;

    const PAIR: Request<'_> = Request::Pair(Some(b"a.example"));

    /// The guard's responses to `requests`, if confining it after the choice has the result
    /// `confined`. None means that the guard has gone.
    fn responses(confined: Result<(), Fatal>, requests: &[Request<'_>]) -> Vec<Option<Response>> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (ours, theirs) = (OwnedFd::from(ours), OwnedFd::from(theirs));
        let material = PrivateMaterial {
            certificates: Certificates::for_name("a.example", testing::pair()),
            sessions: None,
        };
        let policy = SigningPolicy::new(Role::Server, material);
        let (lifeline, _engine) = unix::fd::pipe().unwrap();
        let confine = || confined;
        let reader = FileReader { lifeline, confine };
        let guard = spawn(move || answer(policy, Some(reader), &theirs));
        let receive = || {
            let (kind, content) = channel::receive(&ours, MAX_RESPONSE, None).ok()?;
            Response::parse(kind, content)
        };
        assert!(matches!(receive(), Some(Response::Ready(None))));
        let ask = |request: &Request<'_>| {
            channel::send(&ours, &request.encode(), None).ok()?;
            receive()
        };
        let responses = requests.iter().map(ask).collect();
        drop(ours);
        let _ = guard.join().unwrap();
        responses
    }

    /// What the start of an engine comes to whose guard says this first.
    fn started(first: Option<&Response>) -> Result<(), Fatal> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let theirs = OwnedFd::from(theirs);
        if let Some(response) = first {
            channel::send(&theirs, &response.encode(), None).unwrap();
        }
        drop(theirs);
        let socket = ours.into();
        let ends = Ends {
            socket,
            lifeline: None,
        };
        let guard = GuardClient::new(ends, None, HandshakeFacts::default());
        wait(&guard, 1)
    }

    #[test]
    fn an_engine_starts_only_with_a_guard_that_is_ready() {
        assert_eq!(started(Some(&Response::Ready(None))), Ok(()));
        // A failure without a text prints no line.
        for fatal in [Fatal::new(96, "why"), Fatal::silent(96)] {
            assert_eq!(started(Some(&failed(&fatal))), Err(fatal));
        }
        for other in [None, Some(&Response::None)] {
            assert!(started(other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn a_guard_whose_engine_has_gone_reads_no_file() {
        let (lifeline, engine) = unix::fd::pipe().unwrap();
        assert!(matches!(while_engine_runs(&lifeline, || 1), Ok(1)));
        drop(engine);
        let read = while_engine_runs(&lifeline, || panic!("a file is read"));
        assert!(matches!(read, Err::<(), _>(ChannelError::Closed)));
    }

    #[test]
    fn a_guard_that_cannot_be_confined_ends() {
        let requests = [PAIR, PAIR];
        let failed = responses(Err(Fatal::new(111, "why")), &requests);
        let why = Response::Failed(111, "why".to_owned());
        assert_eq!(failed, [Some(why), None]);
        for response in responses(Ok(()), &requests) {
            assert!(matches!(response, Some(Response::Pair(_))), "{response:?}");
        }
    }

    #[test]
    fn a_guard_ends_at_a_request_that_is_longer_than_any_for_a_signature() {
        let request = |text| Request::Signature(SignatureScheme::ED25519, text);
        let [longest, longer] = [65_536, 65_537].map(|len| vec![0; len]);
        let responses = responses(Ok(()), &[request(&longest), request(&longer), PAIR]);
        assert_eq!(responses, [Some(Response::None), None, None]);
    }

    #[test]
    fn a_guard_without_tickets_ends_after_its_signature() {
        let p256 = SignatureScheme::ECDSA_NISTP256_SHA256;
        let text = [
            &[0x20; 64],
            &b"TLS 1.3, server CertificateVerify\0"[..],
            &[7; 32],
        ]
        .concat();
        let refused = Request::Signature(p256, b"text");
        let granted = Request::Signature(p256, &text);
        let responses = responses(Ok(()), &[PAIR, refused, granted, PAIR]);
        assert_eq!(responses[1], Some(Response::None));
        assert!(matches!(responses[2], Some(Response::Bytes(_))));
        assert_eq!(responses[3], None);
    }

    #[test]
    fn a_guard_is_confined_only_after_the_choice() {
        let requests = [Request::Seal(b""), PAIR];
        let responses = responses(Err(Fatal::new(111, "why")), &requests);
        assert_eq!(responses[0], Some(Response::None));
        assert!(matches!(responses[1], Some(Response::Failed(..))));
    }
}
