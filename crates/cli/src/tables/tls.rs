//! The options of the TLS engines and of the programs that run them.
//!
//! The order is that of the command lines handed on.

use crate::checks;
use crate::id::{Client, Id, Launcher, Server, Tls};
use crate::option_spec::{Argument, Effect, OptionSpec, paragraph};

pub(super) const VERBOSITY: &[OptionSpec] = &[OptionSpec {
    short: Some('v'),
    long: "verbosity",
    argument: Argument::Number("n"),
    effect: Effect::Set(Id::Tls(Tls::Verbosity)),
    help: "0: errors, 1: warnings too (default), 2: everything",
    doc: paragraph(
        "0 drops warnings and the line about the handshake limit; 1 is the default; 2 adds a \
         line that says what the sandbox consists of and one at the end ([logging](logging.md)), \
         and warns of keys that everybody may read.",
    ),
}];

pub(super) const NOTIFICATION: &[OptionSpec] = &[OptionSpec {
    short: Some('d'),
    long: "notification-fd",
    argument: Argument::Number("fd"),
    effect: Effect::Set(Id::Tls(Tls::NotificationFd)),
    help: "descriptor to report the handshake to (default: none)",
    doc: paragraph(
        "report the handshake there; 0 (default): do not. It must not be 1, 2, fdr or \
         fdw.",
    ),
}];

pub(super) const CLOSING: &[OptionSpec] = &[
    OptionSpec {
        short: Some('S'),
        long: "close-notify",
        argument: Argument::None,
        effect: Effect::Set(Id::Tls(Tls::CloseNotify)),
        help: "end our direction with a close_notify alert",
        doc: paragraph("end our direction with a close_notify alert."),
    },
    OptionSpec {
        short: Some('s'),
        long: "no-close-notify",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Tls(Tls::CloseNotify)]),
        help: "close the TCP direction without an alert (default)",
        doc: paragraph(
            "close the TCP direction without an alert; a close_notify of the peer is answered.",
        ),
    },
    OptionSpec {
        short: Some('J'),
        long: "enforce-close-notify",
        argument: Argument::None,
        effect: Effect::Set(Id::Tls(Tls::EnforceCloseNotify)),
        help: "an end without close_notify from the peer is an error",
        doc: paragraph("an end without close_notify from the peer is an error."),
    },
    OptionSpec {
        short: Some('j'),
        long: "no-enforce-close-notify",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Tls(Tls::EnforceCloseNotify)]),
        help: "an end without close_notify is not an error (default)",
        doc: paragraph("an end without close_notify from the peer is not an error."),
    },
];

pub(super) const LIMITS: &[OptionSpec] = &[
    OptionSpec {
        short: Some('K'),
        long: "handshake-timeout",
        argument: Argument::Number("ms"),
        effect: Effect::SetUnlessZero(Id::Tls(Tls::HandshakeTimeout)),
        help: "limit of the whole handshake (default: none)",
        doc: paragraph("limit of the whole handshake; 0 (default): none."),
    },
    OptionSpec {
        short: None,
        long: "idle-timeout",
        argument: Argument::Number("ms"),
        effect: Effect::SetUnlessZero(Id::Tls(Tls::IdleTimeout)),
        help: "end after so long without cleartext (default: never)",
        doc: paragraph(
            "end the connection after so long without a byte of cleartext in either direction; \
             0 (default): never. A record counts once it is there whole: what comes a byte at a \
             time, and what is no data, does not put the end off.",
        ),
    },
    OptionSpec {
        short: None,
        long: "peer-info",
        argument: Argument::None,
        effect: Effect::Set(Id::Tls(Tls::PeerInfo)),
        help: "tell the program more about the peer",
        doc: paragraph(
            "set more variables: key exchange, channel bindings, and all of the peer's \
             certificate ([peer-info](peer-info.md)).",
        ),
    },
    OptionSpec {
        short: None,
        long: "no-sandbox",
        argument: Argument::None,
        effect: Effect::Set(Id::Tls(Tls::NoSandbox)),
        help: "do not lock the engine in; for debugging",
        doc: paragraph("do not lock the process in ([security](security.md)); for debugging."),
    },
];

