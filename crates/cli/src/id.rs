//! The ids of options: one enum for each program that consumes options, so that the compiler
//! checks that a `match` covers all of them.
//!
//! Options that only discard others have no id: see [`crate::Effect::Negate`].

macro_rules! ids {
    ($($(#[$doc:meta])* $kind:ident { $($name:ident),* $(,)? })*) => {
        /// An option, by the program that consumes it. Other programs hand it on.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Id {
            $($(#[$doc])* $kind($kind)),*
        }

        impl Id {
            /// All ids.
            pub const ALL: &[Self] = &[$($(Self::$kind($kind::$name)),*),*];
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Eq, PartialEq)]
            #[allow(missing_docs, reason = "the table says what each is")]
            pub enum $kind { $($name),* }

            impl TryFrom<Id> for $kind {
                type Error = ();

                fn try_from(id: Id) -> Result<Self, ()> {
                    match id {
                        Id::$kind(id) => Ok(id),
                        _ => Err(()),
                    }
                }
            }
        )*
    };
}

ids! {
    /// Of both TLS engines.
    Tls {
        Verbosity, NotificationFd, CloseNotify, EnforceCloseNotify, HandshakeTimeout,
        IdleTimeout, PeerInfo, NoSandbox, Alpn, Groups, KeyGuard, MaxRecord, Pin, CrlCheck,
        Check, CheckDays,
    }
    /// Of `s6-tlsd-io` alone.
    Server { ClientCert, MandatoryClientCert, AnyClientCert, SniLevel, Sni, MandatorySni }
    /// Of `s6-tlsc-io` alone.
    Client { ClientCert, ServerName, NoVerifyCert, WebpkiRoots }
    /// Of `s6-tlsd`, `s6-tlsc`, `s6-ucspitlsd` and `s6-ucspitlsc`.
    Launcher { Keep, ReadFd, WriteFd }
    /// Of the programs that build a chain of others.
    ChainBuilder { Quiet, Verbose, Proxy }
    /// Of `s6-tcpserver-socketbinder`.
    Socketbinder { NoReuse, DualStack, Backlog, Udp, Block }
    /// Of `s6-tcpserverd`.
    Tcpserverd {
        Verbosity, Notify, MaxConnections, LocalMaxConnections, Rate, Ipv6Prefix, Drain,
    }
    /// Of `s6-tcpserver-access`.
    Access {
        Verbosity, StrictResolution, NoNagle, NoDns, Hosts, Ident, Paranoid, LocalName, Banner,
        Timeout, RulesDirectory, RulesFile,
    }
    /// Of `s6-applyuidgid`.
    Applyuidgid { Environment, Uid, Gid, Groups, Clean }
    /// Of `s6-tcpclient`.
    Tcpclient {
        Quiet, Verbose, Ipv4, Ipv6, NoNagle, NoDns, Hosts, Ident, Qualify, Timeout, LocalName,
        ConnectionTimeouts, LocalIp, LocalPort,
    }
    /// Of `s6-tlsclient`: whether and how it runs `s6-tlsa`.
    Dane { IfAny, Required, TrustResolver }
    /// Of `s6-tlsa`.
    Tlsa { Verbosity, Port, Timeout, Required, TrustResolver }
    /// Of `s6-ident-client`.
    IdentClient { Timeout }
    /// Of `proxy-server`.
    ProxyServer { Only1, Only2, BeforeTlsd, AfterTlsd, Timeout, Verbosity }
}
