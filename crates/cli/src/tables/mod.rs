//! The options of each program: one row for each option, one [`Program`] for each program.

mod access;
mod dane;
mod tcp;
mod tcpclient;
mod tls;

use crate::id::{Access, Id};
use crate::option_spec::{Effect, OptionSpec, Program, Reads};
use crate::suite;
use crate::variables::{CONNECTION, IDS, PEER, QUALIFICATION, RESOLVER, SAVED, SERVICE_MANAGER};

const PROG: &[&str] = &["prog..."];
const DESCRIPTORS: &[&str] = &["fdr", "fdw"];
const SERVED: &[&str] = &["ip", "port", "prog..."];
const SERVER: &[Reads] = &[Reads::Server, Reads::These(PEER)];
const CLIENT: &[Reads] = &[Reads::Client, Reads::These(PEER)];
const CONNECTED: &[&str] = &["host", "port", "prog..."];

/// All programs, in the order of the documents.
pub static PROGRAMS: [&Program; 18] = [
    &TLSSERVER,
    &TLSCLIENT,
    &TLSD,
    &TLSC,
    &UCSPITLSD,
    &UCSPITLSC,
    &TLSD_IO,
    &TLSC_IO,
    &TCPSERVER,
    &TCPSERVER_SOCKETBINDER,
    &TCPSERVERD,
    &TCPSERVER_ACCESS,
    &TCPCLIENT,
    &TLSA,
    &PROXY_SERVER,
    &IDENT_CLIENT,
    &GETSERVBYNAME,
    &APPLYUIDGID,
];

/// `s6-tlsd-io`.
pub static TLSD_IO: Program = Program {
    name: suite::TLSD_IO,
    summary: "The engine of a TLS server: TLS on the network, cleartext to a program.",
    options: &[
        tls::VERBOSITY,
        tls::NOTIFICATION,
        tls::CLOSING,
        tls::ASKING,
        tls::TRUST_CLIENTS,
        tls::LIMITS,
        tls::SERVER_ALPN,
        tls::EXTENSIONS,
        tls::KEY_EXCHANGE,
        tls::CHECK,
        tls::SNI,
    ],
    operands: DESCRIPTORS,
    reads: SERVER,
    long: true,
};

/// `s6-tlsc-io`.
pub static TLSC_IO: Program = Program {
    name: suite::TLSC_IO,
    summary: "The engine of a TLS client: TLS on the network, cleartext on 0 and 1.",
    options: &[
        tls::VERBOSITY,
        tls::NOTIFICATION,
        tls::CLOSING,
        tls::TRUST,
        tls::TRUST_SERVERS,
        tls::LIMITS,
        tls::CLIENT_ALPN,
        tls::EXTENSIONS,
        tls::KEY_EXCHANGE,
        tls::CHECK,
        tls::SERVER_NAME,
    ],
    operands: DESCRIPTORS,
    reads: CLIENT,
    long: true,
};

const AROUND_SERVER: &[&[OptionSpec]] = &[
    tls::VERBOSITY,
    tls::CLOSING,
    tls::ASKING,
    tls::TRUST_CLIENTS,
    tls::LIMITS,
    tls::SERVER_ALPN,
    tls::EXTENSIONS,
    tls::KEY_EXCHANGE,
    tls::CHECK,
    tls::KEEP,
    tls::SNI,
];

const AROUND_CLIENT: &[&[OptionSpec]] = &[
    tls::VERBOSITY,
    tls::NETWORK,
    tls::CLOSING,
    tls::TRUST,
    tls::TRUST_SERVERS,
    tls::KEEP,
    tls::LIMITS,
    tls::CLIENT_ALPN,
    tls::EXTENSIONS,
    tls::KEY_EXCHANGE,
    tls::CHECK,
    tls::SERVER_NAME,
];

/// `s6-tlsd`.
pub static TLSD: Program = Program {
    name: suite::TLSD,
    summary: "Puts the server's end of a TLS connection between the network and a program.",
    options: AROUND_SERVER,
    operands: PROG,
    reads: SERVER,
    long: true,
};

/// `s6-tlsc`.
pub static TLSC: Program = Program {
    name: suite::TLSC,
    summary: "Puts the client's end of a TLS connection between the network and a program.",
    options: AROUND_CLIENT,
    operands: PROG,
    reads: CLIENT,
    long: true,
};

