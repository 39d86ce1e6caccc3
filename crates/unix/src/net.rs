//! Making sockets that listen.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt};

/// The longest queue of connections that a program may ask for by default.
pub const MAX_BACKLOG: u32 = libc::SOMAXCONN as u32;

/// A socket of the family of `address`, blocking and kept by exec. An IPv6
/// socket takes IPv4 connections only if `dual`.
pub fn socket(address: &SocketAddr, datagram: bool, dual: bool) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let kind = if datagram {
        SockType::Datagram
    } else {
        SockType::Stream
    };
    let socket = nix::sys::socket::socket(family, kind, SockFlag::empty(), None)?;
    if address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &!dual)?;
    }
    Ok(socket)
}

/// Binds to a local address, which may be in use by connections that ended
/// if `reuse`.
pub fn bind(socket: &OwnedFd, address: SocketAddr, reuse: bool) -> Result<(), Errno> {
    setsockopt(socket, sockopt::ReuseAddr, &reuse)?;
    nix::sys::socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))
}

/// Lets up to `backlog` connections wait; the system may allow fewer.
pub fn listen(socket: impl AsFd, backlog: u32) -> Result<(), Errno> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    // SAFETY: the descriptor is borrowed for the call.
    Errno::result(unsafe { libc::listen(socket.as_fd().as_raw_fd(), backlog) }).map(drop)
}
