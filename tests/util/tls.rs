//! Both sides of a TLS connection, around small programs.

use std::ffi::OsStr;
use std::io::Read;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};

use super::{
    Cmd, Output, Running, accept, certs, cmd, eventually, free_port, listener, process_listens_on,
    tcp_pair,
};

/// The server's program: prints its variables on standard error, and echoes.
pub const ECHO: &str = "env | grep -E '^SSL_' | sort >&2; exec cat";

/// The client's program: sends hello, and prints the answer and its variables.
pub const HELLO: &str = "echo hello >&7; exec 7>&-; cat <&6; env | grep -E '^SSL_' | sort";

/// A fatal alert that nothing protects (RFC 8446 section 6).
pub const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// Additional options of all engines, from ENGINE_OPTIONS in the environment:
/// the same tests then run with --key-guard, for example.
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

/// The configuration of a rustls client that trusts the CA of the tests.
pub fn client_config(
    versions: &[&'static SupportedProtocolVersion],
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(certs().read("ca.der").into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

/// `s6-tlsclient` with these options to localhost at `port`, around a shell command, trusting the
/// CA of the tests.
pub fn tlsclient(options: &[&str], port: u16, program: &str) -> Cmd {
    cmd(["s6-tlsclient", "-H", "-k", "localhost"])
        .args(options)
        .args(["127.0.0.1", &port.to_string(), "sh", "-c", program])
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
    let mut tries = 0;
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
            let listens = process_listens_on(server.pid(), port);
            (listens || !server.alive()).then_some(listens)
        });
        if listens {
            return (server, port);
        }
        // Somebody else may have been given the port meanwhile, but not each time.
        tries += 1;
        if tries == 10 {
            server.fail("does not listen");
        }
    }
}

