//! The options of the TLS engines, which every program around them accepts
//! and passes on: read and written here, so that both always agree.

use std::ffi::OsString;

use crate::fatal::Fatal;
use crate::opts::{Opt, Row, switch, value};

/// What both engines have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Common {
    /// `-S`: end our direction with a close_notify alert.
    pub close_notify: bool,
    /// `-J`: an end without close_notify from the peer is an error.
    pub enforce_close_notify: bool,
    /// `-K`: milliseconds for the whole handshake; 0 is no limit.
    pub handshake_timeout: u32,
    /// Milliseconds without a byte from either side; 0 is no limit.
    pub idle_timeout: u32,
    /// Without `--no-sandbox`: the engine locks itself in.
    pub sandbox: bool,
    /// `-v`.
    pub verbosity: u32,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            close_notify: false,
            enforce_close_notify: false,
            handshake_timeout: 0,
            idle_timeout: 0,
            sandbox: true,
            verbosity: 1,
        }
    }
}

impl Common {
    /// The verbosity, which the rewriting programs spell in another way.
    pub const VERBOSITY: &[Row] = &[value('v', "verbosity")];

    /// What both engines have, but for the verbosity.
    pub const OPTIONS: &[Row] = &[
        switch('S', "close-notify"),
        switch('s', "no-close-notify"),
        switch('J', "enforce-close-notify"),
        switch('j', "no-enforce-close-notify"),
        value('K', "handshake-timeout"),
        value('\0', "idle-timeout"),
        switch('\0', "no-sandbox"),
    ];

    /// Takes `opt` if it is one of these; false if it is not.
    fn accept(&mut self, opt: &Opt) -> Result<bool, Fatal> {
        match opt.name {
            "close-notify" => self.close_notify = true,
            "no-close-notify" => self.close_notify = false,
            "enforce-close-notify" => self.enforce_close_notify = true,
            "no-enforce-close-notify" => self.enforce_close_notify = false,
            "handshake-timeout" => self.handshake_timeout = opt.unsigned()?,
            "idle-timeout" => self.idle_timeout = opt.unsigned()?,
            "no-sandbox" => self.sandbox = false,
            "verbosity" => self.verbosity = opt.unsigned()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn closing(&self, args: &mut Vec<OsString>) {
        flag(args, self.close_notify, "-S");
        flag(args, self.enforce_close_notify, "-J");
    }

    fn rest(&self, args: &mut Vec<OsString>) {
        if self.handshake_timeout != 0 {
            args.push("-K".into());
            args.push(self.handshake_timeout.to_string().into());
        }
        if self.idle_timeout != 0 {
            args.push(format!("--idle-timeout={}", self.idle_timeout).into());
        }
        flag(args, !self.sandbox, "--no-sandbox");
    }
}

/// Whether a server asks for a client certificate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClientCertificate {
    /// It does not ask.
    #[default]
    None,
    /// `-Y`: it asks; none is fine, a bad one is not.
    Optional,
    /// `-y`: it asks and insists.
    Mandatory,
}

/// How a server chooses its certificate by the name the client asks for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SniLevel {
    /// 0: there is only the default pair.
    #[default]
    Ignore,
    /// 1: the pair for the name, else the default pair.
    Prefer,
    /// 2 and above: the pair for the name, else no handshake.
    Require,
}

/// The options of `s6-tlsd-io`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerOptions {
    /// What both engines have.
    pub common: Common,
    /// `-Y`, `-y`.
    pub client_certificate: ClientCertificate,
    sni_level: Option<u32>,
    sni_switch: SniLevel,
}

impl ServerOptions {
    /// What a client does not have.
    pub const OWN: &[Row] = &[
        switch('Y', "client-cert"),
        switch('y', "mandatory-client-cert"),
        value('k', "sni-level"),
        switch('\0', "sni"),
        switch('\0', "mandatory-sni"),
    ];

    /// Takes `opt` if it is one of these; false if it is not.
    pub fn accept(&mut self, opt: &Opt) -> Result<bool, Fatal> {
        match opt.name {
            "client-cert" => self.client_certificate = ClientCertificate::Optional,
            "mandatory-client-cert" => self.client_certificate = ClientCertificate::Mandatory,
            "sni-level" => self.sni_level = Some(opt.unsigned()?),
            "sni" => self.sni_switch = SniLevel::Prefer,
            "mandatory-sni" => self.sni_switch = SniLevel::Require,
            _ => return self.common.accept(opt),
        }
        Ok(true)
    }

    /// The SNI level: `-k`, wherever it stands, beats the switches.
    pub fn sni(&self) -> SniLevel {
        match self.sni_level {
            None => self.sni_switch,
            Some(0) => SniLevel::Ignore,
            Some(1) => SniLevel::Prefer,
            Some(_) => SniLevel::Require,
        }
    }

    /// The options on a command line, without the verbosity; `-Z` is among
    /// them if `keep` is.
    pub fn args(&self, keep: bool) -> Vec<OsString> {
        let mut args = Vec::new();
        self.common.closing(&mut args);
        match self.client_certificate {
            ClientCertificate::None => {}
            ClientCertificate::Optional => args.push("-Y".into()),
            ClientCertificate::Mandatory => args.push("-y".into()),
        }
        self.common.rest(&mut args);
        flag(&mut args, keep, "-Z");
        match self.sni() {
            SniLevel::Ignore => {}
            SniLevel::Prefer => args.push("--sni".into()),
            SniLevel::Require => args.push("--mandatory-sni".into()),
        }
        args
    }
}

