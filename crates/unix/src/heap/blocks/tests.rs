//! Blocks of areas, allocated and freed.

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
