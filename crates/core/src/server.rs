//! `s6-tlsd-io`: the server's end of a TLS connection. See
//! doc/s6-tlsd-io.md.

use std::sync::Arc;
use std::time::Instant;

use cli::{ClientCertificate, Context, Fatal, ServerOptions};
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

use crate::credentials::resolver::{self, Certificates, SniResolver};
use crate::credentials::sessions::{Sessions, Ticketer, Versions};
use crate::credentials::ticketer::TicketKeys;
use crate::crypto;
use crate::event_loop::Guard;
use crate::files::patience::Files;
use crate::files::variable;
use crate::keyguard::{KeyLocation, PrivateMaterial, Role, process};
use crate::report::channel_binding::exporter::Exporter;
use crate::report::notification::PeerInfo;
use crate::setup::{self, Ready, Setup};
use crate::verify::policy::{Sources, VerificationPolicy};
use crate::verify::trust_anchors::Source;
use crate::verify::verifiers::ClientVerifier;

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
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
    setup.run(
        context,
        |context| read(context, &options, started),
        |state| finish(state, &options),
    )
}

/// Loaded before privileges are dropped.
struct PrivilegedState {
    key: KeyLocation,
    /// Where it leaves what it learns of the client.
    facts: HandshakeFacts,
    /// Whether sessions are resumed.
    resumes: bool,
    /// Whom to trust.
    sources: Sources,
}

fn read(
    context: &Context,
    options: &ServerOptions,
    started: Instant,
) -> Result<PrivilegedState, Fatal> {
    let anchors = match options.asks_for_certificate() && !options.any_client_certificate {
        false => None,
        true => Source::from_environment(context)?,
    };
    if anchors.is_none() && needs_anchors(options) {
        return Err(Fatal::user("CADIR or CAFILE not set"));
    }
    let files = Files::new(context, &options.engine, started);
    let facts = HandshakeFacts::default();
    let guarded = options.engine.key_guard || resolver::has_directory(context, options.sni());
    let load = || private_material(context, &files, options, guarded);
    let guard_setup = process::GuardSetup {
        role: Role::Server,
        context,
        options: &options.engine,
        started,
        facts: &facts,
    };
    let key = process::load_keys(&guard_setup, guarded, load)?;
    Ok(PrivilegedState {
        key,
        facts,
        resumes: context.env.get("TICKETKEYFILE").is_some() && resumes(options),
        sources: Sources::new(context, &files, anchors),
    })
}

fn needs_anchors(options: &ServerOptions) -> bool {
    options.asks_for_certificate()
        && !options.any_client_certificate
        && options.engine.pins.is_empty()
}

fn private_material(
    context: &Context,
    files: &Files,
    options: &ServerOptions,
    guarded: bool,
) -> Result<PrivateMaterial, Fatal> {
    resolver::check_level(context, options.sni())?;
    let mut certificates = Certificates::load(context, files, options.sni())?;
    let keys = variable::path(context, "TICKETKEYFILE")?;
    let keys = keys.map(|path| TicketKeys::load(files, path));
    // What is wrong with the file is told even where it is of no use.
    let keys = keys.transpose()?;
    certificates.staple(context, files);
    Ok(PrivateMaterial {
        certificates,
        sessions: keys.and_then(|keys| sessions(keys, options, guarded)),
    })
}

/// What is resumed with these keys: nothing where the options forbid it, and with
/// a guard nothing of TLS 1.2, whose tickets would let the half that hears the
/// network decrypt recorded connections.
fn sessions(keys: TicketKeys, options: &ServerOptions, guarded: bool) -> Option<Sessions> {
    let versions = match guarded {
        true => Versions::Tls13,
        false => Versions::Both,
    };
    resumes(options).then(|| Sessions::new(keys, versions))
}

/// Whether the options let sessions be resumed. What is said of a client's
/// certificate is what was verified on this connection, so they do not where
/// one is asked for.
fn resumes(options: &ServerOptions) -> bool {
    !options.asks_for_certificate()
}

