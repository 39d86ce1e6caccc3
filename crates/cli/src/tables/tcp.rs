//! The options of the programs around a TCP connection.
//!
//! The order is that of the command lines handed on.

use crate::checks;
use crate::id::{Applyuidgid, ChainBuilder, Id, IdentClient, ProxyServer};
use crate::id::{Socketbinder, Tcpserverd};
use crate::option_spec::{Argument, Effect, OptionSpec, paragraph};

pub(super) const QUIET: OptionSpec = OptionSpec {
    short: Some('q'),
    long: "quiet",
    argument: Argument::None,
    effect: Effect::Override(
        Id::ChainBuilder(ChainBuilder::Quiet),
        &[Id::ChainBuilder(ChainBuilder::Verbose)],
    ),
    help: "print errors only",
    doc: paragraph("verbosity 0: errors only."),
};

pub(super) const VERBOSE: OptionSpec = OptionSpec {
    short: Some('v'),
    long: "verbose",
    argument: Argument::None,
    effect: Effect::Override(
        Id::ChainBuilder(ChainBuilder::Verbose),
        &[Id::ChainBuilder(ChainBuilder::Quiet)],
    ),
    help: "print everything; run the other programs with -v2",
    doc: paragraph("verbosity 2: everything."),
};

pub(super) const NORMALLY_VERBOSE: OptionSpec = OptionSpec {
    short: Some('Q'),
    long: "normally-verbose",
    argument: Argument::None,
    effect: Effect::Negate(&[
        Id::ChainBuilder(ChainBuilder::Quiet),
        Id::ChainBuilder(ChainBuilder::Verbose),
    ]),
    help: "print errors and warnings (default)",
    doc: paragraph("verbosity 1: errors and warnings."),
};

/// Three levels, for programs that translate them for the programs that they run.
pub(super) const VERBOSITY: &[OptionSpec] = &[QUIET, VERBOSE, NORMALLY_VERBOSE];

pub(super) const TCPSERVERD_VERBOSITY: OptionSpec = OptionSpec {
    short: Some('v'),
    long: "verbosity",
    argument: Argument::Number("n"),
    effect: Effect::Set(Id::Tcpserverd(Tcpserverd::Verbosity)),
    help: "messages: 0: errors; 1 (default): warnings, too; 2: everything",
    doc: paragraph(
        "0: fatal errors; 1 (default): also warnings and rejected clients; 2: everything.",
    ),
};

pub(super) const NOTIFY: OptionSpec = OptionSpec {
    short: Some('1'),
    long: "notify",
    argument: Argument::None,
    effect: Effect::Set(Id::Tcpserverd(Tcpserverd::Notify)),
    help: "print the port on standard output when ready",
    doc: paragraph(
        "when ready, print the port and a newline on descriptor 1. With or without `-1`, \
         descriptor 1 is closed then.",
    ),
};

pub(super) const MAX_CONNECTIONS: OptionSpec = OptionSpec {
    short: Some('c'),
    long: "global-max-connections",
    argument: Argument::Checked("n", checks::at_least_one),
    effect: Effect::Set(Id::Tcpserverd(Tcpserverd::MaxConnections)),
    help: "maximum number of connections (default: 40)",
    doc: paragraph(
        "maximum number of connections (default: 40; 0 means 1; at most 16384). Further clients \
         wait, and a warning says so.",
    ),
};

pub(super) const LOCAL_MAX_CONNECTIONS: OptionSpec = OptionSpec {
    short: Some('C'),
    long: "local-max-connections",
    argument: Argument::Checked("n", checks::at_least_one),
    effect: Effect::Set(Id::Tcpserverd(Tcpserverd::LocalMaxConnections)),
    help: "maximum number of connections from one address (default: 40)",
    doc: paragraph(
        "maximum number of connections from one address (default: 40; 0 means 1). Further ones \
         are closed.",
    ),
};

