//! The options of `s6-tcpserver-access`.

use crate::id::{Access, Id};
use crate::option_spec::{Argument, Effect, OptionSpec, paragraph};

pub(super) const VERBOSITY: OptionSpec = OptionSpec {
    short: Some('v'),
    long: "verbosity",
    argument: Argument::Number("n"),
    effect: Effect::Set(Id::Access(Access::Verbosity)),
    help: "0: errors, 1: and each client (default), 2, 3: more",
    doc: paragraph(
        "0: errors; 1 (default): and a line for each client, accepted or refused; 2: and name \
         resolution that cannot begin; 3: and failed lookups.",
    ),
};

/// What makes a connection wait for others, but for [`DNS`].
pub(super) const SWITCHES: &[OptionSpec] = &[
    OptionSpec {
        short: Some('w'),
        long: "strict-resolution",
        argument: Argument::None,
        effect: Effect::Set(Id::Access(Access::StrictResolution)),
        help: "lookups that fail drop the connection",
        doc: paragraph("lookups that fail drop the connection."),
    },
    OptionSpec {
        short: Some('W'),
        long: "no-strict-resolution",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Access(Access::StrictResolution)]),
        help: "failed lookups do not drop the connection (default)",
        doc: paragraph("lookups that fail do not drop the connection."),
    },
    OptionSpec {
        short: Some('D'),
        long: "no-nagle",
        argument: Argument::None,
        effect: Effect::Set(Id::Access(Access::NoNagle)),
        help: "set TCP_NODELAY",
        doc: paragraph("set TCP_NODELAY on descriptor 1."),
    },
    OptionSpec {
        short: Some('d'),
        long: "nagle",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Access(Access::NoNagle)]),
        help: "do not set TCP_NODELAY (default)",
        doc: paragraph("do not set TCP_NODELAY."),
    },
];

pub(super) const NO_DNS: OptionSpec = OptionSpec {
    short: Some('H'),
    long: "no-dns",
    argument: Argument::None,
    effect: Effect::Set(Id::Access(Access::NoDns)),
    help: "do not look up names",
    doc: paragraph("no lookups of names."),
};

pub(super) const DNS: OptionSpec = OptionSpec {
    short: None,
    long: "dns",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Access(Access::NoDns)]),
    help: "look up names (default)",
    doc: paragraph("look up names."),
};

pub(super) const HOSTS: OptionSpec = OptionSpec {
    short: Some('h'),
    long: "hosts",
    argument: Argument::None,
    effect: Effect::Set(Id::Access(Access::Hosts)),
    help: "look into /etc/hosts before DNS",
    doc: paragraph("/etc/hosts before DNS."),
};

pub(super) const NO_HOSTS: OptionSpec = OptionSpec {
    short: None,
    long: "no-hosts",
    argument: Argument::None,
    effect: Effect::Negate(&[Id::Access(Access::Hosts)]),
    help: "do not look into /etc/hosts (default)",
    doc: paragraph("ask DNS alone, not /etc/hosts."),
};

pub(super) const WHO: &[OptionSpec] = &[
    OptionSpec {
        short: Some('r'),
        long: "ident",
        argument: Argument::None,
        effect: Effect::Set(Id::Access(Access::Ident)),
        help: "query the client's IDENT server (RFC 1413)",
        doc: paragraph("query the client's IDENT server (RFC 1413)."),
    },
    OptionSpec {
        short: Some('R'),
        long: "no-ident",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Access(Access::Ident)]),
        help: "do not query an IDENT server (default)",
        doc: paragraph("do not query an IDENT server."),
    },
    OptionSpec {
        short: Some('p'),
        long: "paranoid",
        argument: Argument::None,
        effect: Effect::Set(Id::Access(Access::Paranoid)),
        help: "the client's name must have the client's address",
        doc: paragraph(
            "the client's name must have the client's address, otherwise the client is refused. \
             Without a name, or with one that cannot be checked, it goes on without one (with \
             `-w` it is refused). Names are looked up for this, whatever `-H` says.",
        ),
    },
    OptionSpec {
        short: Some('P'),
        long: "no-paranoid",
        argument: Argument::None,
        effect: Effect::Negate(&[Id::Access(Access::Paranoid)]),
        help: "the name may have another address (default)",
        doc: paragraph("the client's name may have another address."),
    },
    OptionSpec {
        short: Some('l'),
        long: "local-name",
        argument: Argument::Text("name"),
        effect: Effect::Set(Id::Access(Access::LocalName)),
        help: "our name, not looked up",
        doc: paragraph("our name, not looked up."),
    },
];

pub(super) const BANNER: OptionSpec = OptionSpec {
    short: Some('B'),
    long: "banner",
    argument: Argument::Text("text"),
    effect: Effect::Append(Id::Access(Access::Banner)),
    help: "text for the client, before anything else",
    doc: paragraph("written to descriptor 1 first; several are written one behind the other."),
};

pub(super) const TIMEOUT: OptionSpec = OptionSpec {
    short: Some('t'),
    long: "timeout",
    argument: Argument::Number("ms"),
    effect: Effect::SetUnlessZero(Id::Access(Access::Timeout)),
    help: "limit for lookups and rules together (default: none)",
    doc: paragraph("limit for lookups and rules together; 0 (default): none."),
};

pub(super) const RULES_DIRECTORY: OptionSpec = OptionSpec {
    short: Some('i'),
    long: "rules-directory",
    argument: Argument::Text("dir"),
    effect: Effect::Override(
        Id::Access(Access::RulesDirectory),
        &[Id::Access(Access::RulesFile)],
    ),
    help: "directory of the rules",
    doc: paragraph("directory of the rules."),
};

pub(super) const RULES_FILE: OptionSpec = OptionSpec {
    short: Some('x'),
    long: "rules-file",
    argument: Argument::Text("file"),
    effect: Effect::Override(
        Id::Access(Access::RulesFile),
        &[Id::Access(Access::RulesDirectory)],
    ),
    help: "file of the rules",
    doc: paragraph(
        "file of the rules; of a directory and a file the last one counts. Without rules \
         everybody passes.",
    ),
};
