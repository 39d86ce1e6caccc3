//! The loop that brings pump and descriptors together.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use cli::{Common, Context, Fatal};

use crate::report;
use crate::tunnel::descriptors::Descriptors;
use crate::tunnel::ends::PerEnd;
use crate::tunnel::pump::{Pump, Rules, Turn};
use crate::tunnel::session::Session;

/// What an engine was told to do.
pub struct Engine {
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
}

impl Engine {
    /// Runs until nothing can be passed on any more.
    pub fn run(mut self, context: &Context) -> Result<u8, Fatal> {
        unix::signal::ignore_pipe();
        end_on_panic(context.prog.clone());
        if self.options.sandbox {
            self.lock_in(context);
        }
        let mut pump = Pump::new(self.session, rules(&self.options), self.started)
            .map_err(|errno| Fatal::system("allocate buffers", errno))?;
        let mut ready = PerEnd::default();
        loop {
            let turn = pump.turn(&mut self.descriptors, ready, Instant::now());
            ready = PerEnd::default();
            match turn {
                Turn::Again => continue,
                Turn::Established => {
                    self.descriptors.acknowledge();
                    if let Some(fd) = self.notification.take() {
                        notify(&fd, &pump, self.server_name.as_deref())?;
                    }
                    continue;
                }
                Turn::Done(ending) => return ending.result(self.options.verbosity),
                Turn::Rest => unix::pages::trim(),
                Turn::Wait => {}
            }
            ready = self.descriptors.wait(pump.interest(), pump.deadline())?;
        }
    }

    /// Gives up everything but the descriptors, before the first byte from
    /// the network.
    fn lock_in(&self, context: &Context) {
        let ends = self.descriptors.numbers();
        let notification = self.notification.as_ref().map(AsRawFd::as_raw_fd);
        let numbers = |fds: &[Option<RawFd>]| fds.iter().flatten().copied().collect::<Vec<_>>();
        let enforced = sandbox::enter(
            &numbers(&[ends.net_in, ends.app_in]),
            &numbers(&[ends.net_out, ends.app_out, notification]),
            &self.descriptors.pipes(),
        );
        context.info(&format!("sandbox: {enforced}"));
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
fn end_on_panic(prog: String) {
    std::panic::set_hook(Box::new(move |panic| {
        let fatal = Fatal::new(Fatal::SYSTEM, format!("bug: {panic}"));
        if let Some(line) = fatal.line(&prog) {
            unix::fd::message(line.as_bytes());
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

fn notify(fd: &OwnedFd, pump: &Pump, server_name: Option<&str>) -> Result<(), Fatal> {
    let asked = pump.session().asked_name();
    let block = report::block(pump.session().state(), server_name.or(asked.as_deref()));
    unix::fd::write_all(fd, &block).map_err(|errno| Fatal::system("notify the program", errno))
}

#[cfg(test)]
mod tests {
    use unix::fork::{Side, fork};
    use unix::spawn::{Ended, wait};

    use super::*;

    #[test]
    fn a_panic_inside_the_sandbox_is_one_line_and_an_exit_code() {
        let (reader, writer) = unix::fd::pipe().unwrap();
        match fork().unwrap() {
            Side::Child => {
                unix::fd::copy_to(&writer, 2).unwrap();
                end_on_panic("p".to_owned());
                sandbox::enter(&[], &[], &[]);
                panic!("no\nway out");
            }
            Side::Parent(pid) => {
                drop(writer);
                let mut line = [0; 4096];
                let count = unix::fd::read(&reader, &mut line).unwrap();
                let line = String::from_utf8_lossy(&line[..count]).into_owned();
                assert!(line.starts_with("p: fatal: bug: panicked at "), "{line}");
                assert!(line.ends_with("\\nno\\nway out\n"), "{line}");
                assert_eq!(wait(pid), Ok(Ended::Exited(111)));
            }
        }
    }
}
