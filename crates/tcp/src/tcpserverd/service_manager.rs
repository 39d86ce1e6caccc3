//! Messages to a service manager that speaks the protocol of sd_notify(3), such as systemd.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use unix::{Env, Errno};

/// How much longer than the limit the service manager waits: the time for the exit itself.
const MARGIN: Duration = Duration::from_secs(5);

/// Tells the service manager, if `NOTIFY_SOCKET` names its socket, that the service is stopping,
/// and that this takes up to `limit`. Never waits for the service manager.
pub fn tell_stopping(env: &Env, limit: Duration) -> Result<(), Errno> {
    let Some(path) = env.get("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let time = limit.saturating_add(MARGIN).as_micros();
    let message = format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={time}\n");
    let address = address(path).map_err(|_| Errno::ENAMETOOLONG)?;
    send(&address, message.as_bytes()).map_err(|error| unix::errno::of(&error))
}

fn send(address: &SocketAddr, message: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message, address).map(drop)
}

/// A path, or after `@` a name in Linux's abstract namespace. The error: it is too long.
fn address(path: &OsStr) -> io::Result<SocketAddr> {
    match path.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)
        }
        _ => SocketAddr::from_pathname(path),
    }
}
