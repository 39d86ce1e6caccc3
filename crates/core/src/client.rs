//! `s6-tlsc-io`: the client's end of a TLS connection. See
//! doc/s6-tlsc-io.md.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use cli::address::Address;
use cli::message::NEEDS_A_LABEL;
use cli::tlsa;
use cli::{ClientOptions, Context, EngineOptions, Fatal, SniLevel};
use rustls::ClientConfig;
use rustls::client::{ResolvesClientCert, Resumption, UnbufferedClientConnection};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use tunnel::endpoints::PerEnd;
use tunnel::handshake_facts::HandshakeFacts;
use tunnel::session::Session;

use crate::check;
use crate::credentials::resolver::Certificates;
use crate::event_loop::{AfterClientHello, EventLoop, Guard};
use crate::files::retry::Files;
use crate::keyguard::{KeyLocation, PrivateMaterial, Role, process};
use crate::report::channel_binding::exporter::Exporter;
use crate::report::notification::PeerInfo;
use crate::setup::{self, Privileged, Ready, Setup, Start};
use crate::verify::compiled_in;
use crate::verify::dane::Dane;
use crate::verify::policy::{Sources, TrustCell, VerificationPolicy};
use crate::verify::trust_anchors::Source;
use crate::verify::verifiers::ServerVerifier;
use crate::wall_clock::WallClock;
use crate::{SETUP, crypto};

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let start = start(context)?;
    setup::run(context, start)
}

/// Reads the options, and does what they ask for. Not inlined, so that the stack that this
/// takes is free when data flow.
#[inline(never)]
fn start(context: &mut Context) -> Result<Start, Fatal> {
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
    let line = setup.log_line(context);
    if options.engine.check.is_some() {
        return check::client::check(context, setup, &options).map(Start::Checked);
    }
    let prepared = prepare(context, setup, &options);
    Ok(Start::Engine(line, prepared))
}

/// Takes the steps of [`setup`].
fn prepare(
    context: &Context,
    setup: Setup,
    options: &ClientOptions,
) -> Result<Box<EventLoop>, Fatal> {
    let files = Files::new(context, &options.engine, setup.started);
    let facts = HandshakeFacts::default();
    // 1. Nobody may look into the memory that the key will be in.
    let started = setup.started;
    let privileged = Privileged::new(setup, context)?;
    // 2. Variables first, then files that often only root may read.
    let name = wanted_name(options)?;
    let sources = sources(context, &files, options, name.as_ref())?;
    let key = load_key(context, &files, options, started, &facts)?;
    // 3. The keys are loaded, or the guard loads them meanwhile: drop privileges.
    let unprivileged = privileged.drop_privileges();
    if let Some(key) = &key {
        // If the guard could not load its files, that error comes first, as without a guard.
        key.wait(options.engine.verbosity)?;
    }
    let unprivileged = unprivileged?;
    // 4. Trust anchors and revocation lists are loaded after the ClientHello is sent.
    let ready = connection(options, name, key, sources, facts)?;
    // 5. Ready for the first byte from the network.
    unprivileged.event_loop(ready)
}

/// Loads the key and the client certificate, in this process or in the guard. None
/// without `-y`.
fn load_key(
    context: &Context,
    files: &Files,
    options: &ClientOptions,
    started: Instant,
    facts: &HandshakeFacts,
) -> Result<Option<KeyLocation>, Fatal> {
    if !options.client_certificate {
        return Ok(None);
    }
    let load = || private_material(context, files);
    if !options.engine.key_guard {
        return load().map(KeyLocation::InProcess).map(Some);
    }
    let guard_setup = process::GuardSetup {
        role: Role::Client,
        context,
        options: &options.engine,
        started,
        facts,
        reads_later: false,
    };
    let client = process::fork(&guard_setup, load)?;
    Ok(Some(KeyLocation::Guarded(client)))
}

