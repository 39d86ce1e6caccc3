//! The options of the TLS engines, as structs. The programs around the engines use only the rows
//! of [`crate::tables`].

use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::context::Context;
use crate::fatal::Fatal;
use crate::groups::Group;
use crate::id::{Client, Id, Server, Tls};
use crate::number::unsigned;
use crate::parsed_options::{ParsedOption, ParsedOptions};
use crate::pins::Pin;
use crate::value::Value;

/// The application protocol of ACME's challenge TLS-ALPN-01 (RFC 8737 section 4).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// Whether a server with these protocols of `--alpn` answers ACME challenges.
pub fn answers_challenges(alpn: &[Vec<u8>]) -> bool {
    alpn.iter().any(|name| name == ACME_TLS)
}

/// The options of both engines.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EngineOptions {
    /// `-S`: send a close_notify alert when our direction ends.
    pub close_notify: bool,
    /// `-J`: an end without close_notify from the peer is an error.
    pub enforce_close_notify: bool,
    /// `-K`: how long the whole handshake may take; None is no limit.
    pub handshake_timeout: Option<Duration>,
    /// `--idle-timeout`: how long no cleartext may move; None is no limit.
    pub idle_timeout: Option<Duration>,
    /// `--groups`: the key exchange groups, the preferred one first.
    pub groups: Vec<Group>,
    /// `--pin`: the peer's own certificate must match one of these; if there are none, any
    /// trusted certificate will do.
    pub pins: Vec<Pin>,
    /// `--crl-check`: which certificates are looked up in revocation lists.
    pub crl_check: CrlCheck,
    /// `-d`: the descriptor for the notification; 0 is none.
    pub notification: u32,
    /// `--peer-info`: the notification has more variables.
    pub peer_info: bool,
    /// Whether the engine enters its sandbox: not with `--no-sandbox`.
    pub sandbox: bool,
    /// `--alpn`: application protocols, the preferred one first.
    pub alpn: Vec<Vec<u8>>,
    /// `--key-guard`: the private key is in a process of its own.
    pub key_guard: bool,
    /// `--max-record`: the most bytes of plaintext in a record of ours; None is the protocol's
    /// limit, 16384.
    pub max_record: Option<u32>,
    /// `-v`.
    pub verbosity: u32,
    /// `--check`: only check the start, and say what was found.
    pub check: Option<StartCheck>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            close_notify: false,
            enforce_close_notify: false,
            handshake_timeout: None,
            idle_timeout: None,
            groups: Group::ALL.to_vec(),
            pins: Vec::new(),
            crl_check: CrlCheck::Chain,
            notification: 0,
            peer_info: false,
            sandbox: true,
            alpn: Vec::new(),
            key_guard: false,
            max_record: None,
            verbosity: 1,
            check: None,
        }
    }
}

impl EngineOptions {
    fn apply(&mut self, id: Tls, option: &ParsedOption) -> Result<(), Fatal> {
        match id {
            Tls::Verbosity => self.verbosity = option.number(),
            Tls::NotificationFd => self.notification = option.number(),
            Tls::CloseNotify => self.close_notify = true,
            Tls::EnforceCloseNotify => self.enforce_close_notify = true,
            Tls::HandshakeTimeout => self.handshake_timeout = option.limit(),
            Tls::IdleTimeout => self.idle_timeout = option.limit(),
            Tls::PeerInfo => self.peer_info = true,
            Tls::NoSandbox => self.sandbox = false,
            Tls::Alpn => self.alpn = option.protocols()?,
            Tls::KeyGuard => self.key_guard = true,
            Tls::MaxRecord => self.max_record = Some(option.number()),
            Tls::Groups => self.groups = option.groups()?,
            Tls::Pin => self.pins.push(option.pin()?),
            Tls::CrlCheck => self.crl_check = option.crl_check()?,
            Tls::Check => self.check = Some(StartCheck::default()),
            Tls::CheckDays => {
                let days = Some(option.days()?);
                self.check = Some(StartCheck { days });
            }
        }
        Ok(())
    }

