//! A look at records before rustls sees them, in the handshake above all.
//!
//! Upstream (doc/upstream.md, Checks of the handshake): rustls accepts some records
//! that RFC 8446 forbids, and has other alerts for some. Each check here can go when
//! rustls makes it.

use rustls::{AlertDescription, Error};

use super::{MAX_DATA, MAX_RECORD};
use crate::explain::Violation;
use crate::hello::Hellos;
use crate::suites;

/// Content types (RFC 8446 section 5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// The first byte of a record's version.
const MAJOR_VERSION: u8 = 3;

/// The length of a record's header.
const HEADER: usize = 5;

/// What follows type and version of an unencrypted close_notify alert. rustls
/// ignores it as a warning; here it ends a handshake.
const PLAIN_CLOSE_NOTIFY: [u8; 4] = [0, 2, 1, 0];

/// What the bytes at the beginning of a record are.
enum Scanned {
    /// A record of this many bytes.
    Complete(usize),
    /// A part of a record, or no record, that rustls may see.
    Part,
    /// A part of a record that may still be refused.
    PartToHold,
    /// A record that is refused.
    Refused(Error),
}

/// Scans the records of a handshake in `incoming`. Returns how many bytes rustls
/// may see, and what is wrong with the record behind them: its type or version, an
/// unencrypted close_notify, a handshake record without content or with too much (RFC 8446
/// section 5.1), or a hello that violates the protocol.
///
/// `next` is where the first record begins that was not scanned yet or is
/// incomplete. rustls joins messages in place, so what is before `next` must not
/// be scanned again, and rustls must be shown all of it each time. A part of a
/// record that may still be refused is held back.
pub fn scan(incoming: &[u8], next: &mut usize, hellos: &mut Hellos) -> (usize, Option<Error>) {
    scan_each(incoming, next, |record| scan_record(record, hellos))
}

/// The same after the handshake, where only the headers of records can be wrong: rustls
/// has decode_error for that.
pub fn scan_headers(incoming: &[u8], next: &mut usize) -> (usize, Option<Error>) {
    scan_each(incoming, next, |record| scan_header(record, true))
}

fn scan_each(
    incoming: &[u8],
    next: &mut usize,
    mut scan: impl FnMut(&[u8]) -> Scanned,
) -> (usize, Option<Error>) {
    while let Some(record) = incoming.get(*next..) {
        match scan(record) {
            Scanned::Complete(length) => *next += length,
            Scanned::Part => break,
            Scanned::PartToHold => return (*next, None),
            Scanned::Refused(error) => return (*next, Some(error)),
        }
    }
    (incoming.len(), None)
}

fn scan_record(record: &[u8], hellos: &mut Hellos) -> Scanned {
    match (record, scan_header(record, hellos.have_begun())) {
        (_, refused @ Scanned::Refused(_)) => refused,
        ([ALERT, _, _, tail @ ..], _) if tail.starts_with(&PLAIN_CLOSE_NOTIFY) => {
            Scanned::Refused(Error::AlertReceived(AlertDescription::CloseNotify))
        }
        ([ALERT] | [ALERT, _] | [ALERT, _, _], _) => Scanned::PartToHold,
        ([ALERT, _, _, tail @ ..], _) if PLAIN_CLOSE_NOTIFY.starts_with(tail) => {
            Scanned::PartToHold
        }
        ([HANDSHAKE, _, _, high, low, rest @ ..], _) => {
            scan_handshake(rest, u16::from_be_bytes([*high, *low]).into(), hellos)
        }
        (_, scanned) => scanned,
    }
}

/// Scans the header of a record. `begun` if others came before it.
fn scan_header(record: &[u8], begun: bool) -> Scanned {
    match record {
        [typ, rest @ ..] if !is_record(*typ, rest) => {
            Scanned::Refused(no_record(*typ, begun).into())
        }
        [_, _, _, high, low, rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            // rustls does not take the longest record that TLS 1.2 allows.
            if length >= MAX_RECORD - HEADER {
                Scanned::Refused(Error::PeerSentOversizedRecord)
            } else if rest.len() < length {
                Scanned::Part
            } else {
                Scanned::Complete(HEADER + length)
            }
        }
        _ => Scanned::Part,
    }
}

/// Whether a record may begin so.
fn is_record(typ: u8, rest: &[u8]) -> bool {
    has_type(typ) && matches!(rest, [] | [MAJOR_VERSION, ..])
}

fn has_type(typ: u8) -> bool {
    (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&typ)
}

/// What is wrong with a record that is none. `begun` if others came before it.
fn no_record(typ: u8, begun: bool) -> Violation {
    match begun {
        false => Violation::NotTls,
        true if has_type(typ) => Violation::RecordVersion,
        true => Violation::ContentType,
    }
}

