//! `--check` in the programs around an engine. Each checks what it would execute itself, and
//! becomes the next program of ours that has something to check; the last one is the engine. The
//! program that is served is looked for, but never executed.

pub mod server;

use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;

use cli::{Context, Fatal, suite};
use unix::{exec, quoted};

use crate::ends::Ends;
use crate::options::Options;

/// Finds the program `next`, which `by` would execute. If it is not there, the error is
/// that of `by`, except that s6-tcpserverd would only warn, for each connection.
pub fn find(context: &mut Context, by: &OsStr, next: &OsStr) -> Result<(), Fatal> {
    let errno = match exec::find(next, &context.env) {
        Ok(path) => return context.fact("program", quoted::path(path.as_ref())),
        Err(errno) => errno,
    };
    speak_as(context, by);
    if by == suite::TCPSERVERD {
        let what = format!("spawn {}", next.to_string_lossy());
        return Err(Fatal::system(&what, errno));
    }
    Err(Fatal::exec(next, errno))
}

/// Makes the next messages begin with the name of the program `name`.
pub fn speak_as(context: &mut Context, name: &OsStr) {
    context.prog = name.to_string_lossy().into_owned();
}

/// In s6-tlsd and s6-tlsc: finds the program, and becomes the engine.
pub fn launcher(context: &mut Context, options: &Options) -> Result<u8, Fatal> {
    let name = OsString::from(&context.prog);
    find(context, &name, &options.prog[0])?;
    let argv = options.command(NO_ENDS, None);
    let errno = exec::exec(&argv, &context.env);
    Err(options.side.not_spawned(errno))
}

/// In s6-ucspitlsd and s6-ucspitlsc, where the parent of the helper, named `parent`,
/// executes the program.
pub fn helper(context: &mut Context, options: &Options, parent: &OsStr) -> Result<u8, Fatal> {
    find(context, parent, &options.prog[0])?;
    Err(context.exec(&options.command(NO_ENDS, None)))
}

/// There are no pipes; the engine does not look at the numbers.
const NO_ENDS: Ends<RawFd> = Ends { read: 6, write: 7 };
