//! Environment variables that name files.

use std::ffi::OsStr;

use cli::{Context, Fatal};

use crate::CONTEXT;

/// The path in variable `name`, if it is set. It is an error (96) if it is empty.
pub fn path(context: &Context, name: impl AsRef<[u8]>) -> Result<Option<&OsStr>, Fatal> {
    let value = context.env.get(name.as_ref());
    match value {
        Some(path) if path.is_empty() => Err(Fatal::new(CONTEXT, empty(name))),
        path => Ok(path),
    }
}

/// The path in variable `name`. Unset is wrong usage (100), empty is 96.
pub fn required<'a>(context: &'a Context, name: &str) -> Result<&'a OsStr, Fatal> {
    context.require(name)?;
    path(context, name)?.ok_or_else(|| Fatal::new(CONTEXT, empty(name)))
}

/// The message about a variable that is set but empty.
pub fn empty(name: impl AsRef<[u8]>) -> String {
    let name = String::from_utf8_lossy(name.as_ref());
    format!("{name} is set but empty: it must be a path")
}
