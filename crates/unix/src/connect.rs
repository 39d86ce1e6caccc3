//! The client's side of sockets: they do not block, and exec closes them.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    self, AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, sockopt,
};

/// What a socket carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Datagrams: UDP.
    Datagram,
    /// A stream of bytes: TCP.
    Stream,
}

/// A new socket for addresses of the family of `ip`. Those of IPv6 never
/// speak IPv4.
pub fn socket(kind: Kind, ip: IpAddr) -> Result<OwnedFd, Errno> {
    let family = match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let kind = match kind {
        Kind::Datagram => SockType::Datagram,
        Kind::Stream => SockType::Stream,
    };
    let socket = open(family, kind)?;
    if ip.is_ipv6() {
        socket::setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    Ok(socket)
}

/// Gives `socket` its own address.
pub fn bind(socket: impl AsFd, local: SocketAddr) -> Result<(), Errno> {
    socket::bind(socket.as_fd().as_raw_fd(), &SockaddrStorage::from(local))
}

/// Begins to connect. True if that is done already; otherwise it is when the
/// socket becomes writable, and [`outcome`] then tells how it went.
pub fn connect(socket: impl AsFd, remote: SocketAddr) -> Result<bool, Errno> {
    match socket::connect(socket.as_fd().as_raw_fd(), &SockaddrStorage::from(remote)) {
        Ok(()) => Ok(true),
        // An interrupted connect goes on by itself (POSIX).
        Err(Errno::EINPROGRESS | Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// How connecting ended, once the socket is writable.
pub fn outcome(socket: impl AsFd) -> Result<(), Errno> {
    match socket::getsockopt(&socket.as_fd(), sockopt::SocketError)? {
        0 => Ok(()),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// Sends what the socket takes of `bytes`. It never raises SIGPIPE.
pub fn send(socket: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    socket::send(socket.as_fd().as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL)
}

/// Turns Nagle's algorithm off: small writes leave at once.
pub fn no_delay(socket: impl AsFd) -> Result<(), Errno> {
    socket::setsockopt(&socket.as_fd(), sockopt::TcpNoDelay, &true)
}

/// Sends the acknowledgement that a TCP socket may be holding back, now. A
/// socket of another kind is left alone.
#[cfg(target_os = "linux")]
pub fn acknowledge(socket: impl AsFd) {
    let on: libc::c_int = 1;
    // SAFETY: the option is an int, and it lives for the call.
    unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_QUICKACK,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}

/// The socket's own address.
pub fn local_address(socket: impl AsFd) -> Result<SocketAddr, Errno> {
    let address: SockaddrStorage = socket::getsockname(socket.as_fd().as_raw_fd())?;
    address_of(&address)
}

/// The address of the other end. ENOTCONN if there is none.
pub fn remote_address(socket: impl AsFd) -> Result<SocketAddr, Errno> {
    let address: SockaddrStorage = socket::getpeername(socket.as_fd().as_raw_fd())?;
    address_of(&address)
}

/// The same for a descriptor that nobody has claimed yet, whatever it is.
pub fn remote_of(number: RawFd) -> Option<SocketAddr> {
    let address: SockaddrStorage = socket::getpeername(number).ok()?;
    address_of(&address).ok()
}

/// The address as the standard library has it. EAFNOSUPPORT if it is not of
/// the Internet.
fn address_of(address: &SockaddrStorage) -> Result<SocketAddr, Errno> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Ok(SocketAddr::from((v4.ip(), v4.port()))),
        (_, Some(v6)) => Ok(SocketAddr::from((v6.ip(), v6.port()))),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

#[cfg(not(target_vendor = "apple"))]
fn open(family: AddressFamily, kind: SockType) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket::socket(family, kind, flags, None)
}

/// Where socket(2) takes no flags they are set afterwards, which is the same
/// in a process of one thread.
#[cfg(target_vendor = "apple")]
fn open(family: AddressFamily, kind: SockType) -> Result<OwnedFd, Errno> {
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    let socket = socket::socket(family, kind, SockFlag::empty(), None)?;
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(socket)
}