/// Scans a handshake record with this `content`, as far as it has arrived, and this
/// `length`.
fn scan_handshake(content: &[u8], length: usize, hellos: &mut Hellos) -> Scanned {
    match (length, content.get(..length)) {
        (0, _) => Scanned::Refused(suites::empty_handshake()),
        (length, _) if length > MAX_DATA => Scanned::Refused(Error::PeerSentOversizedRecord),
        (_, None) => Scanned::PartToHold,
        (length, Some(content)) => match hellos.received(content) {
            Ok(()) => Scanned::Complete(HEADER + length),
            Err(violation) => Scanned::Refused(violation.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Violation;

    const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];
    const CLOSE_NOTIFY: [u8; 7] = [21, 3, 3, 0, 2, 1, 0];
    const WARNING: [u8; 7] = [21, 3, 3, 0, 2, 1, 90];
    /// A record with an empty ServerHelloDone.
    const MESSAGE: [u8; 9] = [22, 3, 3, 0, 4, 14, 0, 0, 0];

    /// What a scan of `records` from the first byte on finds: how many bytes
    /// rustls may see, where the next record begins, and the error.
    fn found(records: &[&[u8]]) -> (usize, usize, Option<Error>) {
        let mut next = 0;
        let (shown, error) = scan(&records.concat(), &mut next, &mut Hellos::default());
        (shown, next, error)
    }

    #[test]
    fn complete_records_are_shown() {
        assert_eq!(found(&[]), (0, 0, None));
        let records: [&[u8]; 3] = [&MESSAGE, &CHANGE_CIPHER_SPEC, &WARNING];
        assert_eq!(found(&records), (22, 22, None));
    }

    #[test]
    fn close_notify_is_refused_and_its_parts_are_held_back() {
        for length in 1..CLOSE_NOTIFY.len() {
            let part = &CLOSE_NOTIFY[..length];
            assert_eq!(found(&[&MESSAGE, part]), (9, 9, None), "{length}");
        }
        let refused = Error::AlertReceived(AlertDescription::CloseNotify);
        assert_eq!(found(&[&MESSAGE, &CLOSE_NOTIFY]), (9, 9, Some(refused)));
    }

    #[test]
    fn handshake_record_of_wrong_size_is_refused_at_its_header() {
        let empty = [22, 3, 3, 0, 0];
        let refused = Some(suites::empty_handshake());
        assert_eq!(found(&[&MESSAGE, &empty]), (9, 9, refused));
        let too_long = [22, 3, 3, 0x40, 1];
        let refused = Some(Error::PeerSentOversizedRecord);
        assert_eq!(found(&[&MESSAGE, &too_long]), (9, 9, refused));
        let longest = [22, 3, 3, 0x40, 0];
        assert_eq!(found(&[&MESSAGE, &longest]), (9, 9, None));
    }

    #[test]
    fn part_of_a_handshake_record_is_held_back_and_of_others_shown() {
        assert_eq!(found(&[&MESSAGE, &MESSAGE[..8]]), (9, 9, None));
        assert_eq!(found(&[&MESSAGE, &CHANGE_CIPHER_SPEC[..5]]), (14, 9, None));
        let data = [23, 3, 3, 0, 9];
        assert_eq!(found(&[&MESSAGE, &data]), (14, 9, None));
    }

    #[test]
    fn bytes_that_begin_no_record_are_refused_at_once() {
        let refused = |records: &[&[u8]]| {
            let (shown, next, error) = found(records);
            assert_eq!(shown, next);
            (shown, error.as_ref().and_then(Violation::of))
        };
        for bytes in [&b"GET / HTTP/1.0"[..], &[19], &[24, 3, 3, 0, 1, 0], &[255]] {
            assert_eq!(refused(&[bytes]), (0, Some(Violation::NotTls)));
            let later = refused(&[&MESSAGE, bytes]);
            assert_eq!(later, (9, Some(Violation::ContentType)));
        }
        for bytes in [[22, 2], [22, 4], [23, b'x']] {
            assert_eq!(refused(&[&bytes]), (0, Some(Violation::NotTls)));
            let later = refused(&[&MESSAGE, &bytes]);
            assert_eq!(later, (9, Some(Violation::RecordVersion)));
        }
        for typ in 20..=23 {
            assert_eq!(found(&[&[typ]]).2, None);
            assert_eq!(found(&[&[typ, 3]]).2, None);
        }
    }

    #[test]
    fn hello_that_violates_the_protocol_is_refused_with_its_record() {
        // A ClientHello of SSL 3.0 with supported_versions.
        let mut hello = vec![3, 0];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0x13, 1, 1, 0, 0, 7, 0, 43, 0, 3, 2, 3, 4]);
        let message = [&[1, 0, 0, hello.len() as u8], &hello[..]].concat();
        let record = [&[22, 3, 1, 0, message.len() as u8], &message[..]].concat();
        let (shown, next, error) = found(&[&CHANGE_CIPHER_SPEC, &record, &MESSAGE]);
        let violation = error.as_ref().and_then(Violation::of);
        assert_eq!((shown, next), (6, 6));
        assert_eq!(violation, Some(Violation::LegacyVersion));
    }

    #[test]
    fn records_before_next_are_not_scanned_again() {
        let incoming = [&CLOSE_NOTIFY[..], &MESSAGE].concat();
        let mut next = CLOSE_NOTIFY.len();
        let found = scan(&incoming, &mut next, &mut Hellos::default());
        assert_eq!((found, next), ((16, None), 16));
    }
}
