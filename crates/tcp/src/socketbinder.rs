//! `s6-tcpserver-socketbinder`: runs a program with a bound socket as
//! descriptor 0.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use cli::address::Endpoint;
use cli::id::Socketbinder;
use cli::{Context, Fatal, ParsedOptions, operands};
use unix::net::{self, Kind};
use unix::{Errno, fd};

struct Options {
    reuse: bool,
    datagram: bool,
    block: bool,
    dual: bool,
    backlog: u32,
}

/// Runs `s6-tcpserver-socketbinder`.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let (given, operands) = context.options()?;
    let options = Options::new(&given)?;
    let endpoint = operands::endpoint(&operands[0], &operands[1])?;
    open(endpoint, &options)?;
    Err(context.exec(&operands[2..]))
}

impl Options {
    fn new(given: &ParsedOptions) -> Result<Self, Fatal> {
        let mut options = Self {
            reuse: true,
            datagram: false,
            block: false,
            dual: false,
            backlog: net::MAX_BACKLOG,
        };
        for (id, option) in given.each::<Socketbinder>()? {
            match id {
                Socketbinder::NoReuse => options.reuse = false,
                Socketbinder::DualStack => options.dual = true,
                Socketbinder::Backlog => options.backlog = option.number(),
                Socketbinder::Udp => options.datagram = true,
                Socketbinder::Block => options.block = true,
            }
        }
        Ok(options)
    }
}

fn open(endpoint: Endpoint, options: &Options) -> Result<(), Fatal> {
    let place = format!("{} port {} ", endpoint.address, endpoint.port);
    let address = endpoint
        .socket_address()
        .map_err(|errno| Fatal::system(&format!("bind to {place}"), errno))?;
    fd::close(0);
    let socket = socket(address, options).map_err(|errno| Fatal::system("create socket", errno))?;
    net::reuse_address(&socket, options.reuse)
        .and_then(|()| net::bind(&socket, address))
        .map_err(|errno| Fatal::system(&format!("bind to {place}"), errno))?;
    if options.backlog > 0 {
        net::listen(&socket, options.backlog)
            .map_err(|errno| Fatal::system(&format!("listen to {place}"), errno))?;
    }
    fd::move_to(socket, 0).map_err(|errno| Fatal::system("create socket", errno))
}

fn socket(address: SocketAddr, options: &Options) -> Result<OwnedFd, Errno> {
    let kind = if options.datagram {
        Kind::Datagram
    } else {
        Kind::Stream
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
