//! The example of SMTP with STARTTLS, and a client that sends mail.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use super::Example;
use crate::util::{Ended, certs, cmd, listens};

/// A Maildir of `example` that its smtpd may write to.
fn maildir(example: &Example) -> PathBuf {
    let maildir = example.dir.join("mail");
    fs::create_dir(&maildir).unwrap();
    std::os::unix::fs::chown(&maildir, Some(8), Some(8)).unwrap();
    example.set("MAILDIR", maildir.to_str().unwrap());
    maildir
}

fn only_mail(maildir: &Path) -> String {
    let mut mails = fs::read_dir(maildir.join("new")).unwrap();
    let mail = mails.next().unwrap().unwrap().path();
    assert!(mails.next().is_none());
    fs::read_to_string(mail).unwrap()
}

#[test]
fn mail_comes_in_over_starttls() {
    let Some(example) = Example::new("smtp-starttls", "", &["python3", "swaks", "s6-envdir"])
    else {
        return;
    };
    let maildir = maildir(&example);
    let _server = example.start("./run");
    let output = cmd(["swaks", "--tls", "--tls-verify", "--tls-sni", "localhost"])
        .args(["--tls-ca-path", &certs().path("ca.pem")])
        .args(["--server", "127.0.0.1", "--port", &example.port.to_string()])
        .args(["--to", "you@example.org", "--from", "me@example.org"])
        .args(["--body", "It came in safely."])
        .run()
        .success()
        .out();
    assert!(output.contains("=== TLS started"), "{output}");
    let mail = only_mail(&maildir);
    assert!(mail.contains("\nIt came in safely.\n"), "{mail}");
}

#[test]
fn a_lost_connection_is_one_line_in_the_log() {
    let Some(example) = Example::new("smtp-starttls", "", &["python3", "s6-envdir"]) else {
        return;
    };
    maildir(&example);
    let server = example.start("./run");
    let mut client = TcpStream::connect(("127.0.0.1", example.port)).unwrap();
    client.read_exact(&mut [0; 3]).unwrap();
    crate::log_line::reset(&mut client);
    server.wait_out("smtpd: connection lost: ");
    assert!(!server.stdout.text().contains("Traceback"));
}

#[test]
fn mail_that_cannot_be_stored_is_refused() {
    let Some(example) = Example::new("smtp-starttls", "", &["python3", "swaks", "s6-envdir"])
    else {
        return;
    };
    // As after `mkdir` by root.
    let maildir = maildir(&example);
    std::os::unix::fs::chown(&maildir, Some(0), Some(0)).unwrap();
    let server = example.start("./run");
    let refused = cmd(["swaks", "--tls", "--server", "127.0.0.1", "--port"])
        .args([&example.port.to_string(), "--to", "you@example.org"])
        .run();
    assert!(refused.out().contains("451 not taken"), "{}", refused.out());
    assert_ne!(refused.ended, Ended::Exited(0));
    server.wait_out("smtpd: unable to deliver: ");
}

#[test]
fn a_mail_client_runs_a_command_instead_of_connecting() {
    let peers = ["python3", "swaks", "s6-ioconnect", "s6-envdir"];
    let Some(example) = Example::new("smtp-starttls", "", &peers) else {
        return;
    };
    let maildir = maildir(&example);
    let _server = cmd(["s6-tlsserver", "-SH", "-u8", "-g8", "-G", "", "127.0.0.1"])
        .args([example.port.to_string().as_str(), "./smtpd"])
        .arg(&maildir)
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .cwd(&example.home)
        .start();
    listens(example.port);
    let pipe = format!("s6-tlsclient -h localhost {} s6-ioconnect", example.port);
    cmd(["swaks", "--pipe", &pipe, "--to", "you@example.org"])
        .args(["--from", "me@example.org", "--body", "It went out safely."])
        .env("CAFILE", certs().path("ca.pem"))
        .run()
        .success();
    assert!(only_mail(&maildir).contains("\nIt went out safely.\n"));
}
