//! `s6-tcpclient`: connects to a host and runs a program on the connection.
//! See doc/s6-tcpclient.md.

mod connecting;

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use cli::address::{Address, Endpoint, parse_port};
use cli::id::Tcpclient;
use cli::message::NEEDS_A_LABEL;
use cli::operands::Host;
use cli::{Context, Fatal, ParsedOption};
use dns::{Families, Resolver};
use unix::tasks::Task;
use unix::{Errno, fd};

use crate::deadline::deadline;
use crate::ident::{self, Query};
use connecting::Attempts;

/// The maximum number of addresses of a host that are tried.
const MAX_ADDRESSES: usize = 16;

/// The program's descriptors of the connection: to read and to write.
const DESCRIPTORS: [i32; 2] = [6, 7];

struct Options {
    families: Families,
    no_nagle: bool,
    ident: bool,
    hosts: bool,
    no_dns: bool,
    qualify: bool,
    timeout: u32,
    local_name: Option<OsString>,
    rounds: [u32; 2],
    local_ip: Option<Address>,
    local_port: u16,
}

/// Runs `s6-tcpclient`.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let started = Instant::now();
    let (given, mut operands) = context.options()?;
    let mut options = Options::default();
    for (id, option) in given.each::<Tcpclient>()? {
        options.apply(id, option, context)?;
    }
    let prog = operands.split_off(2);
    let [host, port] = &operands[..] else {
        return Err(context.usage());
    };
    let port = parse_port(port.as_encoded_bytes())
        .ok_or_else(|| Fatal::user(format!("invalid port number: {}", port.to_string_lossy())))?;
    let limit = Duration::from_secs(options.timeout.into());
    let deadline = deadline(started, limit);

    if let Some(address) = options.local_ip {
        address.find_interface()?;
    }
    let addresses = addresses(context, &options, host, deadline)?;
    let attempts = options.attempts(&addresses, port, deadline);
    let socket = attempts.connect(context)?;
    set_up(context, &options, &socket, deadline)?;
    hand_over(socket).map_err(|errno| Fatal::system("set up descriptors", errno))?;
    Err(context.exec(&prog))
}

/// Checks what can be known without sending anything: whether the host is an address or a name
/// that can be looked up, and whether a socket can be bound to the local address. `given` are
/// options of s6-tcpclient.
pub fn check<'a>(
    context: &mut Context,
    given: impl Iterator<Item = (Tcpclient, &'a ParsedOption)>,
    host: &OsStr,
    port: u16,
) -> Result<(), Fatal> {
    let mut options = Options::default();
    for (id, option) in given {
        options.apply(id, option, context)?;
    }
    if let Some(address) = options.local_ip {
        address.find_interface()?;
    }
    let addresses = match Host::parse(host, !options.no_dns)? {
        Host::Name => {
            let name = host.to_string_lossy();
            let checked = resolver(context, &options, &name, None)?.check(&name);
            checked.map_err(|failure| unresolved(&name, &failure.to_string()))?;
            options.loopback()
        }
        _ => addresses(context, &options, host, None)?,
    };
    options.attempts(&addresses, port, None).check(context)
}

impl Default for Options {
    fn default() -> Self {
        Self {
            families: Families::Both,
            no_nagle: false,
            ident: false,
            hosts: false,
            no_dns: false,
            qualify: false,
            timeout: 0,
            local_name: None,
            rounds: [2, 58],
            local_ip: None,
            local_port: 0,
        }
    }
}

impl Options {
    /// Whether addresses of this family are wanted.
    fn wants(&self, address: Address) -> bool {
        self.families.include(address.ip.into())
    }

    /// The addresses of this machine itself.
    fn loopback(&self) -> Vec<Address> {
        let all: [IpAddr; 2] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        let all = all.map(Address::from).into_iter();
        all.filter(|address| self.wants(*address)).collect()
    }

    /// The attempts to connect to these addresses.
    fn attempts<'a>(
        &self,
        addresses: &'a [Address],
        port: u16,
        deadline: Option<Instant>,
    ) -> Attempts<'a> {
        Attempts {
            addresses,
            port,
            rounds: (self.rounds).map(|seconds| Duration::from_secs(seconds.into())),
            local: (self.local_ip, self.local_port),
            deadline,
        }
    }

    fn apply(
        &mut self,
        id: Tcpclient,
        option: &ParsedOption,
        context: &mut Context,
    ) -> Result<(), Fatal> {
        match id {
            Tcpclient::Quiet => context.verbosity = 0,
            Tcpclient::Verbose => context.verbosity = context.verbosity.saturating_add(1),
            Tcpclient::Ipv4 => self.families = Families::V4,
            Tcpclient::Ipv6 => self.families = Families::V6,
            Tcpclient::NoNagle => self.no_nagle = true,
            Tcpclient::NoDns => self.no_dns = true,
            Tcpclient::Hosts => self.hosts = true,
            Tcpclient::Ident => self.ident = true,
            Tcpclient::Qualify => self.qualify = true,
            Tcpclient::Timeout => self.timeout = option.number(),
            Tcpclient::LocalName => self.local_name = Some(option.text.clone()),
            Tcpclient::ConnectionTimeouts => self.rounds = option.rounds()?,
            Tcpclient::LocalIp => {
                let ip = Address::parse(option.text.as_encoded_bytes());
                self.local_ip = Some(ip.ok_or_else(|| context.usage())?);
            }
            Tcpclient::LocalPort => {
                let port = parse_port(option.text.as_encoded_bytes());
                self.local_port = port.ok_or_else(|| context.usage())?;
            }
        }
        Ok(())
    }
}

