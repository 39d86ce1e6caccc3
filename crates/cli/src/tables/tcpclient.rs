//! The options of `s6-tcpclient`.

use crate::checks;
use crate::id::{Id, Tcpclient};
use crate::option_spec::{Argument, Effect, OptionSpec, paragraph};

pub(super) const QUIET: OptionSpec = OptionSpec {
    short: Some('q'),
    long: "quiet",
    argument: Argument::None,
    effect: Effect::Override(
        Id::Tcpclient(Tcpclient::Quiet),
        &[Id::Tcpclient(Tcpclient::Verbose)],
    ),
    help: "say nothing but errors",
    doc: paragraph("verbosity 0: errors only."),
};

pub(super) const NORMALLY_VERBOSE: OptionSpec = OptionSpec {
    short: Some('Q'),
    long: "normally-verbose",
    argument: Argument::None,
    effect: Effect::Negate(&[
        Id::Tcpclient(Tcpclient::Quiet),
        Id::Tcpclient(Tcpclient::Verbose),
    ]),
    help: "say errors and warnings (default)",
    doc: paragraph("verbosity 1: errors and warnings."),
};

pub(super) const VERBOSE: OptionSpec = OptionSpec {
    short: Some('v'),
    long: "verbose",
    argument: Argument::None,
    effect: Effect::Override(
        Id::Tcpclient(Tcpclient::Verbose),
        &[Id::Tcpclient(Tcpclient::Quiet)],
    ),
    help: "say more",
    doc: paragraph("verbosity 2: everything."),
};

/// The same for the program itself, where each one counts.
pub(super) const MORE_VERBOSE: OptionSpec = OptionSpec {
    effect: Effect::Append(Id::Tcpclient(Tcpclient::Verbose)),
    doc: paragraph("one more each time."),
    ..VERBOSE
};

pub(super) const FAMILY_AND_NAGLE: &[OptionSpec] = &[
    OptionSpec {
        short: Some('4'),
        long: "ipv4",
        argument: Argument::None,
        effect: Effect::Override(
            Id::Tcpclient(Tcpclient::Ipv4),
            &[Id::Tcpclient(Tcpclient::Ipv6)],
        ),
        help: "IPv4 only",
        doc: paragraph("IPv4 only."),
    },
    OptionSpec {
        short: Some('6'),
        long: "ipv6",
        argument: Argument::None,
        effect: Effect::Override(
            Id::Tcpclient(Tcpclient::Ipv6),
            &[Id::Tcpclient(Tcpclient::Ipv4)],
        ),
        help: "IPv6 only",
        doc: paragraph("IPv6 only."),
    },
    OptionSpec {
        short: Some('D'),
        long: "no-nagle",
        argument: Argument::None,
        effect: Effect::Set(Id::Tcpclient(Tcpclient::NoNagle)),
        help: "set TCP_NODELAY",
        doc: paragraph("set TCP_NODELAY."),
    },
    OptionSpec {
        short: Some('d'),
        long: "nagle",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Tcpclient(Tcpclient::NoNagle)]),
        help: "do not set TCP_NODELAY (default)",
        doc: paragraph("do not set TCP_NODELAY."),
    },
];

pub(super) const NO_DNS: OptionSpec = OptionSpec {
    short: Some('H'),
    long: "no-dns",
    argument: Argument::None,
    effect: Effect::Set(Id::Tcpclient(Tcpclient::NoDns)),
    help: "look nothing up: host must be an address",
    doc: paragraph("no lookups at all: `host` must be an address."),
};

pub(super) const DNS: OptionSpec = OptionSpec {
    short: None,
    long: "dns",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Tcpclient(Tcpclient::NoDns)]),
    help: "look up names (default)",
    doc: paragraph("look up names."),
};

pub(super) const HOSTS: OptionSpec = OptionSpec {
    short: Some('h'),
    long: "hosts",
    argument: Argument::None,
    effect: Effect::Set(Id::Tcpclient(Tcpclient::Hosts)),
    help: "look into /etc/hosts before DNS",
    doc: paragraph("/etc/hosts before DNS."),
};

pub(super) const NO_HOSTS: OptionSpec = OptionSpec {
    short: None,
    long: "no-hosts",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Tcpclient(Tcpclient::Hosts)]),
    help: "do not look into /etc/hosts (default)",
    doc: paragraph("ask DNS alone, not /etc/hosts."),
};

pub(super) const REST: &[OptionSpec] = &[
    OptionSpec {
        short: Some('r'),
        long: "ident",
        argument: Argument::None,
        effect: Effect::Set(Id::Tcpclient(Tcpclient::Ident)),
        help: "query the server's IDENT server (RFC 1413)",
        doc: paragraph("query the server's IDENT server (RFC 1413)."),
    },
    OptionSpec {
        short: Some('R'),
        long: "no-ident",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Tcpclient(Tcpclient::Ident)]),
        help: "do not query an IDENT server (default)",
        doc: paragraph("do not query an IDENT server."),
    },
    OptionSpec {
        short: Some('n'),
        long: "qualify",
        argument: Argument::None,
        effect: Effect::Set(Id::Tcpclient(Tcpclient::Qualify)),
        help: "try suffixes for the host's name",
        doc: paragraph("try suffixes (see [name resolution](name-resolution.md))."),
    },
    OptionSpec {
        short: Some('N'),
        long: "no-qualify",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Tcpclient(Tcpclient::Qualify)]),
        help: "do not try suffixes for the host's name (default)",
        doc: paragraph("do not try suffixes."),
    },
    OptionSpec {
        short: Some('t'),
        long: "timeout",
        argument: Argument::Number("s"),
        effect: Effect::SetUnlessZero(Id::Tcpclient(Tcpclient::Timeout)),
        help: "limit for everything before the program (default: none)",
        doc: paragraph("limit for everything before `prog`; 0 (default): none."),
    },
    OptionSpec {
        short: Some('l'),
        long: "local-name",
        argument: Argument::Text("name"),
        effect: Effect::Set(Id::Tcpclient(Tcpclient::LocalName)),
        help: "our name, not looked up",
        doc: paragraph("`TCPLOCALHOST`, not looked up."),
    },
    OptionSpec {
        short: Some('T'),
        long: "connection-timeouts",
        argument: Argument::Checked("x[+y]", checks::rounds),
        effect: Effect::Set(Id::Tcpclient(Tcpclient::ConnectionTimeouts)),
        help: "seconds for each address, in two rounds (default: 2+58)",
        doc: paragraph(
            "seconds for each address in a first and a second round (2+58); `-T x`: one round.",
        ),
    },
];

pub(super) const LOCAL_IP: OptionSpec = OptionSpec {
    short: Some('i'),
    long: "local-ip",
    argument: Argument::Checked("ip", checks::address),
    effect: Effect::Set(Id::Tcpclient(Tcpclient::LocalIp)),
    help: "our own address",
    doc: paragraph("our own address."),
};

pub(super) const LOCAL_PORT: OptionSpec = OptionSpec {
    short: Some('p'),
    long: "local-port",
    argument: Argument::Checked("port", checks::port),
    effect: Effect::SetUnlessZero(Id::Tcpclient(Tcpclient::LocalPort)),
    help: "our own port",
    doc: paragraph("our own port."),
};
