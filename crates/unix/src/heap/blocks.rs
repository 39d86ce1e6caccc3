//! Blocks of memory cut out of larger areas.
//!
//! A block consists of a word, with its size and two flags, and its content. Above the
//! blocks of the newest area is its top: memory from which no block was cut yet. A
//! block that is freed is joined with free neighbours and with the top at once. Free
//! blocks are in lists by size.
//!
//! **Free memory is zero** except for the words that describe and link the blocks. So
//! no content outlives its block, a new block is zero, and any free page can be
//! returned to the system: it reads as zero afterwards, too.

use std::ops::Range;
use std::ptr::with_exposed_provenance_mut;

/// The sizes of blocks and the addresses of contents are multiples of this.
pub const UNIT: usize = 16;

/// One word.
const WORD: usize = size_of::<usize>();

/// The smallest block: its size, two links, and its size again when free.
const SMALLEST: usize = 4 * WORD;

/// The block is in use.
const USED: usize = 1;

/// The block before it is in use, or there is none. If it is free, the word
/// before this block is its size.
const AFTER_USED: usize = 2;

const FLAGS: usize = UNIT - 1;

const LISTS: usize = 64;

/// The blocks of some areas. Addresses are those of a block's first word.
pub struct Blocks {
    top: usize,
    end: usize,
    /// All memory below this address may have been in use, also memory above the top.
    touched: usize,
    /// Which lists are not empty, one bit each.
    filled: u64,
    lists: [usize; LISTS],
}

impl Blocks {
    /// No memory at all.
    pub const fn new() -> Self {
        Self {
            top: 0,
            end: 0,
            touched: 0,
            filled: 0,
            lists: [0; LISTS],
        }
    }

    /// Cuts blocks out of `area` from now on. The rest of the area before it can still be
    /// used.
    ///
    /// # Safety
    ///
    /// The area is zero, its provenance is exposed, nobody else uses it, and
    /// it stays for ever. Its start and its end are multiples of UNIT.
    pub unsafe fn add(&mut self, area: Range<usize>) {
        let (at, rest) = (self.top, self.end - self.top);
        // SAFETY: the rest of the former area is ours, and so is the word
        // that was kept behind it. It ends the area like a block in use.
        unsafe {
            if rest >= SMALLEST {
                set(self.end, USED);
                self.insert(at, rest);
            } else if self.end != 0 {
                set(self.end, USED | AFTER_USED);
                if rest > 0 {
                    set(at, rest | USED | AFTER_USED);
                }
            }
        }
        // Contents are at multiples of UNIT, the words before them are not.
        self.top = area.start + UNIT - WORD;
        self.end = area.end - WORD;
        self.touched = self.top;
    }

    /// The address of `len` bytes, at most 512 KiB, which are zero. None if
    /// there is no such piece.
    pub fn alloc(&mut self, len: usize) -> Option<usize> {
        let need = block(len);
        // SAFETY: what is in the lists is a free block of ours, and so is
        // what lies between the top and the end.
        unsafe {
            if let Some(at) = self.find(need) {
                let have = self.remove(at);
                self.place(at, have, need, AFTER_USED);
                return Some(at + WORD);
            }
            if self.end - self.top < need {
                return None;
            }
            let at = self.top;
            self.raise(at + need);
            set(at, need | USED | AFTER_USED);
            Some(at + WORD)
        }
    }

    /// As [`Self::alloc`], at a multiple of `align`, a power of two.
    pub fn alloc_aligned(&mut self, len: usize, align: usize) -> Option<usize> {
        if align <= UNIT {
            return self.alloc(len);
        }
        let ptr = self.alloc(len + align + SMALLEST)?;
        let aligned = (ptr + SMALLEST).next_multiple_of(align);
        let (at, lead) = (ptr - WORD, aligned - ptr);
        // SAFETY: the block is in use and large enough to be cut in two.
        unsafe {
            let word = get(at);
            set(at + lead, ((word & !FLAGS) - lead) | USED | AFTER_USED);
            set(at, lead | (word & FLAGS));
            self.free(ptr);
            self.shrink(aligned, len);
        }
        Some(aligned)
    }

    /// Frees the content at `ptr`, and zeroes it.
    ///
    /// # Safety
    ///
    /// `ptr` is in use, and is not used any more.
    pub unsafe fn free(&mut self, ptr: usize) {
        let mut at = ptr - WORD;
        // SAFETY: the block is ours again, and its neighbours are known by
        // the words before and behind it.
        unsafe {
            let word = get(at);
            let mut size = word & !FLAGS;
            clear(at, size);
            if word & AFTER_USED == 0 {
                let before = at - get(at - WORD);
                size += self.remove(before);
                at = before;
            }
            let next = at + size;
            if next == self.top {
                self.top = at;
                return;
            }
            let word = get(next);
            if word & USED == 0 {
                size += self.remove(next);
            } else {
                set(next, word & !AFTER_USED);
            }
            self.insert(at, size);
        }
    }

    /// Shrinks a content in place.
    ///
    /// # Safety
    ///
    /// `ptr` is in use, and longer than `len`.
    pub unsafe fn shrink(&mut self, ptr: usize, len: usize) {
        let (at, need) = (ptr - WORD, block(len));
        // SAFETY: the block is in use and can be cut in two; the second one
        // is not used any more.
        unsafe {
            let word = get(at);
            let rest = (word & !FLAGS) - need;
            if rest >= SMALLEST {
                set(at, need | (word & FLAGS));
                set(at + need, rest | USED | AFTER_USED);
                self.free(at + need + WORD);
            }
        }
    }

