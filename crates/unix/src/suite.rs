//! The names of the suite's programs. They look for each other beside the
//! running executable when PATH does not have them.

/// What the names end with: nothing, unless the build lets the suite stand
/// beside another one with the same names.
pub const SUFFIX: &str = env!("S6_TLS_PROGRAM_SUFFIX");

macro_rules! suite {
    ($($name:ident = $text:literal)*) => {
        $(
            #[doc = concat!("`", $text, "`")]
            pub const $name: &str = concat!($text, env!("S6_TLS_PROGRAM_SUFFIX"));
        )*
        /// All of them.
        pub fn all() -> impl Iterator<Item = &'static str> {
            // A table of strings would be relocated at each start of a program.
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
    TLSC = "s6-tlsc"
    TLSC_IO = "s6-tlsc-io"
    TLSCLIENT = "s6-tlsclient"
    TLSD = "s6-tlsd"
    TLSD_IO = "s6-tlsd-io"
    TLSSERVER = "s6-tlsserver"
    UCSPITLSC = "s6-ucspitlsc"
    UCSPITLSD = "s6-ucspitlsd"
}
