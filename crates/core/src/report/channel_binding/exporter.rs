//! `tls-exporter` (RFC 9266): keying material that is exported for channel binding.
//!
//! Upstream (doc/upstream.md, Exported keying material): rustls's unbuffered connections lack
//! `export_keying_material`, which its other connections have. So the value is computed where
//! rustls shows the secrets: in TLS 1.3 to a [`KeyLog`], in TLS 1.2 to the PRF of the cipher suite.
//! No secret is kept. Once rustls has that function, it replaces this module.

use std::sync::{Arc, Mutex};

use cli::EngineOptions;
use rustls::crypto::tls12::Prf;
use rustls::crypto::tls13::OkmBlock;
use rustls::crypto::{ActiveKeyExchange, CryptoProvider};
use rustls::{
    CipherSuiteCommon, Error, KeyLog, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};
use unix::lock;

const LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// The label of rustls's key log for the exporter_master_secret of TLS 1.3.
const EXPORTER_SECRET: &str = "EXPORTER_SECRET";

/// The length of a client's or a server's random (RFC 5246 section 7.4.1.2).
const RANDOM: usize = 32;

/// Computes the channel binding of one connection.
#[derive(Debug)]
pub struct Exporter {
    exported: Arc<Mutex<Exported>>,
    suites: Vec<&'static Tls13CipherSuite>,
}

#[derive(Debug, Default)]
struct Exported {
    /// In TLS 1.2: whether the master secret is an extended one (RFC 7627), and so
    /// unique to the handshake.
    extended: bool,
    value: Option<[u8; 32]>,
}

impl Exporter {
    /// An exporter if `--peer-info` asks for it; see [`Self::new`].
    pub fn asked_for(
        options: &EngineOptions,
        provider: &mut Arc<CryptoProvider>,
    ) -> Option<Arc<Self>> {
        options
            .peer_info
            .then(|| Self::new(Arc::make_mut(provider)))
    }

    /// An exporter for the one connection that will be made with `provider`, whose TLS
    /// 1.2 suites are replaced, and with this exporter as its [`KeyLog`]. The new
    /// suites are leaked: rustls takes only `'static` ones.
    pub fn new(provider: &mut CryptoProvider) -> Arc<Self> {
        let exported = Arc::default();
        let suites = &mut provider.cipher_suites;
        let tls13 = (suites.iter())
            .filter_map(SupportedCipherSuite::tls13)
            .collect();
        for suite in suites {
            if let SupportedCipherSuite::Tls12(watched) = *suite {
                *suite = SupportedCipherSuite::Tls12(watch(watched, &exported));
            }
        }
        Arc::new(Self {
            exported,
            suites: tls13,
        })
    }

    /// The value, once the handshake is over. None in TLS 1.2 without an extended
    /// master secret, or if a session of TLS 1.2 was resumed.
    pub fn value(&self) -> Option<[u8; 32]> {
        lock(&self.exported).value
    }

    /// Makes it as new, for another connection.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn reset(&self) {
        *lock(&self.exported) = Exported::default();
    }
}

impl KeyLog for Exporter {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        let hash_len = |suite: &Tls13CipherSuite| suite.common.hash_provider.output_len();
        let mut suites = self.suites.iter();
        if let Some(suite) = suites.find(|suite| hash_len(suite) == secret.len()) {
            if label == EXPORTER_SECRET {
                lock(&self.exported).value = export(suite, secret);
            }
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == EXPORTER_SECRET
    }
}

/// The exporter of TLS 1.3 with an empty context, RFC 8446 section 7.5.
fn export(suite: &Tls13CipherSuite, secret: &[u8]) -> Option<[u8; 32]> {
    let empty = suite.common.hash_provider.hash(&[]);
    let mut derived = vec![0; secret.len()];
    expand_label(suite, secret, LABEL, empty.as_ref(), &mut derived)?;
    let mut value = [0; 32];
    expand_label(suite, &derived, b"exporter", empty.as_ref(), &mut value)?;
    Some(value)
}

/// HKDF-Expand-Label, RFC 8446 section 7.1.
fn expand_label(
    suite: &Tls13CipherSuite,
    secret: &[u8],
    label: &[u8],
    context: &[u8],
    output: &mut [u8],
) -> Option<()> {
    let length = u16::try_from(output.len()).ok()?.to_be_bytes();
    let label = [b"tls13 ", label].concat();
    let lengths = [u8::try_from(label.len()), u8::try_from(context.len())];
    let [label_length, context_length] = lengths.map(|length| [length.unwrap_or_default()]);
    let secret = OkmBlock::new(secret);
    let expander = suite.hkdf_provider.expander_for_okm(&secret);
    let info = [&length[..], &label_length, &label, &context_length, context];
    expander.expand_slice(&info, output).ok()
}

