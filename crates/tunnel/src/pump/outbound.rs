//! From the program to the network.

use std::time::Instant;

use unix::Errno;

use super::{Pump, State};
use crate::endpoints::{End, Ends, Ready};
use crate::outcome::Outcome;
use crate::session::ToSend;
use crate::throughput::Size;

impl Pump {
    /// Reads data from the program, and encrypts them after the handshake.
    pub(super) fn collect(&mut self, ends: &mut impl Ends, ready: Option<Ready>, now: Instant) {
        if !self.wants_more() || !self.buffers.outgoing.is_empty() {
            return;
        }
        if ready.is_some() && self.scratch.is_empty() {
            self.read_program(ends, now);
        }
        if self.established() && !self.scratch.is_empty() {
            self.send();
            self.scratch.clear();
        }
    }

    /// Whether data of the program are still sent.
    fn wants_more(&self) -> bool {
        self.is_open(End::AppIn) && !self.is_failing()
    }

    /// Whether data that were read ahead can be encrypted now.
    pub(super) fn has_read_ahead(&self) -> bool {
        let ready = self.established() && self.buffers.outgoing.is_empty();
        ready && self.wants_more() && !self.scratch.is_empty()
    }

    /// Empties a full pipe from the program far enough to make it small, while the
    /// network takes nothing. The data go into the large buffer that is left from
    /// the flow. If the program fills the pipe again first, the next call tries
    /// again, as long as there is space.
    pub(super) fn read_ahead(&mut self, ends: &mut impl Ends) {
        let blocked = self.established() && !self.buffers.outgoing.is_empty();
        if !self.wants_more() || !blocked || ends.resize(End::AppIn, Size::Small) {
            return;
        }
        let space = self.scratch.space();
        let most = space.len().min(Size::Large.pipe() - Size::Small.pipe());
        if most == 0 {
            return;
        }
        // The next ordinary read finds the end or an error.
        if let Ok(count) = ends.read(End::AppIn, &mut space[..most]) {
            self.scratch.commit(count);
        }
    }

    fn read_program(&mut self, ends: &mut impl Ends, now: Instant) {
        self.fit_outbound(ends, now);
        match ends.read(End::AppIn, self.scratch.space()) {
            Ok(0) => self.close(ends, End::AppIn),
            Ok(count) => {
                self.counters.last_data = now;
                self.scratch.commit(count);
                self.throughput_out.read(count, now);
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => {
                self.close(ends, End::AppIn);
                self.failure.note(Outcome::local("read from local", errno));
            }
        }
    }

    /// Encrypts what was read. No record is left to process before that.
    fn send(&mut self) {
        let data = ToSend::Data(self.scratch.content());
        match self.session.process(&mut self.buffers, data) {
            Ok(_) => self.counters.encrypted(self.scratch.len()),
            Err(error) => self.fail_tls(&error),
        }
    }

    /// Writes encrypted records to the network.
    pub(super) fn transmit(&mut self, ends: &mut impl Ends, now: Instant) {
        let outgoing = &mut self.buffers.outgoing;
        match self.state.net_out {
            State::Closed => outgoing.clear(),
            State::Blocked => {}
            State::Open if outgoing.is_empty() => {}
            State::Open => match ends.write(End::NetOut, outgoing.content()) {
                Ok(count) => {
                    if outgoing.len() > self.close_notify.bytes() {
                        self.counters.last_data = now;
                    }
                    outgoing.consume(count);
                }
                Err(Errno::EAGAIN | Errno::EINTR) => self.state.net_out = State::Blocked,
                Err(errno) => self.cannot_send(ends, errno),
            },
        }
    }

    /// A write to the network has failed, so nothing more can be sent. It is no
    /// error if only our close_notify is lost.
    fn cannot_send(&mut self, ends: &mut impl Ends, errno: Errno) {
        let lost = self.buffers.outgoing.len() > self.close_notify.bytes();
        self.buffers.outgoing.clear();
        self.close(ends, End::NetOut);
        self.close(ends, End::AppIn);
        if lost {
            let outcome = Outcome::network(self.established(), "write to remote", errno);
            self.failure.note(outcome);
        }
    }
}
