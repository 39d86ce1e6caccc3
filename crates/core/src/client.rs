//! `s6-tlsc-io`: the client's end of a TLS connection. See
//! doc/s6-tlsc-io.md.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use cli::address::Address;
use cli::message::NEEDS_A_LABEL;
use cli::{ClientOptions, Context, Fatal, SniLevel};
use rustls::ClientConfig;
use rustls::client::{ResolvesClientCert, Resumption, UnbufferedClientConnection};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use tunnel::endpoints::PerEnd;
use tunnel::handshake_facts::HandshakeFacts;
use tunnel::session::Session;

use crate::credentials::resolver::Certificates;
use crate::event_loop::{AfterClientHello, Guard};
use crate::files::patience::Files;
use crate::keyguard::{KeyLocation, PrivateMaterial, Role, process};
use crate::report::channel_binding::exporter::Exporter;
use crate::report::notification::PeerInfo;
use crate::setup::{self, Ready, Setup};
use crate::verify::policy::{Sources, TrustCell, VerificationPolicy};
use crate::verify::trust_anchors::Source;
use crate::verify::verifiers::ServerVerifier;
use crate::{SETUP, crypto};

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let started = Instant::now();
    let (options, [fdr, fdw]) = ClientOptions::read(context)?;
    let setup = Setup {
        started,
        options: options.engine.clone(),
        descriptors: PerEnd {
            net_in: fdr,
            net_out: fdw,
            app_in: 0,
            app_out: 1,
        },
    };
    setup.run(
        context,
        |context| read(context, &options, started),
        |state| finish(state, &options),
    )
}

/// Loaded before privileges are dropped.
struct PrivilegedState {
    /// The server's name.
    name: Option<ServerName<'static>>,
    /// Whom to trust.
    sources: Sources,
    /// What we show if the server asks.
    key: Option<KeyLocation>,
    /// Where it leaves its troubles.
    facts: HandshakeFacts,
}

fn read(
    context: &Context,
    options: &ClientOptions,
    started: Instant,
) -> Result<PrivilegedState, Fatal> {
    let name = options.server_name.as_deref().map(server_name);
    let name = name.transpose()?;
    let anchors = anchors(context, options)?;
    let files = Files::new(context, &options.engine, started);
    let facts = HandshakeFacts::default();
    let load = || {
        Ok(PrivateMaterial {
            certificates: Certificates::load(context, &files, SniLevel::Ignore)?,
            sessions: None,
        })
    };
    let guard_setup = process::GuardSetup {
        role: Role::Client,
        context,
        options: &options.engine,
        started,
        facts: &facts,
    };
    let key = match options.client_certificate {
        false => None,
        true => Some(process::load_keys(
            &guard_setup,
            options.engine.key_guard,
            load,
        )?),
    };
    Ok(PrivilegedState {
        name,
        sources: Sources::new(context, &files, anchors),
        key,
        facts,
    })
}

/// Which anchors there are. With a pin none are needed.
fn anchors(context: &Context, options: &ClientOptions) -> Result<Option<Source>, Fatal> {
    let pinned = !options.engine.pins.is_empty();
    match (options.webpki_roots, pinned) {
        (true, _) => Ok(Some(Source::CompiledIn(webpki_roots::TLS_SERVER_ROOTS))),
        (false, true) => Source::from_environment(context),
        (false, false) => match Source::from_environment(context)? {
            None => Err(Fatal::user(
                "CADIR or CAFILE not set, and no --webpki-roots given",
            )),
            source => Ok(source),
        },
    }
}

fn finish(state: PrivilegedState, options: &ClientOptions) -> Result<Ready, Fatal> {
    let server_name = match &state.name {
        Some(ServerName::DnsName(name)) => Some(name.as_ref().to_owned()),
        _ => None,
    };
    let mut provider = crypto::provider(&options.engine.groups, state.facts.records());
    let exporter = Exporter::asked_for(&options.engine, &mut provider);
    let anchored = state.sources.anchors.is_some() && !options.accept_any_certificate;
    let policy = TrustCell::default();
    let (pair, guard) = state.key.map_or((None, None), client_credentials);
    let config = Config {
        provider,
        name: state.name,
        policy: policy.clone(),
        pair,
        protocols: &options.engine.alpn,
        exporter: exporter.clone(),
    };
    let facts = state.facts.clone();
    Ok(Ready {
        session: config.session(state.facts)?,
        after_client_hello: Some(load_policy(state.sources, options, policy, facts)),
        server_name,
        peer_info: exporter.map(|exporter| PeerInfo {
            exporter,
            verification: setup::verification(anchored, &options.engine),
            server_facts: None,
        }),
        guard,
    })
}

