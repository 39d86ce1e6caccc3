//! s6-tcpserver-socketbinder: runs a program with a bound socket on
//! descriptor 0.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use cli::{Context, Fatal, Grammar, Parser, switch, value};
use unix::net::{self, Kind};
use unix::{Errno, fd};

use cli::address::{Endpoint, Ip, parse_port};

const GRAMMAR: Grammar = Grammar {
    synopsis: "[ -d | -D ] [ -b backlog ] [ -M | -m ] [ -B ] [ -a ] ip port prog...",
    options: &[&[
        switch('d', "reuse-address"),
        switch('D', "no-reuse-address"),
        switch('M', "tcp"),
        switch('m', "udp"),
        switch('B', "block"),
        switch('a', "dual-stack"),
        value('b', "backlog"),
    ]],
    long: true,
};

struct Options {
    reuse: bool,
    datagram: bool,
    block: bool,
    dual: bool,
    backlog: u32,
}

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let mut parser = Parser::new(&GRAMMAR, std::mem::take(&mut context.args));
    let options = parse(&mut parser)?;
    let operands = parser.operands(3)?;
    let endpoint = (|| {
        Some(Endpoint {
            ip: Ip::parse(operands[0].as_encoded_bytes())?,
            port: parse_port(operands[1].as_encoded_bytes())?,
        })
    })();
    let endpoint = endpoint.ok_or_else(|| Fatal::usage(GRAMMAR.synopsis))?;
    open(endpoint, &options)?;
    Err(context.exec(&operands[2..]))
}

fn parse(parser: &mut Parser) -> Result<Options, Fatal> {
    let mut options = Options {
        reuse: true,
        datagram: false,
        block: false,
        dual: false,
        backlog: net::MAX_BACKLOG,
    };
    while let Some(opt) = parser.next()? {
        match opt.name {
            "reuse-address" => options.reuse = true,
            "no-reuse-address" => options.reuse = false,
            "tcp" => options.datagram = false,
            "udp" => options.datagram = true,
            "block" => options.block = true,
            "dual-stack" => options.dual = true,
            _ => options.backlog = opt.unsigned()?,
        }
    }
    Ok(options)
}

fn open(endpoint: Endpoint, options: &Options) -> Result<(), Fatal> {
    let address = SocketAddr::from(endpoint);
    fd::close(0);
    let socket = socket(address, options).map_err(|errno| Fatal::system("create socket", errno))?;
    let place = format!("{} port {} ", endpoint.ip, endpoint.port);
    net::reuse_address(&socket, options.reuse)
        .and_then(|()| net::bind(&socket, address))
        .map_err(|errno| Fatal::system(&format!("bind to {place}"), errno))?;
    if options.backlog > 0 {
        net::listen(&socket, options.backlog)
            .map_err(|errno| Fatal::system(&format!("listen to {place}"), errno))?;
    }
    fd::settle(socket, 0).map_err(|errno| Fatal::system("create socket", errno))
}

fn socket(address: SocketAddr, options: &Options) -> Result<OwnedFd, Errno> {
    let kind = match options.datagram {
        true => Kind::Datagram,
        false => Kind::Stream,
    };
    let socket = net::socket(kind, address.ip())?;
    if options.dual && address.is_ipv6() && address.ip().is_unspecified() {
        net::take_ipv4(&socket)?;
    }
    if options.block {
        fd::blocking(&socket)?;
    }
    Ok(socket)
}
