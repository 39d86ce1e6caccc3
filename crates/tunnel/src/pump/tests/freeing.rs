//! What a connection keeps in memory while nothing moves.
#![cfg(target_os = "linux")]

use rustls::ContentType;
use rustls::version::TLS13;

use super::attacker::*;
use super::*;
use crate::pump::Pump;

const SECRET: &[u8] = b"a secret of the program";

/// Whether the memory of a buffer holds the secret.
fn keeps_secret(pump: &mut Pump) -> bool {
    let buffers = &mut pump.buffers;
    let all = [
        &mut pump.scratch,
        &mut buffers.incoming,
        &mut buffers.plain,
        &mut buffers.outgoing,
    ];
    all.into_iter().any(|buffer| {
        assert!(buffer.is_empty());
        let mut windows = buffer.space().windows(SECRET.len());
        windows.any(|window| window == SECRET)
    })
}

#[test]
#[cfg_attr(miri, ignore = "miri has no madvise")]
fn cleartext_is_in_no_buffer_a_second_after_it_has_moved() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    for round in 0..6 {
        if round % 2 == 0 {
            attack.send(&keys.seal(ContentType::ApplicationData, SECRET));
        } else {
            attack.engine.pipe(End::AppIn).bytes.extend(SECRET);
            attack.send(&[]);
        }
        assert!(keeps_secret(&mut attack.engine.pump), "nothing to free");
        attack.now += QUIET;
        attack.send(&[]);
        assert!(!keeps_secret(&mut attack.engine.pump), "{round}");
        assert_eq!(attack.engine.idles, round + 1);
    }
}
