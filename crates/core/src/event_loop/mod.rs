//! The poll loop: it waits for the descriptors and steps the pump.

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

/// The key guard, which is needed until the handshake is over.
pub struct Guard {
    /// The descriptor of the socket to it.
    pub socket: RawFd,
    /// The descriptor of the lifeline to it, if it has one.
    pub lifeline: Option<RawFd>,
    /// Closes them, which ends the guard.
    pub hang_up: Box<dyn FnOnce()>,
}

/// Work that is done after the ClientHello is sent and before anything is read from
/// the peer.
pub type AfterClientHello = Box<dyn FnOnce(&EngineOptions) -> Result<(), Fatal>>;

/// An engine, ready to run.
pub struct EventLoop {
    /// The connection, ready to start.
    pub pump: Pump,
    /// The descriptors.
    pub descriptors: Descriptors,
    /// The options of both engines.
    pub options: EngineOptions,
    /// The work that is left for the time after the first message is sent.
    pub after_client_hello: Option<AfterClientHello>,
    /// The key guard, if there is one.
    pub guard: Option<Guard>,
    /// The descriptor for the notification, if one is wanted.
    pub notification: Option<OwnedFd>,
    /// In a client: the name that it asks for.
    pub server_name: Option<String>,
    /// With `--peer-info`: what the notification contains besides the session's properties.
    pub peer_info: Option<PeerInfo>,
}

impl EventLoop {
    /// Runs until the connection has ended. Its properties and its end are recorded
    /// in `line`.
    pub fn run(&mut self, context: &Context, line: Option<&mut LogLine>) -> Result<u8, Fatal> {
        unix::signal::ignore_sigpipe_forever();
        end_on_panic(context.prog.clone(), line.as_deref().cloned());
        let first = self.send_client_hello();
        if self.options.sandbox {
            self.enter_sandbox(context)
                .map_err(|fatal| self.abort(fatal))?;
        }
        let ended = self.drive(first);
        if let Some(line) = line {
            self.record(line, &ended);
        }
        exit::result(ended?, self.options.verbosity)
    }

    /// Records the connection in `line`. Not inlined, so that the stack that this takes is
    /// free when data flow.
    #[inline(never)]
    fn record(&self, line: &mut LogLine, ended: &Result<Outcome, Fatal>) {
        let (session, counters) = (self.pump.session(), self.pump.counters());
        let bytes = [counters.received, counters.sent];
        let chain = session.peer_chain();
        line.connection(session.state(), chain, self.name(), bytes);
        line.tlsa(session.tlsa());
        if let Ok(outcome) = ended {
            line.end(outcome.reason);
        }
    }

    /// The first step: a client sends its ClientHello. While the server prepares its answer, the
    /// client reads the files that it needs to verify it. If it cannot, the handshake fails.
    fn send_client_hello(&mut self) -> Step {
        let step = self.step_without_reading();
        let after_client_hello = self.after_client_hello.take();
        match after_client_hello.map_or(Ok(()), |work| work(&self.options)) {
            Ok(()) => step,
            Err(fatal) => {
                self.pump.abort(exit::abort(&fatal));
                Step::Again
            }
        }
    }

    /// A step that reads nothing.
    fn step_without_reading(&mut self) -> Step {
        let now = Instant::now();
        self.pump
            .step(&mut self.descriptors, PerEnd::default(), now)
    }

    /// Sends the alert for `fatal` to the peer, and reads nothing.
    fn abort(&mut self, fatal: Fatal) -> Fatal {
        self.pump.abort(exit::abort(&fatal));
        self.step_without_reading();
        fatal
    }

