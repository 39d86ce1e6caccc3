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
mod tests {
    use super::*;
    use crate::option_spec::Program;
    use crate::tables::{TLSC, TLSC_IO, TLSD, TLSD_IO};

    fn given(program: &'static Program, args: &[&str]) -> ParsedOptions {
        let args = args.iter().chain(&["6", "7"]).map(OsString::from);
        crate::parse(program, args.collect()).unwrap().0
    }

    fn server(args: &[&str]) -> ServerOptions {
        ServerOptions::new(&given(&TLSD_IO, args)).unwrap()
    }

    /// What s6-tlsd hands on; with `keep`, what s6-tlsserver hands on.
    fn forwarded(program: &'static Program, args: &[&str], keep: bool) -> Vec<OsString> {
        let mut given = given(program, args);
        normalize_sni_level(&mut given);
        let mut argv = Vec::new();
        let wanted = |id| match id {
            Id::Tls(id) => id != Tls::Verbosity,
            Id::Launcher(_) => keep,
            _ => true,
        };
        given.forward(wanted, &mut argv);
        argv
    }

    #[test]
    fn options_are_forwarded_in_canonical_order() {
        for (given, expected) in [
            (&[][..], &[][..]),
            (
                &["-SJyK500", "-k1"],
                &["-S", "-J", "-y", "-K", "500", "--sni"],
            ),
            (&["--mandatory-sni", "-Y"], &["-Y", "--mandatory-sni"]),
            (&["-Ss", "-Jj", "-K", "0"], &[]),
            (&["--mandatory-sni", "-k0"], &[]),
            (&["-k2", "--sni"], &["--mandatory-sni"]),
            (
                &["--no-sandbox", "--sni", "--idle-timeout=9"],
                &["--idle-timeout=9", "--no-sandbox", "--sni"],
            ),
            (&["--handshake-timeout=8", "-v3"], &["-K", "8"]),
        ] {
            assert_eq!(forwarded(&TLSD, given, false), expected, "{given:?}");
        }
        for (given, expected) in [
            (&[][..], &[][..]),
            (
                &["-Sjy", "-k", "a.b", "--no-verify-cert", "-K7"],
                &["-S", "-y", "--no-verify-cert", "-K", "7", "-k", "a.b"],
            ),
            (&["-yY", "--no-verify-cert", "--verify-cert"], &[]),
            (
                &["--webpki-roots", "--servername=x", "--no-sandbox"],
                &["--webpki-roots", "--no-sandbox", "-k", "x"],
            ),
            (&["--servername=--"], &["-k--"]),
        ] {
            assert_eq!(forwarded(&TLSC, given, false), expected, "{given:?}");
        }
    }

    #[test]
    fn keep_is_forwarded_in_the_order_of_the_table() {
        let server = forwarded(&TLSD, &["-Z", "-S", "--sni"], true);
        assert_eq!(server, ["-S", "-Z", "--sni"]);
        let client = forwarded(&TLSC, &["-Z", "-y", "-K1"], true);
        assert_eq!(client, ["-y", "-Z", "-K", "1"]);
    }

    #[test]
    fn a_client_verifies_unless_it_is_told_not_to() {
        let client = |args: &[&str]| ClientOptions::new(&given(&TLSC_IO, args)).unwrap();
        let default = ClientOptions::default();
        assert_eq!(client(&[]), default);
        assert!(!default.accept_any_certificate && !default.webpki_roots);
        let args = ["-y", "-k", "a.test", "--no-verify-cert", "--webpki-roots"];
        let expected = ClientOptions {
            engine: EngineOptions::default(),
            client_certificate: true,
            server_name: Some("a.test".into()),
            accept_any_certificate: true,
            webpki_roots: true,
        };
        assert_eq!(client(&args), expected);
    }

    #[test]
    fn a_check_of_the_start_may_name_the_days_that_a_certificate_has_to_last() {
        for (args, check) in [
            (&[][..], None),
            (&["--check"], Some(StartCheck { days: None })),
            (&["--check=days=30"], Some(StartCheck { days: Some(30) })),
        ] {
            assert_eq!(server(args).engine.check, check);
            assert_eq!(
                StartCheck::is_given(&given(&TLSD_IO, args)),
                check.is_some()
            );
        }
    }

    #[test]
    fn only_a_server_of_the_challenge_protocol_answers_challenges() {
        let answers = |args: &[&str]| answers_challenges(&server(args).engine.alpn);
        assert!(answers(&["--alpn=h2,acme-tls/1"]));
        assert!(!answers(&["--alpn=h2,acme-tls/2"]) && !answers(&[]));
    }

    fn context(program: &'static Program, args: &[&str]) -> Context {
        Context::new(
            program,
            args.iter().map(OsString::from).collect(),
            unix::Env::default(),
        )
    }

    #[test]
    fn a_notification_has_a_descriptor_of_its_own_and_not_that_of_messages() {
        let descriptors = |args: &[&str]| {
            let server = ServerOptions::read(&mut context(&TLSD_IO, args)).map(|(_, fds)| fds);
            let client = ClientOptions::read(&mut context(&TLSC_IO, args)).map(|(_, fds)| fds);
            assert_eq!(server, client);
            server
        };
        let taken = Fatal::user("notification-fd must differ from the other descriptors");
        for (args, expected) in [
            (&["6", "7"][..], Ok([6, 7])),
            (&["0", "1"], Ok([0, 1])),
            (&["-d", "5", "6", "7"], Ok([6, 7])),
            (&["-d", "6", "6", "7"], Err(taken.clone())),
            (&["-d", "7", "6", "7"], Err(taken.clone())),
            (&["-d", "1", "6", "7"], Err(taken.clone())),
            (&["-d", "2", "6", "7"], Err(taken)),
        ] {
            assert_eq!(descriptors(args), expected, "{args:?}");
        }
    }

