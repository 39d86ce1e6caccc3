//! Choices of tests that try many inputs.

use super::noise;

/// Numbers that look random, the same ones for the same seed.
pub struct Numbers(std::vec::IntoIter<u8>);

impl Numbers {
    /// Some thousands of them.
    pub fn new(seed: u64) -> Self {
        Self(noise(4096, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_iter())
    }

    /// One of 0 to `end` - 1; `end` is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.0.next().unwrap()) % end
    }

    /// One of these.
    pub fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}
