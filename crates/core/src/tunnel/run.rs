//! The loop that brings pump and descriptors together.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use cli::{Common, Context, Fatal};
use sandbox::Profile;

use crate::ending::Ending;
use crate::report::log_line::LogLine;
use crate::report::notification::{self, PeerInfo};
use crate::tunnel::descriptors::Descriptors;
use crate::tunnel::ends::PerEnd;
use crate::tunnel::pump::{Pump, Rules, Turn};
use crate::tunnel::session::Session;

/// What holds the key, as far as the loop has to know: it is needed until the
/// handshake is over.
pub struct Guard {
    /// The descriptor to ask it over.
    pub number: RawFd,
    /// Lets it go.
    pub hang_up: Box<dyn FnOnce()>,
}

/// What an engine was told to do.
pub struct Engine {
    /// The process that holds the key, if it is another one.
    pub guard: Option<Guard>,
    /// The connection, ready to start.
    pub session: Session,
    /// When the program was started.
    pub started: Instant,
    /// The options of both engines.
    pub options: Common,
    /// The descriptors.
    pub descriptors: Descriptors,
    /// Where to report the end of the handshake.
    pub notification: Option<OwnedFd>,
    /// Client: the name that it asks for.
    pub server_name: Option<String>,
    /// What else the notification says.
    pub peer_info: Option<PeerInfo>,
}

impl Engine {
    /// Runs until nothing can be passed on any more. What came of it is left
    /// in `line`.
    pub fn run(mut self, context: &Context, line: Option<&mut LogLine>) -> Result<u8, Fatal> {
        unix::signal::stay_quiet();
        end_on_panic(context.prog.clone(), line.as_deref().cloned());
        if self.options.sandbox {
            self.lock_in(context)?;
        }
        let mut pump = Pump::new(self.session, rules(&self.options), self.started)
            .map_err(|errno| Fatal::system("allocate buffers", errno))?;
        let name = |session: &Session| self.server_name.clone().or_else(|| session.asked_name());
        let ended = drive(&mut pump, &mut self.descriptors, |session| {
            if let Some(guard) = self.guard.take() {
                (guard.hang_up)();
            }
            let Some(fd) = self.notification.take() else {
                return Ok(());
            };
            let name = name(session);
            let block = notification::write(
                session.state(),
                name.as_deref(),
                !self.options.alpn.is_empty(),
                self.peer_info.as_ref(),
            );
            unix::fd::write_all(&fd, &block)
                .map_err(|errno| Fatal::system("notify the program", errno))
        });
        if let Some(line) = line {
            let (session, meter) = (pump.session(), pump.meter());
            let bytes = [meter.received, meter.sent];
            line.connection(session.state(), name(session), bytes);
            if let Ok(ending) = &ended {
                line.end(ending.word);
            }
        }
        ended?.result(self.options.verbosity)
    }

    /// Gives up everything but the descriptors, before the first byte from
    /// the network.
    fn lock_in(&self, context: &Context) -> Result<(), Fatal> {
        let ends = self.descriptors.numbers();
        let notification = self.notification.as_ref().map(AsRawFd::as_raw_fd);
        let guard = self.guard.as_ref().map(|guard| guard.number);
        let numbers = |fds: &[Option<RawFd>]| fds.iter().flatten().copied().collect::<Vec<_>>();
        let kept = sandbox::Descriptors {
            read: &numbers(&[ends.net_in, ends.app_in, guard]),
            write: &numbers(&[ends.net_out, ends.app_out, notification, guard]),
            pipes: &self.descriptors.pipes(),
        };
        let enforced = Profile::engine(kept).enter().map_err(|failure| {
            let what = format!("enter the sandbox: {}", failure.step);
            Fatal::system(&what, failure.errno)
        })?;
        context.info(&format!("sandbox: {enforced}"));
        Ok(())
    }
}

/// Takes turns until the connection has ended, and says when the handshake is
/// over.
fn drive(
    pump: &mut Pump,
    descriptors: &mut Descriptors,
    mut established: impl FnMut(&Session) -> Result<(), Fatal>,
) -> Result<Ending, Fatal> {
    let mut ready = PerEnd::default();
    loop {
        let turn = pump.turn(descriptors, ready, Instant::now());
        ready = PerEnd::default();
        match turn {
            Turn::Again => continue,
            Turn::Established => {
                descriptors.acknowledge();
                // It may hold parts of the key, and the secrets of the handshake.
                unix::pages::wipe_stack();
                established(pump.session())?;
                continue;
            }
            Turn::Done(ending) => return Ok(ending),
            Turn::Rest => unix::pages::trim(),
            Turn::Wait => {}
        }
        ready = descriptors.wait(pump.interest(), pump.deadline())?;
    }
}

/// What these options mean for the connection: 0 is no limit.
fn rules(options: &Common) -> Rules {
    let limit = |millis: u32| (millis != 0).then(|| Duration::from_millis(millis.into()));
    Rules {
        notify: options.close_notify,
        enforce: options.enforce_close_notify,
        idle: limit(options.idle_timeout),
        handshake: limit(options.handshake_timeout),
    }
}

/// A panic, which would be a bug, ends the process like any other error: to
/// abort takes a signal, and the sandbox has none.
fn end_on_panic(prog: String, line: Option<LogLine>) {
    std::panic::set_hook(Box::new(move |panic| {
        let fatal = Fatal::new(Fatal::SYSTEM, format!("bug: {panic}")).print(&prog);
        if let Some(line) = &line {
            unix::fd::message(format!("{prog}: info: {line}\n").as_bytes());
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
    let fd = fd.and_then(unix::fd::claim);
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
