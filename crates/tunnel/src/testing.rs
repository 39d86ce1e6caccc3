//! Sessions of both sides, for tests and for fuzzing.
#![allow(clippy::unwrap_used, reason = "the test data is usable")]

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock};

use rustls::DistinguishedName;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::ring::{default_provider, kx_group::X25519};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ProducesTickets, UnbufferedServerConnection};
use rustls::{
    CertificateError, ClientConfig, DEFAULT_VERSIONS, DigitallySignedStruct, Error, ServerConfig,
    SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
};

use crate::buffer::Buffer;
use crate::explain::Alert;
use crate::handshake_facts::HandshakeFacts;
use crate::hello::Hellos;
use crate::record_status::RecordStatus;
use crate::session::{Buffers, Received, Session, ToSend};
use crate::suites;

/// Versions of TLS.
pub type Versions<'a> = &'a [&'static SupportedProtocolVersion];

const KEY: &[u8] = include_bytes!("../../pki/src/testdata/key.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../pki/src/testdata/certificate.pem");

/// The private key of the server, ECDSA P-256.
pub fn private_key() -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(KEY).unwrap()
}

/// Its self-signed certificate, for localhost.
pub fn chain() -> Vec<CertificateDer<'static>> {
    let certificates = CertificateDer::pem_slice_iter(CERTIFICATE);
    certificates.collect::<Result<_, _>>().unwrap()
}

/// A server with that key and certificate. It skips early data.
pub fn server_session() -> Session {
    server_session_with(None)
}

/// Makes tickets with the same keys for all servers of this process.
pub fn ticketer() -> Arc<dyn ProducesTickets> {
    static KEYS: OnceLock<Arc<dyn ProducesTickets>> = OnceLock::new();
    let keys = || rustls::crypto::ring::Ticketer::new().unwrap();
    Arc::clone(KEYS.get_or_init(keys))
}

/// As [`server_session`], and with `tickets` it resumes sessions.
pub fn server_session_with(tickets: Option<Arc<dyn ProducesTickets>>) -> Session {
    let (facts, provider) = facts_and_provider();
    let mut config = server_config(provider, DEFAULT_VERSIONS);
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 1 << 17;
    if let Some(tickets) = tickets {
        config.ticketer = tickets;
        config.send_tls13_tickets = 2;
    }
    server_session_of(config, facts, false)
}

/// A server with this configuration; `asks` if it asks for a certificate.
pub fn server_session_of(config: ServerConfig, facts: HandshakeFacts, asks: bool) -> Session {
    let connection = UnbufferedServerConnection::new(Arc::new(config)).unwrap();
    Session::Server(Box::new(connection), facts, asks)
}

/// The configuration of a server with the key and certificate, without tickets.
pub fn server_config(provider: CryptoProvider, versions: Versions<'_>) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain(), private_key())
        .unwrap();
    config.send_tls13_tickets = 0;
    config
}

/// The configuration of a client without a certificate.
pub fn client_config(
    provider: CryptoProvider,
    versions: Versions<'_>,
    verifier: Verifier,
) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth()
}

/// The name of every server here.
pub fn server_name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// A client that accepts only the certificate of [`chain`].
pub fn client_session() -> Session {
    let verifier = Verifier {
        certificate: chain().pop(),
        ..Verifier::any()
    };
    let (facts, provider) = facts_and_provider();
    let mut config = client_config(provider, DEFAULT_VERSIONS, verifier);
    config.resumption = Resumption::disabled();
    let connection = UnbufferedClientConnection::new(Arc::new(config), server_name()).unwrap();
    Session::Client(Box::new(connection), facts)
}

/// Buffers that hold more than a test moves at once.
pub fn buffers() -> Buffers {
    let buffer = || Buffer::new(NonZeroUsize::new(1 << 17).unwrap()).unwrap();
    Buffers {
        incoming: buffer(),
        plain: buffer(),
        outgoing: buffer(),
        next_record: 0,
        hellos: Hellos::default(),
    }
}