    /// Grows a content in place. False if the memory behind it is not free.
    ///
    /// # Safety
    ///
    /// `ptr` is in use, and shorter than `len`.
    pub unsafe fn grow(&mut self, ptr: usize, len: usize) -> bool {
        let (at, need) = (ptr - WORD, block(len));
        // SAFETY: the block is in use; what follows is the top, a block, or
        // the end of an area, which looks like a block in use.
        unsafe {
            let word = get(at);
            let size = word & !FLAGS;
            let next = at + size;
            if need <= size {
                return true;
            }
            if next == self.top {
                if self.end - at < need {
                    return false;
                }
                self.raise(at + need);
                set(at, need | (word & FLAGS));
                return true;
            }
            let after = get(next);
            let have = size + (after & !FLAGS);
            if after & USED != 0 || have < need {
                return false;
            }
            self.remove(next);
            self.place(at, have, need, word & AFTER_USED);
            true
        }
    }

    /// Whether there is any memory, in use or not.
    pub fn has_memory(&self) -> bool {
        self.end != 0
    }

    /// Whether `len` bytes can be had in one piece.
    pub fn has(&self, len: usize) -> bool {
        let need = block(len);
        self.end - self.top >= need || self.find(need).is_some()
    }

    /// Calls `release` for all pages, of `size` bytes, that hold nothing but may still
    /// occupy memory.
    pub fn free_pages(&mut self, size: usize, mut release: impl FnMut(Range<usize>)) {
        let mut pages = |start: usize, end: usize| {
            let start = start.next_multiple_of(size);
            if start < end {
                release(start..end);
            }
        };
        let (touched, end) = (self.touched.next_multiple_of(size), self.end + WORD);
        pages(self.top, touched.min(end - end % size));
        self.touched = self.top;
        for list in self.lists {
            let mut at = list;
            while at != 0 {
                // SAFETY: what is in a list is a free block.
                let (word, next) = unsafe { (get(at), get(at + WORD)) };
                let last = at + (word & !FLAGS) - WORD;
                pages(at + 3 * WORD, last - last % size);
                at = next;
            }
        }
    }

    /// A free block of at least `need` bytes. Only the first block in the list of that size
    /// is tried, then larger ones.
    fn find(&self, need: usize) -> Option<usize> {
        let own = list(need);
        let first = self.lists[own];
        // SAFETY: what is in a list is a free block.
        if first != 0 && unsafe { get(first) } & !FLAGS >= need {
            return Some(first);
        }
        let larger = self.filled & (!0 << own << 1);
        (larger != 0).then(|| self.lists[larger.trailing_zeros() as usize])
    }

    fn raise(&mut self, top: usize) {
        self.top = top;
        self.touched = self.touched.max(top);
    }

    /// Makes a block in use of the first `need` bytes of `have`, and a free block of the
    /// rest, if that is large enough.
    unsafe fn place(&mut self, at: usize, have: usize, need: usize, flags: usize) {
        // SAFETY: the caller guarantees it. A free block is never the last
        // one before the top, so a block follows.
        unsafe {
            if have - need >= SMALLEST {
                set(at, need | USED | flags);
                self.insert(at + need, have - need);
            } else {
                set(at, have | USED | flags);
                set(at + have, get(at + have) | AFTER_USED);
            }
        }
    }

    /// Makes a free block, which is zero, and puts it into its list.
    unsafe fn insert(&mut self, at: usize, size: usize) {
        let list = list(size);
        let next = self.lists[list];
        // SAFETY: the caller guarantees it; what is in a list is a free block.
        unsafe {
            set(at, size | AFTER_USED);
            set(at + WORD, next);
            set(at + size - WORD, size);
            if next != 0 {
                set(next + 2 * WORD, at);
            }
        }
        self.lists[list] = at;
        self.filled |= 1 << list;
    }

    /// Takes a free block out of its list, and zeroes all its words. Returns its size.
    unsafe fn remove(&mut self, at: usize) -> usize {
        // SAFETY: the caller guarantees it; what is in a list is a free block.
        unsafe {
            let size = get(at) & !FLAGS;
            let (next, former) = (get(at + WORD), get(at + 2 * WORD));
            if next != 0 {
                set(next + 2 * WORD, former);
            }
            if former != 0 {
                set(former + WORD, next);
            } else {
                let list = list(size);
                self.lists[list] = next;
                if next == 0 {
                    self.filled &= !(1 << list);
                }
            }
            for place in [at, at + WORD, at + 2 * WORD, at + size - WORD] {
                set(place, 0);
            }
            size
        }
    }
}

/// The size of a block for `len` bytes.
fn block(len: usize) -> usize {
    (len + WORD).next_multiple_of(UNIT).max(SMALLEST)
}

/// The list that a block of this size belongs to: four for each power of two.
fn list(size: usize) -> usize {
    let power = size.ilog2();
    let quarter = (size >> (power - 2)) & 3;
    let list = 4 * (power - SMALLEST.ilog2()) as usize + quarter;
    list.min(LISTS - 1)
}

unsafe fn get(at: usize) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe { with_exposed_provenance_mut::<usize>(at).read() }
}

unsafe fn set(at: usize, word: usize) {
    // SAFETY: the caller guarantees it.
    unsafe { with_exposed_provenance_mut::<usize>(at).write(word) }
}

/// Zeroes `len` bytes. Not inlined: the compiler could leave out writes that nothing
/// reads.
#[inline(never)]
unsafe fn clear(at: usize, len: usize) {
    // SAFETY: the caller guarantees it.
    unsafe { with_exposed_provenance_mut::<u8>(at).write_bytes(0, len) }
}

#[cfg(test)]
mod tests;
