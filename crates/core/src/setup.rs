//! The start of an engine: what both programs do before the first byte from
//! the network. Each has a function `prepare` that takes these steps in order:
//!
//! 1. [`Privileged::new`] hides the memory of the process, and reads TLS_UID and
//!    TLS_GID.
//! 2. The program reads its variables and loads the keys, which often only root
//!    may read. A key guard is forked off for that, and loads them instead.
//! 3. [`Privileged::drop_privileges`] takes the inherited descriptors and changes
//!    the identity. The guard closes these descriptors by their numbers, so they
//!    must have no owner yet when it is forked off.
//! 4. The program loads trust anchors and revocation lists, and makes the
//!    connection. A client loads them in [`Ready::after_client_hello`].
//! 5. [`Unprivileged::event_loop`] makes the engine that runs with the connection.

use std::os::fd::{OwnedFd, RawFd};
use std::time::Instant;

use cli::address::Endpoint;
use cli::{Context, EngineOptions, Fatal};
use tunnel::endpoints::PerEnd;
use tunnel::explain;
use tunnel::pump::Pump;
use tunnel::session::Session;
use unix::Env;

use crate::SETUP;
use crate::drop_privileges::Identity;
use crate::event_loop::descriptors::Descriptors;
use crate::event_loop::{self, AfterClientHello, EventLoop, Guard};
use crate::keyguard::client::GuardClient;
use crate::report::log_line::{self, LogLine};
use crate::report::notification::PeerInfo;
use crate::report::peer_info::Verification;

/// What both programs take from their command line.
pub struct Setup {
    /// When the program was started.
    pub started: Instant,
    /// The options of both engines.
    pub options: EngineOptions,
    /// The numbers of the descriptors.
    pub descriptors: PerEnd<RawFd>,
}

/// A connection that is ready to start.
pub struct Ready {
    /// The connection.
    pub session: Session,
    /// The work that is left for the time after the first message is sent.
    pub after_client_hello: Option<AfterClientHello>,
    /// In a client: the name that it asks for.
    pub server_name: Option<String>,
    /// With `--peer-info`: what the notification contains besides the session's properties.
    pub peer_info: Option<PeerInfo>,
    /// The key guard, if there is one.
    pub guard: Option<Guard>,
}

/// How an accepted certificate was judged: verified if there are `anchors` or
/// pins, and unverified otherwise.
pub fn verification(anchors: bool, options: &EngineOptions) -> Verification {
    if anchors || !options.pins.is_empty() {
        Verification::Verified
    } else {
        Verification::Unverified
    }
}

/// The length at which rustls ends a record, for [`EngineOptions::max_record`]. rustls counts the
/// header of the record, but not what encryption adds.
///
/// Upstream (doc/upstream.md, Records for small buffers): rustls does not let the peer ask for it.
pub fn max_fragment_size(options: &EngineOptions) -> Option<usize> {
    const HEADER: usize = 5;
    let plaintext = usize::try_from(options.max_record?).ok()?;
    Some(plaintext + HEADER)
}

/// The error if rustls cannot make a connection.
pub fn failed(error: rustls::Error) -> Fatal {
    let code = match error {
        rustls::Error::FailedToGetRandomBytes => Fatal::SYSTEM,
        _ => SETUP,
    };
    Fatal::new(
        code,
        format!("unable to set up TLS: {}", explain::text(&error)),
    )
}

/// The guard, for the event loop. None after the connection to it is closed.
pub fn guard(client: &GuardClient) -> Option<Guard> {
    let (socket, lifeline) = client.numbers()?;
    let client = client.clone();
    Some(Guard {
        socket,
        lifeline,
        hang_up: Box::new(move || client.hang_up()),
    })
}

impl Setup {
    /// Keeps other processes of the same user from the memory of this one.
    fn hide(&self) {
        if self.options.sandbox {
            sandbox::hide();
        }
    }

