//! `s6-tlsd-io`: the server's end of a TLS connection. See
//! doc/s6-tlsd-io.md.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Instant;

use cli::{ClientCertificate, Context, Fatal, ServerOptions};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage, UnbufferedServerConnection};

use crate::own::choice::Certificates;
use crate::peer::anchors::Source;
use crate::peer::trust::Trust;
use crate::peer::verify::ClientVerifier;
use crate::report::bindings::exporter::Exporter;
use crate::report::notification::PeerInfo;
use crate::report::peer_info::Verification;
use crate::setup::{Ready, Setup};
use crate::tunnel::ends::PerEnd;
use crate::tunnel::session::Session;
use crate::{SETUP, crypto};

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let started = Instant::now();
    let (options, [fdr, fdw]) = ServerOptions::read(context)?;
    let setup = Setup {
        started,
        options: options.common.clone(),
        descriptors: PerEnd {
            net_in: 0,
            net_out: 1,
            app_in: fdr,
            app_out: fdw,
        },
    };
    setup.run(
        context,
        |context| read(context, &options),
        |own| finish(own, &options),
    )
}

/// What is read before the identity is dropped.
struct Own {
    certificates: Certificates,
    /// None: no chain is verified.
    anchors: Option<Source>,
    /// The revocation lists for that.
    crl_file: Option<OsString>,
}

fn read(context: &Context, options: &ServerOptions) -> Result<Own, Fatal> {
    let anchors = match options.asks_for_certificate() && !options.any_client_certificate {
        false => None,
        true if options.common.pins.is_empty() => Some(Source::required(context)?),
        true => Source::from_environment(context),
    };
    let certificates = Certificates::load(context, options.sni())?;
    Ok(Own {
        certificates,
        anchors,
        crl_file: context.env.get("CRLFILE").map(Into::into),
    })
}

fn finish(own: Own, options: &ServerOptions) -> Result<Ready, Fatal> {
    let overheard = own.certificates.overheard();
    let trust = Trust::load(
        own.anchors.as_ref(),
        own.crl_file.as_deref(),
        &options.common,
        overheard.clone(),
    )?;
    let verification = match trust.is_asked_for() {
        true => Verification::Verified,
        false => Verification::Unverified,
    };
    let verifier = verifier(trust, options.client_certificate);
    let mut provider = crypto::provider(&options.common.groups);
    let exporter = Exporter::asked_for(&options.common, &mut provider);
    Ok(Ready {
        session: session(provider, own.certificates, verifier, exporter.clone())?,
        server_name: None,
        peer_info: exporter.map(|exporter| PeerInfo {
            exporter,
            verification,
            own: Some(overheard),
        }),
    })
}

/// Who is asked for a certificate, and which one will do.
fn verifier(trust: Trust, wanted: ClientCertificate) -> Arc<dyn ClientCertVerifier> {
    match wanted {
        ClientCertificate::None => Arc::new(NoClientAuth),
        ClientCertificate::Optional => Arc::new(ClientVerifier::new(trust, false)),
        ClientCertificate::Mandatory => Arc::new(ClientVerifier::new(trust, true)),
    }
}

fn session(
    provider: Arc<CryptoProvider>,
    certificates: Certificates,
    verifier: Arc<dyn ClientCertVerifier>,
    exporter: Option<Arc<Exporter>>,
) -> Result<Session, Fatal> {
    let overheard = certificates.overheard();
    let failed = |error| Fatal::new(SETUP, format!("unable to set up TLS: {error}"));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(certificates));
    config.ignore_client_order = true;
    // Tickets would be bound to the memory of this process, which serves one
    // connection.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Early data is never accepted, for there are no tickets; but what a
    // client sends in the hope of it has to be skipped (RFC 8446 4.2.10).
    config.max_early_data_size = 16384;
    if let Some(exporter) = exporter {
        config.key_log = exporter;
    }
    let connection = UnbufferedServerConnection::new(Arc::new(config)).map_err(failed)?;
    Ok(Session::Server(Box::new(connection), overheard))
}

/// A session that shows this certificate, for tests of the pump.
#[cfg(any(test, feature = "fuzzing"))]
#[allow(clippy::unwrap_used, reason = "the test data is usable")]
pub(crate) fn test_session(key: &[u8], certificate: &[u8]) -> Session {
    let key = crate::files::pem::private_key(key).unwrap();
    let chain = crate::files::pem::certificates(certificate).unwrap();
    let signer = crypto::signing_key(&key).unwrap();
    let pair = rustls::sign::CertifiedKey::new(chain, signer);
    let certificates = Certificates::only(pair);
    let nobody = Arc::new(NoClientAuth);
    session(
        crypto::provider(&[cli::Group::X25519]),
        certificates,
        nobody,
        None,
    )
    .unwrap()
}