/// What is held, for rustls; and for the loop, where it is in another process.
fn client_credentials(key: KeyLocation) -> (Option<Arc<dyn ResolvesClientCert>>, Option<Guard>) {
    match key {
        KeyLocation::InProcess(material) => {
            let pair = material.certificates.default_pair();
            let pair = pair.map(|pair| Arc::new(SingleCertAndKey::from(pair)) as _);
            (pair, None)
        }
        KeyLocation::Guarded(guard_client) => {
            let guard = setup::guard(&guard_client);
            (Some(Arc::new(guard_client)), guard)
        }
    }
}

/// Loads the verification policy into the cell while the server prepares its
/// answer. Anchors have to be there and readable even
/// if any certificate will do.
fn load_policy(
    mut sources: Sources,
    options: &ClientOptions,
    cell: TrustCell,
    facts: HandshakeFacts,
) -> AfterClientHello {
    let pinned = !options.engine.pins.is_empty();
    let any = options.accept_any_certificate;
    sources.anchors = sources.anchors.filter(|_| !(any && pinned));
    sources.crl_file = sources.crl_file.filter(|_| !any);
    Box::new(move |options| {
        let mut policy = VerificationPolicy::load(&sources, options, facts)?;
        policy.anchors = policy.anchors.filter(|_| !any);
        cell.set(policy);
        Ok(())
    })
}

/// A host name or an address.
fn server_name(name: &OsStr) -> Result<ServerName<'static>, Fatal> {
    let invalid = || {
        let why = match name.as_encoded_bytes().is_ascii() {
            true => "neither host name nor address",
            false => NEEDS_A_LABEL,
        };
        let name = name.to_string_lossy();
        Fatal::new(SETUP, format!("invalid server name {name}: {why}"))
    };
    // A zone is this host's affair, and stands in no certificate.
    if let Some(address) = Address::parse(name.as_encoded_bytes()) {
        return Ok(ServerName::IpAddress(IpAddr::from(address.ip).into()));
    }
    let text = name.to_str().ok_or_else(invalid)?;
    ServerName::try_from(text.to_owned()).map_err(|_| invalid())
}

/// What a connection is made of.
struct Config<'a> {
    provider: Arc<CryptoProvider>,
    name: Option<ServerName<'static>>,
    policy: TrustCell,
    pair: Option<Arc<dyn ResolvesClientCert>>,
    protocols: &'a [Vec<u8>],
    exporter: Option<Arc<Exporter>>,
}

impl Config<'_> {
    fn session(self, facts: HandshakeFacts) -> Result<Session, Fatal> {
        let verifier = ServerVerifier {
            policy: self.policy,
            name: self.name.clone(),
            algorithms: self.provider.signature_verification_algorithms,
        };
        let builder = ClientConfig::builder_with_provider(self.provider)
            .with_safe_default_protocol_versions()
            .map_err(setup::failed)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.pair {
            Some(pair) => builder.with_client_cert_resolver(pair),
            None => builder.with_no_client_auth(),
        };
        // This process makes one connection.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = self.protocols.to_vec();
        if let Some(exporter) = self.exporter {
            config.key_log = exporter;
        }
        config.enable_sni = self.name.is_some();
        // Without a name none is sent and none is checked; but rustls wants one.
        let nobody = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
        let name = self.name.unwrap_or(nobody);
        let connection = UnbufferedClientConnection::new(Arc::new(config), name);
        let connection = connection.map_err(setup::failed)?;
        Ok(Session::Client(Box::new(connection), facts))
    }
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
        assert_eq!(name("fe80::1%lo"), name("fe80::1"));
        for text in ["", "1.2.3", "a..b", "::1%lo", "fe80::1%"] {
            assert!(name(text).is_none(), "{text}");
        }
    }
}
