//! `s6-tlsc-io`: the client's end of a TLS connection. See
//! doc/s6-tlsc-io.md.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use cli::address::Ip;
use cli::{ClientOptions, Context, Fatal};
use rustls::ClientConfig;
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::overheard::Overheard;
use crate::own::pair;
use crate::peer::anchors::Source;
use crate::peer::trust::Trust;
use crate::peer::verify::ServerVerifier;
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
    let (options, [fdr, fdw]) = ClientOptions::read(context)?;
    let setup = Setup {
        started,
        options: options.common.clone(),
        descriptors: PerEnd {
            net_in: fdr,
            net_out: fdw,
            app_in: 0,
            app_out: 1,
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
    /// The server's name.
    name: Option<ServerName<'static>>,
    /// None: no chain is verified.
    anchors: Option<Source>,
    /// The revocation lists for that.
    crl_file: Option<OsString>,
    /// What we show if the server asks.
    pair: Option<CertifiedKey>,
}

fn read(context: &Context, options: &ClientOptions) -> Result<Own, Fatal> {
    let name = options.server_name.as_deref().map(server_name);
    let name = name.transpose()?;
    let pair = match options.client_certificate {
        true => {
            let (key, certificate) = (context.require("KEYFILE")?, context.require("CERTFILE")?);
            Some(pair::load(context, key, certificate)?)
        }
        false => None,
    };
    Ok(Own {
        name,
        anchors: anchors(context, options)?,
        crl_file: context.env.get("CRLFILE").map(Into::into),
        pair,
    })
}

/// Which anchors there are. With a pin none are needed.
fn anchors(context: &Context, options: &ClientOptions) -> Result<Option<Source>, Fatal> {
    let pinned = !options.common.pins.is_empty();
    match (options.webpki_roots, pinned) {
        (true, _) => Ok(Some(Source::Mozilla)),
        (false, true) => Ok(Source::from_environment(context)),
        (false, false) => Source::required(context).map(Some),
    }
}

fn finish(own: Own, options: &ClientOptions) -> Result<Ready, Fatal> {
    let trust = trust(&own, options)?;
    let server_name = match &own.name {
        Some(ServerName::DnsName(name)) => Some(name.as_ref().to_owned()),
        _ => None,
    };
    let mut provider = crypto::provider(&options.common.groups);
    let exporter = Exporter::asked_for(&options.common, &mut provider);
    let verification = match trust.is_asked_for() {
        true => Verification::Verified,
        false => Verification::Unverified,
    };
    Ok(Ready {
        session: session(provider, own.name, trust, own.pair, exporter.clone())?,
        server_name,
        peer_info: exporter.map(|exporter| PeerInfo {
            exporter,
            verification,
            own: None,
        }),
    })
}

/// What the server's certificate must be. Anchors have to be there and
/// readable even if any certificate will do.
fn trust(own: &Own, options: &ClientOptions) -> Result<Trust, Fatal> {
    let pinned = !options.common.pins.is_empty();
    let any = options.accept_any_certificate;
    let source = own.anchors.as_ref().filter(|_| !(any && pinned));
    let crl_file = own.crl_file.as_deref().filter(|_| !any);
    let mut trust = Trust::load(source, crl_file, &options.common, Overheard::default())?;
    trust.anchors = trust.anchors.filter(|_| !any);
    Ok(trust)
}

/// A host name or an address.
fn server_name(name: &OsStr) -> Result<ServerName<'static>, Fatal> {
    let invalid = || {
        let name = name.to_string_lossy();
        Fatal::new(
            SETUP,
            format!("invalid server name {name}: neither host name nor address"),
        )
    };
    if let Some(ip) = Ip::parse(name.as_encoded_bytes()) {
        return Ok(ServerName::IpAddress(IpAddr::from(ip).into()));
    }
    let text = name.to_str().ok_or_else(invalid)?;
    ServerName::try_from(text.to_owned()).map_err(|_| invalid())
}

fn session(
    provider: Arc<CryptoProvider>,
    name: Option<ServerName<'static>>,
    trust: Trust,
    pair: Option<CertifiedKey>,
    exporter: Option<Arc<Exporter>>,
) -> Result<Session, Fatal> {
    let failed = |error| Fatal::new(SETUP, format!("unable to set up TLS: {error}"));
    let overheard = trust.overheard.clone();
    let verifier = ServerVerifier {
        trust,
        name: name.clone(),
        algorithms: provider.signature_verification_algorithms,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match pair {
        Some(pair) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair))),
        None => builder.with_no_client_auth(),
    };
    // This process makes one connection.
    config.resumption = Resumption::disabled();
    if let Some(exporter) = exporter {
        config.key_log = exporter;
    }
    config.enable_sni = name.is_some();
    // Without a name none is sent and none is checked; but rustls wants one.
    let name = name.unwrap_or(ServerName::IpAddress(
        std::net::Ipv4Addr::UNSPECIFIED.into(),
    ));
    let connection = UnbufferedClientConnection::new(Arc::new(config), name).map_err(failed)?;
    Ok(Session::Client(Box::new(connection), overheard))
}

/// A session that trusts this certificate, for tests of the pump.
#[cfg(any(test, feature = "fuzzing"))]
#[allow(clippy::unwrap_used, reason = "the test data is usable")]
pub(crate) fn test_session(certificate: &[u8]) -> Session {
    let name = ServerName::try_from("localhost").unwrap();
    let anchors = crate::peer::anchors::Anchors::parse(certificate);
    assert!(anchors.is_some());
    session(
        crypto::provider(&[cli::Group::X25519]),
        Some(name),
        Trust {
            anchors,
            ..Trust::default()
        },
        None,
        None,
    )
    .unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_or_addressed() {
        let name = |text: &str| server_name(OsStr::new(text)).ok();
        for text in ["127.0.0.1", "127.000.0.01", "::ffff:1.2.3.4", "::"] {
            let address = matches!(name(text), Some(ServerName::IpAddress(_)));
            assert!(address, "{text}");
        }
        assert!(matches!(name("a.example"), Some(ServerName::DnsName(_))));
        for text in ["", "1.2.3", "a..b", "fe80::1%lo"] {
            assert!(name(text).is_none(), "{text}");
        }
    }
}