/// The options of `s6-tlsc-io`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientOptions {
    /// What both engines have.
    pub common: Common,
    /// `-y`: offer our certificate if the server asks.
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
    /// What a server does not have.
    pub const OWN: &[Row] = &[
        switch('y', "client-cert"),
        switch('Y', "no-client-cert"),
        value('k', "servername"),
        switch('\0', "no-verify-cert"),
        switch('\0', "verify-cert"),
        switch('\0', "webpki-roots"),
    ];

    /// Takes `opt` if it is one of these; false if it is not.
    pub fn accept(&mut self, opt: &Opt) -> Result<bool, Fatal> {
        match opt.name {
            "client-cert" => self.client_certificate = true,
            "no-client-cert" => self.client_certificate = false,
            "servername" => self.server_name = Some(opt.text().to_owned()),
            "no-verify-cert" => self.accept_any_certificate = true,
            "verify-cert" => self.accept_any_certificate = false,
            "webpki-roots" => self.webpki_roots = true,
            _ => return self.common.accept(opt),
        }
        Ok(true)
    }

    /// The options on a command line, without the verbosity; `-Z` is among
    /// them if `keep` is.
    pub fn args(&self, keep: bool) -> Vec<OsString> {
        let mut args = Vec::new();
        self.common.closing(&mut args);
        flag(&mut args, self.client_certificate, "-y");
        flag(&mut args, self.accept_any_certificate, "--no-verify-cert");
        flag(&mut args, self.webpki_roots, "--webpki-roots");
        flag(&mut args, keep, "-Z");
        self.common.rest(&mut args);
        if let Some(name) = &self.server_name {
            let mut option = OsString::from("-k");
            // Alone it would be the end of the options.
            if name == "--" {
                option.push(name);
                args.push(option);
            } else {
                args.push(option);
                args.push(name.clone());
            }
        }
        args
    }
}

fn flag(args: &mut Vec<OsString>, given: bool, option: &str) {
    if given {
        args.push(option.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opts::{Grammar, Parser};

    const SERVER: Grammar = Grammar {
        synopsis: "",
        options: &[Common::OPTIONS, ServerOptions::OWN, Common::VERBOSITY],
        long: true,
    };

    const CLIENT: Grammar = Grammar {
        synopsis: "",
        options: &[Common::OPTIONS, ClientOptions::OWN, Common::VERBOSITY],
        long: true,
    };

    fn server(args: &[&str]) -> ServerOptions {
        let mut options = ServerOptions::default();
        let mut parser = Parser::new(&SERVER, args.iter().map(OsString::from).collect());
        while let Some(opt) = parser.next().unwrap() {
            assert!(options.accept(&opt).unwrap(), "{}", opt.name);
        }
        options
    }

    fn client(args: &[&str]) -> ClientOptions {
        let mut options = ClientOptions::default();
        let mut parser = Parser::new(&CLIENT, args.iter().map(OsString::from).collect());
        while let Some(opt) = parser.next().unwrap() {
            assert!(options.accept(&opt).unwrap(), "{}", opt.name);
        }
        options
    }

    #[test]
    fn what_is_read_is_written_back_in_canonical_order() {
        for (given, written) in [
            (&[][..], &[][..]),
            (
                &["-SJyK500", "-k1"],
                &["-S", "-J", "-y", "-K", "500", "--sni"],
            ),
            (&["--mandatory-sni", "-Y"], &["-Y", "--mandatory-sni"]),
            (&["-Ss", "-Jj", "-K", "0"], &[]),
            (
                &["--no-sandbox", "--sni", "--idle-timeout=9"],
                &["--idle-timeout=9", "--no-sandbox", "--sni"],
            ),
            (&["--handshake-timeout=8", "-v3"], &["-K", "8"]),
        ] {
            assert_eq!(server(given).args(false), written, "{given:?}");
        }
        for (given, written) in [
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
            assert_eq!(client(given).args(false), written, "{given:?}");
        }
    }

    #[test]
    fn keep_stands_where_the_wrappers_have_it() {
        assert_eq!(server(&["-S", "--sni"]).args(true), ["-S", "-Z", "--sni"]);
        assert_eq!(client(&["-y", "-K1"]).args(true), ["-y", "-Z", "-K", "1"]);
    }

    #[test]
    fn the_sni_level_beats_the_switches_in_any_order() {
        assert_eq!(server(&["-k0", "--mandatory-sni"]).sni(), SniLevel::Ignore);
        assert_eq!(server(&["--sni", "-k", "7"]).sni(), SniLevel::Require);
        assert_eq!(
            server(&["--mandatory-sni", "--sni"]).sni(),
            SniLevel::Prefer
        );
        assert_eq!(server(&["-k5", "-k1"]).sni(), SniLevel::Prefer);
    }

    #[test]
    fn the_last_of_opposite_options_wins() {
        assert_eq!(
            server(&["-yY"]).client_certificate,
            ClientCertificate::Optional
        );
        assert!(!server(&["-S", "--no-close-notify"]).common.close_notify);
        assert_eq!(server(&["-v0", "--verbosity=2"]).common.verbosity, 2);
    }
}
