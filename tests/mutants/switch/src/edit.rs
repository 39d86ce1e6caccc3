//! Changes of a source text, one inside the other, and where in the new text they are.

use std::ops::Range;

/// A part of the text that is replaced.
#[derive(Debug)]
pub struct Edit {
    /// The bytes of the source that are replaced: none for an insertion.
    pub range: Range<usize>,
    pub pieces: Vec<Piece>,
    /// The mutants in it.
    pub numbers: Vec<u32>,
    /// Edits of what [`Piece::Source`] repeats.
    pub children: Vec<Edit>,
}

/// What a part of the text is replaced with.
#[derive(Clone, Debug)]
pub enum Piece {
    Text(String),
    /// This part of the source, with its own edits.
    Source(Range<usize>),
    /// What a mutant does begins here.
    Begin,
    /// What the mutant with this number does ends here.
    End(u32),
}

/// Where the code of a mutant is in the new text.
#[derive(Debug)]
pub struct Place {
    pub number: u32,
    pub range: Range<usize>,
    /// Whether it is what the mutant alone does, or all that was written for its edit.
    pub own: bool,
}

/// The new text.
#[derive(Debug, Default)]
pub struct Rendered {
    pub text: String,
    pub places: Vec<Place>,
}

impl Rendered {
    /// The text `source` with these edits.
    pub fn new(source: &str, edits: &[Edit]) -> Self {
        let mut rendered = Self::default();
        rendered.part(source, 0..source.len(), edits);
        rendered
    }

    fn part(&mut self, source: &str, range: Range<usize>, edits: &[Edit]) {
        let inside = |edit: &&Edit| range.start <= edit.range.start && edit.range.end <= range.end;
        let mut inside: Vec<&Edit> = edits.iter().filter(inside).collect();
        inside.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let mut at = range.start;
        for edit in inside {
            self.text.push_str(&source[at..edit.range.start]);
            self.edit(source, edit);
            at = edit.range.end;
        }
        self.text.push_str(&source[at..range.end]);
    }

    fn edit(&mut self, source: &str, edit: &Edit) {
        let start = self.text.len();
        let mut begin = start;
        for piece in &edit.pieces {
            match piece {
                Piece::Text(text) => self.text.push_str(text),
                Piece::Source(range) => self.part(source, range.clone(), &edit.children),
                Piece::Begin => begin = self.text.len(),
                Piece::End(number) => self.place(*number, begin, true),
            }
        }
        for number in &edit.numbers {
            self.place(*number, start, false);
        }
    }

    fn place(&mut self, number: u32, start: usize, own: bool) {
        let range = start..self.text.len();
        self.places.push(Place { number, range, own });
    }

    /// The mutants to blame for an error at these bytes: those whose own code is there, or
    /// else those of the smallest edit around it.
    pub fn blamed(&self, error: &Range<usize>) -> Vec<u32> {
        let around =
            |place: &&Place| place.range.start <= error.start && error.end <= place.range.end;
        let smallest = |own: bool| {
            let places = self
                .places
                .iter()
                .filter(around)
                .filter(|place| place.own == own);
            let size = places.clone().map(|place| place.range.len()).min();
            let places = places.filter(|place| Some(place.range.len()) == size);
            places.map(|place| place.number).collect::<Vec<_>>()
        };
        let own = smallest(true);
        if own.is_empty() { smallest(false) } else { own }
    }
}
