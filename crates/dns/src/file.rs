//! Files that configure the resolver, each of which may be missing.

use std::path::Path;

use unix::{Errno, errno};

/// The content of the file at `path`; empty if there is none. A file that is there and
/// cannot be read is an error.
pub(crate) fn content(path: impl AsRef<Path>) -> Result<Vec<u8>, Errno> {
    std::fs::read(path).or_else(|error| match errno::of(&error) {
        Errno::ENOENT | Errno::ENOTDIR => Ok(Vec::new()),
        errno => Err(errno),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_empty_and_an_unreadable_one_is_an_error() {
        let here = env!("CARGO_MANIFEST_DIR");
        let there = content(format!("{here}/src/file.rs")).unwrap();
        assert!(there.starts_with(b"//! Files"));
        for missing in ["no-such-file", "src/file.rs/no-directory"] {
            assert_eq!(content(format!("{here}/{missing}")), Ok(Vec::new()));
        }
        assert_eq!(content(here), Err(Errno::EISDIR));
    }
}
