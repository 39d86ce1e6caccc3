//! Pairs of descriptors.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use unix::{Errno, fd};

/// Two descriptors: one is read, the other one is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ends<T> {
    /// For reading.
    pub read: T,
    /// For writing.
    pub write: T,
}

impl Ends<OwnedFd> {
    /// The numbers of these descriptors.
    pub fn numbers(&self) -> Ends<RawFd> {
        Ends {
            read: self.read.as_raw_fd(),
            write: self.write.as_raw_fd(),
        }
    }

    /// Moves the descriptors to these numbers, where they stay open across exec.
    pub fn move_to(self, numbers: Ends<RawFd>) -> Result<(), Errno> {
        fd::move_to(self.read, numbers.read)?;
        fd::move_to(self.write, numbers.write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_moved_to_the_numbers_that_the_next_program_expects() {
        let (read, write) = fd::pipe().unwrap();
        // Far above the descriptors of other tests.
        let numbers = Ends {
            read: 750,
            write: 751,
        };
        Ends { read, write }.move_to(numbers).unwrap();
        let [read, write] = [750, 751].map(|number| fd::take_inherited(number).unwrap());
        fd::write_all(&write, b"x").unwrap();
        assert_eq!(fd::read(&read, &mut [0; 2]), Ok(1));
    }
}