    /// Sets the verbosity, and begins the log line if the verbosity asks for one. So far it
    /// has only the peer's address.
    pub fn log_line(&self, context: &mut Context) -> Option<Box<LogLine>> {
        context.verbosity = self.options.verbosity;
        if context.verbosity < 2 {
            return None;
        }
        let remote = log_line::remote_in_environment(&context.env);
        let socket = || unix::net::remote_of(self.descriptors.net_in).map(Endpoint::from);
        let line = LogLine::new(self.started, remote.or_else(socket));
        Some(Box::new(line))
    }
}

/// A process with the identity that it was started with.
pub struct Privileged {
    setup: Setup,
    identity: Option<Identity>,
}

impl Privileged {
    /// Keeps other processes from the memory, before there is a key in it, and
    /// reads TLS_UID and TLS_GID.
    pub fn new(setup: Setup, context: &Context) -> Result<Self, Fatal> {
        setup.hide();
        let identity = Identity::from_environment(context)?;
        Ok(Self { setup, identity })
    }

    /// Takes the inherited descriptors, and changes to the identity of TLS_UID
    /// and TLS_GID.
    pub fn drop_privileges(self) -> Result<Unprivileged, Fatal> {
        let setup = self.setup;
        let notification = event_loop::notification(setup.options.notification)?;
        let descriptors = Descriptors::new(setup.descriptors)?;
        assume(self.identity, &setup)?;
        Ok(Unprivileged {
            setup,
            notification,
            descriptors,
        })
    }

    /// Changes the identity without any descriptors, for a check of the start.
    pub fn assume_identity(self) -> Result<(), Fatal> {
        assume(self.identity, &self.setup)
    }
}

fn assume(identity: Option<Identity>, setup: &Setup) -> Result<(), Fatal> {
    if let Some(identity) = identity {
        identity.assume()?;
        // With another identity, fs.suid_dumpable decides anew.
        setup.hide();
    }
    Ok(())
}

/// A process with the identity that it keeps.
pub struct Unprivileged {
    setup: Setup,
    notification: Option<OwnedFd>,
    descriptors: Descriptors,
}

impl Unprivileged {
    /// The engine with this connection, ready to run.
    pub fn event_loop(self, ready: Ready) -> Result<Box<EventLoop>, Fatal> {
        let options = self.setup.options;
        let rules = event_loop::rules(&options);
        let pump = Pump::new(ready.session, rules, self.setup.started)
            .map_err(|errno| Fatal::system("allocate buffers", errno))?;
        Ok(Box::new(EventLoop {
            pump,
            descriptors: self.descriptors,
            options,
            after_client_hello: ready.after_client_hello,
            guard: ready.guard,
            notification: self.notification,
            server_name: ready.server_name,
            peer_info: ready.peer_info,
        }))
    }
}

/// What the options of an engine ask for.
pub enum Start {
    /// A check of the files, which ended with this exit code.
    Checked(u8),
    /// The engine, or why it cannot run, and the log line if one is wanted.
    Engine(Option<Box<LogLine>>, Result<Box<EventLoop>, Fatal>),
}

/// Runs an engine to its end, and prints the log line. If preparing it has failed,
/// returns that error. Returns the exit code of a check.
pub fn run(context: &mut Context, start: Start) -> Result<u8, Fatal> {
    let (mut line, prepared) = match start {
        Start::Checked(code) => return Ok(code),
        Start::Engine(line, prepared) => (line, prepared),
    };
    // Nothing reads the variables any more. They would take memory as long as data flow.
    context.env = Env::default();
    let result = prepared.and_then(|mut event_loop| event_loop.run(context, line.as_deref_mut()));
    match line {
        Some(line) => line.finish(context, result),
        None => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_setup_is_a_system_error_only_without_random_bytes() {
        let line = |error| {
            let fatal = failed(error);
            (fatal.code(), fatal.message().to_owned())
        };
        let random = "unable to set up TLS: the system gives no random bytes".to_owned();
        assert_eq!(line(rustls::Error::FailedToGetRandomBytes), (111, random));
        let other = "unable to set up TLS: why".to_owned();
        assert_eq!(line(rustls::Error::General("why".into())), (97, other));
    }
}
