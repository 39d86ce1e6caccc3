//! Entry point for fuzzing: see fuzz/README.md.

use std::time::Instant;

use cli::message::has_control;
use unix::net::socket_pair;
use unix::tasks::Task;
use unix::{Errno, fd};

use super::{MAX_NAME, Query, Reply, until};

/// The ports in the seeds.
const PORTS: (u16, u16) = (6191, 23);

/// The longest reply that is sent here. It fits into the socket's buffer.
const LONGEST: usize = 4096;

/// The input is the size of pieces and the reply of an IDENT server. It means the same whole and
/// in pieces, and a user's name can be sent again.
pub fn ident(input: &[u8]) -> bool {
    let Some((size, reply)) = input.split_first() else {
        return false;
    };
    let reply = &reply[..reply.len().min(LONGEST)];
    let whole = ask(reply, LONGEST);
    assert_eq!(whole, ask(reply, usize::from(*size).max(1)));
    match whole {
        Some(Ok(Reply::User(name))) => {
            assert!(name.len() <= MAX_NAME && !has_control(&name));
            let again = [b"6191,23:USERID:UNIX: ", &name[..], b"\r\n"].concat();
            assert_eq!(ask(&again, LONGEST), Some(Ok(Reply::User(name))));
            true
        }
        Some(Ok(Reply::Error(why))) => why != "unknown error",
        Some(Err(errno)) => {
            assert_eq!(errno, Errno::EPROTO);
            false
        }
        None => false,
    }
}

/// The result of a query to a server that sends `reply` in pieces of `size` bytes and closes. None
/// if there are no sockets for that.
fn ask(reply: &[u8], size: usize) -> Option<Result<Reply, Errno>> {
    let (socket, server) = socket_pair().ok()?;
    fd::nonblocking(&socket).ok()?;
    let now = Instant::now();
    let mut query = Query {
        socket,
        send: Vec::new(),
        received: Vec::new(),
        ports: PORTS,
        until: until(None),
        required: false,
        result: None,
    };
    for piece in reply.chunks(size) {
        fd::write_all(&server, piece).ok()?;
        query.step(now);
    }
    drop(server);
    while query.result.is_none() {
        query.step(now);
    }
    query.result
}

#[cfg(test)]
mod tests {
    #[test]
    fn ident() {
        inputs::run("ident", 3000, super::ident);
    }
}
