//! A look at the records of a handshake before rustls sees them, for what it
//! would let pass.

use rustls::{AlertDescription, Error};

use crate::hello::Hellos;
use crate::session::MAX_DATA;
use crate::suites;

/// A close_notify alert that nothing protects, behind its version. rustls passes over it as over
/// any other warning; here it ends a handshake.
const PLAIN_CLOSE_NOTIFY: [u8; 4] = [0, 2, 1, 0];

/// How many bytes of `incoming` may be processed, and what is wrong with the
/// record behind them: a close_notify alert that nothing protects, a handshake
/// record without content or with too much (RFC 8446 section 5.1), or one with a
/// hello that violates the protocol.
///
/// `next` is where the first record begins that was not looked at before, or was
/// not complete. What lies in front of it must not be looked at again, for rustls
/// joins messages there in place; nor may fewer bytes be shown to it than before,
/// so the beginning of what may become that alert or record is held back.
pub fn until_refused(
    incoming: &[u8],
    next: &mut usize,
    hellos: &mut Hellos,
) -> (usize, Option<Error>) {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    while let Some(record) = incoming.get(*next..) {
        match record {
            [ALERT, 3, _, tail @ ..] if tail.starts_with(&PLAIN_CLOSE_NOTIFY) => {
                let close_notify = AlertDescription::CloseNotify;
                return (*next, Some(Error::AlertReceived(close_notify)));
            }
            [ALERT] | [ALERT, _] | [ALERT, _, _] => return (*next, None),
            [ALERT, 3, _, tail @ ..] if PLAIN_CLOSE_NOTIFY.starts_with(tail) => {
                return (*next, None);
            }
            [HANDSHAKE, 3, _, 0, 0, ..] => return (*next, Some(suites::empty_handshake())),
            [kind, 3, _, high, low, rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let handshake = *kind == HANDSHAKE;
                if handshake && length > MAX_DATA {
                    return (*next, Some(Error::PeerSentOversizedRecord));
                }
                match rest.get(..length) {
                    Some(content) if handshake => {
                        if let Err(violation) = hellos.received(content) {
                            return (*next, Some(violation.into()));
                        }
                    }
                    Some(_) => {}
                    None if handshake => return (*next, None),
                    None => break,
                }
                *next += 5 + length;
            }
            _ => break,
        }
    }
    (incoming.len(), None)
}
