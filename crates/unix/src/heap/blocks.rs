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
mod tests {
    use std::alloc::{Layout, alloc_zeroed, dealloc};

    use super::*;

    const PAGE: usize = 4096;

    /// An area that is given back at the end.
    struct Area(*mut u8, Layout);

    impl Area {
        fn new(len: usize) -> Self {
            let layout = Layout::from_size_align(len, PAGE).unwrap();
            // SAFETY: it is not empty.
            Self(unsafe { alloc_zeroed(layout) }, layout)
        }

        fn range(&self) -> Range<usize> {
            let start = self.0.expose_provenance();
            start..start + self.1.size()
        }
    }

    impl Drop for Area {
        fn drop(&mut self) {
            // SAFETY: it came from `alloc_zeroed` with this layout.
            unsafe { dealloc(self.0, self.1) }
        }
    }

    fn bytes(at: usize, len: usize) -> &'static mut [u8] {
        // SAFETY: the tests ask for pieces that they have.
        unsafe { std::slice::from_raw_parts_mut(with_exposed_provenance_mut(at), len) }
    }

    /// Numbers that look random, the same ones each time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as usize % end
        }

        /// Mostly small ones, sometimes a large one.
        fn len(&mut self) -> usize {
            let end = [24, 40, 200, 1000, 6000][self.below(5)];
            self.below(end) + 1
        }
    }

    /// A piece in use: where, how long, and what fills it.
    type Piece = (usize, usize, u8);

    fn check((at, len, fill): Piece) {
        assert!(bytes(at, len).iter().all(|byte| *byte == fill));
    }

    /// One more piece, if there is room.
    fn alloc(blocks: &mut Blocks, pieces: &mut Vec<Piece>, random: &mut Random) {
        let (len, align) = (random.len(), [1, 8, 16, 32, 64, 4096][random.below(6)]);
        if let Some(at) = blocks.alloc_aligned(len, align) {
            assert_eq!(at % align.max(UNIT), 0);
            check((at, len, 0));
            let fill = random.below(255) as u8 + 1;
            bytes(at, len).fill(fill);
            pieces.push((at, len, fill));
        }
    }

    fn resize(blocks: &mut Blocks, piece: &mut Piece, random: &mut Random) {
        let (at, len, fill) = *piece;
        let new = random.len();
        // SAFETY: the piece is in use.
        let done = unsafe {
            if new < len {
                blocks.shrink(at, new);
                true
            } else {
                new > len && blocks.grow(at, new)
            }
        };
        if done {
            check((at, len.min(new), fill));
            bytes(at, new).fill(fill);
            piece.1 = new;
        }
    }

    fn free(blocks: &mut Blocks, (at, len, fill): Piece) {
        check((at, len, fill));
        // SAFETY: the piece is in use, and is not used any more.
        unsafe { blocks.free(at) };
    }

    fn count_nonzero(area: &Area) -> usize {
        let all = bytes(area.range().start, area.1.size());
        all.iter().filter(|byte| **byte != 0).count()
    }

    #[test]
    fn pieces_never_overlap_and_all_that_is_free_is_zero() {
        let rounds = if cfg!(miri) { 1 } else { 60 };
        for seed in 1..=rounds {
            let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
            let areas = [32, 16, 24].map(|pages| Area::new(pages * PAGE));
            let mut blocks = Blocks::new();
            assert_eq!(blocks.alloc(1), None);
            let mut pieces = Vec::new();
            for area in &areas {
                // SAFETY: the area is zero and outlives the blocks.
                unsafe { blocks.add(area.range()) };
                for _ in 0..if cfg!(miri) { 100 } else { 2000 } {
                    match random.below(if pieces.len() > 100 { 8 } else { 4 }) {
                        0 | 1 => alloc(&mut blocks, &mut pieces, &mut random),
                        2 if !pieces.is_empty() => {
                            let one = random.below(pieces.len());
                            resize(&mut blocks, &mut pieces[one], &mut random);
                        }
                        3 if random.below(20) == 0 => blocks.free_pages(PAGE, |pages| {
                            check((pages.start, pages.len(), 0));
                            assert!(areas.iter().any(|area| {
                                let area = area.range();
                                area.start <= pages.start && pages.end <= area.end
                            }));
                        }),
                        _ if !pieces.is_empty() => {
                            let piece = pieces.swap_remove(random.below(pieces.len()));
                            free(&mut blocks, piece);
                        }
                        _ => {}
                    }
                }
            }
            pieces.drain(..).for_each(|piece| free(&mut blocks, piece));
            // The words of one free block in each former area, and none in
            // the newest.
            let left: Vec<usize> = areas.iter().map(count_nonzero).collect();
            assert!(left[0] <= 16 && left[1] <= 16 && left[2] == 0, "{left:?}");
            assert!(blocks.has(20 * PAGE) && blocks.alloc(31 * PAGE).is_some());
        }
    }

    #[test]
    fn an_area_may_end_in_too_little_for_a_block() {
        let whole = PAGE - UNIT;
        for rest in (0..SMALLEST).step_by(UNIT) {
            let areas = [Area::new(PAGE), Area::new(PAGE)];
            let mut blocks = Blocks::new();
            // SAFETY: the area is zero and outlives the blocks.
            unsafe { blocks.add(areas[0].range()) };
            let len = whole - rest - WORD;
            let first = blocks.alloc(len).unwrap();
            bytes(first, len).fill(1);
            assert_eq!(blocks.alloc(1), None);
            // SAFETY: the area is zero and outlives the blocks.
            unsafe { blocks.add(areas[1].range()) };
            let second = blocks.alloc(100).unwrap();
            assert!(areas[1].range().contains(&second));
            bytes(second, 100).fill(2);
            // Neither the rest nor the word behind it becomes part of the free block.
            // SAFETY: it is in use, and is not used any more.
            unsafe { blocks.free(first) };
            assert_eq!(blocks.alloc(len), Some(first));
            check((first, len, 0));
            check((second, 100, 2));
        }
    }

    #[test]
    fn what_can_be_had_in_one_piece_is_what_can_be_allocated() {
        let area = Area::new(8 * PAGE);
        let mut blocks = Blocks::new();
        // SAFETY: the area is zero and outlives the blocks.
        unsafe { blocks.add(area.range()) };
        let most = 8 * PAGE - UNIT - WORD;
        assert!(blocks.has(most) && !blocks.has(most + 1));
        let first = blocks.alloc(3 * PAGE).unwrap();
        let second = blocks.alloc(3 * PAGE).unwrap();
        assert!(blocks.has(PAGE) && !blocks.has(3 * PAGE));
        // SAFETY: it is in use, and is not used any more.
        unsafe { blocks.free(first) };
        assert!(blocks.has(3 * PAGE) && !blocks.has(4 * PAGE));
        assert_eq!(blocks.alloc(2 * PAGE), Some(first), "a part of it");
        assert!(first < second);
    }

    #[test]
    fn no_page_is_returned_of_which_a_part_is_outside() {
        for (cut, last) in [(0, 16), (PAGE / 2, 15)] {
            let area = Area::new(16 * PAGE);
            let mut blocks = Blocks::new();
            let Range { start, end } = area.range();
            // SAFETY: the area is zero and outlives the blocks.
            unsafe { blocks.add(start..end - cut) };
            let all = blocks.alloc(16 * PAGE - cut - UNIT - WORD).unwrap();
            // SAFETY: it is in use, and is not used any more.
            unsafe { blocks.free(all) };
            let mut pages = Vec::new();
            blocks.free_pages(PAGE, |range| pages.push(range));
            assert_eq!(pages.len(), 1);
            assert_eq!(pages[0], start + PAGE..start + last * PAGE);
        }
    }

    #[test]
    fn pages_that_hold_nothing_are_returned_to_the_system() {
        let area = Area::new(16 * PAGE);
        let mut blocks = Blocks::new();
        // SAFETY: the area is zero and outlives the blocks.
        unsafe { blocks.add(area.range()) };
        let pieces = [(); 3].map(|()| blocks.alloc(4 * PAGE).unwrap());
        let returned = |blocks: &mut Blocks| {
            let mut pages = Vec::new();
            let number = |at: usize| (at - area.range().start) / PAGE;
            blocks.free_pages(PAGE, |all| pages.push((number(all.start), number(all.end))));
            pages
        };
        assert_eq!(returned(&mut blocks), []);
        for piece in [pieces[0], pieces[2]] {
            // SAFETY: it is in use, and is not used any more.
            unsafe { blocks.free(piece) };
        }
        // The last piece was at the end: what is there is not returned again before it is used.
        assert_eq!(returned(&mut blocks), [(9, 13), (1, 4)]);
        assert_eq!(returned(&mut blocks), [(1, 4)]);
        assert!(blocks.alloc(4 * PAGE - WORD).is_some(), "the first again");
        assert!(blocks.alloc(PAGE).is_some());
        assert_eq!(returned(&mut blocks), []);
    }

    #[test]
    fn the_same_piece_comes_again_and_again() {
        let area = Area::new(8 * PAGE);
        let mut blocks = Blocks::new();
        // SAFETY: the area is zero and outlives the blocks.
        unsafe { blocks.add(area.range()) };
        let kept = blocks.alloc(100).unwrap();
        let first = blocks.alloc(16_500).unwrap();
        for _ in 0..3 {
            // SAFETY: it is in use, and is not used any more.
            unsafe { blocks.free(first) };
            assert_eq!(blocks.alloc(16_500), Some(first));
        }
        assert_eq!(blocks.alloc(16_500), None);
        assert!(kept < first);
    }
}
