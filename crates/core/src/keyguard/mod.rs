//! The guard: a process that holds the private keys and never hears the
//! network, forked off before anything secret is read. The half that hears
//! the network asks it over a socket pair ([`message`]) for the pair to show, for
//! signatures and for tickets. [`policy`] is its side, [`client`] the other;
//! [`process`] parts the two.

mod channel;
pub mod client;
mod document;
pub mod message;
pub mod policy;
pub mod process;
mod signed_content;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cli::Fatal;
use rustls::sign::CertifiedKey;

use crate::credentials::resolver::Certificates;
use crate::credentials::sessions::Sessions;

/// Which side of the handshake the engine is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// s6-tlsc-io.
    Client,
    /// s6-tlsd-io.
    Server,
}

/// Loaded before privileges are dropped. The process that talks to the network
/// does not need it.
pub struct PrivateMaterial {
    /// The pairs.
    pub certificates: Certificates,
    /// What is resumed, if anything is.
    pub sessions: Option<Sessions>,
}

/// Where an engine has its secrets.
pub enum KeyLocation {
    /// In this process.
    InProcess(PrivateMaterial),
    /// With the guard at the other end.
    Guarded(client::GuardClient),
}

impl PrivateMaterial {
    /// The pair for `name`, which comes from the network.
    fn choose(&self, name: Option<&[u8]>) -> Result<Option<Arc<CertifiedKey>>, Fatal> {
        // A host name in rustls's sense is ASCII.
        match name.map(std::str::from_utf8).transpose() {
            Ok(name) => self.certificates.choose(name),
            Err(_) => Ok(None),
        }
    }
}
