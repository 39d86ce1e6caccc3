//! Both sides of a TLS connection, around small programs.

use std::ffi::OsStr;

use super::{Cmd, Output, Running, certs, cmd, eventually, free_port, is_listened_on, tcp_pair};

/// The server's program: shows what it knows on standard error, and echoes.
pub const ECHO: &str = "env | grep -E '^SSL_' | sort >&2; exec cat";

/// The client's program: says hello, and shows the answer and what it knows.
pub const HELLO: &str = "echo hello >&7; exec 7>&-; cat <&6; env | grep -E '^SSL_' | sort";

/// Options that all engines of a run get besides: with ENGINE_OPTIONS in the
/// environment, the same tests hold for an engine that is something else
/// inside, such as two processes.
fn besides() -> Vec<String> {
    let options = std::env::var("ENGINE_OPTIONS").unwrap_or_default();
    options.split_whitespace().map(str::to_owned).collect()
}

/// Whether a server's key is with a guard then.
pub fn is_guarded() -> bool {
    besides().iter().any(|option| option == "--key-guard")
}

/// `s6-tlsd` with these options around a shell command, with the key and the
/// certificate `pair`; the network is still to be given.
pub fn tlsd(options: &[&str], pair: &str, program: &str) -> Cmd {
    cmd(["s6-tlsd"])
        .args(besides())
        .args(options)
        .args(["sh", "-c", program])
        .env("KEYFILE", certs().path(&format!("{pair}.key")))
        .env("CERTFILE", certs().path(&format!("{pair}.pem")))
}

/// `s6-tlsc` with these options around a shell command, trusting the CA of
/// the tests.
pub fn tlsc(options: &[&str], program: &str) -> Cmd {
    cmd(["s6-tlsc"])
        .args(besides())
        .args(options)
        .args(["sh", "-c", program])
        .env("CAFILE", certs().path("ca.pem"))
}

/// Connects a server (network on 0 and 1) and a client (6 and 7), and runs
/// both to their end.
pub fn connect(server: Cmd, client: Cmd) -> (Output, Output) {
    let (server, client) = start(server, client);
    let client = client.finish();
    (server.finish(), client)
}

/// The same, while both still run.
pub fn start(server: Cmd, client: Cmd) -> (Running, Running) {
    let (near, far) = tcp_pair();
    let server = server.fd(0, far.try_clone().unwrap()).fd(1, far);
    let client = client.fd(6, near.try_clone().unwrap()).fd(7, near);
    (server.start(), client.start())
}

/// `s6-tlsserver` on a port of the kernel's choice. The options of `-1H` are
/// there already.
pub fn serve(options: &[&str], pair: &str, program: &[&str]) -> (Running, u16) {
    let server = cmd(["s6-tlsserver", "-1H"])
        .args(besides())
        .args(options)
        .args(["127.0.0.1", "0"])
        .args(program)
        .env("KEYFILE", certs().path(&format!("{pair}.key")))
        .env("CERTFILE", certs().path(&format!("{pair}.pem")))
        .start();
    let port = server.port();
    (server, port)
}

/// `openssl s_server` that takes one connection, with these arguments.
pub fn openssl_server<S: AsRef<OsStr>>(
    pair: &str,
    args: impl IntoIterator<Item = S>,
) -> (Running, u16) {
    let args: Vec<_> = args.into_iter().collect();
    loop {
        let port = free_port();
        let server = cmd(["openssl", "s_server", "-naccept", "1"])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .args(["-key", &certs().path(&format!("{pair}.key"))])
            .args(["-cert", &certs().path(&format!("{pair}.pem"))])
            .args(&args)
            .input_pipe()
            .start();
        // It does not always say when it listens.
        let listens = eventually("openssl listens", || {
            (!server.alive() || is_listened_on(port)).then(|| server.alive())
        });
        // Otherwise somebody else was given the port meanwhile.
        if listens {
            return (server, port);
        }
    }
}
