//! `s6-tlsd-io`: the server's end of a TLS connection. See
//! doc/s6-tlsd-io.md.

use std::sync::Arc;
use std::time::Instant;

use cli::{ClientCertificate, Context, Fatal, ServerOptions, answers_challenges};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoClientAuth, NoServerSessionStorage, ProducesTickets, ResolvesServerCert,
    UnbufferedServerConnection,
};
use tunnel::endpoints::PerEnd;
use tunnel::handshake_facts::HandshakeFacts;
use tunnel::session::Session;

use crate::check;
use crate::credentials::acme::Protocols;
use crate::credentials::resolver::{self, Certificates, SniResolver};
use crate::credentials::sessions::{Sessions, Ticketer, Versions};
use crate::credentials::ticketer::TicketKeys;
use crate::crypto;
use crate::event_loop::{EventLoop, Guard};
use crate::files::retry::Files;
use crate::files::variable;
use crate::keyguard::{KeyLocation, PrivateMaterial, Role, process};
use crate::report::channel_binding::exporter::Exporter;
use crate::report::notification::PeerInfo;
use crate::setup::{self, Privileged, Ready, Setup, Start};
use crate::verify::policy::{Sources, VerificationPolicy};
use crate::verify::trust_anchors::Source;
use crate::verify::verifiers::ClientVerifier;
use crate::wall_clock::WallClock;

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
    let (options, [fdr, fdw]) = ServerOptions::read(context)?;
    let setup = Setup {
        started,
        options: options.engine.clone(),
        descriptors: PerEnd {
            net_in: 0,
            net_out: 1,
            app_in: fdr,
            app_out: fdw,
        },
    };
    let line = setup.log_line(context);
    if options.engine.check.is_some() {
        return check::server::check(context, setup, &options).map(Start::Checked);
    }
    let prepared = prepare(context, setup, &options);
    Ok(Start::Engine(line, prepared))
}

/// Takes the steps of [`setup`].
fn prepare(
    context: &Context,
    setup: Setup,
    options: &ServerOptions,
) -> Result<Box<EventLoop>, Fatal> {
    let files = Files::new(context, &options.engine, setup.started);
    let facts = HandshakeFacts::default();
    // 1. Nobody may look into the memory that the key will be in.
    let started = setup.started;
    let privileged = Privileged::new(setup, context)?;
    // 2. Variables first, then files that often only root may read.
    let sources = Sources::new(context, &files, anchors(context, options)?);
    let key = load_keys(context, &files, options, started, &facts)?;
    // 3. The keys are loaded, or the guard loads them meanwhile: drop privileges.
    let unprivileged = privileged.drop_privileges();
    // 4. Trust anchors and revocation lists are not secret.
    let policy = VerificationPolicy::load(&sources, &options.engine, facts.clone());
    // If the guard could not load its files, that error comes first, as without a guard.
    key.wait(options.engine.verbosity)?;
    let unprivileged = unprivileged?;
    let ready = connection(context, options, key, policy?, facts)?;
    // 5. Ready for the first byte from the network.
    unprivileged.event_loop(ready)
}

/// The trust anchors, if certificates of clients are verified.
pub(crate) fn anchors(context: &Context, options: &ServerOptions) -> Result<Option<Source>, Fatal> {
    if !options.asks_for_certificate() || options.any_client_certificate {
        return Ok(None);
    }
    let anchors = Source::from_environment(context)?;
    if anchors.is_none() && options.engine.pins.is_empty() {
        return Err(Fatal::user("CADIR or CAFILE not set"));
    }
    Ok(anchors)
}

/// Loads keys, certificates and tickets, in this process or in the guard's.
fn load_keys(
    context: &Context,
    files: &Files,
    options: &ServerOptions,
    started: Instant,
    facts: &HandshakeFacts,
) -> Result<KeyLocation, Fatal> {
    if !guarded(context, options) {
        return private_material(context, files, options, false).map(KeyLocation::InProcess);
    }
    let guard_setup = process::GuardSetup {
        role: Role::Server,
        context,
        options: &options.engine,
        started,
        facts,
        reads_later: resolver::has_directory(context, options.sni()),
    };
    process::fork(&guard_setup, || {
        private_material(context, files, options, true)
    })
    .map(KeyLocation::Guarded)
}

