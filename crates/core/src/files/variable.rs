//! The variables that name files.

use std::ffi::OsStr;

use cli::{Context, Fatal};

use crate::CONTEXT;

/// The path in variable `name`, if it is set. An empty one names no file: 96.
pub fn path(context: &Context, name: impl AsRef<[u8]>) -> Result<Option<&OsStr>, Fatal> {
    let value = context.env.get(name.as_ref());
    match value {
        Some(path) if path.is_empty() => Err(Fatal::new(CONTEXT, empty(name))),
        path => Ok(path),
    }
}

/// The same; unset is wrong usage.
pub fn required<'a>(context: &'a Context, name: &str) -> Result<&'a OsStr, Fatal> {
    context.require(name)?;
    path(context, name)?.ok_or_else(|| Fatal::new(CONTEXT, empty(name)))
}

/// What is said of a variable that is set and names no file.
pub fn empty(name: impl AsRef<[u8]>) -> String {
    let name = String::from_utf8_lossy(name.as_ref());
    format!("{name} is set but empty: it must be a path")
}