fn finish(state: PrivilegedState, options: &ServerOptions) -> Result<Ready, Fatal> {
    let facts = state.facts;
    let verification = setup::verification(state.sources.anchors.is_some(), &options.engine);
    let policy = VerificationPolicy::load(&state.sources, &options.engine, facts.clone())?;
    let verifier = verifier(policy, options.client_certificate);
    let mut provider = crypto::provider(&options.engine.groups, facts.records());
    let exporter = Exporter::asked_for(&options.engine, &mut provider);
    let (credentials, guard) = server_credentials(state.key, &facts, state.resumes);
    let config = Config {
        provider,
        verifier,
        credentials,
        protocols: &options.engine.alpn,
        exporter: exporter.clone(),
    };
    Ok(Ready {
        session: config.session(facts.clone())?,
        // The names of the anchors are in what it says first.
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

/// What is shown to clients.
struct ServerCredentials {
    certificates: Arc<dyn ResolvesServerCert>,
    tickets: Option<Arc<dyn ProducesTickets>>,
}

/// What is `held`, for rustls; and for the loop, where it is in another
/// process.
fn server_credentials(
    key: KeyLocation,
    facts: &HandshakeFacts,
    resumes: bool,
) -> (ServerCredentials, Option<Guard>) {
    let facts = facts.clone();
    match key {
        KeyLocation::InProcess(PrivateMaterial {
            certificates: source,
            sessions,
        }) => {
            let ticketer = |sessions| Ticketer {
                sessions,
                facts: facts.clone(),
            };
            let credentials = ServerCredentials {
                tickets: sessions.map(|sessions| Arc::new(ticketer(sessions)) as _),
                certificates: Arc::new(SniResolver { source, facts }),
            };
            (credentials, None)
        }
        KeyLocation::Guarded(guard_client) => {
            let source = guard_client.clone();
            let credentials = ServerCredentials {
                certificates: Arc::new(SniResolver { source, facts }),
                tickets: resumes.then(|| Arc::new(guard_client.clone()) as _),
            };
            (credentials, setup::guard(&guard_client))
        }
    }
}

/// Who is asked for a certificate, and which one will do.
fn verifier(policy: VerificationPolicy, wanted: ClientCertificate) -> Arc<dyn ClientCertVerifier> {
    match wanted {
        ClientCertificate::None => Arc::new(NoClientAuth),
        ClientCertificate::Optional => Arc::new(ClientVerifier::new(policy, false)),
        ClientCertificate::Mandatory => Arc::new(ClientVerifier::new(policy, true)),
    }
}

/// What a connection is made of.
struct Config<'a> {
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ClientCertVerifier>,
    credentials: ServerCredentials,
    protocols: &'a [Vec<u8>],
    exporter: Option<Arc<Exporter>>,
}

impl Config<'_> {
    fn session(self, facts: HandshakeFacts) -> Result<Session, Fatal> {
        let asks = self.verifier.offer_client_auth();
        let mut config = ServerConfig::builder_with_provider(self.provider)
            .with_safe_default_protocol_versions()
            .map_err(setup::failed)?
            .with_client_cert_verifier(self.verifier)
            .with_cert_resolver(self.credentials.certificates);
        config.ignore_client_order = true;
        config.alpn_protocols = self.protocols.to_vec();
        // A ticket that is bound to the memory of this process, which serves
        // one connection, is of no use.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if let Some(tickets) = self.credentials.tickets {
            config.ticketer = tickets;
            config.send_tls13_tickets = TICKETS;
            config.max_tls13_tickets = TICKETS;
        }
        // Early data is never accepted: without tickets there is nothing to
        // resume, and with a ticketer rustls takes none. But what a client
        // sends in the hope of it has to be skipped (RFC 8446 4.2.10).
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
    use rustls::pki_types::UnixTime;

    use super::*;
    use crate::credentials::sessions;
    use crate::testing;

    #[test]
    fn nothing_is_sealed_where_a_certificate_is_asked_for_nor_for_tls_1_2_with_a_guard() {
        let seals = |client_certificate, guarded, version| {
            let mut options = ServerOptions::default();
            options.client_certificate = client_certificate;
            let made = super::sessions(TicketKeys::for_tests(), &options, guarded);
            let (shown, state) = (testing::pair().cert.remove(0), sessions::for_tests(version));
            made.is_some_and(|made| made.seal(&shown, &state, UnixTime::now()).is_some())
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
