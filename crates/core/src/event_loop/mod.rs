//! The loop that brings pump and descriptors together.

pub mod descriptors;
mod pipe_size;

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use cli::{Context, EngineOptions, Fatal, message};
use sandbox::Profile;
use tunnel::endpoints::{PerEnd, Ready};
use tunnel::outcome::Outcome;
use tunnel::pump::{Pump, Rules, Step};

use crate::event_loop::descriptors::Descriptors;
use crate::exit;
use crate::report::log_line::LogLine;
use crate::report::notification::{self, PeerInfo};

/// What holds the key, as far as the loop has to know: it is needed until the
/// handshake is over.
pub struct Guard {
    /// The descriptor to ask it over.
    pub number: RawFd,
    /// Lets it go.
    pub hang_up: Box<dyn FnOnce()>,
}

/// What can wait until the peer has our first message, but has to be done
/// before anything is read from it.
pub type AfterClientHello = Box<dyn FnOnce(&EngineOptions) -> Result<(), Fatal>>;

/// A connection, and what the program was told to do with it.
pub struct EventLoop {
    /// The connection, ready to start.
    pub pump: Pump,
    /// The descriptors.
    pub descriptors: Descriptors,
    /// The options of both engines.
    pub options: EngineOptions,
    /// What is done when a first message, if there is one, is on its way.
    pub after_client_hello: Option<AfterClientHello>,
    /// The process that holds the key, if it is another one.
    pub guard: Option<Guard>,
    /// Where to report the end of the handshake.
    pub notification: Option<OwnedFd>,
    /// Client: the name that it asks for.
    pub server_name: Option<String>,
    /// What else the notification says.
    pub peer_info: Option<PeerInfo>,
}

impl EventLoop {
    /// Runs until nothing can be passed on any more. What came of it is left
    /// in `line`.
    pub fn run(&mut self, context: &Context, line: Option<&mut LogLine>) -> Result<u8, Fatal> {
        unix::signal::ignore_sigpipe_forever();
        end_on_panic(context.prog.clone(), line.as_deref().cloned());
        let first = self.send_client_hello();
        if self.options.sandbox {
            self.lock_in(context).map_err(|fatal| self.abort(fatal))?;
        }
        let ended = self.drive(first);
        if let Some(line) = line {
            let (session, counters) = (self.pump.session(), self.pump.counters());
            let bytes = [counters.received, counters.sent];
            let chain = session.peer_chain();
            line.connection(session.state(), chain, self.name(), bytes);
            if let Ok(outcome) = &ended {
                line.end(outcome.reason);
            }
        }
        exit::result(ended?, self.options.verbosity)
    }

    /// The first step: a client sends its first message. What has to be read of
    /// files for the answer is read while the server thinks of one; a failure
    /// ends the handshake, whatever else happened.
    fn send_client_hello(&mut self) -> Step {
        let step = self.silent_step();
        let after_client_hello = self.after_client_hello.take();
        match after_client_hello.map_or(Ok(()), |after_client_hello| {
            after_client_hello(&self.options)
        }) {
            Ok(()) => step,
            Err(fatal) => {
                self.pump.abort(exit::abort(&fatal));
                Step::Again
            }
        }
    }

    /// A step that reads nothing.
    fn silent_step(&mut self) -> Step {
        let now = Instant::now();
        self.pump
            .step(&mut self.descriptors, PerEnd::default(), now)
    }

    /// Tells the peer that there will be no connection, and reads nothing.
    fn abort(&mut self, fatal: Fatal) -> Fatal {
        self.pump.abort(exit::abort(&fatal));
        self.silent_step();
        fatal
    }

    /// Gives up everything but the descriptors, before the first byte from
    /// the network. Not inlined, so that the stack that this takes is free when
    /// data flow.
    #[inline(never)]
    fn lock_in(&self, context: &Context) -> Result<(), Fatal> {
        let ends = self.descriptors.numbers();
        let notification = self.notification.as_ref().map(AsRawFd::as_raw_fd);
        let guard = self.guard.as_ref().map(|guard| guard.number);
        let numbers = |fds: &[Option<RawFd>]| fds.iter().flatten().copied().collect::<Vec<_>>();
        let kept = sandbox::Descriptors {
            read: &numbers(&[ends.net_in, ends.app_in, guard]),
            write: &numbers(&[ends.net_out, ends.app_out, notification, guard]),
            sockets: &self.descriptors.sockets(),
            switched: &self.descriptors.switched(),
            pipes: &self.descriptors.pipes(),
        };
        let enforced = Profile::engine(kept)
            .enter()
            .map_err(|failure| Fatal::system(&failure.action(), failure.errno))?;
        context.info(&format!("sandbox: {enforced}"));
        Ok(())
    }

