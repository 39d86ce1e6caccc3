//! The actions that the sandbox refuses.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use memmap2::Advice;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn, bind, connect, recvmsg, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, chdir, dup, execve, getppid, getuid, read, setuid, unlink};
use sandbox::{Descriptors, Filter, Profile};

/// The exit codes of the process of an attempt.
const DONE: i32 = 0;
const REFUSED: i32 = 40;
const ANOTHER_ERROR: i32 = 41;

/// What an attempt uses, opened before the sandbox is entered.
struct Held {
    stream: OwnedFd,
    datagram: UdpSocket,
    pipe: (OwnedFd, OwnedFd),
    listening: SockaddrIn,
    memory: memmap2::MmapMut,
}

type Attempt = fn(Held) -> Result<(), Errno>;

const ATTEMPTS: &[(&str, Attempt)] = &[
    // Files.
    ("open a file", |_| {
        open("/etc/passwd", OFlag::O_RDONLY, Mode::empty()).map(drop)
    }),
    ("open a device for writing", |_| {
        open("/dev/null", OFlag::O_WRONLY, Mode::empty()).map(drop)
    }),
    ("remove a file", |_| unlink("/nonexistent/file")),
    ("change the directory", |_| chdir("/")),
    // Descriptors.
    ("duplicate a descriptor", |held| dup(&held.stream).map(drop)),
    ("duplicate a descriptor by fcntl", |held| {
        fcntl(&held.stream, FcntlArg::F_DUPFD_CLOEXEC(3)).map(drop)
    }),
    ("resize another pipe", |held| {
        fcntl(&held.pipe.1, FcntlArg::F_SETPIPE_SZ(4096)).map(drop)
    }),
    ("ask for the size of a pipe", |held| {
        fcntl(&held.pipe.0, FcntlArg::F_GETPIPE_SZ).map(drop)
    }),
    ("make a pipe", |_| unix::fd::pipe().map(drop)),
    ("read from a descriptor for writing", |held| {
        read(&held.pipe.1, &mut [0]).map(drop)
    }),
    ("read standard error", |_| {
        let stderr = std::io::stderr();
        read(&stderr, &mut [0]).map(drop)
    }),
    ("change the flags of standard error", |_| {
        let flags = FcntlArg::F_SETFL(OFlag::O_NONBLOCK);
        fcntl(std::io::stderr(), flags).map(drop)
    }),
    ("ask for the flags of standard error", |_| {
        fcntl(std::io::stderr(), FcntlArg::F_GETFL).map(drop)
    }),
    ("change the flags of a socket", |held| {
        fcntl(&held.stream, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop)
    }),
    ("clear the close-on-exec flag", |held| {
        fcntl(&held.stream, FcntlArg::F_SETFD(FdFlag::empty())).map(drop)
    }),
    ("receive a descriptor", |held| {
        let mut space = nix::cmsg_space!([i32; 1]);
        let fd = held.datagram.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        recvmsg::<SockaddrIn>(fd, &mut [], Some(&mut space), flags).map(drop)
    }),
    // The network.
    ("make a TCP socket", |_| new_socket(AddressFamily::Inet)),
    ("make a Unix socket", |_| new_socket(AddressFamily::Unix)),
    ("connect", |held| {
        connect(held.stream.as_raw_fd(), &held.listening)
    }),
    ("bind", |held| {
        let any = SockaddrIn::new(127, 0, 0, 1, 0);
        bind(held.stream.as_raw_fd(), &any)
    }),
    ("send to an address", |held| {
        let fd = held.datagram.as_raw_fd();
        sendto(fd, b"x", &held.listening, MsgFlags::empty()).map(drop)
    }),
    ("set another option of a socket", |held| {
        setsockopt(&held.stream, sockopt::RcvBuf, &4096)
    }),
    ("shut standard error down", |_| {
        unix::net::end_sending(std::io::stderr())
    }),
    ("send to standard error", |_| {
        unix::net::send(std::io::stderr(), b"x").map(drop)
    }),
    ("receive from standard error", |_| {
        unix::net::receive_at_once(std::io::stderr(), &mut [0]).map(drop)
    }),
    ("set the option of a socket on standard error", |_| {
        unix::net::acknowledge(std::io::stderr())
    }),
    // Processes.
    ("execute a program", |_| {
        execve(c"/bin/true", &[c"true"], &[c""]).map(|never| match never {})
    }),
    ("fork", |_| unix::fork::fork().map(drop)),
    ("be traced", |_| nix::sys::ptrace::traceme()),
    ("probe another process", |_| kill(getppid(), None)),
    ("kill another process", |_| {
        kill(getppid(), Signal::SIGWINCH)
    }),
    ("kill itself", |_| kill(Pid::this(), Signal::SIGTERM)),
    ("take on an identity", |_| setuid(getuid())),
    ("change a limit", |_| setrlimit(Resource::RLIMIT_CORE, 0, 0)),
    ("be dumpable", |_| nix::sys::prctl::set_dumpable(true)),
    ("read the memory of a process", |_| {
        use nix::sys::uio::{RemoteIoVec, process_vm_readv};
        let (base, len) = (ATTEMPTS.as_ptr().addr(), 1);
        let mut byte = [0];
        let local = &mut [std::io::IoSliceMut::new(&mut byte)];
        process_vm_readv(Pid::this(), local, &[RemoteIoVec { base, len }]).map(drop)
    }),
    ("see how much time a process has used", |_| {
        // The clock of another process: clock_getcpuclockid(3) asks for it by another call.
        let clock = !getppid().as_raw() << 3 | 2;
        nix::time::ClockId::from_raw(clock).now().map(drop)
    }),
    // Memory that others share.
    ("take a page out of use", |held| {
        advise(held, Advice::HwPoison)
    }),
    ("have pages merged", |held| advise(held, Advice::Mergeable)),
    // Code.
    ("make memory executable", |held| {
        held.memory.make_exec().map(drop).map_err(errno)
    }),
    // On s390x the filter cannot see what is mapped.
    #[cfg(not(target_arch = "s390x"))]
    ("map a file", |held| {
        let file = &held.datagram;
        let map = memmap2::MmapOptions::new().len(1).map_raw_read_only(file);
        map.map(drop).map_err(errno)
    }),
];

