//! The time of day after 2038, on systems whose C library has 32 bits for it.

use crate::util::tls::{HELLO, connect, tlsc, tlsd};
use crate::util::{Cmd, certs, cmd, need, skip};

/// The start of 2040, as clock_gettime64 writes it (little-endian).
const IN_2040: &str = "807eaa83000000000000000000000000";

/// The command, in 2040. Only clock_gettime64 of a 32-bit architecture can be changed: other
/// processes read the time without a system call.
fn in_2040(command: [&str; 3]) -> Cmd {
    let inject = format!("inject=clock_gettime64:poke_exit=@arg2={IN_2040}");
    cmd(["strace", "-f", "-o", "/dev/null", "-e"])
        .arg(inject)
        .args(command)
}

#[test]
fn certificate_that_expires_before_2040_is_expired_in_2040() {
    if !cfg!(all(
        target_pointer_width = "32",
        target_endian = "little",
        target_os = "linux"
    )) {
        skip("time has 64 bits here");
        return;
    }
    if !need(&["strace"]) {
        return;
    }
    let client = in_2040(["s6-tlsc", "-v0", "true"]).env("CAFILE", certs().path("ca.pem"));
    let (_, client) = connect(tlsd(&[], "p256", "cat"), client);
    let refused = "handshake failed: certificate of remote refused: expired";
    client.fatal(98, &format!("s6-tlsc-io: fatal: {refused}"));

    let server = in_2040(["s6-tlsd", "-y", "true"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("CAFILE", certs().path("ca.pem"));
    let client = tlsc(&["-y"], HELLO)
        .env("KEYFILE", certs().path("client.key"))
        .env("CERTFILE", certs().path("client.pem"));
    let (server, _) = connect(server, client);
    server.fatal(98, &format!("s6-tlsd-io: fatal: {refused}"));
}
