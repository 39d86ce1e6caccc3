//! What both engines do, in this order, before the first byte from the
//! network.

use std::os::fd::RawFd;
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

/// What the command line says that is the same for both.
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
    /// What is done when a first message, if there is one, is on its way.
    pub after_client_hello: Option<AfterClientHello>,
    /// Client: the name that it asks for.
    pub server_name: Option<String>,
    /// What else the notification says.
    pub peer_info: Option<PeerInfo>,
    /// The process that holds the key, if it is another one.
    pub guard: Option<Guard>,
}

/// What is said of a certificate that is accepted: by `anchors`, if there are
/// any, or by the pins among the options, or just so.
pub fn verification(anchors: bool, options: &EngineOptions) -> Verification {
    match anchors || !options.pins.is_empty() {
        true => Verification::Verified,
        false => Verification::Unverified,
    }
}

/// rustls makes no connection.
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

/// What the loop has to know of the guard, while there is one.
pub fn guard(client: &GuardClient) -> Option<Guard> {
    let number = client.number()?;
    let client = client.clone();
    Some(Guard {
        number,
        hang_up: Box::new(move || client.hang_up()),
    })
}

impl Setup {
    /// Runs an engine to its end.
    ///
    /// `read` looks at the variables and reads what only the user that started
    /// the program may read: the keys. `finish` does the rest under the
    /// identity that the engine keeps; trust anchors are read there or in
    /// [`Ready::after_client_hello`]. No descriptor is claimed, and so none kept from a
    /// key guard, before `read`.
    pub fn run<State>(
        self,
        context: &mut Context,
        read: impl FnOnce(&Context) -> Result<State, Fatal>,
        finish: impl FnOnce(State) -> Result<Ready, Fatal>,
    ) -> Result<u8, Fatal> {
        context.verbosity = self.options.verbosity;
        let mut line = (context.verbosity >= 2).then(|| self.log_line(context));
        let event_loop = self.event_loop(context, read, finish);
        // All of it has been read, and it would take memory as long as data flow.
        context.env = Env::default();
        let result = event_loop.and_then(|mut event_loop| event_loop.run(context, line.as_mut()));
        match line {
            Some(line) => line.finish(context, result),
            None => result,
        }
    }

    /// The engine, ready to run. Not inlined, so that the stack that this
    /// takes is free when data flow.
    #[inline(never)]
    fn event_loop<State>(
        self,
        context: &Context,
        read: impl FnOnce(&Context) -> Result<State, Fatal>,
        finish: impl FnOnce(State) -> Result<Ready, Fatal>,
    ) -> Result<Box<EventLoop>, Fatal> {
        self.hide();
        let identity = Identity::from_environment(context)?;
        let state = read(context)?;
        let notification = event_loop::notification(self.options.notification)?;
        let descriptors = Descriptors::new(self.descriptors)?;
        if let Some(identity) = identity {
            identity.take()?;
            self.hide();
        }
        let ready = finish(state)?;
        let pump = Pump::new(
            ready.session,
            event_loop::rules(&self.options),
            self.started,
        )
        .map_err(|errno| Fatal::system("allocate buffers", errno))?;
        Ok(Box::new(EventLoop {
            pump,
            descriptors,
            options: self.options,
            after_client_hello: ready.after_client_hello,
            guard: ready.guard,
            notification,
            server_name: ready.server_name,
            peer_info: ready.peer_info,
        }))
    }

    /// Keeps the key from other processes, and again once the identity has
    /// changed: that makes the process as visible as fs.suid_dumpable says.
    fn hide(&self) {
        if self.options.sandbox {
            sandbox::hide();
        }
    }

    /// The line of this connection, of which no more is known yet than who
    /// the peer is.
    fn log_line(&self, context: &Context) -> LogLine {
        let remote = log_line::remote_in_environment(&context.env);
        let socket = || unix::net::remote_of(self.descriptors.net_in).map(Endpoint::from);
        let remote = remote.or_else(socket);
        LogLine::new(self.started, remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_cannot_be_made_says_whose_fault_it_is() {
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