pub(super) const EXTENSIONS: &[OptionSpec] = &[
    OptionSpec {
        short: None,
        long: "alpn",
        argument: Argument::Checked("protocol,...", checks::protocols),
        effect: Effect::Set(Id::Tls(Tls::Alpn)),
        help: "application protocols to agree on, the best first",
        doc: paragraph(
            "agree on one of these application protocols (ALPN, RFC 7301), the best first; the \
             program finds it in `SSL_ALPN_PROTOCOL`, or that variable unset if there is none. A \
             server chooses by its own order; a client that offers only others gets the alert \
             no_application_protocol. A server may pass over what a client offers.",
        ),
    },
    OptionSpec {
        short: None,
        long: "key-guard",
        argument: Argument::None,
        effect: Effect::Set(Id::Tls(Tls::KeyGuard)),
        help: "keep the private key in a process that never hears the network",
        doc: paragraph(
            "keep private keys, and those of tickets, in a process of their own, which never \
             hears the network and signs for the one that does: \
             [the key guard](security.md#the-key-guard).",
        ),
    },
];
pub(super) const KEY_EXCHANGE: &[OptionSpec] = &[OptionSpec {
    short: None,
    long: "groups",
    argument: Argument::Checked("list", checks::groups),
    effect: Effect::Set(Id::Tls(Tls::Groups)),
    help: "key exchange groups (default: X25519MLKEM768 first)",
    doc: paragraph(
        "the groups that keys are exchanged with: one or more of `X25519MLKEM768`, `X25519`, \
         `secp256r1`, `secp384r1`, separated by `,` or `:`, in any case. Default: these four; \
         TLS 1.2 has the last three. A client offers them in this order, with a share for the \
         first; a server takes the first of the client's list that is in its own. \
         `--groups=X25519` helps where something on the way drops long ClientHellos: one with \
         `X25519MLKEM768` does not fit into one segment of TCP. In TLS 1.2 some servers also \
         want the curve of their ECDSA certificate in a client's list. No group in common: 98.",
    ),
}];

pub(super) const ASKING: &[OptionSpec] = &[
    OptionSpec {
        short: Some('Y'),
        long: "client-cert",
        argument: Argument::None,
        effect: Effect::Override(
            Id::Server(Server::ClientCert),
            &[Id::Server(Server::MandatoryClientCert)],
        ),
        help: "ask for a client certificate",
        doc: paragraph("ask for a client certificate; none is fine, a bad one is not."),
    },
    OptionSpec {
        short: Some('y'),
        long: "mandatory-client-cert",
        argument: Argument::None,
        effect: Effect::Override(
            Id::Server(Server::MandatoryClientCert),
            &[Id::Server(Server::ClientCert)],
        ),
        help: "ask for a client certificate and refuse clients without one",
        doc: paragraph("ask for a client certificate and refuse clients without one."),
    },
    OptionSpec {
        short: None,
        long: "any-client-cert",
        argument: Argument::None,
        effect: Effect::Set(Id::Server(Server::AnyClientCert)),
        help: "ask, and accept any client certificate, whoever issued it",
        doc: paragraph(
            "ask (as `-Y` does, with `-y` insist), and accept any certificate whose key the client \
             owns: self-signed and expired ones, too. No trust anchors are read, and no names of \
             any sent. Hash and subject are reported; only the hash says who it is.",
        ),
    },
];

pub(super) const TRUST_BOTH: &[OptionSpec] = &[
    OptionSpec {
        short: None,
        long: "pin",
        argument: Argument::Checked("hash", checks::pin),
        effect: Effect::Append(Id::Tls(Tls::Pin)),
        help: "accept only the certificate or key of this hash; repeatable",
        doc: paragraph(
            "the peer's own certificate must be one of these; it may be given more than once. \
             `SHA256:` and 64 hex digits is the hash of a certificate, as `SSL_PEER_CERT_HASH` has \
             it; `SPKI-SHA256:` that of a public key, as in a TLSA record 3 1 1. Without CADIR, \
             CAFILE and `--webpki-roots`, and under `--no-verify-cert`, a pin is all that is asked \
             for: neither issuer nor dates nor name count. With them both must hold. A server \
             needs `-Y` or `-y` with it. The line about another certificate has its hash.",
        ),
    },
    OptionSpec {
        short: None,
        long: "crl-check",
        argument: Argument::Checked("leaf|chain", checks::crl_check),
        effect: Effect::Set(Id::Tls(Tls::CrlCheck)),
        help: "how far CRLFILE is asked (default: chain)",
        doc: paragraph(
            "ask the revocation lists of CRLFILE about the peer's own certificate only (`leaf`), \
             or about every one below the anchor (`chain`, the default).",
        ),
    },
];

