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
    help: "messages: 0: errors; 1 (default): warnings, too; 2: everything",
    doc: paragraph(
        "0: errors, except that the time of `-K` is over; 1 (default): also that, and warnings; \
         2: also a line about the sandbox, a line when the connection ends \
         ([logging](logging.md)), and a warning about keys that everybody may read.",
    ),
}];

pub(super) const NOTIFICATION: &[OptionSpec] = &[OptionSpec {
    short: Some('d'),
    long: "notification-fd",
    argument: Argument::Number("fd"),
    effect: Effect::Set(Id::Tls(Tls::NotificationFd)),
    help: "report the handshake on this descriptor (default: none)",
    doc: paragraph(
        "write the notification to this descriptor after the handshake; 0 (default): none. It \
         must not be 1, 2, fdr or fdw.",
    ),
}];

pub(super) const CLOSING: &[OptionSpec] = &[
    OptionSpec {
        short: Some('S'),
        long: "close-notify",
        argument: Argument::None,
        effect: Effect::Set(Id::Tls(Tls::CloseNotify)),
        help: "send a close_notify alert when our direction ends",
        doc: paragraph("send a close_notify alert when our direction ends."),
    },
    OptionSpec {
        short: Some('s'),
        long: "no-close-notify",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Tls(Tls::CloseNotify)]),
        help: "end our direction without a close_notify alert (default)",
        doc: paragraph(
            "close the TCP direction without an alert. A close_notify from the peer is still \
             answered with one.",
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
        help: "time limit for the handshake (default: none)",
        doc: paragraph("time limit for the whole handshake; 0 (default): none."),
    },
    OptionSpec {
        short: None,
        long: "idle-timeout",
        argument: Argument::Number("ms"),
        effect: Effect::SetUnlessZero(Id::Tls(Tls::IdleTimeout)),
        help: "close after this time without cleartext (default: never)",
        doc: paragraph(
            "close the connection after this time without a byte of cleartext in either \
             direction; 0 (default): never. A record counts when it has arrived completely: a peer \
             that sends one byte at a time, or records without data, does not extend the time.",
        ),
    },
    OptionSpec {
        short: None,
        long: "peer-info",
        argument: Argument::None,
        effect: Effect::Set(Id::Tls(Tls::PeerInfo)),
        help: "set variables for the key exchange and the peer's certificate",
        doc: paragraph(
            "set more variables: key exchange, channel bindings, and the contents of the peer's \
             certificate ([peer-info](peer-info.md)).",
        ),
    },
    OptionSpec {
        short: None,
        long: "no-sandbox",
        argument: Argument::None,
        effect: Effect::Set(Id::Tls(Tls::NoSandbox)),
        help: "run the TLS process without its sandbox; for debugging",
        doc: paragraph("run without the sandbox ([security](security.md)); for debugging."),
    },
];

const ALPN: OptionSpec = OptionSpec {
    short: None,
    long: "alpn",
    argument: Argument::Checked("protocol,...", checks::protocols),
    effect: Effect::Set(Id::Tls(Tls::Alpn)),
    help: "application protocols (ALPN), the preferred one first",
    doc: paragraph(""),
};

pub(super) const SERVER_ALPN: &[OptionSpec] = &[OptionSpec {
    doc: paragraph(
        "agree on one of these application protocols (ALPN, RFC 7301), the preferred one first: \
         our order counts. `SSL_ALPN_PROTOCOL` is set to it, or is unset if the client offers \
         none. A client that offers only other protocols gets the alert \
         no_application_protocol. With `acme-tls/1` in the list the server answers challenges of \
         a CA: [ACME](acme.md). Each name has 1 to 255 bytes and is given once; the list has at \
         most 61440 bytes.",
    ),
    ..ALPN
}];

pub(super) const CLIENT_ALPN: &[OptionSpec] = &[OptionSpec {
    doc: paragraph(
        "offer these application protocols (ALPN, RFC 7301), the preferred one first. The server \
         chooses one, or none. `SSL_ALPN_PROTOCOL` is set to it, or is unset if there is none. A \
         server may also refuse a client that offers only other protocols. Each name has 1 to 255 \
         bytes and is given once; the list has at most 61440 bytes.",
    ),
    ..ALPN
}];

