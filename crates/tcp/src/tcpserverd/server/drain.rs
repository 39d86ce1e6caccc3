//! `--drain`: the end of a server that waits for its connections.

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use cli::Fatal;
use mio::Registry;
use mio::unix::SourceFd;
use nix::poll::PollFlags;

use super::stage::Stage;
use super::{Next, Server, poll_failure};
use crate::tcpserverd::service_manager;

/// How many connections are accepted at most before the socket is closed. The queue of a socket
/// is not longer (net.core.somaxconn); but clients may come faster than they are refused.
const LONGEST_QUEUE: usize = 65_536;

impl Server<'_> {
    /// What SIGTERM asks for: the first one begins to drain, with `--drain`.
    pub(super) fn terminate(&self) -> Next {
        match self.drain {
            None => self.context.info("received SIGTERM, quitting"),
            Some(_) if !self.stage.is_listening() => {
                self.context.info("received SIGTERM again, quitting");
            }
            Some(limit) => return Next::Drain(limit),
        }
        Next::Quit
    }

    /// Accepts the clients in the queue, and closes the listening socket.
    pub(super) fn begin_drain(
        &mut self,
        limit: Duration,
        registry: &Registry,
    ) -> Result<(), Fatal> {
        self.accept_queue()?;
        if let Stage::Listening(listener) = &self.stage {
            // Others may have the socket open. The system would go on to watch it for us.
            let mut listener = SourceFd(&listener.as_raw_fd());
            registry.deregister(&mut listener).map_err(poll_failure)?;
        }
        let now = Instant::now();
        let end = now.checked_add(limit).unwrap_or(now);
        self.stage = Stage::Draining(end);
        let (count, seconds) = (self.table.len(), limit.as_secs());
        self.context.info(&format!(
            "received SIGTERM, waiting for {count} connections, at most {seconds} seconds"
        ));
        if let Err(errno) = service_manager::tell_stopping(&self.context.env, limit) {
            self.context
                .warn_unable("notify the service manager", errno);
        }
        Ok(())
    }

    /// Accepts the connections in the queue, up to the limit, even in a pause. Children that end
    /// meanwhile are not reaped, so it always ends.
    fn accept_queue(&mut self) -> Result<(), Fatal> {
        self.resume = None;
        self.ready = true;
        for _ in 0..LONGEST_QUEUE {
            if !self.may_accept() {
                break;
            }
            self.accept_one()?;
        }
        if self.leaves_queue() {
            self.context.warn(
                "closing the listening socket while clients wait: they are lost, \
                 unless another process listens on it",
            );
        }
        Ok(())
    }

    /// Whether clients wait that a limit or an error keeps from being accepted. A client that has
    /// come since accept found none is not meant: on a socket that others have open, too, it is
    /// theirs, and this happens in many restarts.
    fn leaves_queue(&self) -> bool {
        self.ready && self.has_queue()
    }

    /// Whether clients are still waiting to be accepted.
    fn has_queue(&self) -> bool {
        let Stage::Listening(listener) = &self.stage else {
            return false;
        };
        let now = Some(Instant::now());
        unix::poll::ready(listener.as_fd(), PollFlags::POLLIN, now).is_ok()
    }

    /// Whether a server that drains may exit: all connections have ended, or the time is over.
    /// Those that are left go on.
    pub(super) fn is_drained(&self) -> bool {
        let Some(end) = self.stage.end() else {
            return false;
        };
        let (count, over) = (self.table.len(), Instant::now() >= end);
        if over && count > 0 {
            self.context.warn(&format!(
                "the time of --drain is over: {count} connections go on by themselves"
            ));
        }
        over || count == 0
    }
}

#[cfg(test)]
mod tests;
