//! Sockets. New ones have close-on-exec and, except pairs, are non-blocking.

#[cfg(all(target_os = "linux", any(target_arch = "x86", target_arch = "s390x")))]
mod by_number;

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    self, AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, sockopt,
};

#[cfg(all(target_os = "linux", any(target_arch = "x86", target_arch = "s390x")))]
use by_number as calls;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86", target_arch = "s390x"))))]
use libc as calls;

/// The default limit of the queue of a listening socket (SOMAXCONN).
pub const MAX_BACKLOG: u32 = libc::SOMAXCONN as u32;

/// What a socket carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Datagrams: UDP.
    Datagram,
    /// A stream of bytes: TCP.
    Stream,
}

/// A new socket for addresses of the family of `ip`. An IPv6 socket does not accept
/// IPv4, but see [`take_ipv4`].
pub fn socket(kind: Kind, ip: IpAddr) -> Result<OwnedFd, Errno> {
    let family = match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let kind = match kind {
        Kind::Datagram => SockType::Datagram,
        Kind::Stream => SockType::Stream,
    };
    let socket = open_socket(family, kind)?;
    if ip.is_ipv6() {
        socket::setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    Ok(socket)
}

/// Two blocking stream sockets that are connected with each other.
pub fn socket_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (family, kind) = (AddressFamily::Unix, SockType::Stream);
    #[cfg(not(target_vendor = "apple"))]
    return socket::socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC);
    #[cfg(target_vendor = "apple")]
    {
        let (a, b) = socket::socketpair(family, kind, None, SockFlag::empty())?;
        prepare(&a)?;
        prepare(&b)?;
        Ok((a, b))
    }
}

#[cfg(not(target_vendor = "apple"))]
fn open_socket(family: AddressFamily, kind: SockType) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket::socket(family, kind, flags, None)
}

/// macOS sets the flags in further calls. No other thread can exec in between: the
/// programs have one thread.
#[cfg(target_vendor = "apple")]
fn open_socket(family: AddressFamily, kind: SockType) -> Result<OwnedFd, Errno> {
    let socket = socket::socket(family, kind, SockFlag::empty(), None)?;
    prepare(&socket)?;
    crate::fd::nonblocking(&socket)?;
    Ok(socket)
}

/// Sets close-on-exec, and that a write raises no SIGPIPE.
#[cfg(target_vendor = "apple")]
fn prepare(socket: &OwnedFd) -> Result<(), Errno> {
    crate::fd::close_on_exec(socket)?;
    let on: libc::c_int = 1;
    // SAFETY: the option is an int, which lives until the call returns.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NOSIGPIPE,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

/// Lets an IPv6 socket that is not bound yet accept IPv4 connections, too.
pub fn take_ipv4(socket: impl AsFd) -> Result<(), Errno> {
    socket::setsockopt(&socket.as_fd(), sockopt::Ipv6V6Only, &false)
}

/// Whether `socket` may be bound to an address that ended connections still use
/// (SO_REUSEADDR).
pub fn reuse_address(socket: impl AsFd, reuse: bool) -> Result<(), Errno> {
    socket::setsockopt(&socket.as_fd(), sockopt::ReuseAddr, &reuse)
}

/// Binds `socket` to an address.
pub fn bind(socket: impl AsFd, local: SocketAddr) -> Result<(), Errno> {
    socket::bind(socket.as_fd().as_raw_fd(), &SockaddrStorage::from(local))
}

/// Listens, with a queue of `backlog` connections; the system may allow fewer.
pub fn listen(socket: impl AsFd, backlog: u32) -> Result<(), Errno> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    // SAFETY: the descriptor is borrowed for the call, which touches no memory.
    Errno::result(unsafe { libc::listen(socket.as_fd().as_raw_fd(), backlog) }).map(drop)
}

