//! The key guard: a process that holds the private keys and has no connection to
//! the network. It is forked off before any secret is read. The engine asks it
//! over a socket pair for the certificate to show, for signatures and for tickets.
//!
//! [`process`] forks and confines the guard, [`policy`] decides what it answers,
//! and [`client`] is the engine's side. They exchange [`message`]s.

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

/// What is loaded before privileges are dropped. With a guard, the process that talks to the
/// network does not have it.
pub struct PrivateMaterial {
    /// The keys with their certificates.
    pub certificates: Certificates,
    /// The sessions that are resumed, if any are.
    pub sessions: Option<Sessions>,
}

/// Which process has the private key.
pub enum KeyLocation {
    /// This one.
    InProcess(PrivateMaterial),
    /// The guard of this client.
    Guarded(client::GuardClient),
}

impl KeyLocation {
    /// Waits until the keys are loaded, if a guard does that.
    pub fn wait(&self, verbosity: u32) -> Result<(), Fatal> {
        match self {
            Self::InProcess(_) => Ok(()),
            Self::Guarded(guard) => process::wait(guard, verbosity),
        }
    }
}

impl PrivateMaterial {
    /// The pair for `name`, which comes from the network.
    fn choose(&self, name: Option<&[u8]>) -> Result<Option<Arc<CertifiedKey>>, Fatal> {
        // rustls accepts only host names in ASCII.
        match name.map(std::str::from_utf8).transpose() {
            Ok(name) => self.certificates.choose(name),
            Err(_) => Ok(None),
        }
    }

    /// The pair of the ACME challenge for `name`, which comes from the network.
    fn challenge(&self, name: &[u8]) -> Result<Option<Arc<CertifiedKey>>, Fatal> {
        let name = std::str::from_utf8(name);
        name.map_or(Ok(None), |name| self.certificates.challenge(name))
    }
}
