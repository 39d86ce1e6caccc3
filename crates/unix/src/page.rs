//! The size of a page of memory.

use nix::unistd::{SysconfVar, sysconf};

/// The smallest page of any supported system. Every page size is a multiple.
pub(crate) const PAGE: usize = 4096;

/// The page size of the running kernel, at least [`PAGE`]. A power of two.
pub(crate) fn page_size() -> usize {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| usize::try_from(size).ok())
        .map_or(PAGE, |size| size.max(PAGE))
}