/// Begins to connect. True if the connection is there already. Otherwise the socket
/// becomes writable when the attempt has ended, and [`outcome`] returns its result.
pub fn connect(socket: impl AsFd, remote: SocketAddr) -> Result<bool, Errno> {
    match socket::connect(socket.as_fd().as_raw_fd(), &SockaddrStorage::from(remote)) {
        Ok(()) => Ok(true),
        // A connect that a signal interrupts goes on (POSIX).
        Err(Errno::EINPROGRESS | Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The result of a [`connect`], once the socket is writable.
pub fn outcome(socket: impl AsFd) -> Result<(), Errno> {
    match socket::getsockopt(&socket.as_fd(), sockopt::SocketError)? {
        0 => Ok(()),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// The flag that keeps send(2) from raising SIGPIPE. macOS has an option of the
/// socket instead, which our sockets have.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: MsgFlags = MsgFlags::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: MsgFlags = MsgFlags::empty();

/// Sends as many of `bytes` as the socket takes. Raises no SIGPIPE on a socket of
/// this module.
pub fn send(socket: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    send_with(socket, bytes, NO_SIGNAL)
}

/// Sends as many of `bytes` as the socket takes at once; EAGAIN if it has no room,
/// even if it is blocking. On macOS an inherited socket raises SIGPIPE unless that is
/// ignored.
pub fn send_at_once(socket: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    send_with(socket, bytes, MsgFlags::MSG_DONTWAIT | NO_SIGNAL)
}

fn send_with(socket: impl AsFd, bytes: &[u8], flags: MsgFlags) -> Result<usize, Errno> {
    let fd = socket.as_fd().as_raw_fd();
    let (start, len, flags) = (bytes.as_ptr().cast(), bytes.len(), flags.bits());
    // SAFETY: `bytes` is valid for the read, and there is no address.
    let sent = unsafe { calls::sendto(fd, start, len, flags, std::ptr::null(), 0) };
    Errno::result(sent).map(|count| count as usize)
}

/// Receives into `buf` what has arrived; EAGAIN if that is nothing, even if the socket
/// is blocking. 0 at the end.
pub fn receive_at_once(socket: impl AsFd, buf: &mut [u8]) -> Result<usize, Errno> {
    let fd = socket.as_fd().as_raw_fd();
    let (start, len, flags) = (buf.as_mut_ptr().cast(), buf.len(), libc::MSG_DONTWAIT);
    let nowhere = std::ptr::null_mut();
    // SAFETY: `buf` is valid for the write, and no address is asked for.
    let got = unsafe { calls::recvfrom(fd, start, len, flags, nowhere, nowhere.cast()) };
    Errno::result(got).map(|count| count as usize)
}

/// Tells the peer that nothing more will be sent.
pub fn end_sending(socket: impl AsFd) -> Result<(), Errno> {
    // SAFETY: the descriptor is borrowed for the call, which touches no memory.
    let done = unsafe { calls::shutdown(socket.as_fd().as_raw_fd(), libc::SHUT_WR) };
    Errno::result(done).map(drop)
}

/// Throws away what has arrived. If that is still there when a Unix socket is closed, its
/// peer gets ECONNRESET instead of the end.
pub fn discard(socket: impl AsFd) {
    let mut buf = [0; 4096];
    while receive_at_once(socket.as_fd(), &mut buf).is_ok_and(|count| count > 0) {}
}

/// Closes a Unix socket that no other process has: the peer reads what it was sent and
/// then the end, whatever it has sent itself. From now on it cannot send any more (EPIPE).
pub fn hang_up(socket: OwnedFd) {
    // SAFETY: the descriptor is borrowed for the call, which touches no memory.
    let _ = unsafe { calls::shutdown(socket.as_fd().as_raw_fd(), libc::SHUT_RD) };
    discard(&socket);
}

/// ENOSYS if the kernel has no number of their own for the calls of
/// [`receive_at_once`], [`send_at_once`], [`end_sending`] and [`acknowledge`], but only
/// socketcall(2), as on i386 and s390x before Linux 4.3.
#[cfg(target_os = "linux")]
pub fn has_own_calls() -> Result<(), Errno> {
    #[cfg(any(target_arch = "x86", target_arch = "s390x"))]
    by_number::has_own_calls()?;
    Ok(())
}

/// Turns off Nagle's algorithm: small writes are sent at once.
pub fn no_delay(socket: impl AsFd) -> Result<(), Errno> {
    socket::setsockopt(&socket.as_fd(), sockopt::TcpNoDelay, &true)
}

/// Sends a delayed TCP acknowledgement now (TCP_QUICKACK). Other sockets have no such
/// option: an error.
#[cfg(target_os = "linux")]
pub fn acknowledge(socket: impl AsFd) -> Result<(), Errno> {
    let on: libc::c_int = 1;
    // SAFETY: the option is an int, which lives until the call returns.
    let result = unsafe {
        calls::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_QUICKACK,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop)
}

/// The socket's own address.
pub fn local_address(socket: impl AsFd) -> Result<SocketAddr, Errno> {
    let address: SockaddrStorage = socket::getsockname(socket.as_fd().as_raw_fd())?;
    address_of(&address)
}

/// The peer's address. ENOTCONN if the socket is not connected.
pub fn remote_address(socket: impl AsFd) -> Result<SocketAddr, Errno> {
    let address: SockaddrStorage = socket::getpeername(socket.as_fd().as_raw_fd())?;
    address_of(&address)
}

/// The peer's address on an inherited descriptor that was not taken yet. None if it
/// is not a connected Internet socket.
pub fn remote_of(number: RawFd) -> Option<SocketAddr> {
    let address: SockaddrStorage = socket::getpeername(number).ok()?;
    address_of(&address).ok()
}

/// The index of the interface with this name. ENODEV if there is none.
pub fn interface_index(name: &str) -> Result<u32, Errno> {
    nix::net::if_::if_nametoindex(name)
}

/// The name of the interface with this index, if there is one.
pub fn interface_name(index: u32) -> Option<Vec<u8>> {
    let name = nix::net::if_::if_indextoname(index).ok()?;
    Some(name.into_bytes())
}

/// The address as a type of the standard library, with the index of its zone.
/// EAFNOSUPPORT if it is neither IPv4 nor IPv6.
fn address_of(address: &SockaddrStorage) -> Result<SocketAddr, Errno> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Ok(SocketAddr::from((v4.ip(), v4.port()))),
        (_, Some(v6)) => Ok(SocketAddr::V6((*v6).into())),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "miri has no send")]
    fn a_full_socket_is_not_waited_for_though_it_blocks() {
        let (ours, _peer) = socket_pair().unwrap();
        let failed = loop {
            if let Err(errno) = send_at_once(&ours, &[0; 4096]) {
                break errno;
            }
        };
        assert_eq!(failed, Errno::EAGAIN);
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no send")]
    fn peer_reads_the_end_though_nobody_has_read_what_it_sent() {
        for unread in [0, 1, 20_000] {
            let (ours, peer) = socket_pair().unwrap();
            let sent = vec![0; unread];
            assert_eq!(send(&peer, &sent), Ok(unread));
            discard(&ours);
            assert_eq!(send(&peer, &sent), Ok(unread));
            assert_eq!(send(&ours, b"ab"), Ok(2));
            hang_up(ours);
            let mut buf = [0; 8];
            assert_eq!(crate::fd::read(&peer, &mut buf), Ok(2));
            assert_eq!(crate::fd::read(&peer, &mut buf), Ok(0));
            assert_eq!(send(&peer, b"x"), Err(Errno::EPIPE));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no send")]
    fn what_is_discarded_does_not_reset_a_closed_socket() {
        let (ours, peer) = socket_pair().unwrap();
        assert_eq!(send(&peer, b"ab"), Ok(2));
        discard(&ours);
        drop(ours);
        assert_eq!(crate::fd::read(&peer, &mut [0; 8]), Ok(0));
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no send")]
    fn socket_pair_carries_data_both_ways() {
        let (a, b) = socket_pair().unwrap();
        for (from, to) in [(&a, &b), (&b, &a)] {
            assert_eq!(send(from, b"abc"), Ok(3));
            assert_eq!(crate::fd::read(to, &mut [0; 8]), Ok(3));
        }
        assert_eq!(receive_at_once(&a, &mut [0; 8]), Err(Errno::EAGAIN));
        assert_eq!(send_at_once(&b, b"ab"), Ok(2));
        end_sending(&b).unwrap();
        let mut buf = [0; 8];
        assert_eq!(receive_at_once(&a, &mut buf), Ok(2));
        assert_eq!(buf[..2], *b"ab");
        assert_eq!(receive_at_once(&a, &mut buf), Ok(0));
        assert_eq!(end_sending(std::io::stderr()), Err(Errno::ENOTSOCK));
        drop(a);
        assert_eq!(send(&b, b"x"), Err(Errno::EPIPE));
        assert_eq!(crate::fd::read(&b, &mut [0; 8]), Ok(0));
        // They have close-on-exec, so they cannot be taken.
        assert_eq!(
            crate::fd::take_inherited(b.as_raw_fd()).err(),
            Some(Errno::EBADF)
        );
    }
}
