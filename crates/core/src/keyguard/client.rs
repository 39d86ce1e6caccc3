//! The engine's side of the guard: certificates, signing keys and tickets for
//! rustls, all of them requested from the guard.
//!
//! A request blocks until it is answered, or until the handshake's time limit. No
//! other step of the tunnel waits.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

use rustls::client::ResolvesClientCert;
use rustls::server::ProducesTickets;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use tunnel::explain::Violation;
use tunnel::handshake_facts::{HandshakeAbort, HandshakeFacts};

use super::channel::{self, ChannelError};
use super::document::is_document;
use super::message::{MAX_RESPONSE, MAX_TEXT, PublicCredential, Request, Response};
use crate::credentials::resolver::CertSource;
use crate::credentials::sessions::{Versions, is_resumable};
use crate::credentials::ticketer::LIFETIME;

/// The connection to the guard. Clones, which rustls holds, share it.
#[derive(Clone)]
pub struct GuardClient(Arc<Connection>);

struct Connection {
    ends: Mutex<Option<Ends>>,
    /// The pair that every client gets, once the guard has said so.
    only: OnceLock<PublicCredential>,
    deadline: Option<Instant>,
    facts: HandshakeFacts,
}

/// What the engine holds of its connection to the guard.
pub struct Ends {
    /// Requests and responses go through this socket. It does not block if there is a
    /// deadline.
    pub socket: OwnedFd,
    /// The writing end of a pipe that stays empty, if the guard reads files later: it ends
    /// when the pipe is closed.
    pub lifeline: Option<OwnedFd>,
}

impl GuardClient {
    /// A client over `ends`. If the guard fails, is gone or does not respond by
    /// `deadline`, the reason is recorded in `facts`.
    pub fn new(ends: Ends, deadline: Option<Instant>, facts: HandshakeFacts) -> Self {
        Self(Arc::new(Connection {
            ends: Mutex::new(Some(ends)),
            only: OnceLock::new(),
            deadline,
            facts,
        }))
    }

    /// Waits until the guard has read all files.
    pub fn ready(&self) -> Result<(), HandshakeAbort> {
        let guarded = self.ends();
        let ends = guarded.as_ref().ok_or(HandshakeAbort::GuardGone)?;
        match self.response(&ends.socket) {
            Ok(Response::Ready(only)) => {
                // The guard says this only once.
                let _ = only.map(|only| self.0.only.set(only));
                Ok(())
            }
            Ok(Response::Failed(code, text)) => Err(HandshakeAbort::Failed(code, text)),
            Err(ChannelError::TimedOut) => Err(HandshakeAbort::TimedOut),
            Ok(_) | Err(ChannelError::Closed) => Err(HandshakeAbort::GuardGone),
        }
    }

    /// Closes both ends, which ends the guard: the handshake is over.
    pub fn hang_up(&self) {
        *self.ends() = None;
    }

    /// The numbers of the socket's descriptor, while it is open, and of the lifeline's.
    pub fn numbers(&self) -> Option<(RawFd, Option<RawFd>)> {
        let guarded = self.ends();
        let ends = guarded.as_ref()?;
        let lifeline = ends.lifeline.as_ref().map(AsRawFd::as_raw_fd);
        Some((ends.socket.as_raw_fd(), lifeline))
    }

    fn ask(&self, request: &Request<'_>) -> Result<Response, HandshakeAbort> {
        let reason = match self.exchange(request) {
            Ok(Response::Failed(code, text)) => HandshakeAbort::Failed(code, text),
            Ok(response) => return Ok(response),
            Err(ChannelError::TimedOut) => HandshakeAbort::TimedOut,
            Err(ChannelError::Closed) => HandshakeAbort::GuardGone,
        };
        self.hang_up();
        self.0.facts.abort(reason.clone());
        Err(reason)
    }

    fn exchange(&self, request: &Request<'_>) -> Result<Response, ChannelError> {
        let guarded = self.ends();
        let socket = &guarded.as_ref().ok_or(ChannelError::Closed)?.socket;
        channel::send(socket, &request.encode(), self.0.deadline)?;
        self.response(socket)
    }

    fn response(&self, socket: &OwnedFd) -> Result<Response, ChannelError> {
        let (kind, content) = channel::receive(socket, MAX_RESPONSE, self.0.deadline)?;
        Response::parse(kind, content).ok_or(ChannelError::Closed)
    }

    fn bytes(&self, request: &Request<'_>) -> Option<Vec<u8>> {
        match self.ask(request) {
            Ok(Response::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    fn pair(&self, request: &Request<'_>) -> Result<Option<Arc<CertifiedKey>>, HandshakeAbort> {
        Ok(match self.ask(request)? {
            Response::Pair(public) => Some(Arc::new(self.certified(public))),
            _ => None,
        })
    }

    fn certified(&self, public: PublicCredential) -> CertifiedKey {
        let key = GuardKey {
            client: self.clone(),
            algorithm: public.algorithm,
            schemes: public.schemes,
        };
        let mut pair = CertifiedKey::new(public.chain, Arc::new(key));
        pair.ocsp = public.ocsp;
        pair
    }

    fn ends(&self) -> MutexGuard<'_, Option<Ends>> {
        unix::lock(&self.0.ends)
    }
}

impl fmt::Debug for GuardClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardClient")
    }
}

impl CertSource for GuardClient {
    fn choose(&self, name: Option<&str>) -> Result<Option<Arc<CertifiedKey>>, HandshakeAbort> {
        if let Some(only) = self.0.only.get() {
            return Ok(Some(Arc::new(self.certified(only.clone()))));
        }
        self.pair(&Request::Pair(name.map(str::as_bytes)))
    }

    fn challenge(&self, name: &str) -> Result<Option<Arc<CertifiedKey>>, HandshakeAbort> {
        self.pair(&Request::Challenge(name.as_bytes()))
    }
}

impl ResolvesClientCert for GuardClient {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.choose(None).ok().flatten()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The guard has no tickets for TLS 1.2.
///
/// Upstream (doc/upstream.md, The certificates of a resumed session): rustls does not
/// say which version a ticket is for, and in TLS 1.2 opens tickets without asking
/// whether they are enabled.
impl ProducesTickets for GuardClient {
    fn enabled(&self) -> bool {
        self.0.facts.has_tls13() && !self.0.facts.is_challenge()
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        is_resumable(plain, Versions::Tls13).then_some(())?;
        self.bytes(&Request::Seal(plain))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.enabled().then_some(())?;
        self.bytes(&Request::Open(cipher))
    }
}

/// A private key that the guard holds.
#[derive(Debug)]
struct GuardKey {
    client: GuardClient,
    algorithm: SignatureAlgorithm,
    schemes: Vec<SignatureScheme>,
}

impl SigningKey for GuardKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let mut schemes = self.schemes.iter();
        let scheme = *schemes.find(|scheme| offered.contains(scheme))?;
        let client = self.client.clone();
        Some(Box::new(GuardSigner { client, scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }
}

#[derive(Debug)]
struct GuardSigner {
    client: GuardClient,
    scheme: SignatureScheme,
}

impl Signer for GuardSigner {
    /// This refuses the texts that the guard would refuse because of the peer: the guard's response
    /// does not say that the peer is to blame.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        if message.len() > MAX_TEXT {
            return Err(Violation::LongHandshake.into());
        }
        if is_document(message) {
            return Err(Violation::DocumentRandom.into());
        }
        let signature = self.client.bytes(&Request::Signature(self.scheme, message));
        signature.ok_or_else(|| Error::General("the key guard does not sign".into()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
