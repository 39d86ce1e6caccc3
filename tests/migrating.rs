//! The command lines of doc/migrating.md, run with addresses and ports of the
//! test: the foreign program and ours do the same.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::util::{
    Cmd, Ended, Running, TempDir, certs, cmd, find_in, free_port, listens, need, path,
};

/// A command of the page: the suite it belongs to, what it is, its lines.
struct Line {
    suite: String,
    kind: String,
    command: String,
}

/// All commands of the page's blocks.
fn lines() -> Vec<Line> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/migrating.md");
    let page = fs::read_to_string(page).unwrap();
    let mut found: Vec<Line> = Vec::new();
    for block in page.split("```sh ").skip(1) {
        let (kind, rest) = block.split_once('\n').unwrap();
        let (block, _) = rest.split_once("```").unwrap();
        for text in block.lines() {
            match (text.strip_prefix("# "), found.last_mut()) {
                (Some(suite), _) => found.push(Line {
                    suite: suite.to_owned(),
                    kind: kind.to_owned(),
                    command: String::new(),
                }),
                (None, Some(line)) => line.command += &format!("{text}\n"),
                (None, None) => panic!("{text:?} belongs to nobody"),
            }
        }
    }
    found
}

/// Two ports and a directory for a command: the TLS one and the cleartext one.
struct Place {
    dir: TempDir,
    tls: u16,
    clear: u16,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new();
        // Enough HTTP for web clients.
        dir.program(
            "prog",
            "#!/bin/sh\nprintf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello\\n'\n",
        );
        for (from, to) in [
            ("p256.key", "key.pem"),
            ("p256.pem", "chain.pem"),
            ("ca.pem", "ca.pem"),
            ("rsa.key", "live/localhost/privkey.pem"),
            ("rsa.pem", "live/localhost/fullchain.pem"),
        ] {
            dir.file(to, certs().read(from));
        }
        // Everybody may connect, by both kinds of rules.
        dir.file("rules/ip4/0.0.0.0_0/allow", "");
        let compile = cmd(["tcprules", "rules.cdb", "temporary"]).cwd(dir.path());
        compile.input(":allow\n").run().success();
        // Debian's name of the program.
        let stunnel = find_in("stunnel4", &path()).unwrap_or_default();
        let script = format!("#!/bin/sh\nexec {} \"$@\"\n", stunnel.display());
        dir.program("bin/stunnel", script);
        Self {
            dir,
            tls: free_port(),
            clear: free_port(),
        }
    }

    /// The page's command, with the test's ports.
    fn command(&self, line: &Line) -> Cmd {
        let command = line
            .command
            .replace("0.0.0.0", "127.0.0.1")
            .replace("443", &self.tls.to_string())
            .replace("8080", &self.clear.to_string())
            // Ours ask DNS alone, unless they are told to look into /etc/hosts.
            .replace("s6-tlsclient ", "s6-tlsclient -h ")
            .replace("example.org", "localhost");
        let command = if nix::unistd::geteuid().is_root() {
            command
        } else {
            // Only root can become another user.
            command
                .replace("--user=nobody", "")
                .replace("user = \"nobody\"\n", "")
        };
        cmd(["sh", "-c", &command])
            .path_first(&self.dir.join("bin"))
            .cwd(self.dir.path())
    }

    fn serve(&self, line: &Line, port: u16) -> Running {
        let running = self.command(line).start();
        listens(port);
        running
    }

    /// Our server of `prog` on the TLS port, for a client of this suite: an
    /// end of ours without close_notify is an error to it.
    fn ours(&self, suite: &str) -> Running {
        let options = if suite == "s6-tls" { "-SJH" } else { "-SH" };
        let server = cmd(["s6-tlsserver", options, "127.0.0.1"])
            .args([self.tls.to_string().as_str(), "./prog"])
            .cwd(self.dir.path())
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .start();
        listens(self.tls);
        server
    }

    /// The data that a client of the TLS port reads, with these options.
    fn visit(&self, options: &[&str]) -> String {
        cmd(["s6-tlsclient", "-h"])
            .args(options)
            .args(["localhost", &self.tls.to_string()])
            .args(["sh", "-c", "cat <&6"])
            .env("CAFILE", certs().path("ca.pem"))
            .env("KEYFILE", certs().path("client.key"))
            .env("CERTFILE", certs().path("client.pem"))
            .run()
            .out()
    }
}

/// The output of `prog`.
const HELLO: &str = "HTTP/1.0 200 OK\r\n\r\nhello\n";

/// Foreign clients of the TLS port, and what each receives.
fn visitors(place: &Place) -> [(&'static str, Cmd, &'static str); 4] {
    let ca = place.dir.join("ca.pem").to_str().unwrap().to_owned();
    let port = place.tls.to_string();
    let url = format!("https://localhost:{port}/");
    [
        (
            "wget",
            cmd([
                "wget",
                "-q",
                "-O-",
                "--tries=1",
                "--ca-certificate",
                &ca,
                &url,
            ]),
            "hello\n",
        ),
        (
            "curl",
            cmd(["curl", "-sS", "--cacert", &ca, &url]),
            "hello\n",
        ),
        (
            "ncat",
            cmd(["ncat", "--ssl-verify", "--ssl-trustfile", &ca, "localhost"]).arg(&port),
            HELLO,
        ),
        (
            "openssl",
            cmd(["openssl", "s_client", "-quiet", "-CAfile", &ca, "-connect"])
                .arg(format!("localhost:{port}")),
            HELLO,
        ),
    ]
}

