//! The options of `s6-tcpserver-access`. Those of `s6-tcpclient` that mean the same are made from
//! them.

use crate::id::{Access, Id};
use crate::option_spec::{Argument, Effect, OptionSpec, paragraph};

pub(super) const VERBOSITY: OptionSpec = OptionSpec {
    short: Some('v'),
    long: "verbosity",
    argument: Argument::Number("n"),
    effect: Effect::Set(Id::Access(Access::Verbosity)),
    help: "messages: 0: errors; 1 (default): clients, too; 2, 3: lookups",
    doc: paragraph(
        "0: errors; 1 (default): also a line for each client, accepted or refused; 2: also lookups \
         that cannot start; 3: also lookups that fail.",
    ),
};

const STRICT: OptionSpec = OptionSpec {
    short: Some('w'),
    long: "strict-resolution",
    argument: Argument::None,
    effect: Effect::Set(Id::Access(Access::StrictResolution)),
    help: "drop the connection if a lookup fails",
    doc: paragraph("drop the connection if a lookup fails."),
};

const NO_STRICT: OptionSpec = OptionSpec {
    short: Some('W'),
    long: "no-strict-resolution",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Access(Access::StrictResolution)]),
    help: "keep the connection if a lookup fails (default)",
    doc: paragraph("keep the connection if a lookup fails."),
};

pub(super) const NO_NAGLE: OptionSpec = OptionSpec {
    short: Some('D'),
    long: "no-nagle",
    argument: Argument::None,
    effect: Effect::Set(Id::Access(Access::NoNagle)),
    help: "set TCP_NODELAY: send small packets at once",
    doc: paragraph("set TCP_NODELAY on descriptor 1."),
};

pub(super) const NAGLE: OptionSpec = OptionSpec {
    short: Some('d'),
    long: "nagle",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Access(Access::NoNagle)]),
    help: "do not set TCP_NODELAY (default)",
    doc: paragraph("do not set TCP_NODELAY."),
};

pub(super) const NO_DNS: OptionSpec = OptionSpec {
    short: Some('H'),
    long: "no-dns",
    argument: Argument::None,
    effect: Effect::Set(Id::Access(Access::NoDns)),
    help: "do not look up host names",
    doc: paragraph("do not look up names."),
};

pub(super) const DNS: OptionSpec = OptionSpec {
    short: None,
    long: "dns",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Access(Access::NoDns)]),
    help: "look up host names (default)",
    doc: paragraph("look up names."),
};

pub(super) const HOSTS: OptionSpec = OptionSpec {
    short: Some('h'),
    long: "hosts",
    argument: Argument::None,
    effect: Effect::Set(Id::Access(Access::Hosts)),
    help: "look for host names in /etc/hosts before DNS",
    doc: paragraph("look into /etc/hosts before DNS."),
};

pub(super) const NO_HOSTS: OptionSpec = OptionSpec {
    short: None,
    long: "no-hosts",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Access(Access::Hosts)]),
    help: "look for host names in DNS only, not in /etc/hosts (default)",
    doc: paragraph("ask DNS only, not /etc/hosts."),
};

pub(super) const IDENT: OptionSpec = OptionSpec {
    short: Some('r'),
    long: "ident",
    argument: Argument::None,
    effect: Effect::Set(Id::Access(Access::Ident)),
    help: "query the client's IDENT server (RFC 1413)",
    doc: paragraph("query the client's IDENT server (RFC 1413)."),
};

pub(super) const NO_IDENT: OptionSpec = OptionSpec {
    short: Some('R'),
    long: "no-ident",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Access(Access::Ident)]),
    help: "do not query an IDENT server (default)",
    doc: paragraph("do not query an IDENT server."),
};

const PARANOID: OptionSpec = OptionSpec {
    short: Some('p'),
    long: "paranoid",
    argument: Argument::None,
    effect: Effect::Set(Id::Access(Access::Paranoid)),
    help: "refuse a client whose name does not resolve to its address",
    doc: paragraph(
        "the client's name must resolve to the client's address; otherwise the client is refused. \
         A client whose name is missing or cannot be checked is served without a name (with `-w` \
         it is refused). Names are looked up for this even with `-H`.",
    ),
};

const NO_PARANOID: OptionSpec = OptionSpec {
    short: Some('P'),
    long: "no-paranoid",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Access(Access::Paranoid)]),
    help: "accept a client whatever its name resolves to (default)",
    doc: paragraph("the client's name may resolve to another address."),
};

pub(super) const LOCAL_NAME: OptionSpec = OptionSpec {
    short: Some('l'),
    long: "local-name",
    argument: Argument::Text("name"),
    effect: Effect::Set(Id::Access(Access::LocalName)),
    help: "our own host name, instead of a lookup",
    doc: paragraph("our own host name, instead of a lookup."),
};

pub(super) const SWITCHES: &[OptionSpec] = &[STRICT, NO_STRICT, NO_NAGLE, NAGLE];

pub(super) const CLIENT: &[OptionSpec] = &[IDENT, NO_IDENT, PARANOID, NO_PARANOID, LOCAL_NAME];

pub(super) const BANNER: OptionSpec = OptionSpec {
    short: Some('B'),
    long: "banner",
    argument: Argument::Text("text"),
    effect: Effect::Append(Id::Access(Access::Banner)),
    help: "text to send to the client first, in clear",
    doc: paragraph("text written to descriptor 1 first; each further `-B` adds to it."),
};

pub(super) const TIMEOUT: OptionSpec = OptionSpec {
    short: Some('t'),
    long: "timeout",
    argument: Argument::Number("ms"),
    effect: Effect::SetUnlessZero(Id::Access(Access::Timeout)),
    help: "time limit for everything before prog (default: none)",
    doc: paragraph("limit for banner, lookups and rules together; 0 (default): none."),
};

pub(super) const RULES_DIRECTORY: OptionSpec = OptionSpec {
    short: Some('i'),
    long: "rules-directory",
    argument: Argument::Text("dir"),
    effect: Effect::Override(
        Id::Access(Access::RulesDirectory),
        &[Id::Access(Access::RulesFile)],
    ),
    help: "directory with the access rules",
    doc: paragraph("directory with the access rules."),
};

pub(super) const RULES_FILE: OptionSpec = OptionSpec {
    short: Some('x'),
    long: "rules-file",
    argument: Argument::Text("file"),
    effect: Effect::Override(
        Id::Access(Access::RulesFile),
        &[Id::Access(Access::RulesDirectory)],
    ),
    help: "file with the access rules",
    doc: paragraph(
        "file with the access rules. Of `-i` and `-x` the last one counts. Without rules every \
         client is accepted.",
    ),
};