/// `s6-ucspitlsd`.
pub static UCSPITLSD: Program = Program {
    name: suite::UCSPITLSD,
    summary: "Runs a program in clear, and starts the server's end of TLS when asked to.",
    options: AROUND_SERVER,
    operands: PROG,
    reads: SERVER,
    long: true,
};

/// `s6-ucspitlsc`.
pub static UCSPITLSC: Program = Program {
    name: suite::UCSPITLSC,
    summary: "Runs a program in clear, and starts the client's end of TLS when asked to.",
    options: AROUND_CLIENT,
    operands: PROG,
    reads: CLIENT,
    long: true,
};

/// `s6-tlsserver`.
pub static TLSSERVER: Program = Program {
    name: suite::TLSSERVER,
    summary: "Accepts TLS connections and runs a program for each.",
    options: &[
        tcp::VERBOSITY,
        &[
            tcp::NOTIFY,
            tcp::DUAL_STACK,
            tcp::MAX_CONNECTIONS,
            tcp::LOCAL_MAX_CONNECTIONS,
            tcp::BACKLOG,
        ],
        tcp::EXTENSIONS,
        access::SWITCHES,
        &[access::NO_DNS, access::DNS, access::HOSTS, access::NO_HOSTS],
        access::CLIENT,
        &[
            OptionSpec {
                effect: Effect::Set(Id::Access(Access::Banner)),
                ..access::BANNER
            },
            access::TIMEOUT,
            OptionSpec {
                help: "directory with the access rules; overrides -x",
                ..access::RULES_DIRECTORY
            },
            // It does not override a directory that comes before it.
            OptionSpec {
                effect: Effect::Set(Id::Access(Access::RulesFile)),
                ..access::RULES_FILE
            },
        ],
        tls::CLOSING,
        tls::ASKING,
        tls::TRUST_CLIENTS,
        tls::LIMITS,
        tls::SERVER_ALPN,
        tls::EXTENSIONS,
        tls::KEY_EXCHANGE,
        tls::CHECK,
        tls::KEEP,
        tls::SNI,
        &[
            OptionSpec {
                help: "take the ids from UID, GID and GIDLIST, not from -u -g -G",
                ..tcp::ENVUIDGID
            },
            tcp::GROUPS,
            tcp::GID,
            tcp::UID,
            tcp::PROXY,
        ],
    ],
    operands: SERVED,
    reads: &[
        Reads::Server,
        Reads::These(IDS),
        Reads::These(RESOLVER),
        Reads::These(SERVICE_MANAGER),
    ],
    long: true,
};

/// `s6-tlsclient`.
pub static TLSCLIENT: Program = Program {
    name: suite::TLSCLIENT,
    summary: "Connects a program to a TLS server: the program reads descriptor 6 and writes 7.",
    options: &[
        &[
            tcpclient::QUIET,
            tcpclient::VERBOSE,
            tcpclient::NORMALLY_VERBOSE,
        ],
        tcpclient::FAMILY_AND_NAGLE,
        &[
            tcpclient::NO_DNS,
            tcpclient::DNS,
            tcpclient::HOSTS,
            tcpclient::NO_HOSTS,
        ],
        tcpclient::REST,
        &[tcpclient::LOCAL_IP, tcpclient::LOCAL_PORT],
        dane::OF_TLSCLIENT,
        tls::CLOSING,
        tls::TRUST,
        tls::TRUST_SERVERS,
        tls::KEEP,
        tls::LIMITS,
        tls::CLIENT_ALPN,
        tls::EXTENSIONS,
        tls::KEY_EXCHANGE,
        tls::CHECK,
        tls::SERVER_NAME,
    ],
    operands: CONNECTED,
    reads: &[
        Reads::Client,
        Reads::These(RESOLVER),
        Reads::These(QUALIFICATION),
    ],
    long: true,
};

/// `s6-tcpserver`.
pub static TCPSERVER: Program = Program {
    name: suite::TCPSERVER,
    summary: "Accepts TCP connections and runs a program for each.",
    options: &[
        tcp::VERBOSITY,
        tcp::REUSE,
        &[
            tcp::NOTIFY,
            tcp::DUAL_STACK,
            tcp::MAX_CONNECTIONS,
            tcp::LOCAL_MAX_CONNECTIONS,
            tcp::BACKLOG,
            tcp::ENVUIDGID,
            tcp::UID,
            tcp::GID,
            tcp::GROUPS,
        ],
        tcp::EXTENSIONS,
    ],
    operands: SERVED,
    reads: &[Reads::These(IDS), Reads::These(SERVICE_MANAGER)],
    long: false,
};

