//! The examples of doc/examples, started as their pages say, with foreign
//! clients.

mod certbot;
mod check;
mod mail;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::util::{
    Cmd, Running, TempDir, certs, cmd, eventually, find_in, free_port, listens, need, path, sha256,
    skip,
};

/// A copy of an example, set up as an operator would.
struct Example {
    dir: TempDir,
    home: PathBuf,
    port: u16,
}

impl Example {
    /// The example `name`, whose service directory is `service` in it, with a key, a certificate
    /// and a port; none if this machine lacks one of `peers`, or the test is not root: services
    /// change their ids.
    fn new(name: &str, service: &str, peers: &[&str]) -> Option<Self> {
        if !need(peers) {
            return None;
        }
        if !nix::unistd::geteuid().is_root() {
            skip("only for root");
            return None;
        }
        let dir = TempDir::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/examples");
        cmd(["cp", "-r"])
            .args([source.join(name), dir.path().to_owned()])
            .run()
            .success();
        let home = dir.join(name).join(service);
        let example = Self {
            dir,
            home,
            port: free_port(),
        };
        example.set("IP", "127.0.0.1");
        example.set("PORT", &example.port.to_string());
        example.set("KEYFILE", &certs().path("p256.key"));
        example.set("CERTFILE", &certs().path("p256.pem"));
        Some(example)
    }

    /// Writes a file of `env/`, if the example has that.
    fn set(&self, name: &str, value: &str) {
        let file = self.home.join("env").join(name);
        if file.exists() {
            fs::write(file, format!("{value}\n")).unwrap();
        }
    }

    /// A web page, for examples that serve files.
    fn page(&self) {
        let file = self.dir.file("www/index.html", "a page\n");
        let root = file.parent().unwrap();
        self.set("ROOT", root.to_str().unwrap());
    }

    /// Starts its program, and waits until it listens.
    fn start(&self, program: &str) -> Running {
        self.start_as(cmd([program]))
    }

    fn start_as(&self, command: Cmd) -> Running {
        let running = command.cwd(&self.home).start();
        listens(self.port);
        running
    }
}

/// The page of a web server on localhost, as curl sees it, and wget, to which
/// an end without close_notify is an error.
fn page(port: u16) -> String {
    let page = curl(port, &[]);
    if need(&["wget"]) {
        let wget = cmd(["wget", "-q", "-O-", "--tries=1", "--ca-certificate"])
            .arg(certs().path("ca.pem"))
            .arg(format!("https://localhost:{port}/"));
        assert_eq!(wget.run().success().out(), page);
    }
    page
}

/// What curl reads from this URL on localhost.
fn curl(port: u16, args: &[&str]) -> String {
    cmd(["curl", "-sS", "--cacert", &certs().path("ca.pem")])
        .args(args)
        .arg(format!("https://localhost:{port}/"))
        .run()
        .success()
        .out()
}

/// Ends a service that is not of our process group: a command and its last argument.
struct OnDrop<'a>(&'a [&'a str], &'a Path);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        let _ = cmd(self.0).arg(self.1).run();
    }
}

#[test]
fn s6_supervises_a_web_server() {
    for (name, service) in [("s6", ""), ("s6-rc", "httpsd")] {
        let peers = ["s6-supervise", "s6-svwait", "execlineb", "busybox", "curl"];
        let Some(example) = Example::new(name, service, &peers) else {
            return;
        };
        example.page();
        let home = example.home.as_path();
        let mut supervise = cmd(["s6-supervise"]).arg(home).start();
        let stop = OnDrop(&["s6-svc", "-wD", "-T", "5000", "-xd"], home);
        eventually("s6-supervise is there", || {
            let status = home.join("supervise/status");
            status.exists().then_some(())
        });
        // It is told by the port that s6-tlsserver prints.
        cmd(["s6-svwait", "-U", "-t", "20000"])
            .arg(home)
            .run()
            .success();
        assert_eq!(page(example.port), "a page\n");
        drop(stop);
        supervise.wait();
    }
}

#[test]
fn runit_runs_a_web_server() {
    let peers = ["runsv", "chpst", "busybox", "curl"];
    let Some(example) = Example::new("runit", "", &peers) else {
        return;
    };
    example.page();
    let _runsv = example.start_as(cmd(["runsv"]).arg(&example.home));
    assert_eq!(page(example.port), "a page\n");
}

/// Servers send close_notify, and drop groups together with the user, in
/// whatever form the example sets them.
#[test]
fn examples_announce_their_end_and_keep_no_groups() {
    let mut seen = 0;
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/examples");
    let commands = ["run", "httpsd/run", "https.service", "Dockerfile"];
    for example in fs::read_dir(examples).unwrap().flatten() {
        for file in commands.map(|name| example.path().join(name)) {
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            let settings = fs::read_to_string(example.path().join("settings"));
            let text = text + &settings.unwrap_or_default();
            let words: Vec<&str> = text.split([' ', '\n', '"', ',', '[']).collect();
            let has = |option: &str| words.contains(&option);
            let ids = has("-U") || has("-Uz") || (has("-u") && has("-g") && has("-G"));
            assert!(has("-S") && ids, "{}: {text}", file.display());
            seen += 1;
        }
    }
    assert_eq!(seen, 12);
}

