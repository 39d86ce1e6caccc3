//! Writes all generated files: `make docs`.

use std::fs;
use std::io::Error;

fn main() -> Result<(), Error> {
    if !cfg!(debug_assertions) {
        return Err(Error::other("a release build has no paragraphs"));
    }
    let files = tables::files()?;
    for directory in tables::DIRECTORIES {
        let directory = tables::root(directory);
        fs::create_dir_all(&directory)?;
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if !files.contains_key(&path) {
                fs::remove_file(path)?;
            }
        }
    }
    for (path, text) in files {
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            fs::write(&path, text)?;
        }
    }
    Ok(())
}
