//! Rewrites the parts of doc/*.md that come from the tables: `make docs`.

use std::fs;
use std::io::Error;

fn main() -> Result<(), Error> {
    if !cfg!(debug_assertions) {
        return Err(Error::other("a release build has no paragraphs"));
    }
    for (path, program) in tables::pages() {
        let text = fs::read_to_string(&path)?;
        let rewritten = tables::rewritten(&text, program)?;
        if rewritten != text {
            fs::write(&path, rewritten)?;
        }
    }
    Ok(())
}
