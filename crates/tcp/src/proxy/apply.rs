//! The variables that a header sets.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use cli::Fatal;
use cli::address::{Endpoint, unmapped_ends};
use cli::message::has_control;
use unix::Env;

use super::{Variable, invalid};

/// The variables that the proxy's TLS layer and our own may both set, and the names
/// under which the proxy's are saved.
const TLS: [(&str, &str); 4] = [
    ("SSL_PROTOCOL", "tlsbak_SSL_PROTOCOL"),
    ("SSL_CIPHER", "tlsbak_SSL_CIPHER"),
    ("SSL_PEER_CERT_CN", "tlsbak_SSL_PEER_CERT_CN"),
    ("SSL_TLS_SNI_SERVERNAME", "tlsbak_SSL_TLS_SNI_SERVERNAME"),
];

/// The variables of a TCP connection between the remote and the local end.
/// IPv4-mapped addresses become IPv4, so that access rules for IPv4 apply.
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

/// The variables of a connection between Unix sockets with these paths, the remote one
/// first. Whoever binds a socket chooses its path, so control characters are refused as
/// they are in other values.
pub fn ipc(paths: [&[u8]; 2]) -> Result<Vec<Variable>, Fatal> {
    if paths.into_iter().any(has_control) {
        return Err(invalid("path in PROXY header"));
    }
    let [remote, local] = paths.map(<[u8]>::to_vec);
    Ok(vec![
        ("PROTO", b"IPC".to_vec()),
        ("IPCREMOTEPATH", remote),
        ("IPCLOCALPATH", local),
    ])
}

/// Sets a variable. With `before_tls`, variables about TLS are saved under other names,
/// since our TLS layer will set them.
pub fn set(env: &mut Env, name: &'static str, value: &[u8], before_tls: bool) {
    let pair = TLS.iter().find(|(own, _)| before_tls && *own == name);
    env.set(
        pair.map_or(name, |(_, saved)| saved),
        OsStr::from_bytes(value),
    );
}

/// Restores the saved variables, in place of all four of our TLS layer: those describe
/// the connection of the proxy then, not that of the client. Without any saved variable
/// the variables of our layer stay.
pub fn after_tls(env: &mut Env) {
    if TLS.iter().all(|(_, saved)| env.get(saved).is_none()) {
        return;
    }
    for (name, saved) in TLS {
        match env.get(saved).map(OsStr::to_owned) {
            Some(value) => env.set(name, value),
            None => env.unset(name),
        }
        env.unset(saved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_variables_replace_all_four() {
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
    fn saved_server_name_alone_replaces_all_four() {
        let mut env = Env::default();
        env.set("SSL_PROTOCOL", "own");
        env.set("SSL_CIPHER", "own");
        set(&mut env, "SSL_TLS_SNI_SERVERNAME", b"name", true);
        after_tls(&mut env);
        let found: Vec<_> = env.iter().map(|(_, value)| value).collect();
        assert_eq!(found, ["name"]);
    }

    #[test]
    fn nothing_changes_without_saved_variables() {
        let mut env = Env::default();
        env.set("SSL_PROTOCOL", "own");
        after_tls(&mut env);
        assert_eq!(env.get("SSL_PROTOCOL"), Some(OsStr::new("own")));
    }
}