/// The key and the certificate.
pub(crate) fn private_material(context: &Context, files: &Files) -> Result<PrivateMaterial, Fatal> {
    Ok(PrivateMaterial {
        certificates: Certificates::load(context, files, SniLevel::Ignore)?,
        sessions: None,
    })
}

/// Whom to trust, besides pins: the trust anchors and the TLSA records. With TLSA records
/// the anchors are there only if a record needs them.
pub(crate) fn sources(
    context: &Context,
    files: &Files,
    options: &ClientOptions,
    name: Option<&ServerName<'static>>,
) -> Result<Sources, Fatal> {
    let anchors = anchors(context, options)?;
    let anchored = anchors.is_some() && !options.accept_any_certificate;
    let Some(mut dane) = Dane::from_environment(context, anchored)? else {
        return Ok(Sources::new(context, files, required(anchors, options)?));
    };
    let domain = context.env.get(tlsa::DOMAIN);
    dane.domain = domain.map(server_name).transpose()?;
    let nameless = dane.domain.is_none() && name.is_none();
    if nameless && (dane.needs_anchors() || dane.has_anchors()) {
        return Err(Fatal::user(format!(
            "{} has records of usage 0 to 2, which need a server name",
            tlsa::RECORDS
        )));
    }
    let anchors = anchors.filter(|_| dane.needs_anchors());
    let mut sources = Sources::new(context, files, anchors);
    sources.dane = Some(Arc::new(dane));
    Ok(sources)
}

/// The trust anchors that are given.
fn anchors(context: &Context, options: &ClientOptions) -> Result<Option<Source>, Fatal> {
    if options.webpki_roots {
        return Ok(Some(Source::CompiledIn(compiled_in::MOZILLA)));
    }
    Source::from_environment(context)
}

/// `anchors`, which may be missing only if there is a pin.
fn required(anchors: Option<Source>, options: &ClientOptions) -> Result<Option<Source>, Fatal> {
    if anchors.is_none() && options.engine.pins.is_empty() {
        return Err(Fatal::user(
            "CADIR or CAFILE not set, and no --webpki-roots given",
        ));
    }
    Ok(anchors)
}

/// The connection, and what else the event loop needs.
pub(crate) fn connection(
    options: &ClientOptions,
    name: Option<ServerName<'static>>,
    key: Option<KeyLocation>,
    sources: Sources,
    facts: HandshakeFacts,
) -> Result<Ready, Fatal> {
    let domain = sources.dane.as_ref().and_then(|dane| dane.domain.clone());
    let sent_name = domain.or_else(|| name.clone());
    let server_name = match &sent_name {
        Some(ServerName::DnsName(name)) => Some(name.as_ref().to_owned()),
        _ => None,
    };
    let mut provider = crypto::provider(&options.engine.groups, facts.records());
    let exporter = Exporter::asked_for(&options.engine, &mut provider);
    let anchored = sources.anchors.is_some() && !options.accept_any_certificate;
    let anchored = anchored || sources.dane.is_some();
    let policy = TrustCell::default();
    let (pair, guard) = key.map_or((None, None), client_credentials);
    let config = Config {
        provider,
        name,
        sent_name,
        policy: policy.clone(),
        pair,
        options: &options.engine,
        exporter: exporter.clone(),
    };
    Ok(Ready {
        session: config.session(facts.clone())?,
        after_client_hello: Some(load_policy(sources, options, policy, facts)),
        server_name,
        peer_info: exporter.map(|exporter| PeerInfo {
            exporter,
            verification: setup::verification(anchored, &options.engine),
            server_facts: None,
        }),
        guard,
    })
}

