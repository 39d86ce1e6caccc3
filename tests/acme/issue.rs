//! Certificates of Pebble, the test CA of Let's Encrypt, which validates names on the port of a
//! running service.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::util::{Output, Running, TempDir, certs, cmd, free_port, listens, mounted, need};

use super::{DIRECTORY, NAME, RUNS, command, visit, was_shown};

/// The time limit for a client of Pebble, which starts dozens of programs.
const LIMIT: Duration = Duration::from_secs(180);

/// Pebble, and the name server that it asks: every name has the address 127.0.0.1.
struct Authority {
    _resolver: Running,
    _pebble: Running,
    port: u16,
}

impl Authority {
    /// Starts them with files in `dir`. They validate at `port`.
    fn start(dir: &TempDir, port: u16) -> Self {
        let [dns, acme, management] = [free_port(), free_port(), free_port()];
        let resolver = format!("127.0.0.1:{dns}");
        let names = cmd(["pebble-challtestsrv", "-dns01", &resolver])
            .args([
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
                "-defaultIPv6",
                "",
            ])
            .args(["-management", &format!("127.0.0.1:{}", free_port())])
            .start();
        let [key, certificate] = ["key", "pem"].map(|end| {
            let file = format!("p256.{end}");
            certs().path(&file)
        });
        let config = format!(
            "{{\"pebble\": {{\"listenAddress\": \"127.0.0.1:{acme}\", \
             \"managementListenAddress\": \"127.0.0.1:{management}\", \
             \"certificate\": \"{certificate}\", \"privateKey\": \"{key}\", \
             \"httpPort\": {port}, \"tlsPort\": {port}}}}}"
        );
        let pebble = cmd(["pebble", "-dnsserver", &resolver, "-config"])
            .arg(dir.file("pebble.json", config))
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .start();
        listens(acme);
        listens(dns);
        Self {
            _resolver: names,
            _pebble: pebble,
            port: acme,
        }
    }
}

/// dehydrated with this command, and its configuration in `dir`.
fn dehydrated(dir: &TempDir, command: &[&str]) -> Output {
    cmd(["dehydrated", "--config"])
        .arg(dir.join("config"))
        .args(command)
        .deadline(LIMIT)
        .run()
        .success()
}

/// The hook for uacme in doc/acme.md, with `live` as SNIDIR.
fn hook(dir: &TempDir, live: &Path) -> PathBuf {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/acme.md");
    let page = fs::read_to_string(page).unwrap();
    let script = page.split("```sh\n").nth(1).unwrap();
    let script = script.split("```").next().unwrap();
    let path = "/etc/tls/live";
    assert!(script.contains(path));
    let script = script.replace(path, live.to_str().unwrap());
    dir.program("hook", script)
}

fn configure(dir: &TempDir, authority: &Authority, live: &Path) {
    let config = format!(
        "CA=https://localhost:{}/dir\nCURL_OPTS='--cacert {}'\nKEY_ALGO=prime256v1\nKEYSIZE=2048\n\
         CHALLENGETYPE=tls-alpn-01\nCERTDIR={live}\nALPNCERTDIR={live}/{DIRECTORY}\n",
        authority.port,
        certs().path("ca.pem"),
        live = live.display(),
    );
    dir.file("config", config);
}

#[test]
fn a_certificate_is_issued_through_the_service_and_served_at_once() {
    if !need(&[
        "pebble",
        "pebble-challtestsrv",
        "dehydrated",
        "curl",
        "openssl",
    ]) {
        return;
    }
    let dir = TempDir::new();
    let live = dir.join("live");
    fs::create_dir(&live).unwrap();
    // The validator has no certificate for -y.
    let server = command(&live, &["-y"]).start();
    let authority = Authority::start(&dir, server.port());
    configure(&dir, &authority, &live);
    dehydrated(&dir, &["--register", "--accept-terms"]);
    let chain = live.join(NAME).join("fullchain.pem");
    let [key, certificate] = [".key", ".pem"].map(|end| certs().path(&format!("client{end}")));
    let validated = format!(" sni={NAME} alpn=acme-tls/1 resumed=no cert=- in=0 out=0 ");
    let mut validations = 0;
    // The second time is a renewal.
    for _ in 0..2 {
        dehydrated(&dir, &["--cron", "--force", "--domain", NAME]);
        let said = server.stderr.text();
        let before = std::mem::replace(&mut validations, said.matches(&validated).count());
        assert!(validations > before, "{said}");
        assert!(!said.contains("fatal") && !said.contains(RUNS), "{said}");
    }
    let client = visit(&server, &["-key", &key, "-cert", &certificate]);
    assert!(was_shown(&client, &chain), "{}", client.out());
    server.wait_err(RUNS);
}

#[test]
fn uacme_gets_a_certificate_by_the_hook_of_the_page() {
    if !need(&[
        "pebble",
        "pebble-challtestsrv",
        "uacme",
        "unshare",
        "openssl",
    ]) {
        return;
    }
    let dir = TempDir::new();
    let (live, home) = (dir.join("live"), dir.join("home"));
    fs::create_dir_all(live.join(DIRECTORY)).unwrap();
    fs::create_dir(live.join(NAME)).unwrap();
    let pair = [
        (home.join(format!("private/{NAME}/key.pem")), "privkey.pem"),
        (home.join(format!("{NAME}/cert.pem")), "fullchain.pem"),
    ];
    for (file, link) in &pair {
        symlink(file, live.join(NAME).join(link)).unwrap();
    }
    let server = command(&live, &[]).start();
    let authority = Authority::start(&dir, server.port());
    // uacme has no option for another CA of the server.
    let anchors = PathBuf::from(certs().path("ca.pem"));
    let Some(shell) = mounted(&[(&anchors, "/etc/ssl/certs/ca-certificates.crt")]) else {
        return;
    };
    let url = format!("https://localhost:{}/dir", authority.port);
    let hook = hook(&dir, &live);
    let uacme = |command: &[&str]| {
        let uacme = cmd(&shell).args(["uacme", "-y", "-o", "-t", "EC", "-a", &url, "-c"]);
        let uacme = uacme.arg(&home).arg("-h").arg(&hook).args(command);
        uacme.deadline(LIMIT).run().success()
    };
    uacme(&["new"]);
    uacme(&["issue", NAME]);
    let client = visit(&server, &[]).success();
    assert!(was_shown(&client, &pair[1].0), "{}", client.out());
    let left = fs::read_dir(live.join(DIRECTORY)).unwrap();
    assert_eq!(left.count(), 0, "the hook removes its files");
}
