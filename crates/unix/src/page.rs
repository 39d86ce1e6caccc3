//! The size of a page of memory.

use nix::unistd::{SysconfVar, sysconf};

/// The smallest page of any supported system. Every page size is a multiple, so each
/// page begins at a multiple of this.
pub(crate) const SMALLEST_PAGE: usize = 4096;

/// The page size of the running kernel, at least [`SMALLEST_PAGE`]. A power of two.
/// C libraries have it from the start of the program: no system call.
pub(crate) fn page_size() -> usize {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| usize::try_from(size).ok())
        .map_or(SMALLEST_PAGE, |size| size.max(SMALLEST_PAGE))
}