/// Each receives everything, and an end that it accepts.
fn visited_in_order(place: &Place, what: &str) {
    for (name, client, expected) in visitors(place) {
        if !need(&[name]) {
            continue;
        }
        let output = client.run();
        let said = output.err();
        assert_eq!(output.ended, Ended::Exited(0), "{name}: {said}: {what}");
        assert_eq!(output.out(), expected, "{name}: {what}");
        assert!(!said.contains("unexpected eof"), "{name}: {said}: {what}");
    }
}

/// Ends the server, and fails if it says anything.
fn ended_in_order(server: Running, what: &str) {
    server.signal(Signal::SIGTERM);
    assert_eq!(server.finish().success().err(), "", "{what}");
}

#[test]
fn each_line_for_coming_from_elsewhere_works() {
    if !need(&[
        "ncat",
        "socat",
        "stunnel4",
        "hitch",
        "s6-ioconnect",
        "tcpserver",
    ]) {
        return;
    }
    let lines = lines();
    let ours = lines.iter().filter(|line| line.suite == "s6-tls").count();
    assert_eq!((lines.len(), ours), (31, 16));
    for line in lines {
        let place = Place::new();
        let what = format!("{}: {}", line.suite, line.command);
        match line.kind.as_str() {
            "server" => {
                let _server = place.serve(&line, place.tls);
                assert_eq!(place.visit(&[]), HELLO, "{what}");
                if line.suite == "s6-tls" {
                    visited_in_order(&place, &what);
                }
            }
            "tcp-server" => {
                let _server = place.serve(&line, place.clear);
                let client = cmd(["s6-tcpclient", "-H", "127.0.0.1", &place.clear.to_string()]);
                let output = client.args(["sh", "-c", "cat <&6"]).run();
                assert_eq!(output.out(), HELLO, "{what}");
            }
            "server-with-client-certificates" => {
                let _server = place.serve(&line, place.tls);
                assert_eq!(place.visit(&["-y"]), HELLO, "{what}");
                assert_eq!(place.visit(&[]), "", "{what}");
            }
            "client" => {
                let server = place.ours(&line.suite);
                let output = place.command(&line).run();
                assert_eq!(output.out(), HELLO, "{what}{}", output.err());
                ended_in_order(server, &what);
            }
            "forward-in" | "forward-in-with-client-certificates" | "forward-in-by-name" => {
                let _backend = cmd(["s6-tcpserver", "127.0.0.1", &place.clear.to_string()])
                    .arg(place.dir.join("prog"))
                    .start();
                listens(place.clear);
                let _front = place.serve(&line, place.tls);
                let (served, refused) = match line.kind.as_str() {
                    "forward-in" => (&[&[][..]][..], None),
                    "forward-in-by-name" => (
                        &[&[][..], &["-k", "localhost", "--no-verify-cert"]][..],
                        Some(&["-k", "other.example", "--no-verify-cert"][..]),
                    ),
                    _ => (&[&["-y"][..]][..], Some(&[][..])),
                };
                for options in served {
                    assert_eq!(place.visit(options), HELLO, "{what}");
                }
                if let Some(options) = refused {
                    assert_eq!(place.visit(options), "", "{what}");
                } else if line.suite == "s6-tls" {
                    visited_in_order(&place, &what);
                }
            }
            "forward-out" => {
                let server = place.ours(&line.suite);
                let _front = place.serve(&line, place.clear);
                let output = cmd(["s6-tcpclient", "-H", "127.0.0.1", &place.clear.to_string()])
                    .args(["sh", "-c", "cat <&6"])
                    .run();
                assert_eq!(output.out(), HELLO, "{what}");
                ended_in_order(server, &what);
            }
            other => panic!("{other}: {what}"),
        }
    }
}

/// As the page says, foreign servers discard their answer after an end without
/// close_notify.
#[test]
fn our_clients_may_end_first_and_get_the_whole_answer() {
    if !need(&["socat", "stunnel4", "s6-ioconnect", "tcprules"]) {
        return;
    }
    let lines = lines();
    let is_client = |line: &&Line| line.suite == "s6-tls" && line.kind == "client";
    for server in lines.iter().filter(|line| line.kind == "server") {
        if !["socat", "stunnel"].contains(&server.suite.as_str()) {
            continue;
        }
        for client in lines.iter().filter(is_client) {
            let place = Place::new();
            place.dir.program(
                "prog",
                "#!/bin/sh\ncat >seen; sleep 0.2; cat seen; echo end\n",
            );
            // socat gives a program half a second after the client's end.
            let server = Line {
                command: server.command.replace("socat ", "socat -t60 "),
                suite: server.suite.clone(),
                kind: server.kind.clone(),
            };
            let _server = place.serve(&server, place.tls);
            let output = place.command(client).input("one\ntwo\n").run();
            let what = format!("{}: {}", server.suite, client.command);
            assert_eq!(output.out(), "one\ntwo\nend\n", "{what}");
        }
    }
}
