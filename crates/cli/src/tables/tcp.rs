//! The options of the programs around a TCP connection.
//!
//! The order is that of the command lines handed on.

use crate::checks;
use crate::id::{Applyuidgid, ChainBuilder, Id, IdentClient, ProxyServer};
use crate::id::{Socketbinder, Tcpserverd};
use crate::option_spec::{Argument, Effect, OptionSpec, paragraph};

/// Three levels, for programs that turn them into those of others.
pub(super) const VERBOSITY: &[OptionSpec] = &[
    OptionSpec {
        short: Some('q'),
        long: "quiet",
        argument: Argument::None,
        effect: Effect::Override(
            Id::ChainBuilder(ChainBuilder::Quiet),
            &[Id::ChainBuilder(ChainBuilder::Verbose)],
        ),
        help: "say nothing but errors",
        doc: paragraph("verbosity 0: errors only."),
    },
    OptionSpec {
        short: Some('v'),
        long: "verbose",
        argument: Argument::None,
        effect: Effect::Override(
            Id::ChainBuilder(ChainBuilder::Verbose),
            &[Id::ChainBuilder(ChainBuilder::Quiet)],
        ),
        help: "say everything: -v2 of the programs that it runs",
        doc: paragraph("verbosity 2: everything."),
    },
    OptionSpec {
        short: Some('Q'),
        long: "normally-verbose",
        argument: Argument::None,
        effect: Effect::Negate(&[
            Id::ChainBuilder(ChainBuilder::Quiet),
            Id::ChainBuilder(ChainBuilder::Verbose),
        ]),
        help: "say errors and warnings (default)",
        doc: paragraph("verbosity 1: errors and warnings."),
    },
];

pub(super) const TCPSERVERD_VERBOSITY: OptionSpec = OptionSpec {
    short: Some('v'),
    long: "verbosity",
    argument: Argument::Number("n"),
    effect: Effect::Set(Id::Tcpserverd(Tcpserverd::Verbosity)),
    help: "0: errors, 1: warnings too (default), 2: everything",
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
        "print the port and a newline on descriptor 1 when ready; 1 is closed then in any case.",
    ),
};

pub(super) const MAX_CONNECTIONS: OptionSpec = OptionSpec {
    short: Some('c'),
    long: "global-max-connections",
    argument: Argument::Checked("n", checks::at_least_one),
    effect: Effect::Set(Id::Tcpserverd(Tcpserverd::MaxConnections)),
    help: "at most so many connections (default: 40)",
    doc: paragraph(
        "at most so many connections in all (40 by default; 0 is 1; at most 16384); further \
         clients wait, and a warning says so.",
    ),
};

pub(super) const LOCAL_MAX_CONNECTIONS: OptionSpec = OptionSpec {
    short: Some('C'),
    long: "local-max-connections",
    argument: Argument::Checked("n", checks::at_least_one),
    effect: Effect::Set(Id::Tcpserverd(Tcpserverd::LocalMaxConnections)),
    help: "the same for each address (default: 40)",
    doc: paragraph("the same for the connections from one address; further ones are closed."),
};

pub(super) const REUSE: &[OptionSpec] = &[
    OptionSpec {
        short: Some('D'),
        long: "no-reuse-address",
        argument: Argument::None,
        effect: Effect::Set(Id::Socketbinder(Socketbinder::NoReuse)),
        help: "do not take an address that was in use a moment ago",
        doc: paragraph("do not bind to an address on which connections are still dying."),
    },
    OptionSpec {
        short: Some('d'),
        long: "reuse-address",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Socketbinder(Socketbinder::NoReuse)]),
        help: "take an address that was in use a moment ago (default)",
        doc: paragraph("bind to an address even if connections on it are still dying."),
    },
];

pub(super) const DUAL_STACK: OptionSpec = OptionSpec {
    short: Some('a'),
    long: "dual-stack",
    argument: Argument::None,
    effect: Effect::Set(Id::Socketbinder(Socketbinder::DualStack)),
    help: "with ip ::, serve IPv4 clients too",
    doc: paragraph(
        "a socket bound to `::` takes IPv4 clients too, who appear with their IPv4 address; \
         otherwise IPv6 sockets never do.",
    ),
};