/// The options of s6-tcpserverd that the reference lacks.
pub(super) const EXTENSIONS: &[OptionSpec] = &[
    OptionSpec {
        short: None,
        long: "rate",
        argument: Argument::Checked("n/seconds", checks::rate),
        effect: Effect::Set(Id::Tcpserverd(Tcpserverd::Rate)),
        help: "limit of new connections from one address (default: none)",
        doc: paragraph(
            "a client may open n connections at once, and n more in each further period of this \
             many seconds. Others are closed. IPv6 addresses with the same first 64 bits are one \
             client.",
        ),
    },
    OptionSpec {
        short: None,
        long: "ipv6-prefix",
        argument: Argument::Checked("n", checks::prefix),
        effect: Effect::Set(Id::Tcpserverd(Tcpserverd::Ipv6Prefix)),
        help: "count IPv6 clients by the first n bits of their address",
        doc: paragraph(
            "IPv6 addresses with the same first n bits count as one address, for `-C` and `--rate`. \
             Default: 128 for `-C`, 64 for `--rate`.",
        ),
    },
    OptionSpec {
        short: None,
        long: "drain",
        argument: Argument::Checked("seconds", checks::seconds),
        effect: Effect::Set(Id::Tcpserverd(Tcpserverd::Drain)),
        help: "after SIGTERM wait at most this long for connections to end",
        doc: paragraph(
            "on SIGTERM accept the clients in the queue, stop listening, and exit when all \
             connections have ended, or after this many seconds. A second SIGTERM ends the wait.",
        ),
    },
];

pub(super) const REUSE: &[OptionSpec] = &[
    OptionSpec {
        short: Some('D'),
        long: "no-reuse-address",
        argument: Argument::None,
        effect: Effect::Set(Id::Socketbinder(Socketbinder::NoReuse)),
        help: "do not set SO_REUSEADDR",
        doc: paragraph("do not set SO_REUSEADDR."),
    },
    OptionSpec {
        short: Some('d'),
        long: "reuse-address",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Socketbinder(Socketbinder::NoReuse)]),
        help: "set SO_REUSEADDR (default)",
        doc: paragraph(
            "set SO_REUSEADDR, to bind to an address even while old connections on it are in \
             TIME_WAIT.",
        ),
    },
];

pub(super) const DUAL_STACK: OptionSpec = OptionSpec {
    short: Some('a'),
    long: "dual-stack",
    argument: Argument::None,
    effect: Effect::Set(Id::Socketbinder(Socketbinder::DualStack)),
    help: "accept IPv4 clients, too, if ip is ::",
    doc: paragraph(
        "a socket bound to `::` accepts IPv4 clients too, and their IPv4 address is shown. Without \
         `-a` an IPv6 socket accepts IPv6 clients only.",
    ),
};

pub(super) const BACKLOG: OptionSpec = OptionSpec {
    short: Some('b'),
    long: "backlog",
    argument: Argument::Number("n"),
    effect: Effect::Set(Id::Socketbinder(Socketbinder::Backlog)),
    help: "listen backlog (default: the maximum); 0: do not listen",
    doc: paragraph("listen backlog (default: the system's maximum); 0: do not listen."),
};

pub(super) const SOCKET: &[OptionSpec] = &[
    OptionSpec {
        short: Some('m'),
        long: "udp",
        argument: Argument::None,
        effect: Effect::Set(Id::Socketbinder(Socketbinder::Udp)),
        help: "make a datagram socket; needs -b 0",
        doc: paragraph("make a datagram socket; needs `-b 0`."),
    },
    OptionSpec {
        short: Some('M'),
        long: "tcp",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Socketbinder(Socketbinder::Udp)]),
        help: "make a stream socket (default)",
        doc: paragraph("make a stream socket."),
    },
    OptionSpec {
        short: Some('B'),
        long: "block",
        argument: Argument::None,
        effect: Effect::Set(Id::Socketbinder(Socketbinder::Block)),
        help: "make the socket blocking (default: non-blocking)",
        doc: paragraph("make the socket blocking (default: non-blocking)."),
    },
];

pub(super) const ENVUIDGID: OptionSpec = OptionSpec {
    short: Some('U'),
    long: "envuidgid",
    argument: Argument::None,
    effect: Effect::Override(
        Id::Applyuidgid(Applyuidgid::Environment),
        &[
            Id::Applyuidgid(Applyuidgid::Uid),
            Id::Applyuidgid(Applyuidgid::Gid),
            Id::Applyuidgid(Applyuidgid::Groups),
        ],
    ),
    help: "take the ids from the variables UID, GID and GIDLIST",
    doc: paragraph(
        "take all ids from the variables `UID`, `GID` and `GIDLIST`. Ids given before `-U` are \
         discarded; those given after it count.",
    ),
};

pub(super) const UID: OptionSpec = OptionSpec {
    short: Some('u'),
    long: "uid",
    argument: Argument::Number("uid"),
    effect: Effect::SetUnlessZero(Id::Applyuidgid(Applyuidgid::Uid)),
    help: "numeric user id; 0: do not change it",
    doc: paragraph("numeric user id (`id -u name` prints it); 0: do not change it."),
};