    #[test]
    fn an_engine_refuses_pins_without_a_request_for_certificates() {
        let pin = format!("--pin=SHA256:{}", "0".repeat(64));
        let read = |args: &[&str]| ServerOptions::read(&mut context(&TLSD_IO, args));
        assert!(read(&["-y", &pin, "6", "7"]).is_ok());
        let error = Fatal::user("pin needs client-cert or mandatory-client-cert");
        assert_eq!(read(&[&pin, "6", "7"]), Err(error));
    }

    #[test]
    fn sni_level_overrides_the_sni_flags_in_any_order() {
        assert_eq!(server(&["-k0", "--mandatory-sni"]).sni(), SniLevel::Ignore);
        assert_eq!(server(&["--sni", "-k", "7"]).sni(), SniLevel::Require);
        assert_eq!(
            server(&["--mandatory-sni", "--sni"]).sni(),
            SniLevel::Prefer
        );
        assert_eq!(server(&["-k5", "-k1"]).sni(), SniLevel::Prefer);
    }

    #[test]
    fn any_client_cert_implies_asking() {
        let asked = |args: &[&str]| server(args).client_certificate;
        assert_eq!(asked(&["--any-client-cert"]), ClientCertificate::Optional);
        for args in [["--any-client-cert", "-y"], ["-y", "--any-client-cert"]] {
            assert_eq!(asked(&args), ClientCertificate::Mandatory);
        }
        assert_eq!(asked(&[]), ClientCertificate::None);
    }

    #[test]
    fn every_pin_counts_and_the_last_crl_check() {
        let pins = ["SHA256:", "SPKI-SHA256:"].map(|kind| format!("{kind}{}", "0A".repeat(32)));
        let pin_args = pins.clone().map(|pin| format!("--pin={pin}"));
        let checks = ["--crl-check=leaf", "--crl-check=chain", "--crl-check=leaf"];
        let args = [checks[0], &pin_args[0], checks[1], &pin_args[1], checks[2]];
        let options = ClientOptions::new(&given(&TLSC_IO, &args)).unwrap().engine;
        let expected = pins.each_ref().map(|pin| Pin::parse(pin.as_ref()).unwrap());
        assert_eq!(options.pins, expected);
        assert_eq!(options.crl_check, CrlCheck::Leaf);
        assert_eq!(EngineOptions::default().crl_check, CrlCheck::Chain);
        let expected = pins.map(|pin| format!("--pin={}", pin.replace("0A", "0a")));
        let argv = forwarded(&TLSC, &args, false);
        assert_eq!(argv[..2], expected.map(OsString::from));
        assert_eq!(argv[2..], [checks[2]]);
    }

    #[test]
    fn pins_need_client_cert_and_exclude_any_client_cert() {
        let pin = format!("--pin=SHA256:{}", "0".repeat(64));
        let checked = |args: &[&str]| check_client_certificates(&given(&TLSD_IO, args));
        let fatal = |text| Err(Fatal::user(text));
        for args in [
            &["-Y", &pin][..],
            &[&pin, "-y"],
            &["--any-client-cert"],
            &[],
        ] {
            assert_eq!(checked(args), Ok(()), "{args:?}");
        }
        assert_eq!(
            checked(&[&pin]),
            fatal("pin needs client-cert or mandatory-client-cert")
        );
        let both = fatal("pin and any-client-cert exclude each other");
        assert_eq!(checked(&["--any-client-cert", &pin]), both);
        assert_eq!(checked(&["-y", "--any-client-cert", &pin]), both);
    }

    #[test]
    fn the_last_of_opposite_options_wins() {
        assert_eq!(
            server(&["-yY"]).client_certificate,
            ClientCertificate::Optional
        );
        assert!(!server(&["-S", "--no-close-notify"]).engine.close_notify);
        assert_eq!(server(&["-v0", "--verbosity=2"]).engine.verbosity, 2);
    }

    fn typed(program: &Program, given: &ParsedOptions) -> Result<(), Fatal> {
        match program.name {
            "s6-tlsd-io" => ServerOptions::new(given).map(|_| ()),
            _ => ClientOptions::new(given).map(|_| ()),
        }
    }

    #[test]
    fn every_row_of_an_engine_is_read_and_has_the_kind_of_value_that_it_needs() {
        for program in [&TLSD_IO, &TLSC_IO] {
            for spec in program.option_specs() {
                let value = spec.argument.sample().map(|value| format!("={value}"));
                let option = format!("--{}{}", spec.long, value.unwrap_or_default());
                let given = given(program, &[&option]);
                assert_eq!(typed(program, &given), Ok(()), "{option}");
            }
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_an_error_and_no_empty_list() {
        for id in [Tls::Alpn, Tls::Groups, Tls::Pin, Tls::CrlCheck] {
            for program in [&TLSD_IO, &TLSC_IO] {
                let mut given = ParsedOptions::new(program);
                given.set(Id::Tls(id), Value::Text("x".into()));
                assert!(typed(program, &given).is_err(), "{id:?}");
            }
        }
    }
}