    /// Takes steps, the first of which was `step`, until the connection has
    /// ended.
    fn drive(&mut self, mut step: Step) -> Result<Outcome, Fatal> {
        loop {
            let mut ready = PerEnd::default();
            match step {
                Step::Again => {}
                Step::Established => {
                    // It may hold parts of the key, and the secrets of the
                    // handshake.
                    unix::memory::wipe_stack();
                    self.established()?;
                }
                Step::Done(outcome) => return Ok(outcome),
                Step::Idle => {
                    unix::memory::trim();
                    ready = self.wait()?;
                }
                Step::Wait => ready = self.wait()?,
            }
            step = self.pump.step(&mut self.descriptors, ready, Instant::now());
        }
    }

    fn wait(&self) -> Result<PerEnd<Option<Ready>>, Fatal> {
        let (interest, deadline) = (self.pump.interest(), self.pump.deadline());
        self.descriptors.wait(interest, deadline)
    }

    /// The handshake is over: says so, and lets go what only that needs. Not
    /// inlined, as above.
    #[inline(never)]
    fn established(&mut self) -> Result<(), Fatal> {
        self.descriptors.acknowledge();
        if let Some(guard) = self.guard.take() {
            (guard.hang_up)();
        }
        let Some(fd) = self.notification.take() else {
            return Ok(());
        };
        let session = self.pump.session();
        let block = notification::write(
            session.state(),
            session.peer_chain(),
            self.name().as_deref(),
            !self.options.alpn.is_empty(),
            self.peer_info.as_ref(),
        );
        unix::fd::write_all(&fd, &block).map_err(|errno| Fatal::system("notify the program", errno))
    }

    /// The server's name, as the client asks for it.
    fn name(&self) -> Option<String> {
        let asked = || self.pump.session().asked_name();
        self.server_name.clone().or_else(asked)
    }
}

/// What these options mean for the connection.
pub fn rules(options: &EngineOptions) -> Rules {
    Rules {
        notify: options.close_notify,
        enforce: options.enforce_close_notify,
        idle: options.idle_timeout,
        handshake: options.handshake_timeout,
    }
}

/// A panic, which would be a bug, ends the process like any other error: to
/// abort takes a signal, and the sandbox has none.
fn end_on_panic(prog: String, line: Option<LogLine>) {
    std::panic::set_hook(Box::new(move |panic| {
        let fatal = Fatal::new(Fatal::SYSTEM, format!("bug: {panic}")).print(&prog);
        if let Some(line) = &line {
            message::print(&prog, "info", &line.to_string());
        }
        unix::entry::exit(fatal.code())
    }));
}

/// The descriptor for the notification; 0 is none.
pub fn notification(number: u32) -> Result<Option<OwnedFd>, Fatal> {
    if number == 0 {
        return Ok(None);
    }
    let fd = RawFd::try_from(number).map_err(|_| unix::Errno::EBADF);
    let fd = fd.and_then(unix::fd::take_inherited);
    fd.map(Some)
        .map_err(|errno| Fatal::system("use the notification descriptor", errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITSELF: &str = "a_panic_inside_the_sandbox_is_one_line_and_an_exit_code";

    #[test]
    fn a_panic_inside_the_sandbox_is_one_line_and_an_exit_code() {
        // The second time in a process of its own.
        if std::env::var_os("INSIDE").is_some() {
            end_on_panic("p".to_owned(), None);
            let none = sandbox::Descriptors {
                read: &[],
                write: &[],
                sockets: &[],
                switched: &[],
                pipes: &[],
            };
            Profile::engine(none).enter().unwrap();
            panic!("no\nway out");
        }
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        let output = again.arg(ITSELF).env("INSIDE", "1").output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.starts_with("p: fatal: bug: panicked at "), "{line}");
        assert!(line.ends_with("\\nno\\nway out\n"), "{line}");
        assert_eq!(output.status.code(), Some(111));
    }
}
