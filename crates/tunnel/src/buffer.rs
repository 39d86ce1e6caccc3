//! A byte queue in memory pages of its own.

use std::num::NonZeroUsize;

use unix::Errno;
use unix::pages::Pages;

/// A queue of bytes. They are contiguous, so that records can be decrypted in
/// place.
pub struct Buffer {
    pages: Pages,
    /// 0 without content, so that all of it is space.
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer for `capacity` bytes. Memory is used as it fills.
    pub fn new(capacity: NonZeroUsize) -> Result<Self, Errno> {
        Ok(Self {
            pages: Pages::new(capacity)?,
            start: 0,
            end: 0,
        })
    }

    /// The free space behind the content. [`Buffer::commit`] adds bytes that were
    /// written there to the content.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.pages[self.end..]
    }

    /// Adds the first `count` bytes of the space to the content.
    pub fn commit(&mut self, count: usize) {
        self.end = self.pages.len().min(self.end + count);
    }

    /// Appends as many of `bytes` as there is space for. Returns their count.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let count = bytes.len().min(space.len());
        space[..count].copy_from_slice(&bytes[..count]);
        self.commit(count);
        count
    }

    /// Removes `count` bytes from the front.
    pub fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.start == self.end {
            self.clear();
        }
    }

    /// Removes what is behind the first `count` bytes of the content.
    pub fn truncate(&mut self, count: usize) {
        self.end = self.end.min(self.start + count);
        if self.is_empty() {
            self.clear();
        }
    }

    /// Moves the content to the front, so that all free space is behind it.
    pub fn compact(&mut self) {
        self.pages.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }

    /// How many bytes the buffer can hold.
    pub fn capacity(&self) -> usize {
        self.pages.len()
    }

    /// Changes the capacity. False, and nothing changes, if the content does not
    /// fit or there is no memory.
    pub fn resize(&mut self, capacity: NonZeroUsize) -> bool {
        if capacity.get() == self.capacity() {
            return true;
        }
        if self.len() > capacity.get() {
            return false;
        }
        let Ok(mut buffer) = Self::new(capacity) else {
            return false;
        };
        buffer.append(self.content());
        *self = buffer;
        true
    }

    /// Removes the content.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Gives the memory of an empty buffer back to the system.
    pub fn release(&mut self) {
        if self.is_empty() {
            self.pages.release();
        }
    }

    /// The content, mutable.
    pub fn content_mut(&mut self) -> &mut [u8] {
        &mut self.pages[self.start..self.end]
    }

    /// The content.
    pub fn content(&self) -> &[u8] {
        &self.pages[self.start..self.end]
    }

    /// How many bytes the content has.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_consumed_in_order() {
        let mut buffer = Buffer::new(NonZeroUsize::new(8).unwrap()).unwrap();
        assert_eq!(buffer.append(b"abcdef"), 6);
        buffer.consume(4);
        assert_eq!(buffer.append(b"ghij"), 2);
        assert_eq!(buffer.content(), b"efgh");
        buffer.compact();
        assert_eq!(buffer.append(b"ijklmn"), 4);
        assert_eq!(buffer.content(), b"efghijkl");
        assert_eq!(buffer.len(), 8);
        buffer.consume(8);
        assert!(buffer.is_empty());
        assert_eq!(buffer.space().len(), 8);
    }

    #[test]
    fn truncate_keeps_the_first_bytes() {
        let mut buffer = Buffer::new(NonZeroUsize::new(8).unwrap()).unwrap();
        buffer.append(b"abcdef");
        buffer.consume(2);
        buffer.truncate(5);
        assert_eq!(buffer.content(), b"cdef");
        buffer.truncate(3);
        assert_eq!(buffer.append(b"gh"), 2);
        assert_eq!(buffer.content(), b"cdegh");
        buffer.truncate(0);
        assert_eq!(buffer.space().len(), 8);
    }

    #[test]
    fn resize_keeps_the_content_or_fails() {
        let size = |size| NonZeroUsize::new(size).unwrap();
        let mut buffer = Buffer::new(size(8)).unwrap();
        buffer.append(b"abcdef");
        buffer.consume(2);
        assert!(!buffer.resize(size(3)));
        assert_eq!(buffer.content(), b"cdef");
        assert_eq!(buffer.space().len(), 2);
        assert!(buffer.resize(size(4)));
        assert_eq!(buffer.content(), b"cdef");
        assert_eq!(buffer.space().len(), 0);
        assert!(buffer.resize(size(100)));
        assert_eq!(buffer.content(), b"cdef");
        assert_eq!(buffer.space().len(), 96);
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no madvise")]
    fn release_of_an_empty_buffer_keeps_nothing_in_memory() {
        let mut buffer = Buffer::new(NonZeroUsize::new(8).unwrap()).unwrap();
        buffer.append(b"abcdef");
        buffer.release();
        assert_eq!(buffer.content(), b"abcdef");
        buffer.consume(6);
        buffer.release();
        assert_eq!(buffer.space().len(), 8);
        #[cfg(target_os = "linux")]
        assert_eq!(buffer.space(), [0; 8]);
    }

    #[test]
    fn commit_and_consume_stop_at_the_bounds() {
        let mut buffer = Buffer::new(NonZeroUsize::new(4).unwrap()).unwrap();
        buffer.commit(100);
        assert_eq!(buffer.len(), 4);
        buffer.consume(100);
        assert!(buffer.is_empty());
    }
}
