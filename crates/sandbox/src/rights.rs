//! Landlock: no access to files, TCP ports and other processes.

use std::error::Error;

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetError, RulesetStatus, Scope,
};
use unix::Errno;

/// Gives up all rights that the kernel's Landlock can take away, and returns its
/// version. ENOSYS if there is no Landlock.
pub fn give_up() -> Result<u32, Errno> {
    let status = restrict().map_err(|error| cause(&error))?;
    // The library does not say why it found none: the system call does.
    let none = || unix::lockdown::landlock_version().and(Err(Errno::ENOSYS));
    in_force(status.landlock, &status.ruleset).map_or_else(none, Ok)
}

/// The version of Landlock whose rules are in force.
fn in_force(landlock: LandlockStatus, rules: &RulesetStatus) -> Option<u32> {
    match (landlock, rules) {
        (_, RulesetStatus::NotEnforced) => None,
        (LandlockStatus::Available { effective_abi, .. }, _) => Some(effective_abi as u32),
        _ => None,
    }
}

/// The system's error that caused the library's. ENOTRECOVERABLE if there is none:
/// then it is a bug, and not a feature that the system lacks.
fn cause(error: &(dyn Error + 'static)) -> Errno {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    let system = causes.find_map(|error| error.downcast_ref::<std::io::Error>());
    system.map_or(Errno::ENOTRECOVERABLE, unix::errno::of)
}

/// Enforces a ruleset that handles all rights and allows none. The library leaves
/// out rights that the kernel does not know.
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
    fn landlock_is_in_force_only_if_it_is_there_and_enforces_rules() {
        use RulesetStatus::{FullyEnforced, NotEnforced, PartiallyEnforced};
        let available = LandlockStatus::Available {
            effective_abi: ABI::V3,
            kernel_abi: None,
        };
        for (landlock, rules, version) in [
            (available, FullyEnforced, Some(3)),
            (available, PartiallyEnforced, Some(3)),
            (available, NotEnforced, None),
            (LandlockStatus::NotEnabled, FullyEnforced, None),
            (LandlockStatus::NotImplemented, NotEnforced, None),
        ] {
            assert_eq!(
                in_force(landlock, &rules),
                version,
                "{landlock:?} {rules:?}"
            );
        }
    }

    #[test]
    fn landlock_denies_files_and_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let opens = || File::open("/etc/passwd").map_err(|error| error.kind());
        let calls = || TcpStream::connect(address).map_err(|error| error.kind());
        assert!(opens().is_ok() && calls().is_ok());
        // It applies only to the thread that asks for it.
        let inside = || match give_up() {
            Err(Errno::ENOSYS | Errno::EOPNOTSUPP) => opens().is_ok(),
            Err(errno) => panic!("{errno}"),
            Ok(version) => {
                let newest = unix::lockdown::landlock_version().unwrap();
                assert_eq!(version, newest.min(9), "the library knows 9 versions");
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
