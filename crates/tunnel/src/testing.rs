//! Sessions of both sides, for tests and for fuzzing.
#![allow(clippy::unwrap_used, reason = "the test data is usable")]

use std::sync::{Arc, OnceLock};

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
    CertificateError, ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
};

use crate::handshake_facts::HandshakeFacts;
use crate::record_status::RecordStatus;
use crate::session::Session;
use crate::suites;

const KEY: &[u8] = include_bytes!("../../pki/src/testdata/key.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../pki/src/testdata/certificate.pem");

/// The private key of the server, ECDSA P-256.
pub fn private_key() -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(KEY).unwrap()
}

/// Its certificate, for localhost, which is its own issuer.
pub fn chain() -> Vec<CertificateDer<'static>> {
    let certificates = CertificateDer::pem_slice_iter(CERTIFICATE);
    certificates.collect::<Result<_, _>>().unwrap()
}

/// A server with this key and certificate. It allows for early data, which it
/// skips.
pub fn server_session() -> Session {
    server_session_with(None)
}

/// Keys for tickets, the same for all servers of this process.
pub fn ticketer() -> Arc<dyn ProducesTickets> {
    static KEYS: OnceLock<Arc<dyn ProducesTickets>> = OnceLock::new();
    let keys = || rustls::crypto::ring::Ticketer::new().unwrap();
    Arc::clone(KEYS.get_or_init(keys))
}

/// The same, which makes tickets if it has keys for them.
pub fn server_session_with(tickets: Option<Arc<dyn ProducesTickets>>) -> Session {
    let facts = HandshakeFacts::default();
    let mut config = ServerConfig::builder_with_provider(provider(facts.records()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain(), private_key())
        .unwrap();
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 1 << 17;
    if let Some(tickets) = tickets {
        config.ticketer = tickets;
        config.send_tls13_tickets = 2;
    }
    let connection = UnbufferedServerConnection::new(Arc::new(config)).unwrap();
    Session::Server(Box::new(connection), facts, false)
}

/// A client that accepts this certificate and no other.
pub fn client_session() -> Session {
    let verifier = Verifier {
        certificate: chain().pop(),
        ..Verifier::any()
    };
    let facts = HandshakeFacts::default();
    let mut config = ClientConfig::builder_with_provider(provider(facts.records()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = UnbufferedClientConnection::new(Arc::new(config), name).unwrap();
    Session::Client(Box::new(connection), facts)
}

fn provider(records: &RecordStatus) -> Arc<CryptoProvider> {
    let provider = default_provider();
    Arc::new(CryptoProvider {
        cipher_suites: suites::strict(&provider.cipher_suites, records),
        kx_groups: vec![X25519],
        ..provider
    })
}

/// A verifier of one certificate or of any. The peer has to own its key.
#[derive(Debug)]
pub struct Verifier {
    certificate: Option<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// One that accepts any certificate.
    pub fn any() -> Self {
        Self {
            certificate: None,
            algorithms: default_provider().signature_verification_algorithms,
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
        &[]
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