/// A session with its buffers.
pub struct Party {
    /// The session.
    pub session: Session,
    /// Its buffers.
    pub buffers: Buffers,
}

impl Party {
    /// A party that has sent and received nothing.
    pub fn new(session: Session) -> Self {
        let buffers = buffers();
        Self { session, buffers }
    }

    /// A server: see [`server_session`].
    pub fn server() -> Self {
        Self::new(server_session())
    }

    /// A client: see [`client_session`].
    pub fn client() -> Self {
        Self::new(client_session())
    }

    /// A client and a server after their handshake.
    pub fn connected() -> (Self, Self) {
        let (mut client, mut server) = (Self::client(), Self::server());
        loop {
            client.process(ToSend::Nothing).unwrap();
            server.receive(&client.sent());
            server.process(ToSend::Nothing).unwrap();
            let answer = server.sent();
            if answer.is_empty() {
                break;
            }
            client.receive(&answer);
        }
        assert!(!client.session.is_handshaking() && !server.session.is_handshaking());
        (client, server)
    }

    /// Processes what was received, then sends: see [`Session::process`].
    pub fn process(&mut self, send: ToSend<'_>) -> Result<Received, Error> {
        self.session.process(&mut self.buffers, send)
    }

    /// Ends the session: see [`Session::alert`].
    pub fn alert(&mut self, wanted: Option<Alert>) {
        self.session.alert(&mut self.buffers, wanted);
    }

    /// Puts `bytes` from the network into its buffer.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.buffers.incoming.compact();
        assert_eq!(self.buffers.incoming.append(bytes), bytes.len());
    }

    /// Takes what is for the network.
    pub fn sent(&mut self) -> Vec<u8> {
        let sent = self.buffers.outgoing.content().to_vec();
        self.buffers.outgoing.clear();
        sent
    }
}

/// The facts of a new session, and its provider.
pub fn facts_and_provider() -> (HandshakeFacts, CryptoProvider) {
    let (records, cipher_suites) = unused_suites();
    let provider = CryptoProvider {
        cipher_suites,
        kx_groups: vec![X25519],
        ..default_provider()
    };
    (HandshakeFacts::new(records), provider)
}

/// The suites of [`default_provider`], with a status of records that no other session has.
///
/// Suites live for ever, and a fuzzer makes millions of sessions. So those of a session
/// that is over are used again.
fn unused_suites() -> (RecordStatus, Vec<SupportedCipherSuite>) {
    static MADE: Mutex<Vec<(RecordStatus, Vec<SupportedCipherSuite>)>> = Mutex::new(Vec::new());
    let mut made = unix::lock(&MADE);
    // Each suite has a clone, and so has the list.
    let unused = (made.iter()).find(|(records, suites)| records.reset_if_only(suites.len() + 1));
    if let Some(unused) = unused {
        return unused.clone();
    }
    let records = RecordStatus::default();
    let suites = suites::strict(&default_provider().cipher_suites, &records);
    made.push((records.clone(), suites.clone()));
    (records, suites)
}

/// A verifier of one certificate or of any. The peer must prove that it has the key.
#[derive(Debug)]
pub struct Verifier {
    certificate: Option<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
    /// The names of the authorities that a server sends to clients. If there are any, clients
    /// need no certificate.
    pub authorities: Vec<DistinguishedName>,
}

impl Verifier {
    /// A verifier that accepts any certificate.
    pub fn any() -> Self {
        Self {
            certificate: None,
            algorithms: default_provider().signature_verification_algorithms,
            authorities: Vec::new(),
        }
    }
}

macro_rules! verify_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, certificate, signature, &self.algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signature, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.certificate {
            Some(expected) if expected != end_entity => Err(CertificateError::UnknownIssuer.into()),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    verify_signatures!();
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.authorities
    }

    fn client_auth_mandatory(&self) -> bool {
        self.authorities.is_empty()
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    verify_signatures!();
}