    /// The operands of an engine's command line: fdr and fdw. The descriptor of the notification
    /// must be another one, and neither 1 nor 2: on 2 the message of a failed handshake would be
    /// lost.
    fn descriptors(&self, context: &Context, operands: &[OsString]) -> Result<[RawFd; 2], Fatal> {
        let number = |text: &OsString| {
            unsigned(text.as_bytes())
                .and_then(|number| RawFd::try_from(number).ok())
                .ok_or_else(|| context.usage())
        };
        let [fdr, fdw, ..] = operands else {
            return Err(context.usage());
        };
        let numbers = [number(fdr)?, number(fdw)?];
        let notification = RawFd::try_from(self.notification).unwrap_or_default();
        if matches!(notification, 1 | 2) || notification != 0 && numbers.contains(&notification) {
            return Err(Fatal::user(
                "notification-fd must differ from the other descriptors",
            ));
        }
        Ok(numbers)
    }
}

/// How an engine checks its start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StartCheck {
    /// `--check=days=N`: how many days a certificate of ours must still be valid.
    pub days: Option<u32>,
}

impl StartCheck {
    /// Whether one of the options was given.
    pub fn is_given(given: &ParsedOptions) -> bool {
        [Tls::Check, Tls::CheckDays]
            .into_iter()
            .any(|id| given.has(Id::Tls(id)))
    }
}

/// Which certificates are looked up in CRLFILE.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CrlCheck {
    /// `leaf`: only the peer's own.
    Leaf,
    /// `chain`: every certificate below the trust anchor.
    #[default]
    Chain,
}

impl CrlCheck {
    /// Reads `leaf` or `chain`. The error says what it must be.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        match text.as_bytes() {
            b"leaf" => Ok(Self::Leaf),
            b"chain" => Ok(Self::Chain),
            _ => Err("must be leaf or chain".to_owned()),
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leaf => "leaf",
            Self::Chain => "chain",
        }
    }
}

/// Whether a server asks for a client certificate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClientCertificate {
    /// The server does not ask.
    #[default]
    None,
    /// `-Y`: the server asks, and accepts clients without a certificate.
    Optional,
    /// `-y`: the server asks, and refuses clients without a certificate.
    Mandatory,
}

/// How a server chooses its certificate by the name that the client asks for (SNI).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SniLevel {
    /// 0: always the default pair.
    #[default]
    Ignore,
    /// 1: the pair for the name, else the default pair.
    Prefer,
    /// 2 and above: the pair for the name, else the handshake fails.
    Require,
}

/// The options of `s6-tlsd-io`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerOptions {
    /// The options of both engines.
    pub engine: EngineOptions,
    /// `-Y`, `-y`; `--any-client-cert` alone means `-Y`.
    pub client_certificate: ClientCertificate,
    /// `--any-client-cert`: accept any certificate, whoever has issued it.
    pub any_client_certificate: bool,
    sni_level: Option<u32>,
    sni_flag: SniLevel,
}

impl ServerOptions {
    /// Reads the command line of `context`: the options, `fdr` and `fdw`.
    pub fn read(context: &mut Context) -> Result<(Self, [RawFd; 2]), Fatal> {
        let (given, operands) = context.options()?;
        check_client_certificates(&given)?;
        let options = Self::new(&given)?;
        let descriptors = options.engine.descriptors(context, &operands)?;
        Ok((options, descriptors))
    }

    /// The options that were given, as a struct.
    pub(crate) fn new(given: &ParsedOptions) -> Result<Self, Fatal> {
        let mut options = Self::default();
        for option in given.iter() {
            match option.id {
                Id::Tls(id) => options.engine.apply(id, option)?,
                Id::Server(id) => options.apply(id, option),
                _ => return Err(option.misplaced()),
            }
        }
        if options.any_client_certificate && !options.asks_for_certificate() {
            options.client_certificate = ClientCertificate::Optional;
        }
        Ok(options)
    }