/// `-k`, wherever it stands, beats the other two: a program that hands them on settles it.
pub(super) const SNI: &[OptionSpec] = &[
    OptionSpec {
        short: Some('k'),
        long: "sni-level",
        argument: Argument::Number("level"),
        effect: Effect::Set(Id::Server(Server::SniLevel)),
        help: "0 (default): one pair for all; 1: --sni; 2: --mandatory-sni",
        doc: paragraph(
            "0 (default): one pair for everybody; 1: as `--sni`; 2 and above: as \
             `--mandatory-sni`. It beats these two, wherever it stands.",
        ),
    },
    OptionSpec {
        short: None,
        long: "sni",
        argument: Argument::None,
        effect: Effect::Override(Id::Server(Server::Sni), &[Id::Server(Server::MandatorySni)]),
        help: "the pair for the client's name, else the default pair",
        doc: paragraph("the pair for the name the client asks for, else the default pair."),
    },
    OptionSpec {
        short: None,
        long: "mandatory-sni",
        argument: Argument::None,
        effect: Effect::Override(Id::Server(Server::MandatorySni), &[Id::Server(Server::Sni)]),
        help: "the pair for the client's name, else no handshake",
        doc: paragraph("the pair for the name, else the handshake fails (`unrecognized_name`)."),
    },
];

pub(super) const TRUST: &[OptionSpec] = &[
    OptionSpec {
        short: Some('y'),
        long: "client-cert",
        argument: Argument::None,
        effect: Effect::Set(Id::Client(Client::ClientCert)),
        help: "offer our certificate if the server asks",
        doc: paragraph("offer our certificate if the server asks."),
    },
    OptionSpec {
        short: Some('Y'),
        long: "no-client-cert",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Client(Client::ClientCert)]),
        help: "do not offer our certificate (default)",
        doc: paragraph("do not offer our certificate."),
    },
    OptionSpec {
        short: None,
        long: "no-verify-cert",
        argument: Argument::None,
        effect: Effect::Set(Id::Client(Client::NoVerifyCert)),
        help: "accept any certificate",
        doc: paragraph("accept any certificate; the peer must still own its key."),
    },
    OptionSpec {
        short: None,
        long: "verify-cert",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Client(Client::NoVerifyCert)]),
        help: "verify the server's certificate (default)",
        doc: paragraph("verify the server's certificate."),
    },
    OptionSpec {
        short: None,
        long: "webpki-roots",
        argument: Argument::None,
        effect: Effect::Set(Id::Client(Client::WebpkiRoots)),
        help: "trust Mozilla's roots as compiled in",
        doc: paragraph("trust Mozilla's roots as compiled in, instead of CADIR or CAFILE."),
    },
];

pub(super) const SERVER_NAME: &[OptionSpec] = &[OptionSpec {
    short: Some('k'),
    long: "servername",
    argument: Argument::Text("name"),
    effect: Effect::Set(Id::Client(Client::ServerName)),
    help: "name to send (SNI) and to check in the certificate",
    doc: paragraph(
        "send the name (SNI) and check the certificate against it. An address is not sent, and \
         is matched with the certificate's addresses. A name that is not ASCII is given as its \
         A-label (`xn--...`). Without `-k` the chain is verified and **no name is checked**.",
    ),
}];

pub(super) const KEEP: &[OptionSpec] = &[
    OptionSpec {
        short: Some('Z'),
        long: "keep",
        argument: Argument::None,
        effect: Effect::Set(Id::Launcher(Launcher::Keep)),
        help: "leave the engine's variables to the program",
        doc: paragraph("leave the engine's variables to `prog`."),
    },
    OptionSpec {
        short: Some('z'),
        long: "no-keep",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Launcher(Launcher::Keep)]),
        help: "remove the engine's variables (default)",
        doc: paragraph("remove the engine's variables."),
    },
];

pub(super) const NETWORK: &[OptionSpec] = &[
    OptionSpec {
        short: Some('6'),
        long: "read-fd",
        argument: Argument::Checked("fd", checks::descriptor),
        effect: Effect::Set(Id::Launcher(Launcher::ReadFd)),
        help: "read the network there (default: 6)",
        doc: paragraph("read the network on this descriptor, 3 or more; the default is 6."),
    },
    OptionSpec {
        short: Some('7'),
        long: "write-fd",
        argument: Argument::Checked("fd", checks::descriptor),
        effect: Effect::Set(Id::Launcher(Launcher::WriteFd)),
        help: "write the network there (default: 7)",
        doc: paragraph("write the network on this one, which must be another; the default is 7."),
    },
];
