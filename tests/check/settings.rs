//! What the check prints of options.

use super::fact;
use crate::util::{certs, cmd};

#[test]
fn the_limits_of_a_server_are_described() {
    for (options, expected) in [
        (&[][..], ["40", "40", "none", "none", "none"]),
        (
            &[
                "-c9",
                "-C5",
                "--rate=010/60",
                "--ipv6-prefix=56",
                "--drain=30",
            ],
            ["9", "5", "10/60", "56", "30 s"],
        ),
    ] {
        let output = cmd(["s6-tlsserver", "--check", "-H"])
            .args(options)
            .args(["127.0.0.1", "0", "true"])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .run()
            .success();
        let keys = [
            "connections",
            "connections-per-address",
            "rate",
            "ipv6-prefix",
            "drain",
        ];
        assert_eq!(keys.map(|key| fact(&output, key)), expected);
    }
}
