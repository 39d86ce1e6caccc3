//! The options of `s6-tcpclient`.

use super::{access, tcp};
use crate::checks;
use crate::id::{Id, Tcpclient};
use crate::option_spec::{Argument, Effect, OptionSpec, paragraph};

pub(super) const QUIET: OptionSpec = OptionSpec {
    effect: Effect::Override(
        Id::Tcpclient(Tcpclient::Quiet),
        &[Id::Tcpclient(Tcpclient::Verbose)],
    ),
    ..tcp::QUIET
};

pub(super) const NORMALLY_VERBOSE: OptionSpec = OptionSpec {
    effect: Effect::Negate(&[
        Id::Tcpclient(Tcpclient::Quiet),
        Id::Tcpclient(Tcpclient::Verbose),
    ]),
    ..tcp::NORMALLY_VERBOSE
};

pub(super) const VERBOSE: OptionSpec = OptionSpec {
    effect: Effect::Override(
        Id::Tcpclient(Tcpclient::Verbose),
        &[Id::Tcpclient(Tcpclient::Quiet)],
    ),
    help: "print more than errors and warnings",
    ..tcp::VERBOSE
};

/// As [`VERBOSE`], but each one counts.
pub(super) const MORE_VERBOSE: OptionSpec = OptionSpec {
    effect: Effect::Append(Id::Tcpclient(Tcpclient::Verbose)),
    doc: paragraph("raise the verbosity by one; it may be given more than once."),
    ..VERBOSE
};

const IPV4: OptionSpec = OptionSpec {
    short: Some('4'),
    long: "ipv4",
    argument: Argument::None,
    effect: Effect::Override(
        Id::Tcpclient(Tcpclient::Ipv4),
        &[Id::Tcpclient(Tcpclient::Ipv6)],
    ),
    help: "use IPv4 only",
    doc: paragraph("use IPv4 only."),
};

const IPV6: OptionSpec = OptionSpec {
    short: Some('6'),
    long: "ipv6",
    argument: Argument::None,
    effect: Effect::Override(
        Id::Tcpclient(Tcpclient::Ipv6),
        &[Id::Tcpclient(Tcpclient::Ipv4)],
    ),
    help: "use IPv6 only",
    doc: paragraph("use IPv6 only."),
};

const NO_NAGLE: OptionSpec = OptionSpec {
    effect: Effect::Set(Id::Tcpclient(Tcpclient::NoNagle)),
    doc: paragraph("set TCP_NODELAY."),
    ..access::NO_NAGLE
};

const NAGLE: OptionSpec = OptionSpec {
    effect: Effect::Negate(&[Id::Tcpclient(Tcpclient::NoNagle)]),
    ..access::NAGLE
};

pub(super) const FAMILY_AND_NAGLE: &[OptionSpec] = &[IPV4, IPV6, NO_NAGLE, NAGLE];

pub(super) const NO_DNS: OptionSpec = OptionSpec {
    effect: Effect::Set(Id::Tcpclient(Tcpclient::NoDns)),
    help: "do not look up host names: host must be an address",
    doc: paragraph("do not look up names: `host` must be an address."),
    ..access::NO_DNS
};

pub(super) const DNS: OptionSpec = OptionSpec {
    effect: Effect::Negate(&[Id::Tcpclient(Tcpclient::NoDns)]),
    ..access::DNS
};

pub(super) const HOSTS: OptionSpec = OptionSpec {
    effect: Effect::Set(Id::Tcpclient(Tcpclient::Hosts)),
    ..access::HOSTS
};

pub(super) const NO_HOSTS: OptionSpec = OptionSpec {
    effect: Effect::Negate(&[Id::Tcpclient(Tcpclient::Hosts)]),
    ..access::NO_HOSTS
};

const IDENT: OptionSpec = OptionSpec {
    effect: Effect::Set(Id::Tcpclient(Tcpclient::Ident)),
    help: "query the server's IDENT server (RFC 1413)",
    doc: paragraph("query the server's IDENT server (RFC 1413)."),
    ..access::IDENT
};

const NO_IDENT: OptionSpec = OptionSpec {
    effect: Effect::Negate(&[Id::Tcpclient(Tcpclient::Ident)]),
    ..access::NO_IDENT
};

const QUALIFY: OptionSpec = OptionSpec {
    short: Some('n'),
    long: "qualify",
    argument: Argument::None,
    effect: Effect::Set(Id::Tcpclient(Tcpclient::Qualify)),
    help: "try domain suffixes for the host's name",
    doc: paragraph("try domain suffixes (see [name resolution](name-resolution.md))."),
};

const NO_QUALIFY: OptionSpec = OptionSpec {
    short: Some('N'),
    long: "no-qualify",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Tcpclient(Tcpclient::Qualify)]),
    help: "do not try domain suffixes (default)",
    doc: paragraph("do not try domain suffixes."),
};

const TIMEOUT: OptionSpec = OptionSpec {
    short: Some('t'),
    long: "timeout",
    argument: Argument::Number("s"),
    effect: Effect::SetUnlessZero(Id::Tcpclient(Tcpclient::Timeout)),
    help: "time limit until the program runs (default: none)",
    doc: paragraph("time limit until `prog` runs; 0 (default): none."),
};

const LOCAL_NAME: OptionSpec = OptionSpec {
    effect: Effect::Set(Id::Tcpclient(Tcpclient::LocalName)),
    doc: paragraph("our own host name (`TCPLOCALHOST`), instead of a lookup."),
    ..access::LOCAL_NAME
};

const CONNECTION_TIMEOUTS: OptionSpec = OptionSpec {
    short: Some('T'),
    long: "connection-timeouts",
    argument: Argument::Checked("x[+y]", checks::rounds),
    effect: Effect::Set(Id::Tcpclient(Tcpclient::ConnectionTimeouts)),
    help: "seconds for each address, in two rounds (default: 2+58)",
    doc: paragraph(
        "seconds for each address in a first and a second round (default: 2+58); `-T x` makes one \
         round.",
    ),
};

pub(super) const REST: &[OptionSpec] = &[
    IDENT,
    NO_IDENT,
    QUALIFY,
    NO_QUALIFY,
    TIMEOUT,
    LOCAL_NAME,
    CONNECTION_TIMEOUTS,
];

pub(super) const LOCAL_IP: OptionSpec = OptionSpec {
    short: Some('i'),
    long: "local-ip",
    argument: Argument::Checked("ip", checks::address),
    effect: Effect::Set(Id::Tcpclient(Tcpclient::LocalIp)),
    help: "connect from this local address",
    doc: paragraph("connect from this local address."),
};

pub(super) const LOCAL_PORT: OptionSpec = OptionSpec {
    short: Some('p'),
    long: "local-port",
    argument: Argument::Checked("port", checks::port),
    effect: Effect::SetUnlessZero(Id::Tcpclient(Tcpclient::LocalPort)),
    help: "connect from this local port",
    doc: paragraph("connect from this local port."),
};
