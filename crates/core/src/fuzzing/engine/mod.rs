//! A whole connection of an engine with a hostile peer that speaks TLS.

mod edits;
mod fixed;
mod own;
mod peer;
mod script;
mod world;

use std::sync::OnceLock;

use pki::read;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use self::edits::Edits;
use self::script::Script;
use crate::crypto;

/// A private key and its self-signed certificate for localhost. Its signatures are deterministic.
const PAIR: &[u8] = include_bytes!("../../testdata/ed25519.pem");

/// Another one.
const FOREIGN: &[u8] = include_bytes!("../../testdata/foreign.pem");

/// The data of the peer, each a record.
const DATA: [&[u8]; 3] = [b"first", b"second", b"the third"];

/// What the program sends: more than one record at `--max-record=512`.
const ANSWER: [u8; 700] = [b'x'; 700];

/// More than any connection moves.
const PLENTY: usize = 1 << 30;

/// Two bytes of options, the size of pieces, the length of bytes that follow the peer's
/// certificate and these, and changes to the peer's records. For every input:
///
/// - the connection ends, with an exit code that blames the peer;
/// - nothing depends on how the bytes of the peer are split;
/// - a handshake with a changed message, or with a close_notify in it, is never completed;
/// - a peer with a foreign certificate is refused, unless any is accepted;
/// - the program gets only data that the peer has sent, and the peer the program's, in records
///   no longer than `--max-record`;
/// - both ends have the same channel binding;
/// - message, log line and notification are well-formed.
pub fn engine(input: &[u8]) -> bool {
    let [options, more, size, length, rest @ ..] = input else {
        return false;
    };
    let (appended, rest) = rest.split_at(usize::from(*length).min(rest.len()));
    let script = Script {
        options: u16::from_be_bytes([*options, *more]),
        appended,
        edits: Edits::parse(rest),
    };
    let whole = script.run(PLENTY);
    let pieces = script.run(usize::from(*size).max(1));
    assert_eq!(whole.summary(), pieces.summary(), "in pieces of {size}");
    assert!(whole == pieces, "in pieces of {size}: {}", whole.text);
    whole.established
}

/// Key and certificate of the engine.
fn pair() -> CertifiedKey {
    static READ: OnceLock<CertifiedKey> = OnceLock::new();
    READ.get_or_init(|| read_pair(PAIR)).clone()
}

/// Key and certificate of a peer that has not the engine's.
fn foreign_pair() -> CertifiedKey {
    static READ: OnceLock<CertifiedKey> = OnceLock::new();
    READ.get_or_init(|| read_pair(FOREIGN)).clone()
}

fn read_pair(file: &[u8]) -> CertifiedKey {
    let key = read::private_key(file).unwrap();
    let chain = read::certificates(file).unwrap();
    CertifiedKey::new(chain, crypto::signing_key(&key).unwrap())
}

/// Key and certificate of the peer, and after that certificate one that is only these bytes.
fn chain(foreign: bool, appended: &[u8]) -> CertifiedKey {
    let mut pair = if foreign { foreign_pair() } else { pair() };
    if !appended.is_empty() {
        pair.cert.push(CertificateDer::from(appended).into_owned());
    }
    pair
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine() {
        inputs::run("engine", 700, super::engine);
    }

    #[test]
    fn handshake_without_changes_is_completed_with_all_options() {
        for options in (0..=u16::MAX).step_by(229) {
            let script = Script {
                options,
                appended: if options & 1 << 3 == 0 { b"x" } else { b"" },
                edits: Edits::default(),
            };
            let seen = script.run(PLENTY);
            let accepted = !(script.foreign() && script.verifies());
            assert_eq!(seen.established, accepted, "{options:#b}: {}", seen.text);
            if !accepted {
                continue;
            }
            assert_eq!(seen.resumed, script.resumes(), "{options:#b}");
            assert_eq!(seen.received, DATA.concat(), "{options:#b}: {}", seen.text);
            let impolite = script.bit(7) && !script.bit(9);
            assert_eq!(seen.code, if impolite { 98 } else { 0 }, "{options:#b}");
        }
    }

    #[test]
    fn handshake_with_a_close_notify_before_the_first_encrypted_message_fails() {
        for options in (0..=u16::MAX).step_by(229) {
            let script = Script {
                options,
                appended: b"",
                edits: Edits::parse(&[128, 8, 0, 0, 3, 21, 1, 0]),
            };
            let seen = script.run(PLENTY);
            assert!(!seen.established, "{options:#b}");
            let accepted = !(script.foreign() && script.verifies());
            let alert = seen.text.ends_with("remote sent alert close_notify");
            assert!(alert || !accepted, "{options:#b}: {}", seen.text);
        }
    }
}
