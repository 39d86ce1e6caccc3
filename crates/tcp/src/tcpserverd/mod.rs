//! `s6-tcpserverd`: accepts connections on descriptor 0 and runs a program for each.

mod client_key;
mod fullness;
mod rate;
mod refusals;
mod server;
mod service_manager;
mod table;
mod throttle;

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use cli::address::Endpoint;
use cli::id::Tcpserverd;
use cli::{ConnectionLimits, Context, Fatal};
use unix::{Errno, Signal, fd, signal};

use server::{Rules, Server};
use throttle::Throttle;

/// The signals that are caught. SIGPIPE is caught and not ignored, so that children
/// have its default action.
const SIGNALS: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGABRT,
    Signal::SIGCHLD,
    Signal::SIGPIPE,
];

/// Runs `s6-tcpserverd`.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let (given, prog) = context.options()?;
    let mut announce = false;
    let mut rate = None;
    let mut drain = None;
    for (id, option) in given.each::<Tcpserverd>()? {
        match id {
            Tcpserverd::Verbosity => context.verbosity = option.number(),
            Tcpserverd::Notify => announce = true,
            Tcpserverd::Rate => rate = Some(option.rate()?),
            Tcpserverd::Drain => drain = Some(Duration::from_secs(option.number().into())),
            // `ConnectionLimits` reads them.
            Tcpserverd::MaxConnections
            | Tcpserverd::LocalMaxConnections
            | Tcpserverd::Ipv6Prefix => {}
        }
    }
    let limits = ConnectionLimits::new(&given);
    let throttle = rate.map(|rate| Throttle::new(rate, limits.ipv6_prefix));
    let (listener, local) = listener()?;
    // Taken before a descriptor of ours can get its number.
    let stdout = fd::take_inherited(1).ok();
    let wake = signal::catch(&SIGNALS).map_err(|errno| Fatal::system("trap signals", errno))?;
    context.info(&format!(
        "starting - bound to ip {} port {}",
        local.address, local.port
    ));
    if let Some(stdout) = stdout.filter(|_| announce) {
        fd::try_write(&stdout, format!("{}\n", local.port).as_bytes());
    }
    let rules = Rules {
        limits,
        throttle,
        drain,
    };
    Server::new(context, listener, local, prog, rules).run(wake)
}

/// The socket on descriptor 0, made non-blocking, and its address.
fn listener() -> Result<(TcpListener, Endpoint), Fatal> {
    let not_a_socket = || Fatal::user("stdin is not a socket");
    let listener = TcpListener::from(fd::take_inherited(0).map_err(|_| not_a_socket())?);
    let unusable = |error: io::Error| match error.raw_os_error() {
        Some(_) => Fatal::system("get local socket information", unix::errno::of(&error)),
        None => Fatal::system("get local socket information", Errno::EAFNOSUPPORT),
    };
    let local = listener.local_addr().map_err(|error| {
        if unix::errno::of(&error) == Errno::ENOTSOCK {
            not_a_socket()
        } else {
            unusable(error)
        }
    })?;
    fd::nonblocking(&listener).map_err(|errno| Fatal::system("prepare stdin", errno))?;
    Ok((listener, local.into()))
}