    /// Enters the sandbox, before the first byte from the network: only the descriptors
    /// remain. Not inlined, so that the stack that this takes is free when data flow.
    #[inline(never)]
    fn enter_sandbox(&self, context: &Context) -> Result<(), Fatal> {
        let ends = self.descriptors.numbers();
        let notification = self.notification.as_ref().map(AsRawFd::as_raw_fd);
        let guard = self.guard.as_ref();
        let lifeline = guard.and_then(|guard| guard.lifeline);
        let guard = guard.map(|guard| guard.socket);
        let numbers = |fds: &[Option<RawFd>]| fds.iter().flatten().copied().collect::<Vec<_>>();
        let kept = sandbox::Descriptors {
            read: &numbers(&[ends.net_in, ends.app_in, guard, lifeline]),
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

    /// Steps the pump until the connection has ended. `step` is the result of the first.
    fn drive(&mut self, mut step: Step) -> Result<Outcome, Fatal> {
        loop {
            let mut ready = PerEnd::default();
            match step {
                Step::Again => {}
                Step::Established => {
                    // The stack may hold parts of the key and secrets of the handshake.
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

    /// The handshake is over: ends the guard and writes the notification. After an ACME
    /// challenge (RFC 8737) the connection ends instead. Not inlined, so that the stack that
    /// this takes is free when data flow.
    #[inline(never)]
    fn established(&mut self) -> Result<(), Fatal> {
        self.descriptors.acknowledge();
        if let Some(guard) = self.guard.take() {
            (guard.hang_up)();
        }
        if self.pump.session().is_challenge() {
            // Closed without a notification: the launcher does not run the program.
            self.notification = None;
            self.pump.end_without_program(&mut self.descriptors);
            return Ok(());
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

    /// The server name that the client asks for.
    fn name(&self) -> Option<String> {
        let asked = || self.pump.session().asked_name();
        self.server_name.clone().or_else(asked)
    }
}

/// The rules of the pump that these options ask for.
pub fn rules(options: &EngineOptions) -> Rules {
    Rules {
        notify: options.close_notify,
        enforce: options.enforce_close_notify,
        idle: options.idle_timeout,
        handshake: options.handshake_timeout,
    }
}

/// Makes a panic, which would be a bug, end the process like any other error. abort(3) sends a
/// signal, which the sandbox forbids.
fn end_on_panic(prog: String, line: Option<LogLine>) {
    std::panic::set_hook(Box::new(move |panic| {
        let fatal = Fatal::new(Fatal::SYSTEM, format!("bug: {panic}")).print(&prog);
        if let Some(line) = &line {
            message::print(&prog, "info", &line.to_string());
        }
        unix::entry::exit(fatal.code())
    }));
}

/// Takes the descriptor for the notification; 0 is none.
pub fn notification(number: u32) -> Result<Option<OwnedFd>, Fatal> {
    if number == 0 {
        return Ok(None);
    }
    RawFd::try_from(number)
        .map_err(|_| unix::Errno::EBADF)
        .and_then(unix::fd::take_inherited)
        .map(Some)
        .map_err(|errno| Fatal::system("use the notification descriptor", errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIS_TEST: &str = "a_panic_inside_the_sandbox_is_a_line_the_log_line_and_an_exit_code";

    #[test]
    fn a_panic_inside_the_sandbox_is_a_line_the_log_line_and_an_exit_code() {
        // The test starts itself in a process of its own, with INSIDE set.
        if std::env::var_os("INSIDE").is_some() {
            let line = LogLine::new(Instant::now(), None);
            end_on_panic("p".to_owned(), Some(line));
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
        let output = again.arg(THIS_TEST).env("INSIDE", "1").output().unwrap();
        let lines = String::from_utf8(output.stderr).unwrap();
        let [line, log] = lines.lines().collect::<Vec<_>>()[..] else {
            panic!("{lines}");
        };
        assert!(line.starts_with("p: fatal: bug: panicked at "), "{line}");
        assert!(line.ends_with("\\nno\\nway out"), "{line}");
        assert!(log.starts_with("p: info: remote="), "{log}");
        assert!(log.contains(" code=111 end="), "{log}");
        assert_eq!(output.status.code(), Some(111));
    }
}
