//! Reads pipes, terminals and other devices, which may take any time to write.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags};
use unix::Errno;

use crate::files::LIMIT;

/// Reads `file`, which does not block, to its end. ETIMEDOUT if that has not come by `until`, EFBIG
/// if it is too long. The end of a `pipe` counts only after a writer has opened it.
pub fn read(file: &OwnedFd, pipe: bool, until: Instant) -> Result<Vec<u8>, Errno> {
    let mut content = vec![0; 4096];
    let mut end = 0;
    let mut begun = !pipe;
    loop {
        match unix::fd::read(file, &mut content[end..]) {
            Ok(0) if begun => break,
            Ok(0) | Err(Errno::EAGAIN) => begun |= wait(file, until)?,
            Ok(count) => {
                begun = true;
                end += count;
            }
            Err(errno) => return Err(errno),
        }
        if end > LIMIT {
            return Err(Errno::EFBIG);
        }
        if end == content.len() {
            content.resize(2 * end, 0);
        }
    }
    content.truncate(end);
    Ok(content)
}

/// Waits until there is something to read, or the end. Returns whether it is only the
/// end.
fn wait(file: &OwnedFd, until: Instant) -> Result<bool, Errno> {
    let mut polled = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    if !unix::poll::until(&mut polled, Some(until))? {
        return Err(Errno::ETIMEDOUT);
    }
    let events = polled[0].revents().unwrap_or(PollFlags::empty());
    Ok(!events.contains(PollFlags::POLLIN))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Reads a pipe while `other_end` uses its other end.
    fn through(other_end: impl FnOnce(OwnedFd) + Send) -> Result<Vec<u8>, Errno> {
        let (reader, writer) = unix::fd::pipe().unwrap();
        unix::fd::nonblocking(&reader).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| other_end(writer));
            read(&reader, true, Instant::now() + Duration::from_secs(60))
        })
    }

    #[test]
    fn a_slow_pipe_is_read_to_its_end() {
        let content: Vec<u8> = (0..100_000).map(|i| i as u8).collect();
        let read = through(|writer| {
            for part in content.chunks(30_000) {
                unix::fd::write_all(&writer, part).unwrap();
            }
        });
        assert_eq!(read, Ok(content.clone()));
        assert_eq!(through(drop), Ok(Vec::new()));
    }

    #[test]
    fn a_pipe_may_have_as_much_as_a_file() {
        for (size, length) in [(LIMIT, Ok(LIMIT)), (LIMIT + 1, Err(Errno::EFBIG))] {
            let read = through(|writer| {
                // It fails if the reader has had enough.
                let _ = unix::fd::write_all(&writer, &vec![0; size]);
            });
            assert_eq!(read.map(|content| content.len()), length);
        }
    }

    #[test]
    fn a_silent_pipe_times_out() {
        let (reader, _writer) = unix::fd::pipe().unwrap();
        unix::fd::nonblocking(&reader).unwrap();
        let until = Instant::now() + Duration::from_millis(20);
        assert_eq!(read(&reader, true, until), Err(Errno::ETIMEDOUT));
        assert!(Instant::now() >= until);
    }
}