#[test]
fn an_imap_server_is_given_tls() {
    let Some(example) = Example::new("imaps", "", &["dovecot", "s6-ioconnect", "curl"]) else {
        return;
    };
    let cleartext = free_port();
    example.set("CLEARTEXT_PORT", &cleartext.to_string());
    let home = example.dir.path().to_str().unwrap();
    fs::create_dir(example.dir.join("mail")).unwrap();
    std::os::unix::fs::chown(example.dir.join("mail"), Some(8), Some(8)).unwrap();
    example.dir.file("users", "you:{PLAIN}secret\n");
    let config = format!(
        "base_dir = {home}/run\nlog_path = /dev/stderr\nprotocols = imap\nlisten = 127.0.0.1\n\
         ssl = no\ndisable_plaintext_auth = no\nfirst_valid_uid = 1\n\
         service imap-login {{\n inet_listener imap {{\n port = {cleartext}\n }}\n \
         inet_listener imaps {{\n port = 0\n }}\n chroot =\n}}\n\
         passdb {{\n driver = passwd-file\n args = {home}/users\n}}\n\
         userdb {{\n driver = static\n args = uid=8 gid=8 home={home}/mail mail=maildir:{home}/mail\n}}\n"
    );
    let config = example.dir.file("dovecot.conf", config);
    let _dovecot = cmd(["dovecot", "-F", "-c"]).arg(config).start();
    listens(cleartext);
    let _front = example.start("./run");
    let output = cmd(["curl", "-sS", "-u", "you:secret"])
        .args(["--cacert", &certs().path("ca.pem")])
        .args(["-X", "STATUS INBOX (MESSAGES)"])
        .arg(format!("imaps://localhost:{}/", example.port))
        .run()
        .success()
        .out();
    assert!(output.contains("* STATUS INBOX (MESSAGES 0)"), "{output}");
}

#[test]
fn programs_without_tls_reach_servers_with_it() {
    let Some(web) = Example::new("s6", "", &["execlineb", "busybox", "s6-ioconnect"]) else {
        return;
    };
    web.page();
    let _server = web.start_as(cmd(["./run"]).fd(3, crate::util::pipe().1));
    let client = Example::new("client", "", &[]).unwrap();
    let output = cmd(["s6-tlsclient", "-h", "localhost", &web.port.to_string()])
        .args(["./fetch", "localhost", "/"])
        .cwd(&client.home)
        .env("CAFILE", certs().path("ca.pem"))
        .run()
        .success()
        .out();
    assert!(output.starts_with("HTTP/1.1 200 OK\r\n"), "{output}");
    assert!(output.ends_with("\r\n\r\na page\n"), "{output}");
}

#[test]
fn a_browser_shows_the_page() {
    let peers = [
        "execlineb",
        "busybox",
        "s6-ioconnect",
        "chromium-headless-shell",
    ];
    let Some(web) = Example::new("s6", "", &peers) else {
        return;
    };
    web.page();
    let _server = web.start_as(cmd(["./run"]).fd(3, crate::util::pipe().1));
    let home = crate::util::TempDir::new();
    let browser = cmd(["chromium-headless-shell", "--no-sandbox", "--disable-gpu"])
        .args([
            "--ignore-certificate-errors",
            "--dump-dom",
            "--no-first-run",
        ])
        .arg(format!("--user-data-dir={}", home.path().display()))
        .arg(format!("https://localhost:{}/", web.port))
        .env("HOME", home.path())
        .start();
    browser.wait_out("a page");
}

#[test]
fn behind_haproxy_the_client_has_its_own_address() {
    let Some(example) = Example::new("haproxy", "", &["haproxy", "s6-envdir", "curl"]) else {
        return;
    };
    let backend = free_port();
    example.set("BACKEND_PORT", &backend.to_string());
    let _haproxy = example.start_as(cmd(["s6-envdir", "env", "haproxy", "-f", "haproxy.cfg"]));
    let _server = cmd(["./run"]).cwd(&example.home).start();
    listens(backend);
    let output = cmd(["curl", "-sS", "--http0.9", "--interface", "127.0.0.9"])
        .args(["--cacert", &certs().path("ca.pem")])
        .arg(format!("https://localhost:{}/", example.port))
        .run()
        .out();
    assert_eq!(output, "You are 127.0.0.9, with TLSv1.3.\n");
}