/// `suite` with a PRF that computes the value from the secrets that it gets.
///
/// Upstream (doc/upstream.md, Leaked cipher suites): rustls takes only static suites,
/// so this one is leaked.
fn watch(
    suite: &'static Tls12CipherSuite,
    exported: &Arc<Mutex<Exported>>,
) -> &'static Tls12CipherSuite {
    let prf_provider: &'static WatchedPrf = Box::leak(Box::new(WatchedPrf {
        prf: suite.prf_provider,
        exported: Arc::clone(exported),
    }));
    Box::leak(Box::new(Tls12CipherSuite {
        common: CipherSuiteCommon { ..suite.common },
        prf_provider,
        ..*suite
    }))
}

struct WatchedPrf {
    prf: &'static dyn Prf,
    exported: Arc<Mutex<Exported>>,
}

impl Prf for WatchedPrf {
    fn for_key_exchange(
        &self,
        output: &mut [u8; 48],
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
        label: &[u8],
        seed: &[u8],
    ) -> Result<(), Error> {
        lock(&self.exported).extended = label == b"extended master secret";
        self.prf
            .for_key_exchange(output, kx, peer_pub_key, label, seed)
    }

    /// The keys are derived from the master secret and both randoms, and so is the
    /// exported value (RFC 5705 section 4, with an empty context).
    fn for_secret(&self, output: &mut [u8], secret: &[u8], label: &[u8], seed: &[u8]) {
        self.prf.for_secret(output, secret, label, seed);
        if label != b"key expansion" || !lock(&self.exported).extended {
            return;
        }
        if let Some((server, client)) = seed.split_at_checked(RANDOM) {
            let seed = [client, server, &[0, 0]].concat();
            let mut value = [0; 32];
            self.prf.for_secret(&mut value, secret, LABEL, &seed);
            lock(&self.exported).value = Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use pki::read;
    use rustls::pki_types::ServerName;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
    use rustls::{SupportedProtocolVersion, version};

    use super::*;
    use crate::verify::policy::VerificationPolicy;
    use crate::verify::verifiers::ServerVerifier;

    const KEY: &[u8] = include_bytes!("../../../../pki/src/testdata/key.pem");
    const CERTIFICATE: &[u8] = include_bytes!("../../../../pki/src/testdata/certificate.pem");

    fn server(version: &'static SupportedProtocolVersion) -> (ServerConnection, Arc<Exporter>) {
        let mut provider = rustls::crypto::ring::default_provider();
        let exporter = Exporter::new(&mut provider);
        let key = read::private_key(KEY).unwrap();
        let signer = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
        let pair = CertifiedKey::new(read::certificates(CERTIFICATE).unwrap(), signer);
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
        config.key_log = exporter.clone();
        (ServerConnection::new(Arc::new(config)).unwrap(), exporter)
    }

    fn client(suite: SupportedCipherSuite) -> (ClientConnection, Arc<Exporter>) {
        let mut provider = rustls::crypto::ring::default_provider();
        provider.cipher_suites = vec![suite];
        let exporter = Exporter::new(&mut provider);
        let anyone = ServerVerifier {
            policy: VerificationPolicy::default().into(),
            name: None,
            algorithms: provider.signature_verification_algorithms,
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(anyone))
            .with_no_client_auth();
        config.key_log = exporter.clone();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name);
        (connection.unwrap(), exporter)
    }

    #[test]
    fn both_ends_have_the_value_that_rustls_exports_elsewhere() {
        let suites = rustls::crypto::ring::ALL_CIPHER_SUITES.iter();
        // The key of the tests is an ECDSA key.
        for suite in suites.filter(|suite| !format!("{suite:?}").contains("RSA")) {
            let version = match suite {
                SupportedCipherSuite::Tls12(_) => &version::TLS12,
                SupportedCipherSuite::Tls13(_) => &version::TLS13,
            };
            let (mut server, of_server) = server(version);
            let (mut client, of_client) = client(*suite);
            let mut records = Vec::new();
            while client.is_handshaking() || server.is_handshaking() {
                while client.wants_write() {
                    client.write_tls(&mut records).unwrap();
                }
                server.read_tls(&mut &records[..]).unwrap();
                server.process_new_packets().unwrap();
                records.clear();
                while server.wants_write() {
                    server.write_tls(&mut records).unwrap();
                }
                client.read_tls(&mut &records[..]).unwrap();
                client.process_new_packets().unwrap();
                records.clear();
            }
            let expected = client.export_keying_material([0; 32], LABEL, Some(&[]));
            assert_eq!(of_client.value(), expected.ok(), "{suite:?}");
            assert_eq!(of_server.value(), of_client.value(), "{suite:?}");
        }
    }
}
