//! The lines about connections.

use cli::address::Endpoint;
use unix::Pid;
use unix::spawn::Ended;

use super::Server;
use crate::tcpserverd::fullness::Change;
use crate::tcpserverd::throttle::Throttle;

impl Server<'_> {
    /// Warns when the limit of connections is reached and when it is left. Called
    /// after accept, so that a server with waiting clients stays full.
    pub(super) fn note_fullness(&mut self) {
        if !self.stage.is_listening() {
            return;
        }
        let (count, maximum) = (self.table.len(), self.limits.total);
        let text = match self.fullness.note(count) {
            Some(Change::Reached) => {
                format!("limit of {maximum} connections reached: further clients wait")
            }
            Some(Change::Left) => {
                format!("below the limit of {maximum} connections again: {count}")
            }
            None => return,
        };
        self.context.warn(&text);
    }

    pub(super) fn status(&self) {
        self.info(|| format!("status: {}/{}", self.table.len(), self.limits.total));
    }

    pub(super) fn log_accept(&self, peer: Endpoint, pid: Pid, count: u32) {
        let Endpoint { address, port } = peer;
        self.info(|| {
            format!(
                "accept {address}_{port} pid {pid} count {count}/{}",
                self.limits.per_address
            )
        });
        self.status();
    }

    pub(super) fn log_reject(&self, peer: Endpoint, count: u32) {
        let Endpoint { address, port } = peer;
        let text = format!(
            "reject {address}_{port} count {count}/{}",
            self.limits.per_address
        );
        self.context.say(1, "info", &text);
    }

    pub(super) fn log_end(&self, pid: Pid, ended: Ended, count: u32) {
        self.info(|| {
            let how = match ended {
                Ended::Exited(code) => format!("exitcode {code}"),
                Ended::Signaled(number) => format!("signal {number}"),
            };
            format!(
                "end pid {pid} {how} count {count}/{}",
                self.limits.per_address
            )
        });
        self.status();
    }

    /// Prints an info; formats its text only if it is wanted.
    pub(super) fn info(&self, text: impl FnOnce() -> String) {
        if self.context.verbosity >= 2 {
            self.context.info(&text());
        }
    }

    /// Whether a client exceeds the rate: says so in the log.
    pub(super) fn is_too_soon(&mut self, peer: Endpoint) -> bool {
        let Self {
            throttle, context, ..
        } = self;
        let admits =
            |throttle: &mut Throttle| throttle.admits(peer, |text| context.say(1, "info", text));
        !throttle.as_mut().is_none_or(admits)
    }

    /// Prints the reports about refused clients that are due.
    pub(super) fn report_refusals(&mut self) {
        if let Some(throttle) = &mut self.throttle {
            throttle.report(|text| self.context.say(1, "info", text));
        }
    }

    /// Prints all that no line has told about refused clients.
    pub(super) fn report_all_refusals(&mut self) {
        if let Some(throttle) = &mut self.throttle {
            throttle.report_rest(|text| self.context.say(1, "info", text));
        }
    }
}