#[test]
fn a_certificate_opens_and_closes_the_door() {
    let Some(example) = Example::new("certificate-rules", "", &["openssl", "s6-envdir"]) else {
        return;
    };
    example.set("CAFILE", &certs().path("ca.pem"));
    let der = cmd(["openssl", "x509", "-outform", "DER", "-in"])
        .arg(certs().path("client.pem"))
        .run()
        .success()
        .stdout;
    let rule = format!("clients/{}", sha256(&der));
    let rule = example.home.join(rule);
    fs::create_dir(&rule).unwrap();
    fs::write(rule.join("CLIENT"), "Alice\n").unwrap();
    let server = example.start("./run");
    let greeting = |client: &str| {
        cmd([
            "s6-tlsclient",
            "-h",
            "-y",
            "localhost",
            &example.port.to_string(),
        ])
        .args(["sh", "-c", "cat <&6"])
        .env("CAFILE", certs().path("ca.pem"))
        .env("KEYFILE", certs().path(&format!("{client}.key")))
        .env("CERTFILE", certs().path(&format!("{client}.pem")))
        .run()
        .out()
    };
    assert_eq!(greeting("client"), "Hello Alice.\n");
    assert_eq!(greeting("p256"), "");
    server.wait_out("by-certificate: refused 127.0.0.1: ");
    fs::remove_dir_all(rule).unwrap();
    assert_eq!(greeting("client"), "");
}

#[test]
fn gemini_visitors_are_known_by_their_own_certificates() {
    let Some(example) = Example::new("gemini", "", &["openssl", "python3", "s6-envdir"]) else {
        return;
    };
    example
        .dir
        .file("capsule/index.gmi", "# Welcome\n=> private/ more\n");
    example
        .dir
        .file("capsule/private/index.gmi", "# Among us\n");
    example.dir.file("secret", "not served");
    example.set("ROOT", example.dir.join("capsule").to_str().unwrap());
    let _server = example.start("./run");
    let asked = |pair: Option<&str>, path: &str| {
        let to = format!("localhost:{}", example.port);
        let mut client = cmd(["openssl", "s_client", "-quiet", "-crlf"])
            .args(["-verify_return_error", "-CAfile", &certs().path("ca.pem")])
            .args(["-servername", "localhost", "-connect", &to])
            .input(format!("gemini://localhost/{path}\n"));
        if let Some(pair) = pair {
            client = client
                .args(["-key", &certs().path(&format!("{pair}.key"))])
                .args(["-cert", &certs().path(&format!("{pair}.pem"))]);
        }
        client.run().success().out()
    };
    let welcome = "20 text/gemini\r\n# Welcome\n=> private/ more\n";
    for visitor in [None, Some("client-own"), Some("client-expired")] {
        assert_eq!(asked(visitor, ""), welcome);
    }
    assert!(asked(None, "private/").starts_with("60 "));
    assert_eq!(asked(None, "../secret"), "51 Not found\r\n");
    let hash = format!("SHA256:{}", certs().hash("client-own"));
    let stranger = format!("61 Not a member: {hash}\r\n");
    assert_eq!(asked(Some("client-own"), "private/"), stranger);
    fs::write(example.home.join("members"), format!("{hash}\n")).unwrap();
    let welcome = "20 text/gemini\r\n# Among us\n";
    assert_eq!(asked(Some("client-own"), "private/index.gmi"), welcome);
    assert!(asked(Some("client-expired"), "private/").starts_with("61 "));
}

#[test]
fn a_container_needs_nothing_but_the_programs() {
    let peers = ["chroot", "curl", "busybox"];
    let Some(example) = Example::new("container", "", &peers) else {
        return;
    };
    let dockerfile = fs::read_to_string(example.home.join("Dockerfile")).unwrap();
    let list = |keyword: &str| -> Vec<String> {
        let line = dockerfile
            .lines()
            .find_map(|line| line.strip_prefix(keyword));
        let words = line.unwrap().trim_matches(['[', ']']).split(", ");
        words
            .map(|word| word.trim_matches('"').to_owned())
            .collect()
    };
    let image = |name: &str| example.dir.join("image").join(name);
    for directory in ["usr/bin", "bin", "tls", "srv/www"] {
        fs::create_dir_all(image(directory)).unwrap();
    }
    for entry in fs::read_dir(crate::util::bin_dir()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if (name.starts_with("s6-") || name == "proxy-server") && !name.ends_with(".d") {
            let copy = format!("image/usr/bin/{name}");
            example.dir.copy_program(&entry.path(), &copy);
        }
    }
    let busybox = find_in("busybox", &path()).unwrap();
    example.dir.copy_program(&busybox, "image/bin/busybox");
    fs::copy(certs().path("p256.key"), image("tls/key.pem")).unwrap();
    fs::copy(certs().path("p256.pem"), image("tls/chain.pem")).unwrap();
    fs::write(image("srv/www/index.html"), "a page\n").unwrap();
    let mut command = list("ENTRYPOINT ");
    let (port, address) = (command.pop().unwrap(), command.pop().unwrap());
    assert_eq!([address.as_str(), &port], ["0.0.0.0", "443"]);
    command.extend(["127.0.0.1".to_owned(), example.port.to_string()]);
    command.extend(list("CMD "));
    let mut container = cmd(["chroot"]).arg(image("")).args(command);
    for setting in list("ENV ")[0].split(' ') {
        let (name, value) = setting.split_once('=').unwrap();
        container = container.env(name, value);
    }
    let _container = container.deadline(Duration::from_secs(60)).start();
    listens(example.port);
    assert_eq!(page(example.port), "a page\n");
}
