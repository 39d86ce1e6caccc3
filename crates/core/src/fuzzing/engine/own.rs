//! What the engine's own session is made of.

use std::cell::OnceCell;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use tunnel::handshake_facts::HandshakeFacts;
use tunnel::record_status::RecordStatus;
use tunnel::testing;

use super::fixed;
use crate::report::channel_binding::exporter::Exporter;

/// The facts and the provider of a session, and with `--peer-info` the exporter.
pub struct Own {
    pub facts: HandshakeFacts,
    pub provider: Arc<CryptoProvider>,
    pub exporter: Option<Arc<Exporter>>,
}

/// A provider with an exporter.
struct Watched {
    records: RecordStatus,
    provider: CryptoProvider,
    exporter: Arc<Exporter>,
}

thread_local! {
    /// Its suites live for ever, so there is one for all sessions of this thread, one after
    /// another.
    static WATCHED: OnceCell<Watched> = const { OnceCell::new() };
}

impl Own {
    /// New ones; `watched` if there is an exporter.
    pub fn new(watched: bool) -> Self {
        if watched {
            return WATCHED.with(|cell| cell.get_or_init(Watched::new).again());
        }
        let (facts, provider) = testing::facts_and_provider();
        Self {
            facts,
            provider: Arc::new(fixed(provider)),
            exporter: None,
        }
    }
}

impl Watched {
    fn new() -> Self {
        let (facts, provider) = testing::facts_and_provider();
        let mut provider = fixed(provider);
        Self {
            records: facts.records().clone(),
            exporter: Exporter::new(&mut provider),
            provider,
        }
    }

    fn again(&self) -> Own {
        // Each suite has a clone, and so have `testing` and this.
        let clones = self.provider.cipher_suites.len() + 2;
        assert!(self.records.reset_if_only(clones), "a session is left");
        self.exporter.reset();
        Own {
            facts: HandshakeFacts::new(self.records.clone()),
            provider: Arc::new(self.provider.clone()),
            exporter: Some(self.exporter.clone()),
        }
    }
}

/// `provider` with the deterministic parts.
fn fixed(provider: CryptoProvider) -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![&fixed::X25519],
        secure_random: &fixed::Random,
        ..provider
    }
}
