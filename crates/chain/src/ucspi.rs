//! `s6-ucspitlsd` and `s6-ucspitlsc`: run the program at once, in clear. A helper starts the
//! engine when the program asks for it (UCSPI-TLS).
//! See doc/s6-ucspitlsd.md and doc/s6-ucspitlsc.md.

use std::os::fd::{AsRawFd, OwnedFd};

use cli::{Context, Fatal};
use unix::fork::{Forked, fork};
use unix::{Pid, fd, net};

use crate::check;
use crate::clean_env::clean;
use crate::ends::Ends;
use crate::engine_command::Cleartext;
use crate::options::Options;

/// `s6-ucspitlsd`.
pub fn ucspitlsd(context: &mut Context) -> Result<u8, Fatal> {
    let options = Options::server(context)?;
    run(context, &options)
}

/// `s6-ucspitlsc`.
pub fn ucspitlsc(context: &mut Context) -> Result<u8, Fatal> {
    let options = Options::client(context)?;
    run(context, &options)
}

fn run(context: &mut Context, options: &Options) -> Result<u8, Fatal> {
    let helper_name = context.prog.clone();
    let parent_name = format!("{helper_name} (parent)");
    if options.check {
        return check::helper(context, options, parent_name.as_ref());
    }
    context.prog = parent_name;
    options.side.check()?;
    let Cleartext { program, engine } = Cleartext::new()?;
    let pair = net::socket_pair();
    let (control, helper_control) =
        pair.map_err(|errno| Fatal::system("create control socket", errno))?;
    let parent = Pid::this();
    match fork().map_err(|errno| Fatal::system("fork", errno))? {
        Forked::Child => {
            drop((program, control));
            context.prog = helper_name;
            help(context, options, parent, helper_control, engine)
        }
        Forked::Parent(_) => {
            for (name, fd) in [
                ("SSLCTLFD", control),
                ("SSLREADFD", program.read),
                ("SSLWRITEFD", program.write),
            ] {
                let number =
                    fd::inherit(fd).map_err(|errno| Fatal::system("set up descriptors", errno))?;
                context.env.set(name, number.to_string());
            }
            if !options.keep {
                clean(&mut context.env);
            }
            Err(context.exec(&options.prog))
        }
    }
}

/// The helper: waits for the program's command and becomes the engine. The command is one
/// byte; more may follow it at once, such as the end of a line.
fn help(
    context: &Context,
    options: &Options,
    parent: Pid,
    control: OwnedFd,
    engine: Ends<OwnedFd>,
) -> Result<u8, Fatal> {
    let mut command = [0];
    let count = fd::read(&control, &mut command)
        .map_err(|errno| Fatal::system("read from control socket", errno))?;
    let notification = match (count, command) {
        (0, _) => {
            context.info(&format!("pid {parent} declined opportunistic TLS"));
            return Ok(0);
        }
        (_, [b'Y']) => {
            net::discard(&control);
            Some(control)
        }
        (_, [byte]) => {
            // The program reads EOF: it gets no notification.
            net::hang_up(control);
            if byte != b'y' {
                return Err(Fatal::user("unrecognized command on control socket"));
            }
            None
        }
    };
    context.info(&format!("pid {parent} accepted opportunistic TLS"));
    let number = notification.as_ref().map(AsRawFd::as_raw_fd);
    let argv = options.command(engine.numbers(), number);
    let cleartext = options.side.cleartext(&engine);
    engine
        .move_to(cleartext)
        .and_then(|()| notification.map(fd::inherit).transpose())
        .map_err(|errno| Fatal::system("set up descriptors", errno))?;
    Err(context.exec(&argv))
}