pub(super) const GID: OptionSpec = OptionSpec {
    short: Some('g'),
    long: "gid",
    argument: Argument::Number("gid"),
    effect: Effect::SetUnlessZero(Id::Applyuidgid(Applyuidgid::Gid)),
    help: "numeric group id; 0: do not change it",
    doc: paragraph("numeric group id (`getent group name` shows it); 0: do not change it."),
};

pub(super) const GROUPS: OptionSpec = OptionSpec {
    short: Some('G'),
    long: "gidlist",
    argument: Argument::Checked("list", checks::numbers),
    effect: Effect::Set(Id::Applyuidgid(Applyuidgid::Groups)),
    help: "numeric supplementary groups, comma-separated; '': none",
    doc: paragraph("numeric supplementary groups, separated by commas; an empty list: none."),
};

pub(super) const CLEAN: OptionSpec = OptionSpec {
    short: Some('z'),
    long: "clean",
    argument: Argument::None,
    effect: Effect::Set(Id::Applyuidgid(Applyuidgid::Clean)),
    help: "remove the variables UID, GID and GIDLIST",
    doc: paragraph("remove the variables `UID`, `GID` and `GIDLIST`."),
};

pub(super) const IDENT_TIMEOUT: OptionSpec = OptionSpec {
    short: Some('t'),
    long: "timeout",
    argument: Argument::Number("ms"),
    effect: Effect::Set(Id::IdentClient(IdentClient::Timeout)),
    help: "time limit for the answer (default: 30000)",
    doc: paragraph("time limit; 0 (default): 30 seconds."),
};

pub(super) const PROXY: OptionSpec = OptionSpec {
    short: Some('L'),
    long: "proxy",
    argument: Argument::None,
    effect: Effect::Set(Id::ChainBuilder(ChainBuilder::Proxy)),
    help: "clients come through a proxy that sends a PROXY header",
    doc: paragraph(
        "run proxy-server before and after s6-tlsd, to read a PROXY header. `-K` then limits the \
         header and the handshake, each by itself.",
    ),
};

pub(super) const PROXY_SERVER: &[OptionSpec] = &[
    OptionSpec {
        short: Some('1'),
        long: "only-v1",
        argument: Argument::None,
        effect: Effect::Override(
            Id::ProxyServer(ProxyServer::Only1),
            &[Id::ProxyServer(ProxyServer::Only2)],
        ),
        help: "accept version 1 of the protocol only",
        doc: paragraph("accept version 1 of the protocol only."),
    },
    OptionSpec {
        short: Some('2'),
        long: "only-v2",
        argument: Argument::None,
        effect: Effect::Override(
            Id::ProxyServer(ProxyServer::Only2),
            &[Id::ProxyServer(ProxyServer::Only1)],
        ),
        help: "accept version 2 of the protocol only",
        doc: paragraph("accept version 2 of the protocol only."),
    },
    OptionSpec {
        short: Some('t'),
        long: "timeout",
        argument: Argument::Number("ms"),
        effect: Effect::Set(Id::ProxyServer(ProxyServer::Timeout)),
        help: "time limit for the header (default: none)",
        doc: paragraph("time limit for the header; 0 (default): none."),
    },
    OptionSpec {
        short: Some('v'),
        long: "verbosity",
        argument: Argument::Number("n"),
        effect: Effect::Set(Id::ProxyServer(ProxyServer::Verbosity)),
        help: "messages: 0: errors; 1 (default): warnings, too",
        doc: paragraph("0: errors only; 1 (default): warnings too."),
    },
    OptionSpec {
        short: None,
        long: "before-tlsd",
        argument: Argument::None,
        effect: Effect::Override(
            Id::ProxyServer(ProxyServer::BeforeTlsd),
            &[Id::ProxyServer(ProxyServer::AfterTlsd)],
        ),
        help: "save the proxy's SSL variables before s6-tlsd sets its own",
        doc: paragraph(
            "rename the proxy's SSL variables to `tlsbak_SSL_*`, so that s6-tlsd does not \
             overwrite them.",
        ),
    },
    OptionSpec {
        short: None,
        long: "after-tlsd",
        argument: Argument::None,
        effect: Effect::Override(
            Id::ProxyServer(ProxyServer::AfterTlsd),
            &[Id::ProxyServer(ProxyServer::BeforeTlsd)],
        ),
        help: "read no header; restore the proxy's SSL variables",
        doc: paragraph(
            "read no header; rename `tlsbak_SSL_*` back, and unset those of the four variables \
             that the proxy did not send. If it sent none, those that s6-tlsd has set stay.",
        ),
    },
];
