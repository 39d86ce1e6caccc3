//! What a program prints, while it prints it.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// Everything that comes out of a descriptor, read by a thread as it comes.
#[derive(Clone)]
pub struct Capture(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    bytes: Vec<u8>,
    ended: bool,
}

impl Capture {
    /// Reads `fd` to its end.
    pub fn new(fd: OwnedFd) -> Self {
        let capture = Self::nothing();
        capture.0.state.lock().unwrap().ended = false;
        let shared = capture.0.clone();
        std::thread::spawn(move || {
            let mut file = File::from(fd);
            let mut buf = vec![0; 1 << 16];
            loop {
                let count = match file.read(&mut buf) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    // A socket that was reset has ended too.
                    result => result.unwrap_or(0),
                };
                let mut state = shared.state.lock().unwrap();
                state.bytes.extend_from_slice(&buf[..count]);
                state.ended = count == 0;
                shared.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        capture
    }

    /// Nothing: the stream was not captured.
    pub fn nothing() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                bytes: Vec::new(),
                ended: true,
            }),
            changed: Condvar::new(),
        }))
    }

    /// What has come so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.state.lock().unwrap().bytes.clone()
    }

    /// The same as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// How much has come so far.
    pub fn len(&self) -> usize {
        self.0.state.lock().unwrap().bytes.len()
    }

    /// Whether the end has been seen.
    pub fn ended(&self) -> bool {
        self.0.state.lock().unwrap().ended
    }

    /// Waits until `found` finds something in what has come. None when the
    /// end or the deadline comes first.
    pub fn wait<T>(&self, until: Instant, found: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let mut state = self.0.state.lock().unwrap();
        loop {
            if let Some(found) = found(&state.bytes) {
                return Some(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits for the end. False when the deadline comes first.
    pub fn wait_end(&self, until: Instant) -> bool {
        let mut state = self.0.state.lock().unwrap();
        while !state.ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap().0;
        }
        true
    }
}
