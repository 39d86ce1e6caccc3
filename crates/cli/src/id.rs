//! What an option is to the program that it is meant for: one enum for each,
//! so that a `match` on it is complete or does not compile.
//!
//! Options that only take another one back have no id: see [`crate::Effect`].

/// An option, by the program that consumes it. The others hand it on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Id {
    /// Of both TLS engines.
    Engine(Engine),
    /// Of `s6-tlsd-io` alone.
    Server(Server),
    /// Of `s6-tlsc-io` alone.
    Client(Client),
    /// Of `s6-tlsd`, `s6-tlsc`, `s6-ucspitlsd` and `s6-ucspitlsc`.
    Wrapper(Wrapper),
    /// Of the programs that rewrite themselves into others.
    Rewriter(Rewriter),
    /// Of `s6-tcpserver-socketbinder`.
    Socketbinder(Socketbinder),
    /// Of `s6-tcpserverd`.
    Tcpserverd(Tcpserverd),
    /// Of `s6-tcpserver-access`.
    Access(Access),
    /// Of `s6-applyuidgid`.
    Applyuidgid(Applyuidgid),
    /// Of `s6-tcpclient`.
    Tcpclient(Tcpclient),
    /// Of `s6-ident-client`.
    IdentClient(IdentClient),
    /// Of `proxy-server`.
    ProxyServer(ProxyServer),
}

macro_rules! ids {
    ($($(#[$doc:meta])* $kind:ident { $($name:ident),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Eq, PartialEq)]
            #[allow(missing_docs, reason = "the table says what each is")]
            pub enum $kind { $($name),* }
        )*
    };
}

ids! {
    /// Both TLS engines.
    Engine {
        Verbosity, NotificationFd, CloseNotify, EnforceCloseNotify, HandshakeTimeout,
        IdleTimeout, NoSandbox, Groups,
    }
    /// `s6-tlsd-io` alone.
    Server { ClientCert, MandatoryClientCert, SniLevel, Sni, MandatorySni }
    /// `s6-tlsc-io` alone.
    Client { ClientCert, ServerName, NoVerifyCert, WebpkiRoots }
    /// The programs that run an engine for a program.
    Wrapper { Keep, ReadFd, WriteFd }
    /// The programs that rewrite themselves.
    Rewriter { Quiet, Verbose, Proxy }
    /// `s6-tcpserver-socketbinder`.
    Socketbinder { NoReuse, DualStack, Backlog, Udp, Block }
    /// `s6-tcpserverd`.
    Tcpserverd { Verbosity, Notify, MaxConnections, LocalMaxConnections }
    /// `s6-tcpserver-access`.
    Access {
        Verbosity, StrictResolution, NoNagle, NoDns, Hosts, Ident, Paranoid, LocalName, Banner,
        Timeout, RulesDirectory, RulesFile,
    }
    /// `s6-applyuidgid`.
    Applyuidgid { Environment, Uid, Gid, Groups, Clean }
    /// `s6-tcpclient`.
    Tcpclient {
        Quiet, Verbose, Ipv4, Ipv6, NoNagle, NoDns, Hosts, Ident, Qualify, Timeout, LocalName,
        ConnectionTimeouts, LocalIp, LocalPort,
    }
    /// `s6-ident-client`.
    IdentClient { Timeout }
    /// `proxy-server`.
    ProxyServer { Only1, Only2, BeforeTlsd, AfterTlsd, Timeout, Verbosity }
}
