//! The certificates of ACME challenges in SNIDIR (RFC 8737), in the files that dehydrated writes.

use std::cell::RefCell;

use cli::Fatal;

use super::{Found, Place, SniDirectory};
use crate::files::retry::Attempt;
use crate::host_name;

/// The directory in SNIDIR for ACME challenges. No client can ask for this name.
pub const CHALLENGES: &str = ".acme-tls-alpn";

/// The ends of the names of a challenge's files, the key first. These are dehydrated's.
pub(super) const CHALLENGE_FILES: [&str; 2] = [".key.pem", ".crt.pem"];

/// The place of the ACME challenge for `name`. None if it is not a host name. There are no
/// wildcards: a challenge is for one name (RFC 8737 section 3).
pub fn challenge_place(name: &str) -> Option<Place> {
    let name = host_name::checked(name)?;
    let [key, certificate] = CHALLENGE_FILES.map(|end| format!("{CHALLENGES}/{name}{end}"));
    Some(Place { key, certificate })
}

impl SniDirectory {
    /// The pair of the ACME challenge for `name`, which the peer chose. Warns of a pair of
    /// which one file stays missing.
    pub fn challenge(&self, name: &str) -> Found {
        match challenge_place(name) {
            Some(place) => self.find(|half| self.search_challenge(&place, half)),
            None => Ok(None),
        }
    }

    /// Looks once for the challenge at `place`. If one of its files is missing, that is not
    /// final, and the message about it is stored in `half`.
    pub(super) fn search_challenge(
        &self,
        place: &Place,
        half: &RefCell<Option<Fatal>>,
    ) -> Attempt<Found> {
        half.replace(None);
        match self.first_whole(std::slice::from_ref(place)) {
            Ok(Some(_)) => {
                return match self.load(place) {
                    Ok(pair) => Attempt::Final(Ok(Some(pair))),
                    Err(failure) => failure.into(),
                };
            }
            Ok(None) => {}
            Err(failure) => return failure.into(),
        }
        match self.half(place) {
            Some(missing) => {
                half.replace(Some(missing));
                Attempt::Interim(Ok(None))
            }
            None => Attempt::Final(Ok(None)),
        }
    }
}
