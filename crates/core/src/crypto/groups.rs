//! The key exchange groups of `--groups`, for rustls.

use cli::Group;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::kx_group::{SECP256R1, SECP384R1, X25519};

use super::hybrid::X25519MlKem768;

/// The implementation of `group`.
pub fn exchange(group: Group) -> &'static dyn SupportedKxGroup {
    match group {
        Group::X25519MlKem768 => &X25519MlKem768,
        Group::X25519 => X25519,
        Group::Secp256r1 => SECP256R1,
        Group::Secp384r1 => SECP384R1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_the_name_of_its_implementation() {
        for group in Group::ALL {
            let name = format!("{:?}", exchange(group).name());
            assert_eq!(name, group.name());
        }
    }
}
