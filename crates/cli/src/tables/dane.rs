//! The options about DANE (RFC 6698): those of `s6-tlsa`, and those of `s6-tlsclient`, which
//! runs it.

use crate::checks;
use crate::id::{Dane, Id, Tlsa};
use crate::option_spec::{Argument, Effect, OptionSpec, paragraph};

pub(super) const OF_TLSA: &[OptionSpec] = &[
    OptionSpec {
        short: Some('v'),
        long: "verbosity",
        argument: Argument::Number("n"),
        effect: Effect::Set(Id::Tlsa(Tlsa::Verbosity)),
        help: "messages: 0: errors; 1 (default): warnings, too; 2: everything",
        doc: paragraph(
            "0: errors only; 1 (default): also warnings; 2: also the records that are found, or \
             why there are none.",
        ),
    },
    OptionSpec {
        short: Some('p'),
        long: "port",
        argument: Argument::Checked("port", checks::port),
        effect: Effect::Set(Id::Tlsa(Tlsa::Port)),
        help: "port of the server (default: 443)",
        doc: paragraph("the server's port; the default is 443."),
    },
    OptionSpec {
        short: Some('t'),
        long: "timeout",
        argument: Argument::Number("s"),
        effect: Effect::SetUnlessZero(Id::Tlsa(Tlsa::Timeout)),
        help: "time limit for all lookups (default: none)",
        doc: paragraph(
            "time limit for all lookups; 0 (default): none but those of [name \
             resolution](name-resolution.md).",
        ),
    },
    OptionSpec {
        short: None,
        long: "required",
        argument: Argument::None,
        effect: Effect::Set(Id::Tlsa(Tlsa::Required)),
        help: "fail without usable, authentic records",
        doc: paragraph("fail (111) without usable, authentic records; `prog` is not run then."),
    },
    OptionSpec {
        short: None,
        long: "trust-resolver",
        argument: Argument::None,
        effect: Effect::Set(Id::Tlsa(Tlsa::TrustResolver)),
        help: "trust resolvers on other machines, too",
        doc: paragraph(
            "trust all resolvers, and the network between them and this machine. Without the \
             option only resolvers at loopback addresses are asked: see Notes.",
        ),
    },
];

pub(super) const OF_TLSCLIENT: &[OptionSpec] = &[
    OptionSpec {
        short: None,
        long: "dane",
        argument: Argument::None,
        effect: Effect::Override(Id::Dane(Dane::IfAny), &[Id::Dane(Dane::Required)]),
        help: "verify by the server's TLSA records (DANE), if it has any",
        doc: paragraph(
            "verify the server by its TLSA records ([DANE](dane.md)). If it has none that DNSSEC \
             secures, it is verified as without the option. If the lookup fails, no connection is \
             made (111).",
        ),
    },
    OptionSpec {
        short: None,
        long: "dane",
        argument: Argument::Checked("required", checks::required),
        effect: Effect::Override(Id::Dane(Dane::Required), &[Id::Dane(Dane::IfAny)]),
        help: "verify by the server's TLSA records (DANE), or fail",
        doc: paragraph("as `--dane`; without usable, authentic records the connection fails."),
    },
    OptionSpec {
        short: None,
        long: "dane-trust-resolver",
        argument: Argument::None,
        effect: Effect::Set(Id::Dane(Dane::TrustResolver)),
        help: "use DANE, and trust resolvers on other machines, too",
        doc: paragraph(
            "as `--dane`; trust all resolvers, and the network between them and this machine. \
             Without the option only resolvers at loopback addresses are asked.",
        ),
    },
];