pub(super) const EXTENSIONS: &[OptionSpec] = &[
    OptionSpec {
        short: None,
        long: "key-guard",
        argument: Argument::None,
        effect: Effect::Set(Id::Tls(Tls::KeyGuard)),
        help: "keep the private key in a separate process",
        doc: paragraph(
            "keep private keys and ticket keys in a separate process, which never reads from the \
             network and signs for the engine: [the key guard](security.md#the-key-guard).",
        ),
    },
    OptionSpec {
        short: None,
        long: "max-record",
        argument: Argument::Checked("n", checks::max_record),
        effect: Effect::Set(Id::Tls(Tls::MaxRecord)),
        help: "send at most n bytes of plaintext in a record (default: 16384)",
        doc: paragraph(
            "send no TLS record with more than this many bytes of plaintext, in the handshake and \
             after it: 512 to 16384 (the default). For peers with small buffers: their \
             max_fragment_length and record_size_limit (RFC 6066, RFC 8449) are ignored. With its \
             header and encryption a record is at most 29 bytes longer. What the peer sends is not \
             limited.",
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
        "key exchange groups: one or more of `X25519MLKEM768`, `X25519`, `secp256r1`, \
         `secp384r1`, separated by `,` or `:`, in upper or lower case. Default: these four; TLS \
         1.2 has the last three. A client offers them in the order of the list, with a key share \
         for the first; a server takes the first group of the client's list that it has, too. \
         `--groups=X25519` helps where a middlebox drops long ClientHellos: one with \
         `X25519MLKEM768` does not fit into one TCP segment. In TLS 1.2 some servers also require \
         that the client's list has the curve of their ECDSA certificate. Without a common group \
         the exit code is 98.",
    ),
}];

pub(super) const CHECK: &[OptionSpec] = &[
    OptionSpec {
        short: None,
        long: "check",
        argument: Argument::None,
        effect: Effect::Override(Id::Tls(Tls::Check), &[Id::Tls(Tls::CheckDays)]),
        help: "check all options and files, say what was found, and exit",
        doc: paragraph(
            "read all options, variables and files as the service would, print the findings on \
             standard output, and exit. Nothing is sent or received, and `prog` is not run. The \
             exit code is 0, or that of the service ([check](check.md)).",
        ),
    },
    OptionSpec {
        short: None,
        long: "check",
        argument: Argument::Checked("days=n", checks::days),
        effect: Effect::Override(Id::Tls(Tls::CheckDays), &[Id::Tls(Tls::Check)]),
        help: "check; exit 1 if a certificate of ours expires within n days",
        doc: paragraph(
            "as `--check`; the exit code is 1 if a certificate of our own is valid for fewer than \
             `n` days.",
        ),
    },
];

pub(super) const ASKING: &[OptionSpec] = &[
    OptionSpec {
        short: Some('Y'),
        long: "client-cert",
        argument: Argument::None,
        effect: Effect::Override(
            Id::Server(Server::ClientCert),
            &[Id::Server(Server::MandatoryClientCert)],
        ),
        help: "ask for a client certificate; accept clients without one",
        doc: paragraph(
            "ask for a client certificate. Accept clients without one; refuse those whose \
             certificate is bad.",
        ),
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
        help: "ask for a client certificate; accept any, whoever issued it",
        doc: paragraph(
            "ask as `-Y` does (with `-y`, refuse clients without one), and accept any certificate \
             if the client has its key, even a self-signed or expired one. No trust anchors are \
             read, and clients are sent no names of CAs. Hash and subject are reported; only the \
             hash identifies the client.",
        ),
    },
];

const PIN: OptionSpec = OptionSpec {
    short: None,
    long: "pin",
    argument: Argument::Checked("hash", checks::pin),
    effect: Effect::Append(Id::Tls(Tls::Pin)),
    help: "accept only a peer with this certificate or key; repeatable",
    doc: paragraph(""),
};

const CRL_CHECK: OptionSpec = OptionSpec {
    short: None,
    long: "crl-check",
    argument: Argument::Checked("leaf|chain", checks::crl_check),
    effect: Effect::Set(Id::Tls(Tls::CrlCheck)),
    help: "peer's certificates to look up in CRLFILE (default: chain)",
    doc: paragraph(
        "look up in the revocation lists of CRLFILE: only the peer's own certificate \
         (`leaf`), or every certificate below the trust anchor (`chain`, the default).",
    ),
};

pub(super) const TRUST_CLIENTS: &[OptionSpec] = &[
    OptionSpec {
        doc: paragraph(
            "accept only a client whose certificate has this hash, or one of these if the option \
             is given more than once. `SHA256:` and 64 hex digits is the hash of a certificate, \
             as in `SSL_PEER_CERT_HASH`; `SPKI-SHA256:` is the hash of a public key, as in a TLSA \
             record 3 1 1. If there are no trust anchors (CADIR, CAFILE), only the pin is \
             checked; otherwise issuer and dates are, too. It needs `-Y` or `-y`. The message \
             about a refused certificate contains its hash.",
        ),
        ..PIN
    },
    CRL_CHECK,
];

pub(super) const TRUST_SERVERS: &[OptionSpec] = &[
    OptionSpec {
        doc: paragraph(
            "accept only a server whose certificate has this hash, or one of these if the option \
             is given more than once. `SHA256:` and 64 hex digits is the hash of a certificate, \
             as in `SSL_PEER_CERT_HASH`; `SPKI-SHA256:` is the hash of a public key, as in a TLSA \
             record 3 1 1. If there are no trust anchors (CADIR, CAFILE, `--webpki-roots`), or \
             with `--no-verify-cert`, only the pin is checked; otherwise issuer, dates and name \
             are, too. The message about a refused certificate contains its hash.",
        ),
        ..PIN
    },
    CRL_CHECK,
];

