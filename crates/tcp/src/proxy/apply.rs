//! What a header says, as variables.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use cli::Fatal;
use cli::address::{Endpoint, unmapped_ends};
use unix::Env;

use super::{Variable, invalid};

/// The variables that the TLS layer of a proxy and our own both may set.
const TLS: [(&str, &str); 4] = [
    ("SSL_PROTOCOL", "tlsbak_SSL_PROTOCOL"),
    ("SSL_CIPHER", "tlsbak_SSL_CIPHER"),
    ("SSL_PEER_CERT_CN", "tlsbak_SSL_PEER_CERT_CN"),
    (NAME, "tlsbak_SSL_TLS_SNI_SERVERNAME"),
];

/// The name that the client asked for, which a proxy without TLS may know too.
const NAME: &str = "SSL_TLS_SNI_SERVERNAME";

/// The variables of a TCP connection, remote end first. Where the proxy took IPv4 on a socket for
/// both families, its client is one of IPv4: a rule for its address holds.
pub fn inet(ends: [Endpoint; 2]) -> Result<Vec<Variable>, Fatal> {
    let [remote, local] =
        unmapped_ends(ends).ok_or_else(|| invalid("addresses in PROXY header"))?;
    let text = |value: &dyn ToString| value.to_string().into_bytes();
    Ok(vec![
        ("PROTO", b"TCP".to_vec()),
        ("TCPREMOTEIP", text(&remote.address)),
        ("TCPREMOTEPORT", text(&remote.port)),
        ("TCPLOCALIP", text(&local.address)),
        ("TCPLOCALPORT", text(&local.port)),
    ])
}

/// Sets a variable. Before a TLS layer, which sets its own, those about TLS
/// are put aside.
pub fn set(env: &mut Env, name: &'static str, value: &[u8], put_aside: bool) {
    let twin = TLS.iter().find(|(own, _)| put_aside && *own == name);
    let name = twin.map_or(name, |(_, aside)| aside);
    env.set(name, OsStr::from_bytes(value));
}

/// Puts what was set aside in the place of what our own TLS layer has set. If
/// the proxy said nothing of its TLS, the client's is our own layer's and
/// stays; a name that the proxy told by itself counts all the same.
pub fn after_tls(env: &mut Env) {
    let told = |aside: &str| env.get(aside).is_some();
    let of_tls = TLS.iter().any(|(name, aside)| *name != NAME && told(aside));
    for (name, aside) in TLS {
        match env.get(aside).map(OsStr::to_owned) {
            Some(value) => env.set(name, value),
            None if of_tls => env.unset(name),
            None => {}
        }
        env.unset(aside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_aside_replaces_all_four() {
        let mut env = Env::default();
        set(&mut env, "SSL_PROTOCOL", b"proxy", true);
        set(&mut env, "TCPREMOTEIP", b"ip", true);
        env.set("SSL_PROTOCOL", "own");
        env.set("SSL_CIPHER", "own");
        env.set("SSL_OTHER", "own");
        after_tls(&mut env);
        let found: Vec<_> = env.iter().collect();
        assert_eq!(
            found,
            [
                (&b"TCPREMOTEIP"[..], OsStr::new("ip")),
                (b"SSL_OTHER", OsStr::new("own")),
                (b"SSL_PROTOCOL", OsStr::new("proxy")),
            ]
        );
    }

    #[test]
    fn a_name_alone_leaves_our_own_tls_alone() {
        let mut env = Env::default();
        env.set("SSL_PROTOCOL", "own");
        env.set("SSL_CIPHER", "own");
        set(&mut env, "SSL_TLS_SNI_SERVERNAME", b"name", true);
        after_tls(&mut env);
        let found: Vec<_> = env.iter().map(|(_, value)| value).collect();
        assert_eq!(found, ["own", "own", "name"]);
    }

    #[test]
    fn with_nothing_put_aside_nothing_changes() {
        let mut env = Env::default();
        env.set("SSL_PROTOCOL", "own");
        after_tls(&mut env);
        assert_eq!(env.get("SSL_PROTOCOL"), Some(OsStr::new("own")));
    }
}