/// Whether a guard holds the keys. SNIDIR is read when the client's name is known. By then
/// this process has dropped its privileges, so the guard reads it.
pub(crate) fn guarded(context: &Context, options: &ServerOptions) -> bool {
    options.engine.key_guard || resolver::has_directory(context, options.sni())
}

/// The keys, certificates and tickets; with a guard these are those of the guard.
pub(crate) fn private_material(
    context: &Context,
    files: &Files,
    options: &ServerOptions,
    guarded: bool,
) -> Result<PrivateMaterial, Fatal> {
    resolver::check_level(context, options.sni())?;
    let alpn = &options.engine.alpn;
    resolver::check_protocols(context, options.sni(), alpn)?;
    let mut certificates = Certificates::load(context, files, options.sni())?;
    if answers_challenges(alpn) {
        certificates.answer_challenges();
    }
    // A fault of the file is reported even if no session is resumed.
    let keys = variable::path(context, "TICKETKEYFILE")?
        .map(|path| TicketKeys::load(files, path))
        .transpose()?;
    certificates.staple(context, files);
    Ok(PrivateMaterial {
        certificates,
        sessions: keys.and_then(|keys| sessions(keys, options, guarded)),
    })
}

/// The sessions that are resumed with these keys; None if the options forbid it.
/// With a guard, sessions of TLS 1.2 are not: their tickets would let the
/// network-facing process decrypt recorded connections.
fn sessions(keys: TicketKeys, options: &ServerOptions, guarded: bool) -> Option<Sessions> {
    let versions = if guarded {
        Versions::Tls13
    } else {
        Versions::Both
    };
    resumes(options).then(|| Sessions::new(keys, versions))
}

/// Whether the options let sessions be resumed. They do not if clients are asked for
/// certificates, because these are verified on each connection.
fn resumes(options: &ServerOptions) -> bool {
    !options.asks_for_certificate()
}

/// The connection, and what else the event loop needs.
pub(crate) fn connection(
    context: &Context,
    options: &ServerOptions,
    key: KeyLocation,
    policy: VerificationPolicy,
    facts: HandshakeFacts,
) -> Result<Ready, Fatal> {
    let verification = setup::verification(policy.anchors.is_some(), &options.engine);
    let verifier = verifier(policy, options.client_certificate);
    let mut provider = crypto::provider(&options.engine.groups, facts.records());
    let exporter = Exporter::asked_for(&options.engine, &mut provider);
    let resumes = context.env.get("TICKETKEYFILE").is_some() && resumes(options);
    let protocols = Protocols::new(&options.engine.alpn);
    let (credentials, guard) = server_credentials(key, &facts, &protocols, resumes);
    let config = Config {
        provider,
        verifier,
        credentials,
        protocols: protocols.for_rustls(),
        max_fragment_size: setup::max_fragment_size(&options.engine),
        exporter: exporter.clone(),
    };
    Ok(Ready {
        session: config.session(facts.clone())?,
        // The client speaks first. The answer contains the names of the anchors, so these are
        // loaded already.
        after_client_hello: None,
        server_name: None,
        peer_info: exporter.map(|exporter| PeerInfo {
            exporter,
            verification,
            server_facts: Some(facts),
        }),
        guard,
    })
}

/// The credentials of a server, for rustls.
pub(crate) struct ServerCredentials {
    certificates: Arc<dyn ResolvesServerCert>,
    tickets: Option<Arc<dyn ProducesTickets>>,
}

/// The credentials for rustls, and the guard for the event loop, if there is one.
pub(crate) fn server_credentials(
    key: KeyLocation,
    facts: &HandshakeFacts,
    protocols: &Protocols,
    resumes: bool,
) -> (ServerCredentials, Option<Guard>) {
    let (facts, protocols) = (facts.clone(), protocols.clone());
    match key {
        KeyLocation::InProcess(PrivateMaterial {
            certificates: source,
            sessions,
        }) => {
            let ticketer = |sessions| Ticketer::new(sessions, facts.clone());
            let credentials = ServerCredentials {
                tickets: sessions.map(|sessions| Arc::new(ticketer(sessions)) as _),
                certificates: Arc::new(SniResolver {
                    source,
                    protocols,
                    facts,
                }),
            };
            (credentials, None)
        }
        KeyLocation::Guarded(guard_client) => {
            let source = guard_client.clone();
            let credentials = ServerCredentials {
                certificates: Arc::new(SniResolver {
                    source,
                    protocols,
                    facts,
                }),
                tickets: resumes.then(|| Arc::new(guard_client.clone()) as _),
            };
            (credentials, setup::guard(&guard_client))
        }
    }
}