/// `-k` overrides the other two, whatever their order. A program that hands them on first calls
/// [`crate::normalize_sni_level`].
pub(super) const SNI: &[OptionSpec] = &[
    OptionSpec {
        short: Some('k'),
        long: "sni-level",
        argument: Argument::Number("level"),
        effect: Effect::Set(Id::Server(Server::SniLevel)),
        help: "SNI: 0 (default): ignored; 1: as --sni; 2: as --mandatory-sni",
        doc: paragraph(
            "0 (default): ignore the client's SNI; 1: as `--sni`; 2 and above: as \
             `--mandatory-sni`. It overrides these two, whatever their order.",
        ),
    },
    OptionSpec {
        short: None,
        long: "sni",
        argument: Argument::None,
        effect: Effect::Override(Id::Server(Server::Sni), &[Id::Server(Server::MandatorySni)]),
        help: "use the certificate for the name asked for, else the default",
        doc: paragraph(
            "use the key and certificate for the name that the client asks for (SNI), else the \
             default pair.",
        ),
    },
    OptionSpec {
        short: None,
        long: "mandatory-sni",
        argument: Argument::None,
        effect: Effect::Override(Id::Server(Server::MandatorySni), &[Id::Server(Server::Sni)]),
        help: "use the certificate for the name asked for, else refuse",
        doc: paragraph(
            "use the key and certificate for the name that the client asks for (SNI); without \
             them the handshake fails (`unrecognized_name`).",
        ),
    },
];

pub(super) const TRUST: &[OptionSpec] = &[
    OptionSpec {
        short: Some('y'),
        long: "client-cert",
        argument: Argument::None,
        effect: Effect::Set(Id::Client(Client::ClientCert)),
        help: "offer the certificate of CERTFILE if the server asks",
        doc: paragraph("offer our certificate if the server asks."),
    },
    OptionSpec {
        short: Some('Y'),
        long: "no-client-cert",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Client(Client::ClientCert)]),
        help: "do not offer the certificate of CERTFILE (default)",
        doc: paragraph("do not offer our certificate."),
    },
    OptionSpec {
        short: None,
        long: "no-verify-cert",
        argument: Argument::None,
        effect: Effect::Set(Id::Client(Client::NoVerifyCert)),
        help: "accept any server certificate, even an expired or wrong one",
        doc: paragraph(
            "accept any certificate; the server must still have its key. Pins, and TLSA records of \
             usage 2 and 3, must still match.",
        ),
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
        help: "trust Mozilla's CA certificates, which are compiled in",
        doc: paragraph("trust Mozilla's roots as compiled in, instead of CADIR or CAFILE."),
    },
];

pub(super) const SERVER_NAME: &[OptionSpec] = &[OptionSpec {
    short: Some('k'),
    long: "servername",
    argument: Argument::Text("name"),
    effect: Effect::Set(Id::Client(Client::ServerName)),
    help: "server name to send (SNI) and to check in the certificate",
    doc: paragraph(
        "send this name (SNI) and check the certificate against it. An address is not sent; it is \
         checked against the addresses in the certificate. A name that is not ASCII must be given \
         as its A-label (`xn--...`). Without `-k` the chain is verified, but **no name is \
         checked**.",
    ),
}];

pub(super) const KEEP: &[OptionSpec] = &[
    OptionSpec {
        short: Some('Z'),
        long: "keep",
        argument: Argument::None,
        effect: Effect::Set(Id::Launcher(Launcher::Keep)),
        help: "let the program see KEYFILE, CERTFILE and the like",
        doc: paragraph("keep the engine's variables in the environment of `prog`."),
    },
    OptionSpec {
        short: Some('z'),
        long: "no-keep",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Launcher(Launcher::Keep)]),
        help: "hide KEYFILE, CERTFILE and the like from the program (default)",
        doc: paragraph("remove the engine's variables."),
    },
];

pub(super) const NETWORK: &[OptionSpec] = &[
    OptionSpec {
        short: Some('6'),
        long: "read-fd",
        argument: Argument::Checked("fd", checks::descriptor),
        effect: Effect::Set(Id::Launcher(Launcher::ReadFd)),
        help: "network descriptor to read (default: 6)",
        doc: paragraph("read the network from this descriptor, 3 or more; the default is 6."),
    },
    OptionSpec {
        short: Some('7'),
        long: "write-fd",
        argument: Argument::Checked("fd", checks::descriptor),
        effect: Effect::Set(Id::Launcher(Launcher::WriteFd)),
        help: "network descriptor to write (default: 7)",
        doc: paragraph(
            "write the network to this descriptor, 3 or more and different from that of `-6`; the \
             default is 7.",
        ),
    },
];
