//! Landlock: no rights on files, on TCP ports, and on processes outside.

use std::error::Error;

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetError, RulesetStatus, Scope,
};
use unix::Errno;

/// Gives up all rights that the kernel can take, and returns its version of
/// Landlock. ENOSYS if it took nothing.
pub fn give_up() -> Result<u32, Errno> {
    let status = restrict().map_err(|error| cause(&error))?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. }
            if status.ruleset != RulesetStatus::NotEnforced =>
        {
            Ok(effective_abi as u32)
        }
        // The library does not say why it found no Landlock.
        _ => unix::lockdown::landlock_version().and(Err(Errno::ENOSYS)),
    }
}

/// The system's error at the bottom of the library's. ENOTRECOVERABLE if there
/// is none: then the fault is ours, and the system lacks nothing.
fn cause(error: &(dyn Error + 'static)) -> Errno {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    let system = causes.find_map(|error| error.downcast_ref::<std::io::Error>());
    system.map_or(Errno::ENOTRECOVERABLE, unix::errno::of)
}

/// A set of rules that handles everything and allows nothing. What the kernel
/// does not know is left out.
fn restrict() -> Result<RestrictionStatus, RulesetError> {
    const NEWEST: ABI = ABI::V9;
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()
}

#[cfg(test)]
#[allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]
mod tests {
    use std::fs::File;
    use std::io::ErrorKind::PermissionDenied;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn nothing_can_be_opened_and_nobody_called() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let opens = || File::open("/etc/passwd").map_err(|error| error.kind());
        let calls = || TcpStream::connect(address).map_err(|error| error.kind());
        assert!(opens().is_ok() && calls().is_ok());
        // It holds for the thread that asks for it.
        let inside = || match give_up() {
            Err(Errno::ENOSYS | Errno::EOPNOTSUPP) => opens().is_ok(),
            Err(errno) => panic!("{errno}"),
            Ok(version) => {
                opens().err() == Some(PermissionDenied)
                    && (version < 4 || calls().err() == Some(PermissionDenied))
            }
        };
        assert!(std::thread::scope(|scope| scope
            .spawn(inside)
            .join()
            .unwrap()));
        assert!(opens().is_ok());
    }
}