/// `s6-tcpserver-socketbinder`.
pub static TCPSERVER_SOCKETBINDER: Program = Program {
    name: suite::TCPSERVER_SOCKETBINDER,
    summary: "Makes a listening socket on descriptor 0 and runs a program.",
    options: &[tcp::REUSE, &[tcp::DUAL_STACK, tcp::BACKLOG], tcp::SOCKET],
    operands: SERVED,
    reads: &[],
    long: true,
};

/// `s6-tcpserverd`.
pub static TCPSERVERD: Program = Program {
    name: suite::TCPSERVERD,
    summary: "Accepts connections on descriptor 0 and runs a program for each.",
    options: &[
        &[
            tcp::TCPSERVERD_VERBOSITY,
            tcp::NOTIFY,
            tcp::MAX_CONNECTIONS,
            tcp::LOCAL_MAX_CONNECTIONS,
        ],
        tcp::EXTENSIONS,
    ],
    operands: PROG,
    reads: &[Reads::These(SERVICE_MANAGER)],
    long: false,
};

/// `s6-tcpserver-access`.
pub static TCPSERVER_ACCESS: Program = Program {
    name: suite::TCPSERVER_ACCESS,
    summary: "Looks up the client and applies access rules, then runs a program.",
    options: &[
        &[access::VERBOSITY],
        access::SWITCHES,
        &[access::NO_DNS, access::HOSTS],
        access::CLIENT,
        &[
            access::BANNER,
            access::TIMEOUT,
            access::RULES_DIRECTORY,
            access::RULES_FILE,
        ],
    ],
    operands: PROG,
    reads: &[Reads::These(CONNECTION), Reads::These(RESOLVER)],
    long: false,
};

/// `s6-tcpclient`.
pub static TCPCLIENT: Program = Program {
    name: suite::TCPCLIENT,
    summary: "Connects to a host and runs a program, which reads descriptor 6 and writes 7.",
    options: &[
        &[
            tcpclient::QUIET,
            tcpclient::NORMALLY_VERBOSE,
            tcpclient::MORE_VERBOSE,
        ],
        tcpclient::FAMILY_AND_NAGLE,
        &[tcpclient::NO_DNS, tcpclient::HOSTS],
        tcpclient::REST,
        &[tcpclient::LOCAL_IP, tcpclient::LOCAL_PORT],
    ],
    operands: CONNECTED,
    reads: &[Reads::These(RESOLVER), Reads::These(QUALIFICATION)],
    long: false,
};

/// `s6-tlsa`.
pub static TLSA: Program = Program {
    name: suite::TLSA,
    summary: "Looks up the TLSA records of a TLS server (DANE) and runs a program.",
    options: &[dane::OF_TLSA],
    operands: &["host", "prog..."],
    reads: &[Reads::These(RESOLVER)],
    long: true,
};

/// `s6-applyuidgid`.
pub static APPLYUIDGID: Program = Program {
    name: suite::APPLYUIDGID,
    summary: "Sets user and group ids and runs a program.",
    options: &[&[tcp::CLEAN, tcp::ENVUIDGID, tcp::UID, tcp::GID, tcp::GROUPS]],
    operands: PROG,
    reads: &[Reads::These(IDS)],
    long: false,
};

/// `s6-ident-client`.
pub static IDENT_CLIENT: Program = Program {
    name: suite::IDENT_CLIENT,
    summary: "Asks an IDENT server (RFC 1413) for a connection's owner and prints the name.",
    options: &[&[tcp::IDENT_TIMEOUT]],
    operands: &["remoteaddr", "remoteport", "localaddr", "localport"],
    reads: &[],
    long: false,
};

/// `s6-getservbyname`.
pub static GETSERVBYNAME: Program = Program {
    name: suite::GETSERVBYNAME,
    summary: "Prints the port of a named service.",
    options: &[],
    operands: &["name", "proto"],
    reads: &[],
    long: false,
};

/// `proxy-server`.
pub static PROXY_SERVER: Program = Program {
    name: suite::PROXY_SERVER,
    summary: "Reads a PROXY protocol header, sets variables and runs a program.",
    options: &[tcp::PROXY_SERVER],
    operands: PROG,
    reads: &[Reads::These(SAVED)],
    long: true,
};