/// The credentials for rustls, and the guard for the event loop, if there is one.
fn client_credentials(key: KeyLocation) -> (Option<Arc<dyn ResolvesClientCert>>, Option<Guard>) {
    match key {
        KeyLocation::InProcess(material) => {
            let pair = material
                .certificates
                .default_pair()
                .map(|pair| Arc::new(SingleCertAndKey::from(pair)) as _);
            (pair, None)
        }
        KeyLocation::Guarded(guard_client) => {
            let guard = setup::guard(&guard_client);
            (Some(Arc::new(guard_client)), guard)
        }
    }
}

/// Loads the verification policy into the cell while the server prepares its
/// answer.
fn load_policy(
    sources: Sources,
    options: &ClientOptions,
    cell: TrustCell,
    facts: HandshakeFacts,
) -> AfterClientHello {
    let sources = needed(sources, options);
    let any = options.accept_any_certificate;
    Box::new(move |options| {
        cell.set(policy(&sources, any, options, facts)?);
        Ok(())
    })
}

/// The sources that are loaded. The anchors must be readable even if any certificate is accepted.
pub(crate) fn needed(mut sources: Sources, options: &ClientOptions) -> Sources {
    let pinned = !options.engine.pins.is_empty();
    let any = options.accept_any_certificate;
    sources.anchors = sources.anchors.filter(|_| !(any && pinned));
    let chains = !any || sources.has_dane_anchors();
    sources.crl_file = sources.crl_file.filter(|_| chains);
    sources
}

/// The verification policy. It has no anchors if `any` certificate is accepted.
pub(crate) fn policy(
    sources: &Sources,
    any: bool,
    options: &EngineOptions,
    facts: HandshakeFacts,
) -> Result<VerificationPolicy, Fatal> {
    let mut policy = VerificationPolicy::load(sources, options, facts)?;
    policy.anchors = policy.anchors.filter(|_| !any);
    Ok(policy)
}

/// The name that the server must have; None if none was given.
pub(crate) fn wanted_name(options: &ClientOptions) -> Result<Option<ServerName<'static>>, Fatal> {
    options.server_name.as_deref().map(server_name).transpose()
}

/// Reads a host name or an address.
fn server_name(name: &OsStr) -> Result<ServerName<'static>, Fatal> {
    let invalid = || {
        let why = if name.as_encoded_bytes().is_ascii() {
            "neither host name nor address"
        } else {
            NEEDS_A_LABEL
        };
        let name = name.to_string_lossy();
        Fatal::new(SETUP, format!("invalid server name {name}: {why}"))
    };
    // The zone of an address means something on this host only: no certificate has one.
    if let Some(address) = Address::parse(name.as_encoded_bytes()) {
        return Ok(ServerName::IpAddress(IpAddr::from(address.ip).into()));
    }
    let text = name.to_str().ok_or_else(invalid)?;
    ServerName::try_from(text.to_owned()).map_err(|_| invalid())
}

/// The parts of the rustls configuration.
pub(crate) struct Config<'a> {
    pub(crate) provider: Arc<CryptoProvider>,
    /// The name that the certificate must have.
    pub(crate) name: Option<ServerName<'static>>,
    /// The name that is sent to the server.
    pub(crate) sent_name: Option<ServerName<'static>>,
    pub(crate) policy: TrustCell,
    pub(crate) pair: Option<Arc<dyn ResolvesClientCert>>,
    pub(crate) options: &'a EngineOptions,
    pub(crate) exporter: Option<Arc<Exporter>>,
}

impl Config<'_> {
    pub(crate) fn session(self, facts: HandshakeFacts) -> Result<Session, Fatal> {
        let verifier = ServerVerifier {
            policy: self.policy,
            name: self.name,
            algorithms: self.provider.signature_verification_algorithms,
        };
        let builder = ClientConfig::builder_with_details(self.provider, Arc::new(WallClock))
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
        config.alpn_protocols = self.options.alpn.clone();
        config.max_fragment_size = setup::max_fragment_size(self.options);
        if let Some(exporter) = self.exporter {
            config.key_log = exporter;
        }
        config.enable_sni = self.sent_name.is_some();
        // Upstream (doc/upstream.md, Clients without a server name): rustls wants a name. This
        // address is neither sent nor checked.
        let nobody = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
        let name = self.sent_name.unwrap_or(nobody);
        let connection =
            UnbufferedClientConnection::new(Arc::new(config), name).map_err(setup::failed)?;
        Ok(Session::Client(Box::new(connection), facts))
    }
}

