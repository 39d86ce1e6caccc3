//! Tests of what the patches add to rustls.
#![cfg(test)]

use std::io::Write;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::ConnectionState;
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, ServerConfig,
    ServerConnection, SignatureScheme, SupportedProtocolVersion,
};

/// Accepts any certificate and signature, and offers these schemes.
#[derive(Debug)]
struct Any(Vec<SignatureScheme>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

type Version = &'static SupportedProtocolVersion;

fn client_config(version: Version, scheme: SignatureScheme) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(vec![scheme])))
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(1);
    config.enable_early_data = true;
    config
}

fn client(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::clone(config), name).unwrap()
}

/// A new configuration, which has no sessions of other servers.
fn server_config() -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("key.pem")).unwrap();
    let certificate = CertificateDer::from_pem_slice(include_bytes!("certificate.pem")).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS12, &TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.max_early_data_size = 1 << 14;
    Arc::new(config)
}

fn unbuffered() -> UnbufferedServerConnection {
    UnbufferedServerConnection::new(server_config()).unwrap()
}

/// What `client` has to send.
fn sent(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Gives `incoming` to the server, and removes the bytes that it has processed. Returns what it
/// sends until it waits for more, or its error.
fn drive(
    server: &mut UnbufferedServerConnection,
    incoming: &mut Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let mut outgoing = Vec::new();
    loop {
        let status = server.process_tls_records(incoming);
        let discard = status.discard;
        let waits = match status.state? {
            ConnectionState::EncodeTlsData(mut record) => {
                let mut bytes = vec![0; 1 << 15];
                let count = record.encode(&mut bytes).unwrap();
                outgoing.extend_from_slice(&bytes[..count]);
                false
            }
            ConnectionState::TransmitTlsData(sent) => {
                sent.done();
                false
            }
            _ => true,
        };
        incoming.drain(..discard);
        if waits {
            return Ok(outgoing);
        }
    }
}

/// Both sides after the handshake.
fn connected(version: Version) -> (ClientConnection, UnbufferedServerConnection) {
    let config = Arc::new(client_config(
        version,
        SignatureScheme::ECDSA_NISTP256_SHA256,
    ));
    let (mut client, mut server) = (client(&config), unbuffered());
    while client.is_handshaking() || server.is_handshaking() {
        let mut incoming = sent(&mut client);
        let answer = drive(&mut server, &mut incoming).unwrap();
        client.read_tls(&mut &answer[..]).unwrap();
        client.process_new_packets().unwrap();
    }
    (client, server)
}

#[test]
fn unbuffered_connection_exports_the_keying_material_of_the_peer() {
    for version in [&TLS12, &TLS13] {
        let (client, server) = connected(version);
        let label = b"EXPORTER-Channel-Binding";
        let ours = server.export_keying_material([0; 32], label, Some(b""));
        let theirs = client.export_keying_material([0; 32], label, Some(b""));
        assert_eq!(ours.unwrap(), theirs.unwrap());
    }
    assert!(
        unbuffered()
            .export_keying_material([0; 32], b"x", None)
            .is_err()
    );
}

#[test]
fn alert_on_request_arrives_in_clear_or_encrypted_once() {
    let mut server = unbuffered();
    server.abort(AlertDescription::InternalError);
    server.abort(AlertDescription::AccessDenied);
    let alert = drive(&mut server, &mut Vec::new()).unwrap();
    assert_eq!(alert, [21, 3, 3, 0, 2, 2, 80]);
    for version in [&TLS12, &TLS13] {
        let (mut client, mut server) = connected(version);
        server.abort(AlertDescription::AccessDenied);
        let alert = drive(&mut server, &mut Vec::new()).unwrap();
        client.read_tls(&mut &alert[..]).unwrap();
        let error = Error::AlertReceived(AlertDescription::AccessDenied);
        assert_eq!(client.process_new_packets().unwrap_err(), error);
    }
}

#[test]
fn records_of_rejected_early_data_are_discarded_at_once() {
    let config = Arc::new(client_config(
        &TLS13,
        SignatureScheme::ECDSA_NISTP256_SHA256,
    ));
    let mut first = client(&config);
    let mut server = ServerConnection::new(server_config()).unwrap();
    loop {
        server.read_tls(&mut &sent(&mut first)[..]).unwrap();
        server.process_new_packets().unwrap();
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).unwrap();
        }
        if answer.is_empty() {
            break;
        }
        first.read_tls(&mut &answer[..]).unwrap();
        first.process_new_packets().unwrap();
    }
    // The second server does not know the session, so it rejects the early data.
    let (mut second, mut server) = (client(&config), unbuffered());
    let mut hello = sent(&mut second);
    drive(&mut server, &mut hello).unwrap();
    second.early_data().unwrap().write_all(&[7; 1000]).unwrap();
    let mut incoming = sent(&mut second);
    let length = incoming.len();
    assert!(length > 1000, "{length}");
    drive(&mut server, &mut incoming).unwrap();
    assert_eq!(incoming, []);
}

#[test]
fn tls12_server_without_a_common_scheme_says_so() {
    let config = Arc::new(client_config(
        &TLS12,
        SignatureScheme::ECDSA_NISTP384_SHA384,
    ));
    let mut hello = sent(&mut client(&config));
    let mut server = unbuffered();
    let error = drive(&mut server, &mut hello).unwrap_err();
    assert_eq!(error, PeerIncompatible::NoSignatureSchemesInCommon.into());
    let alert = drive(&mut server, &mut Vec::new()).unwrap();
    assert_eq!(alert, [21, 3, 3, 0, 2, 2, 40]);
}