/// The first message of `openssl s_client` with these arguments.
pub fn client_hello(args: &[&str]) -> Vec<u8> {
    let (listener, port) = listener();
    let _client = cmd(["openssl", "s_client", "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .args(["-servername", "localhost"])
        .args(args)
        .input_pipe()
        .start();
    let mut client = accept(&listener);
    let mut hello = vec![0; 5];
    client.read_exact(&mut hello).unwrap();
    hello.resize(5 + usize::from(u16::from_be_bytes([hello[3], hello[4]])), 0);
    client.read_exact(&mut hello[5..]).unwrap();
    hello
}

/// The versions of TLS, as openssl's programs call them.
pub const VERSIONS: [&str; 2] = ["-tls1_2", "-tls1_3"];

/// The programs that run an engine, with operands that suffice; the server's
/// first.
pub const ENGINES: [(&str, &[&str]); 8] = [
    ("s6-tlsd-io", &["6", "7"]),
    ("s6-tlsd", &["true"]),
    ("s6-ucspitlsd", &["true"]),
    ("s6-tlsserver", &["127.0.0.1", "0", "true"]),
    ("s6-tlsc-io", &["6", "7"]),
    ("s6-tlsc", &["true"]),
    ("s6-ucspitlsc", &["true"]),
    ("s6-tlsclient", &["127.0.0.1", "1", "true"]),
];

/// Prints what a program knows of its peer's certificate.
const SHOW: &str = "env | grep -E '^SSL_(PEER_CERT|CLIENT_VERIFY|SERVER_VERIFY)' | sort";

/// `s6-tlsserver` with these options, whose program shows its clients what it
/// knows of them.
pub fn door(options: &[&str]) -> Cmd {
    cmd(["s6-tlsserver", "-v1H", "--peer-info"])
        .args(options)
        .args(["127.0.0.1", "0", "sh", "-c", SHOW])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
}

/// The result of a connection with openssl at one end.
pub struct Visit {
    /// What the program that we ran showed.
    shown: String,
    /// What openssl said.
    openssl: String,
    /// What the engine said.
    engine: String,
}

/// openssl as a client with the certificate `pair`, if any, at a server that is
/// still to be started.
pub fn visit(server: Cmd, version: &str, pair: Option<&str>) -> Visit {
    let server = server.start();
    let to = format!("127.0.0.1:{}", server.port());
    let mut client = cmd(["openssl", "s_client", "-quiet", version, "-connect", &to]);
    if let Some(pair) = pair {
        let key = key_of(pair);
        client = client
            .args(["-key", &certs().path(&format!("{key}.key"))])
            .args(["-cert", &certs().path(&format!("{pair}.pem"))])
            .args(["-cert_chain", &certs().path(&format!("{pair}.pem"))]);
    }
    let client = client.run();
    server.wait_err(" end=");
    Visit {
        shown: client.out(),
        openssl: client.err(),
        engine: server.stderr.text(),
    }
}

/// The name of the key that belongs to the first certificate in `pair`.pem.
pub fn key_of(pair: &str) -> &str {
    let mut endings = ["-chain", "-long"].into_iter();
    let own = endings.find_map(|ending| pair.strip_suffix(ending));
    own.unwrap_or(pair)
}

/// `s6-tlsc` with these options at a server of openssl's with the
/// certificate `pair`. Anchors are still to be given by `prepared`.
pub fn call(
    options: &[&str],
    version: &str,
    pair: &str,
    prepared: impl FnOnce(Cmd) -> Cmd,
) -> Visit {
    let key = key_of(pair);
    let chain = certs().path(&format!("{pair}.pem"));
    let (server, port) = openssl_server(key, [version, "-cert_chain", &chain]);
    let client = cmd(["s6-tcpclient", "-H", "127.0.0.1", &port.to_string()])
        .args(["s6-tlsc", "-v2", "--peer-info"])
        .args(options)
        .args(["sh", "-c", SHOW]);
    let client = prepared(client).run();
    Visit {
        shown: client.out(),
        engine: client.err(),
        openssl: server.finish().err(),
    }
}

impl Visit {
    /// Fails unless the program ran for a peer with the certificate `pair` and
    /// this value of `_VERIFY`.
    pub fn accepted(&self, verify: &str, pair: &str) {
        let hash = format!("SSL_PEER_CERT_HASH=SHA256:{}\n", certs().hash(pair));
        let verify = format!("_VERIFY={verify}\n");
        let said = format!("{}\n{}", self.engine, self.openssl);
        let good = self.shown.contains(&hash) && self.shown.contains(&verify);
        assert!(good, "{pair}: {}\n{said}", self.shown);
        assert!(self.engine.contains(" code=0 end=closed\n"), "{said}");
    }

    /// Fails unless the engine printed `text`.
    pub fn logged(&self, text: &str) {
        assert!(self.engine.contains(text), "not {text}: {}", self.engine);
    }

    /// Fails unless the program ran for a peer without a certificate.
    pub fn accepted_without(&self) {
        assert_eq!(self.shown, "SSL_CLIENT_VERIFY=NONE\n", "{}", self.engine);
    }

    /// Fails unless the handshake ended with this alert, as openssl calls it,
    /// and this line.
    pub fn refused(&self, alert: &str, why: &str) {
        let (alert, line) = (format!("alert {alert}:"), format!("-io: fatal: {why}\n"));
        let said = format!("{}\n{}", self.engine, self.openssl);
        assert_eq!(self.shown, "", "{said}");
        assert!(self.openssl.contains(&alert), "not {alert} {said}");
        assert!(self.engine.contains(&line), "not {line} {said}");
        let end = " code=98 end=peer-certificate\n";
        assert!(self.engine.contains(end), "{said}");
    }
}

/// The process of an engine that `running` has started.
pub fn engine(running: &Running) -> i32 {
    eventually("an engine", || {
        let mut pids = running.group().into_iter().map(|pid| pid.as_raw());
        pids.find(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim().ends_with("-io")
        })
    })
}
