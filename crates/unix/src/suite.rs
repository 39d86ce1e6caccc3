//! The names of the programs of the suite.

/// The suffix of each name, set at build time: then another suite with the same names
/// can be installed, too. Empty by default.
pub const SUFFIX: &str = env!("S6_TLS_PROGRAM_SUFFIX");

macro_rules! suite {
    ($($name:ident = $text:literal)*) => {
        $(
            #[doc = concat!("`", $text, "`")]
            pub const $name: &str = concat!($text, env!("S6_TLS_PROGRAM_SUFFIX"));
        )*
        /// All names.
        pub fn all() -> impl Iterator<Item = &'static str> {
            // An array of strings would be relocated at each start of a program.
            concat!($($text, env!("S6_TLS_PROGRAM_SUFFIX"), "\n"),*).lines()
        }
    };
}

suite! {
    PROXY_SERVER = "proxy-server"
    APPLYUIDGID = "s6-applyuidgid"
    GETSERVBYNAME = "s6-getservbyname"
    IDENT_CLIENT = "s6-ident-client"
    TCPCLIENT = "s6-tcpclient"
    TCPSERVER = "s6-tcpserver"
    TCPSERVER_ACCESS = "s6-tcpserver-access"
    TCPSERVER_SOCKETBINDER = "s6-tcpserver-socketbinder"
    TCPSERVERD = "s6-tcpserverd"
    TLSA = "s6-tlsa"
    TLSC = "s6-tlsc"
    TLSC_IO = "s6-tlsc-io"
    TLSCLIENT = "s6-tlsclient"
    TLSD = "s6-tlsd"
    TLSD_IO = "s6-tlsd-io"
    TLSSERVER = "s6-tlsserver"
    UCSPITLSC = "s6-ucspitlsc"
    UCSPITLSD = "s6-ucspitlsd"
}