pub(super) const BACKLOG: OptionSpec = OptionSpec {
    short: Some('b'),
    long: "backlog",
    argument: Argument::Number("n"),
    effect: Effect::Set(Id::Socketbinder(Socketbinder::Backlog)),
    help: "backlog of the socket; 0: do not listen",
    doc: paragraph("backlog of the socket (the system's maximum by default); 0: do not listen."),
};

pub(super) const SOCKET: &[OptionSpec] = &[
    OptionSpec {
        short: Some('m'),
        long: "udp",
        argument: Argument::None,
        effect: Effect::Set(Id::Socketbinder(Socketbinder::Udp)),
        help: "a datagram socket, with -b 0",
        doc: paragraph("a datagram socket, with `-b 0`."),
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
        help: "a blocking socket",
        doc: paragraph("a blocking socket; non-blocking by default."),
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
    help: "ids from the variables UID, GID and GIDLIST",
    doc: paragraph(
        "all three from the environment (`UID`, `GID`, `GIDLIST`); options before it are lost, \
         those after it count.",
    ),
};

pub(super) const UID: OptionSpec = OptionSpec {
    short: Some('u'),
    long: "uid",
    argument: Argument::Number("uid"),
    effect: Effect::SetUnlessZero(Id::Applyuidgid(Applyuidgid::Uid)),
    help: "user id, a number; 0: leave it alone",
    doc: paragraph("user id, a number (`id -u name` prints it); 0 leaves it alone."),
};

pub(super) const GID: OptionSpec = OptionSpec {
    short: Some('g'),
    long: "gid",
    argument: Argument::Number("gid"),
    effect: Effect::SetUnlessZero(Id::Applyuidgid(Applyuidgid::Gid)),
    help: "group id, a number; 0: leave it alone",
    doc: paragraph("group id, a number (`getent group name` shows it); 0 leaves it alone."),
};

pub(super) const GROUPS: OptionSpec = OptionSpec {
    short: Some('G'),
    long: "gidlist",
    argument: Argument::Checked("list", checks::numbers),
    effect: Effect::Set(Id::Applyuidgid(Applyuidgid::Groups)),
    help: "supplementary groups, separated by commas; '' for none",
    doc: paragraph("supplementary groups, numbers separated by commas; empty for none."),
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
    help: "limit of time (default: 30000)",
    doc: paragraph("limit of time; 0 (default): 30 seconds."),
};

pub(super) const PROXY: OptionSpec = OptionSpec {
    short: Some('L'),
    long: "proxy",
    argument: Argument::None,
    effect: Effect::Set(Id::ChainBuilder(ChainBuilder::Proxy)),
    help: "clients come through a proxy that speaks the PROXY protocol",
    doc: paragraph(
        "run proxy-server before and after s6-tlsd. With `-K` the header has as much time as the \
         handshake after it.",
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
        help: "accept version 1 only",
        doc: paragraph("accept version 1 only."),
    },
    OptionSpec {
        short: Some('2'),
        long: "only-v2",
        argument: Argument::None,
        effect: Effect::Override(
            Id::ProxyServer(ProxyServer::Only2),
            &[Id::ProxyServer(ProxyServer::Only1)],
        ),
        help: "accept version 2 only",
        doc: paragraph("accept version 2 only."),
    },
    OptionSpec {
        short: Some('t'),
        long: "timeout",
        argument: Argument::Number("ms"),
        effect: Effect::Set(Id::ProxyServer(ProxyServer::Timeout)),
        help: "limit for the header (default: none)",
        doc: paragraph("limit for the header; 0 (default): none."),
    },
    OptionSpec {
        short: Some('v'),
        long: "verbosity",
        argument: Argument::Number("n"),
        effect: Effect::Set(Id::ProxyServer(ProxyServer::Verbosity)),
        help: "0: errors, 1: warnings too (default)",
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
        help: "put the proxy's SSL variables aside",
        doc: paragraph("SSL variables go to `tlsbak_SSL_*`, out of the way of s6-tlsd."),
    },
    OptionSpec {
        short: None,
        long: "after-tlsd",
        argument: Argument::None,
        effect: Effect::Override(
            Id::ProxyServer(ProxyServer::AfterTlsd),
            &[Id::ProxyServer(ProxyServer::BeforeTlsd)],
        ),
        help: "read nothing, and bring them back",
        doc: paragraph(
            "reads nothing; moves them back. If the proxy told nothing of TLS, what s6-tlsd has \
             set stays, and only a name that it told replaces `SSL_TLS_SNI_SERVERNAME`.",
        ),
    },
];
