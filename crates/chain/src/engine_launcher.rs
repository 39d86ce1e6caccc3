//! `s6-tlsd` and `s6-tlsc`: start the engine, and run the program when the
//! handshake is over. See doc/s6-tlsd.md and doc/s6-tlsc.md.

use std::os::fd::{AsFd, AsRawFd};

use cli::{Context, Fatal};
use unix::fd;
use unix::signal::ScopedSignalAction;
use unix::spawn::{Child, Ended, wait};
use unix::{Errno, Pid};

use crate::check;
use crate::clean_env::clean;
use crate::engine_command::Cleartext;
use crate::notification::{self, NotSet};
use crate::options::Options;

/// `s6-tlsd`.
pub fn tlsd(context: &mut Context) -> Result<u8, Fatal> {
    let options = Options::server(context)?;
    run(context, &options)
}

/// `s6-tlsc`.
pub fn tlsc(context: &mut Context) -> Result<u8, Fatal> {
    let options = Options::client(context)?;
    run(context, &options)
}

fn run(context: &mut Context, options: &Options) -> Result<u8, Fatal> {
    if options.check {
        return check::launcher(context, options);
    }
    options.side.check()?;
    let pipe_failed = |errno: Errno| Fatal::system("create pipe", errno);
    let Cleartext { program, engine } = Cleartext::new()?;
    let (report, notify) = fd::pipe().map_err(pipe_failed)?;

    let children = ScopedSignalAction::keeping_children();
    let argv = options.command(engine.numbers(), Some(notify.as_raw_fd()));
    let cleartext = options.side.cleartext(&engine);
    let child = Child::new(&argv, &context.env)
        .descriptor(engine.read.as_fd(), cleartext.read)
        .descriptor(engine.write.as_fd(), cleartext.write)
        .descriptor(notify.as_fd(), notify.as_raw_fd());
    let pid = child
        .spawn()
        .map_err(|errno| options.side.not_spawned(errno))?;
    drop((engine, notify));

    program
        .move_to(options.side.program())
        .map_err(|errno| Fatal::system("set up descriptors", errno))?;
    let notified = notification::read(&report)
        .map_err(|errno| Fatal::system("read the engine's notification", errno))?;
    drop(report);
    let Some(report) = notified else {
        return outcome(pid, options);
    };
    drop(children);
    let NotSet { refused, too_long } = notification::apply(&report, &mut context.env);
    if let Some(names) = refused {
        context.warn(&format!(
            "the engine sent variables that it may not set: {names}"
        ));
    }
    if let Some(names) = too_long {
        context.warn(&format!("too long for a variable, so unset: {names}"));
    }
    if !options.keep {
        clean(&mut context.env);
    }
    Err(context.exec(&options.prog))
}

/// The exit code if the program is not run: that of the engine, which has printed the reason if
/// the handshake has failed. It is 0 only after an ACME challenge, if the engine answers them.
fn outcome(pid: Pid, options: &Options) -> Result<u8, Fatal> {
    match wait(pid).map_err(|errno| Fatal::system("wait for the engine", errno))? {
        Ended::Exited(0) if !options.challenges => Err(Fatal::new(
            Fatal::SYSTEM,
            "the engine ended without a notification",
        )),
        Ended::Exited(code) => Ok(code.min(128)),
        Ended::Signaled(signal) => Err(Fatal::new(
            128u8.saturating_add(signal),
            format!("{} killed by signal {signal}", options.side.engine()),
        )),
    }
}