/// The addresses of `host`, in the order in which they are tried.
fn addresses(
    context: &Context,
    options: &Options,
    host: &OsStr,
    deadline: Option<Instant>,
) -> Result<Vec<Address>, Fatal> {
    let mut addresses = match Host::parse(host, !options.no_dns)? {
        Host::Local => options.loopback(),
        Host::Addresses(list) => {
            if !list.iter().all(|address| options.wants(*address)) {
                let host = host.to_string_lossy();
                let text = format!("no IP address of the wanted family for {host}");
                return Err(Fatal::user(text));
            }
            list
        }
        Host::Name => {
            let found = resolve(context, options, host, deadline)?;
            found.into_iter().map(Address::from).collect()
        }
    };
    addresses.truncate(MAX_ADDRESSES);
    Ok(addresses)
}

fn resolve(
    context: &Context,
    options: &Options,
    host: &OsStr,
    deadline: Option<Instant>,
) -> Result<Vec<IpAddr>, Fatal> {
    let name = host.to_string_lossy();
    let failed = |why: &str| unresolved(&name, why);
    resolver(context, options, &name, deadline)?
        .addresses(&name, options.families, options.qualify)
        .map_err(|failure| {
            if failure.is_negative() && !name.is_ascii() {
                failed(&format!("{failure}: {NEEDS_A_LABEL}"))
            } else {
                failed(&failure.to_string())
            }
        })
}

fn resolver(
    context: &Context,
    options: &Options,
    name: &str,
    deadline: Option<Instant>,
) -> Result<Resolver, Fatal> {
    Resolver::new(&context.env, options.hosts, deadline)
        .map_err(|failure| unresolved(name, &failure.to_string()))
}

fn unresolved(name: &str, why: &str) -> Fatal {
    Fatal::new(Fatal::SYSTEM, format!("unable to resolve {name}: {why}"))
}

/// Sets up the socket and the environment for the program.
fn set_up(
    context: &mut Context,
    options: &Options,
    socket: &OwnedFd,
    deadline: Option<Instant>,
) -> Result<(), Fatal> {
    let failed = |what: &'static str| move |errno: Errno| Fatal::system(what, errno);
    fd::blocking(socket).map_err(failed("set up socket"))?;
    if options.no_nagle {
        if let Err(errno) = unix::net::no_delay(socket) {
            context.warn_unable("set TCP_NODELAY", errno);
        }
    }
    let local = unix::net::local_address(socket).map_err(failed("get local address"))?;
    let remote = unix::net::remote_address(socket).map_err(failed("get remote address"))?;
    let (local_end, remote_end) = (Endpoint::from(local), Endpoint::from(remote));
    let (address, port) = (remote_end.address, remote_end.port);
    context.info(&format!("connected to {address} port {port}"));
    let until = ident::until(deadline);
    let mut query = (options.ident).then(|| Query::new(remote_end, local_end, until));
    let ips = [remote.ip(), local.ip()];
    let [remote_name, local_name] = names(context, options, ips, Query::task(&mut query), deadline);
    let info = query.map(|query| user(context, query));
    let env = &mut context.env;
    env.set("PROTO", "TCP");
    env.set("TCPREMOTEIP", address.to_string());
    env.set("TCPREMOTEPORT", port.to_string());
    env.set("TCPLOCALIP", local_end.address.to_string());
    env.set("TCPLOCALPORT", local_end.port.to_string());
    for (name, value) in [
        ("TCPREMOTEHOST", remote_name),
        ("TCPLOCALHOST", local_name),
        ("TCPREMOTEINFO", info),
    ] {
        match value {
            Some(value) => env.set(name, value),
            None => env.unset(name),
        }
    }
    Ok(())
}

/// The user in the reply of the IDENT server; empty if it names none.
fn user(context: &Context, query: Result<Query, Errno>) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    match query.and_then(Query::finish) {
        Ok(ident::Reply::User(name)) => return OsString::from_vec(name),
        Ok(ident::Reply::Error(why)) => context.warn(&format!("ident server replied: {why}")),
        Err(errno) => context.warn_unable("get remote user name", errno),
    }
    OsString::new()
}

/// The names of the remote and the local address; None if a lookup fails. The task
/// `alongside` runs meanwhile.
fn names(
    context: &Context,
    options: &Options,
    [remote, local]: [IpAddr; 2],
    alongside: Option<&mut dyn Task>,
    deadline: Option<Instant>,
) -> [Option<OsString>; 2] {
    let given = options.local_name.clone();
    if options.no_dns {
        return [None, given];
    }
    let Ok(resolver) = Resolver::new(&context.env, options.hosts, deadline) else {
        return [None, given];
    };
    let wanted: &[IpAddr] = if given.is_some() {
        &[remote]
    } else {
        &[remote, local]
    };
    let mut found = resolver.names(wanted, alongside).into_iter();
    let mut next = || Some(OsString::from(found.next()?.ok()?));
    let remote_name = next();
    [remote_name, given.or_else(next)]
}

/// Moves the socket to the program's descriptors.
fn hand_over(socket: OwnedFd) -> Result<(), Errno> {
    let [mut other, mut own] = DESCRIPTORS;
    if socket.as_raw_fd() == other {
        std::mem::swap(&mut other, &mut own);
    }
    fd::copy_to(&socket, other)?;
    fd::move_to(socket, own)
}

#[cfg(test)]
mod tests;
