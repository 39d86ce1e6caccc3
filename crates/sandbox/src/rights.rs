//! Landlock: no rights on files, on TCP ports, and on processes outside.

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetError, RulesetStatus, Scope,
};

/// Gives up all rights that the kernel can take, and returns its version of
/// Landlock; None if it took nothing.
pub fn give_up() -> Option<u32> {
    let status = restrict().ok()?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. }
            if status.ruleset != RulesetStatus::NotEnforced =>
        {
            Some(effective_abi as u32)
        }
        _ => None,
    }
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
mod tests {
    use std::fs::File;
    use std::io::ErrorKind::PermissionDenied;
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::tests::alone;

    #[test]
    fn nothing_can_be_opened_and_nobody_called() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let opens = || File::open("/etc/passwd").map_err(|error| error.kind());
        let calls = || TcpStream::connect(address).map_err(|error| error.kind());
        assert!(alone(|| opens().is_ok() && calls().is_ok()));
        assert!(alone(|| match give_up() {
            None => opens().is_ok(),
            Some(version) => {
                opens().err() == Some(PermissionDenied)
                    && (version < 4 || calls().err() == Some(PermissionDenied))
            }
        }));
    }
}
