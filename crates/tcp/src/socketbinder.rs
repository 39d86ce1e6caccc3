//! `s6-tcpserver-socketbinder`: makes a listening socket on descriptor 0 and
//! runs a program. See doc/s6-tcpserver-socketbinder.md.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use cli::{Context, Fatal, Grammar, Parser, switch, value};
use nix::libc::SOMAXCONN;
use nix::sys::socket::{
    self, AddressFamily, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt,
};
use unix::Errno;

use crate::address::{Ip, parse_port};

static GRAMMAR: Grammar = Grammar {
    synopsis: "[ -d | -D ] [ -b backlog ] [ -M | -m ] [ -B ] ip port prog...",
    options: &[&[
        switch('d', "reuse-address"),
        switch('D', "no-reuse-address"),
        switch('M', "tcp"),
        switch('m', "udp"),
        switch('B', "block"),
        value('b', "backlog"),
    ]],
    long: true,
};

struct Options {
    reuse: bool,
    datagram: bool,
    blocking: bool,
    backlog: u32,
}

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let mut options = Options {
        reuse: true,
        datagram: false,
        blocking: false,
        backlog: SOMAXCONN as u32,
    };
    let mut parser = Parser::new(&GRAMMAR, std::mem::take(&mut context.args));
    while let Some(opt) = parser.next()? {
        match opt.name {
            "reuse-address" => options.reuse = true,
            "no-reuse-address" => options.reuse = false,
            "tcp" => options.datagram = false,
            "udp" => options.datagram = true,
            "block" => options.blocking = true,
            _ => options.backlog = opt.unsigned()?,
        }
    }
    let mut operands = parser.operands(3)?;
    let prog = operands.split_off(2);
    let usage = || Fatal::usage(GRAMMAR.synopsis);
    let [ip, port] = &operands[..] else {
        return Err(usage());
    };
    let ip = Ip::parse(ip.as_encoded_bytes()).ok_or_else(usage)?;
    let port = parse_port(port.as_encoded_bytes()).ok_or_else(usage)?;
    listen(&options, ip, port)?;
    Err(context.exec(&prog))
}

/// Makes descriptor 0 the socket.
fn listen(options: &Options, ip: Ip, port: u16) -> Result<(), Fatal> {
    unix::fd::close(0);
    let socket = create(options, ip).map_err(|errno| Fatal::system("create socket", errno))?;
    let address = SockaddrStorage::from(SocketAddr::new(ip.into(), port));
    socket::bind(socket.as_raw_fd(), &address)
        .map_err(|errno| Fatal::system(&format!("bind to {ip} port {port} "), errno))?;
    if options.backlog != 0 {
        let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
        let backlog =
            socket::Backlog::new(backlog.min(SOMAXCONN)).unwrap_or(socket::Backlog::MAXCONN);
        socket::listen(&socket, backlog)
            .map_err(|errno| Fatal::system(&format!("listen to {ip} port {port} "), errno))?;
    }
    unix::fd::settle(socket, 0).map_err(|errno| Fatal::system("move socket to stdin", errno))
}

fn create(options: &Options, ip: Ip) -> Result<OwnedFd, Errno> {
    let family = if ip.is_v6() {
        AddressFamily::Inet6
    } else {
        AddressFamily::Inet
    };
    let kind = if options.datagram {
        SockType::Datagram
    } else {
        SockType::Stream
    };
    let flags = if options.blocking {
        SockFlag::empty()
    } else {
        SockFlag::SOCK_NONBLOCK
    };
    let socket = socket::socket(family, kind, flags, None)?;
    if ip.is_v6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    if options.reuse {
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    }
    Ok(socket)
}