    fn apply(&mut self, id: Server, option: &ParsedOption) {
        match id {
            Server::ClientCert => self.client_certificate = ClientCertificate::Optional,
            Server::MandatoryClientCert => self.client_certificate = ClientCertificate::Mandatory,
            Server::AnyClientCert => self.any_client_certificate = true,
            Server::SniLevel => self.sni_level = Some(option.number()),
            Server::Sni => self.sni_flag = SniLevel::Prefer,
            Server::MandatorySni => self.sni_flag = SniLevel::Require,
        }
    }

    /// Whether clients are asked for a certificate.
    pub fn asks_for_certificate(&self) -> bool {
        self.client_certificate != ClientCertificate::None
    }

    /// The SNI level: `-k` overrides the flags, whatever their order.
    pub fn sni(&self) -> SniLevel {
        match self.sni_level {
            None => self.sni_flag,
            Some(0) => SniLevel::Ignore,
            Some(1) => SniLevel::Prefer,
            Some(_) => SniLevel::Require,
        }
    }
}

/// Replaces `-k` by the flag that it means, for options that are handed on: `-k` overrides the
/// flags, and a program that is given only a flag needs no such rule.
pub fn normalize_sni_level(given: &mut ParsedOptions) {
    let [level, sni, mandatory] =
        [Server::SniLevel, Server::Sni, Server::MandatorySni].map(Id::Server);
    let Some(number) = given.get(level).map(ParsedOption::number) else {
        return;
    };
    given.clear(&[level, sni, mandatory]);
    match number {
        0 => {}
        1 => given.set(sni, Value::None),
        _ => given.set(mandatory, Value::None),
    }
}

/// Refuses options of a server that contradict each other: pins need a request for client
/// certificates, and make no sense where any certificate is accepted.
pub fn check_client_certificates(given: &ParsedOptions) -> Result<(), Fatal> {
    if !given.has(Id::Tls(Tls::Pin)) {
        return Ok(());
    }
    if given.has(Id::Server(Server::AnyClientCert)) {
        return Err(Fatal::user("pin and any-client-cert exclude each other"));
    }
    let asking = [Server::ClientCert, Server::MandatoryClientCert].map(Id::Server);
    if asking.into_iter().any(|id| given.has(id)) {
        Ok(())
    } else {
        Err(Fatal::user(
            "pin needs client-cert or mandatory-client-cert",
        ))
    }
}

/// The options of `s6-tlsc-io`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientOptions {
    /// The options of both engines.
    pub engine: EngineOptions,
    /// `-y`: send our certificate if the server asks.
    pub client_certificate: bool,
    /// `-k`: the name sent as SNI and checked in the certificate.
    pub server_name: Option<OsString>,
    /// `--no-verify-cert`: accept any certificate.
    pub accept_any_certificate: bool,
    /// `--webpki-roots`: trust Mozilla's roots as compiled in, instead of
    /// CADIR or CAFILE.
    pub webpki_roots: bool,
}

impl ClientOptions {
    /// Reads the command line of `context`: the options, `fdr` and `fdw`.
    pub fn read(context: &mut Context) -> Result<(Self, [RawFd; 2]), Fatal> {
        let (given, operands) = context.options()?;
        let options = Self::new(&given)?;
        let descriptors = options.engine.descriptors(context, &operands)?;
        Ok((options, descriptors))
    }

    /// The options that were given, as a struct.
    pub(crate) fn new(given: &ParsedOptions) -> Result<Self, Fatal> {
        let mut options = Self::default();
        for option in given.iter() {
            match option.id {
                Id::Tls(id) => options.engine.apply(id, option)?,
                Id::Client(id) => options.apply(id, option),
                _ => return Err(option.misplaced()),
            }
        }
        Ok(options)
    }

    fn apply(&mut self, id: Client, option: &ParsedOption) {
        match id {
            Client::ClientCert => self.client_certificate = true,
            Client::ServerName => self.server_name = Some(option.text.clone()),
            Client::NoVerifyCert => self.accept_any_certificate = true,
            Client::WebpkiRoots => self.webpki_roots = true,
        }
    }
}

#[cfg(test)]
mod tests;
