//! The guard as rustls sees it: something that has certificates, signs, and
//! makes tickets. All of it happens in the other process.
//!
//! A question blocks until it is answered: the one wait inside a turn of the
//! tunnel. It ends with the handshake's time limit.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::client::ResolvesClientCert;
use rustls::server::ProducesTickets;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use super::channel::{self, Silence};
use super::message::{Answer, MAX_ANSWER, MAX_TEXT, Public, Question};
use crate::credentials::resolver::CertSource;
use crate::credentials::sessions::{Versions, is_resumable};
use crate::credentials::ticketer::LIFETIME;
use crate::handshake_facts::{Overheard, Trouble};

/// The line to the guard, which every part that rustls holds shares.
#[derive(Clone)]
pub struct Remote(Arc<Line>);

struct Line {
    socket: Mutex<Option<OwnedFd>>,
    deadline: Option<Instant>,
    overheard: Overheard,
}

impl Remote {
    /// A line over `socket`, which does not block if there is a `deadline`. An
    /// answer that is not there by then, and a guard that fails or is gone, are
    /// left in `overheard`.
    pub fn new(socket: OwnedFd, deadline: Option<Instant>, overheard: Overheard) -> Self {
        Self(Arc::new(Line {
            socket: Mutex::new(Some(socket)),
            deadline,
            overheard,
        }))
    }

    /// Lets the guard go: the handshake is over.
    pub fn hang_up(&self) {
        *self.socket() = None;
    }

    /// The number of the descriptor, while there is one.
    pub fn number(&self) -> Option<RawFd> {
        self.socket().as_ref().map(AsRawFd::as_raw_fd)
    }

    fn ask(&self, question: &Question<'_>) -> Result<Answer, Trouble> {
        let trouble = match self.exchange(question) {
            Ok(Answer::Failed(code, text)) => Trouble::Failed(code, text),
            Ok(answer) => return Ok(answer),
            Err(Silence::Late) => Trouble::Late,
            Err(Silence::Gone) => Trouble::GuardGone,
        };
        self.hang_up();
        self.0.overheard.give_up(trouble.clone());
        Err(trouble)
    }

    fn exchange(&self, question: &Question<'_>) -> Result<Answer, Silence> {
        let socket = self.socket();
        let socket = socket.as_ref().ok_or(Silence::Gone)?;
        channel::send(socket, &question.encode(), self.0.deadline)?;
        let (kind, content) = channel::receive(socket, MAX_ANSWER, self.0.deadline)?;
        Answer::parse(kind, content).ok_or(Silence::Gone)
    }

    fn bytes(&self, question: &Question<'_>) -> Option<Vec<u8>> {
        match self.ask(question) {
            Ok(Answer::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    fn certified(&self, public: Public) -> CertifiedKey {
        let key = RemoteKey {
            remote: self.clone(),
            algorithm: public.algorithm,
            schemes: public.schemes,
        };
        let mut pair = CertifiedKey::new(public.chain, Arc::new(key));
        pair.ocsp = public.ocsp;
        pair
    }

    fn socket(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.0.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

impl CertSource for Remote {
    fn choose(&self, name: Option<&str>) -> Result<Option<Arc<CertifiedKey>>, Trouble> {
        let answer = self.ask(&Question::Pair(name.map(str::as_bytes)))?;
        Ok(match answer {
            Answer::Pair(public) => Some(Arc::new(self.certified(public))),
            _ => None,
        })
    }
}

impl ResolvesClientCert for Remote {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.choose(None).ok().flatten()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// rustls asks neither which version a ticket is for nor, in TLS 1.2, whether
/// there are any before it opens one. The guard has none for TLS 1.2.
impl ProducesTickets for Remote {
    fn enabled(&self) -> bool {
        self.0.overheard.has_tls13()
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        is_resumable(plain, Versions::Tls13).then_some(())?;
        self.bytes(&Question::Seal(plain))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.enabled().then_some(())?;
        self.bytes(&Question::Open(cipher))
    }
}

/// A private key that is somewhere else.
#[derive(Debug)]
struct RemoteKey {
    remote: Remote,
    algorithm: SignatureAlgorithm,
    schemes: Vec<SignatureScheme>,
}

impl SigningKey for RemoteKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let mut schemes = self.schemes.iter();
        let scheme = *schemes.find(|scheme| offered.contains(scheme))?;
        let remote = self.remote.clone();
        Some(Box::new(RemoteSigner { remote, scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }
}

#[derive(Debug)]
struct RemoteSigner {
    remote: Remote,
    scheme: SignatureScheme,
}

impl Signer for RemoteSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        if message.len() > MAX_TEXT {
            return Err(Error::General(
                "handshake too long for the key guard".into(),
            ));
        }
        let signature = self
            .remote
            .bytes(&Question::Signature(self.scheme, message));
        signature.ok_or_else(|| Error::General("the key guard does not sign".into()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