/// Makes each attempt outside and inside the sandbox.
pub fn what_an_engine_does_not_need_is_refused() {
    for (name, _) in ATTEMPTS {
        let outside = super::run("OUTSIDE", name).status.code();
        assert_ne!(outside, Some(REFUSED), "refused outside: {name}");
        let inside = super::run("INSIDE", name).status.code();
        assert_eq!(inside, Some(REFUSED), "not refused: {name}");
        println!("refused: {name}");
    }
}

/// Makes the attempt `name` and exits with its result.
pub fn attempt(name: &str, inside: bool) {
    let (_, attempt) = ATTEMPTS.iter().find(|(known, _)| known == &name).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let held = Held {
        stream: socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .unwrap(),
        datagram: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
        pipe: unix::fd::pipe().unwrap(),
        listening: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into(),
        memory: memmap2::MmapMut::map_anon(4096).unwrap(),
    };
    if inside {
        let read = [held.stream.as_raw_fd(), held.pipe.0.as_raw_fd()];
        let write = [held.datagram.as_raw_fd(), held.pipe.1.as_raw_fd()];
        let kept = Descriptors {
            read: &read,
            write: &write,
            sockets: &[held.stream.as_raw_fd(), held.datagram.as_raw_fd()],
            switched: &read[1..],
            pipes: &read[1..],
        };
        Profile::engine(kept).enter().unwrap();
    }
    std::process::exit(match attempt(held) {
        Ok(()) => DONE,
        Err(Errno::EPERM) => REFUSED,
        Err(_) => ANOTHER_ERROR,
    })
}

/// Whether the kernel has seccomp filters.
pub fn supported() -> bool {
    match unix::fork::fork().unwrap() {
        unix::fork::Forked::Child => {
            let enforced = Profile::guard(&0).enter().unwrap();
            let filtered = enforced.seccomp == Filter::Enforced;
            std::process::exit(if filtered { DONE } else { REFUSED })
        }
        unix::fork::Forked::Parent(pid) => {
            let ended = unix::spawn::wait(pid).unwrap();
            ended == unix::spawn::Ended::Exited(0)
        }
    }
}

/// Gives advice about an empty range, which changes nothing.
fn advise(held: Held, advice: Advice) -> Result<(), Errno> {
    held.memory.advise_range(advice, 0, 0).map_err(errno)
}

fn new_socket(family: AddressFamily) -> Result<(), Errno> {
    socket(family, SockType::Stream, SockFlag::empty(), None).map(drop)
}

fn errno(error: std::io::Error) -> Errno {
    unix::errno::of(&error)
}