/// Whether clients are asked for a certificate, and how it is verified.
pub(crate) fn verifier(
    policy: VerificationPolicy,
    wanted: ClientCertificate,
) -> Arc<dyn ClientCertVerifier> {
    match wanted {
        ClientCertificate::None => Arc::new(NoClientAuth),
        ClientCertificate::Optional => Arc::new(ClientVerifier::new(policy, false)),
        ClientCertificate::Mandatory => Arc::new(ClientVerifier::new(policy, true)),
    }
}

/// The parts of the rustls configuration.
pub(crate) struct Config {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) verifier: Arc<dyn ClientCertVerifier>,
    pub(crate) credentials: ServerCredentials,
    pub(crate) protocols: Vec<Vec<u8>>,
    pub(crate) max_fragment_size: Option<usize>,
    pub(crate) exporter: Option<Arc<Exporter>>,
}

impl Config {
    pub(crate) fn session(self, facts: HandshakeFacts) -> Result<Session, Fatal> {
        let asks = self.verifier.offer_client_auth();
        let mut config = ServerConfig::builder_with_details(self.provider, Arc::new(WallClock))
            .with_safe_default_protocol_versions()
            .map_err(setup::failed)?
            .with_client_cert_verifier(self.verifier)
            .with_cert_resolver(self.credentials.certificates);
        config.ignore_client_order = true;
        config.alpn_protocols = self.protocols;
        config.max_fragment_size = self.max_fragment_size;
        // This process serves one connection: sessions in its memory would be of no use.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if let Some(tickets) = self.credentials.tickets {
            config.ticketer = tickets;
            config.send_tls13_tickets = TICKETS;
            config.max_tls13_tickets = TICKETS;
        }
        // Early data is never accepted: without tickets there is nothing to
        // resume, and with a ticketer rustls takes none. But if a client sends
        // some, it has to be skipped (RFC 8446 section 4.2.10).
        config.max_early_data_size = SKIPPED_EARLY_DATA;
        if let Some(exporter) = self.exporter {
            config.key_log = exporter;
        }
        let connection =
            UnbufferedServerConnection::new(Arc::new(config)).map_err(setup::failed)?;
        Ok(Session::Server(Box::new(connection), facts, asks))
    }
}

/// How many tickets a client of TLS 1.3 gets, unless it asks for fewer (RFC
/// 9149).
const TICKETS: usize = 2;

/// How many bytes of records a client may send as early data, all of which are
/// skipped: 64 KiB and more, whatever the size of their records from 17 bytes on.
const SKIPPED_EARLY_DATA: u32 = 1 << 17;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::sessions;
    use crate::credentials::ticketer::Content;
    use crate::testing;
    use crate::wall_clock;

    #[test]
    fn tickets_are_sealed_without_client_certificates_and_with_a_guard_for_tls_1_3() {
        let seals = |client_certificate, guarded, version| {
            let mut options = ServerOptions::default();
            options.client_certificate = client_certificate;
            let made = super::sessions(TicketKeys::for_tests(), &options, guarded);
            let (shown, now) = (testing::pair().cert.remove(0), wall_clock::now());
            let content = Content {
                state: sessions::for_tests(version),
                authenticated: now,
            };
            made.is_some_and(|made| made.seal(&shown, &content, now).is_some())
        };
        for guarded in [false, true] {
            for asked in [ClientCertificate::Optional, ClientCertificate::Mandatory] {
                assert!(!seals(asked, guarded, 0x0304));
                assert!(!seals(asked, guarded, 0x0303));
            }
            assert!(seals(ClientCertificate::None, guarded, 0x0304));
            assert_eq!(seals(ClientCertificate::None, guarded, 0x0303), !guarded);
        }
    }
}
