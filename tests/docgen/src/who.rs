//! Which program an option is for.

use cli::{Id, Program, suite};

/// The name of the program that consumes `id` when it is given to `program`;
/// that may be `program` itself.
pub fn consumer(program: &Program, id: Id) -> &'static str {
    let server = program
        .option_specs()
        .any(|row| matches!(row.id(), Some(Id::Server(_))));
    match id {
        Id::Tls(_) if server => suite::TLSD_IO,
        Id::Tls(_) => suite::TLSC_IO,
        Id::Server(_) => suite::TLSD_IO,
        Id::Client(_) => suite::TLSC_IO,
        Id::Launcher(_) => match program.name {
            suite::TLSSERVER => suite::TLSD,
            suite::TLSCLIENT => suite::TLSC,
            itself => itself,
        },
        Id::ChainBuilder(_) => program.name,
        Id::Socketbinder(_) => suite::TCPSERVER_SOCKETBINDER,
        Id::Tcpserverd(_) => suite::TCPSERVERD,
        Id::Access(_) => suite::TCPSERVER_ACCESS,
        Id::Applyuidgid(_) => suite::APPLYUIDGID,
        Id::Tcpclient(_) => suite::TCPCLIENT,
        Id::Dane(_) => program.name,
        Id::Tlsa(_) => suite::TLSA,
        Id::IdentClient(_) => suite::IDENT_CLIENT,
        Id::ProxyServer(_) => suite::PROXY_SERVER,
    }
}
