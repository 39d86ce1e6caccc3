//! doc/examples/certbot: a renewal as certbot does it, while clients connect.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::Example;
use crate::util::{Running, certs, cmd, listens};

/// A directory like /etc/letsencrypt.
struct Certbot(PathBuf);

impl Certbot {
    /// Installs version `number` of the certificate for `name`, as certbot
    /// does: it writes the files, then removes and recreates each link.
    fn renew(&self, name: &str, number: u32, pair: &str) {
        let (archive, live) = (
            self.0.join("archive").join(name),
            self.0.join("live").join(name),
        );
        fs::create_dir_all(&archive).unwrap();
        fs::create_dir_all(&live).unwrap();
        let kinds = [
            ("cert", "pem"),
            ("privkey", "key"),
            ("chain", "pem"),
            ("fullchain", "pem"),
        ];
        for (kind, end) in kinds {
            let file = archive.join(format!("{kind}{number}.pem"));
            fs::copy(certs().path(&format!("{pair}.{end}")), file).unwrap();
        }
        for (kind, _) in kinds {
            let link = live.join(format!("{kind}.pem"));
            let _ = fs::remove_file(&link);
            symlink(format!("../../archive/{name}/{kind}{number}.pem"), link).unwrap();
        }
    }
}

/// A client that stays until its input ends, and prints the certificate that it
/// received.
fn client(port: u16) -> Running {
    cmd(["s6-tlsclient", "-h", "localhost", &port.to_string()])
        .args(["sh", "-c", "echo $SSL_PEER_CERT_HASH; exec s6-ioconnect"])
        .env("CAFILE", certs().path("ca.pem"))
        .input_pipe()
        .start()
}

#[test]
fn renewal_is_served_without_a_hook_and_refuses_nobody() {
    let Some(example) = Example::new("certbot", "", &["s6-envdir", "s6-ioconnect"]) else {
        return;
    };
    let certbot = Certbot(example.dir.join("letsencrypt"));
    certbot.renew("localhost", 1, "p256");
    let live = certbot.0.join("live");
    fs::set_permissions(&live, PermissionsExt::from_mode(0o700)).unwrap();
    example.set("SNIDIR", live.to_str().unwrap());
    // Only root may enter the test's directory, and the program runs as nobody.
    fs::set_permissions(example.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let server = example.start("./run");
    listens(example.port);

    let mut old = client(example.port);
    assert_eq!(old.out_line(0), format!("SHA256:{}", certs().hash("p256")));
    old.wait_out("This is localhost.\n");

    let over = AtomicBool::new(false);
    let visits = thread::scope(|scope| {
        let visitors: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| visit_until(&over, example.port)))
            .collect();
        for number in 2..40 {
            let pair = ["p256", "rsa"][number as usize % 2];
            certbot.renew("localhost", number, pair);
            thread::sleep(Duration::from_millis(170));
        }
        over.store(true, Ordering::Relaxed);
        let visits = visitors.into_iter().map(|one| one.join().ok());
        let visits = visits.sum::<Option<u32>>();
        visits.unwrap_or_else(|| panic!("{}", server.stdout.text()))
    });
    assert!(visits > 0);

    certbot.renew("localhost", 40, "rsa");
    let new = client(example.port);
    assert_eq!(new.out_line(0), format!("SHA256:{}", certs().hash("rsa")));
    old.write("still here\n");
    old.wait_out("still here\n");
}

/// Connects until `over`; returns the number of connections, all of them
/// served.
fn visit_until(over: &AtomicBool, port: u16) -> u32 {
    let mut visits = 0;
    while !over.load(Ordering::Relaxed) {
        let output = cmd(["s6-tlsclient", "-h", "localhost", &port.to_string()])
            .args(["sh", "-c", "read line <&6; echo \"$line\""])
            .env("CAFILE", certs().path("ca.pem"))
            .run()
            .success();
        assert_eq!(output.out(), "This is localhost.\n");
        visits += 1;
    }
    visits
}
