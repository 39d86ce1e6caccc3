//! What a header says, as variables.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;

use unix::Env;

use super::Variable;
use cli::address::Ip;

/// The variables that the TLS layer of a proxy and our own both may set.
const TLS: [(&str, &str); 4] = [
    ("SSL_PROTOCOL", "tlsbak_SSL_PROTOCOL"),
    ("SSL_CIPHER", "tlsbak_SSL_CIPHER"),
    ("SSL_PEER_CERT_CN", "tlsbak_SSL_PEER_CERT_CN"),
    ("SSL_TLS_SNI_SERVERNAME", "tlsbak_SSL_TLS_SNI_SERVERNAME"),
];

/// The variables of a TCP connection.
pub fn inet(remote: (IpAddr, u16), local: (IpAddr, u16)) -> Vec<Variable> {
    let ip = |ip| Ip::from(ip).to_string().into_bytes();
    let port = |port: u16| port.to_string().into_bytes();
    vec![
        ("PROTO", b"TCP".to_vec()),
        ("TCPREMOTEIP", ip(remote.0)),
        ("TCPREMOTEPORT", port(remote.1)),
        ("TCPLOCALIP", ip(local.0)),
        ("TCPLOCALPORT", port(local.1)),
    ]
}

/// Sets a variable. Before a TLS layer, which sets its own, those about TLS
/// are put aside.
pub fn set(env: &mut Env, name: &'static str, value: &[u8], put_aside: bool) {
    let twin = TLS.iter().find(|(own, _)| put_aside && *own == name);
    let name = twin.map_or(name, |(_, aside)| aside);
    env.set(name, OsStr::from_bytes(value));
}

/// Puts what was set aside in the place of what our own TLS layer has set.
/// Where nothing was, the client's TLS is our own layer's, and stays.
pub fn after_tls(env: &mut Env) {
    if TLS.iter().all(|(_, aside)| env.get(aside).is_none()) {
        return;
    }
    for (name, aside) in TLS {
        match env.get(aside).map(OsStr::to_owned) {
            Some(value) => env.set(name, value),
            None => env.unset(name),
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
    fn with_nothing_put_aside_nothing_changes() {
        let mut env = Env::default();
        env.set("SSL_PROTOCOL", "own");
        after_tls(&mut env);
        assert_eq!(env.get("SSL_PROTOCOL"), Some(OsStr::new("own")));
    }
}