#[cfg(test)]
mod tests {
    use cli::Pin;

    use super::*;
    use crate::report::peer_info::Verification;
    use crate::testing;

    /// A context with a CAFILE, and with a TLSA record of this usage.
    fn context(ca_file: bool, usage: Option<u8>) -> Context {
        let mut context = testing::context();
        if ca_file {
            context.env.set("CAFILE", "ca.pem");
        }
        if let Some(usage) = usage {
            let digest = "00".repeat(32);
            context.env.set("TLSA", format!("{usage} 1 1 {digest}"));
        }
        context.env.set("CRLFILE", "list.crl");
        context
    }

    fn options(accept_any_certificate: bool, pinned: bool) -> ClientOptions {
        let mut options = ClientOptions {
            accept_any_certificate,
            ..ClientOptions::default()
        };
        options.engine.pins = vec![Pin::Certificate([0; 32]); pinned.into()];
        options.engine.peer_info = true;
        options
    }

    fn sources_of(context: &Context, options: &ClientOptions) -> Result<Sources, Fatal> {
        let name = ServerName::try_from("a.example").unwrap();
        sources(context, &Files::at_once(context), options, Some(&name))
    }

    #[test]
    fn records_of_usage_1_count_only_beside_anchors_that_verify() {
        for (any, used) in [(false, true), (true, false)] {
            let sources = sources_of(&context(true, Some(1)), &options(any, false)).unwrap();
            assert_eq!(sources.dane.is_some(), used);
            assert!(sources.anchors.is_some());
        }
        assert!(sources_of(&context(false, Some(1)), &options(false, false)).is_err());
    }

    #[test]
    fn anchors_and_revocation_lists_are_read_only_if_they_count() {
        for (any, pinned, usage, wanted) in [
            (false, false, None, (true, true)),
            (false, true, None, (true, true)),
            // The anchors must be readable even if any certificate is accepted.
            (true, false, None, (true, false)),
            (true, true, None, (false, false)),
            (true, false, Some(2), (false, true)),
        ] {
            let options = options(any, pinned);
            let sources = sources_of(&context(true, usage), &options).unwrap();
            let needed = needed(sources, &options);
            let found = (needed.anchors.is_some(), needed.crl_file.is_some());
            assert_eq!(found, wanted, "{any} {pinned} {usage:?}");
        }
    }

    #[test]
    fn a_server_is_verified_by_anchors_pins_or_records_and_asked_for_its_name() {
        for (ca_file, any, pinned, usage, verified) in [
            (true, false, false, None, true),
            (true, true, false, None, false),
            (false, false, true, None, true),
            (true, true, false, Some(3), true),
            (true, true, true, None, true),
        ] {
            let options = options(any, pinned);
            let of = |name: &str| {
                let sources = sources_of(&context(ca_file, usage), &options).unwrap();
                let name = ServerName::try_from(name.to_owned()).unwrap();
                let facts = HandshakeFacts::default();
                connection(&options, Some(name), None, sources, facts).unwrap()
            };
            let ready = of("a.example");
            assert_eq!(ready.server_name.as_deref(), Some("a.example"));
            let verification = ready.peer_info.unwrap().verification;
            let verified =
                [Verification::Unverified, Verification::Verified][usize::from(verified)];
            assert_eq!(verification, verified, "{ca_file} {any} {pinned} {usage:?}");
            assert_eq!(of("192.0.2.1").server_name, None);
        }
    }

    #[test]
    fn a_server_name_is_a_host_name_or_an_address() {
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
