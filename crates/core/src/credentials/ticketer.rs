//! Session tickets, sealed with the keys of TICKETKEYFILE (RFC 5077, RFC 8446
//! section 4.6.1). A client resumes with any process on any machine that has the
//! file.

use std::ffi::OsStr;
use std::fmt;
use std::time::Duration;

use cli::Fatal;
use pki::read;
use rustls::pki_types::UnixTime;

use crate::CONTEXT;
use crate::crypto::sealing::SealingKey;
use crate::files::error::{Failure, unreadable, unusable};
use crate::files::retry::{Files, Reader};

/// For how many seconds a ticket opens.
pub const LIFETIME: u32 = 12 * 60 * 60;

/// For how many seconds after a full handshake its session can be resumed, by however
/// many tickets in a row: RFC 8446 section 4.6.1 recommends such a limit.
const TOTAL_LIFETIME: u64 = 7 * 24 * 60 * 60;

/// By how many seconds the clocks of machines that share keys may differ.
const SKEW: u64 = 60;

/// The most keys in a file.
const MAX_KEYS: usize = 16;

/// The fewest bytes in a line.
const MIN_SECRET: usize = 32;

/// The keys of TICKETKEYFILE: the first seals, all open.
pub struct TicketKeys(Vec<SealingKey>);

/// What a ticket holds.
#[cfg_attr(any(test, feature = "fuzzing"), derive(Debug, Eq, PartialEq))]
pub struct Content {
    /// The session, as rustls encodes it.
    pub state: Vec<u8>,
    /// The time of the full handshake that the session comes from.
    pub authenticated: UnixTime,
}

/// Why a file of keys cannot be used.
#[derive(Debug, Eq, PartialEq)]
pub enum TicketKeyError {
    /// Its line, and what is wrong with it.
    Line(usize, &'static str),
    /// There is no key.
    NoKey,
    /// There are more than 16.
    TooMany,
}

impl TicketKeys {
    /// Reads the file at `path`. It holds secrets, so others than owner and group
    /// must not have access to it.
    pub fn load(files: &Files, path: &OsStr) -> Result<Self, Fatal> {
        files.load(|reader| Self::read(reader, path))
    }

    fn read(reader: &Reader<'_>, path: &OsStr) -> Result<Self, Failure> {
        let file = reader.open(path)?;
        if file.mode().bits() & 0o007 != 0 {
            let text = format!("{} is accessible by others", path.to_string_lossy());
            return Err(Fatal::new(CONTEXT, text).into());
        }
        let content = file.content().map_err(|errno| unreadable(path, errno))?;
        Self::parse(&content).map_err(|error| unusable(path, &error.to_string()).into())
    }

    /// A key that is in no file.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn for_tests() -> Self {
        Self(SealingKey::derive(b"secret").into_iter().collect())
    }

    /// One key for each line that is neither blank nor a comment.
    pub fn parse(content: &[u8]) -> Result<Self, TicketKeyError> {
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(content.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            if keys.len() == MAX_KEYS {
                return Err(TicketKeyError::TooMany);
            }
            keys.push(key(line).map_err(|why| TicketKeyError::Line(number, why))?);
        }
        if keys.is_empty() {
            return Err(TicketKeyError::NoKey);
        }
        Ok(Self(keys))
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// A ticket of this `content`, made at `now`, that opens for this `context`.
    pub fn seal(&self, context: &[u8], content: &Content, now: UnixTime) -> Option<Vec<u8>> {
        let [made, authenticated] =
            [now, content.authenticated].map(|time| time.as_secs().to_be_bytes());
        let plain = [&made[..], &authenticated, &content.state].concat();
        self.0.first()?.seal(context, &plain)
    }

    /// What a ticket holds, if one of the keys sealed it for this `context`, less than 12
    /// hours before `now` and less than 7 days after the full handshake.
    pub fn open(&self, context: &[u8], ticket: &[u8], now: UnixTime) -> Option<Content> {
        let plain = self.0.iter().find_map(|key| key.open(context, ticket))?;
        let (made, rest) = plain.split_first_chunk()?;
        let (authenticated, state) = rest.split_first_chunk()?;
        let [made, authenticated] = [*made, *authenticated].map(u64::from_be_bytes);
        let valid = |from: u64, seconds| {
            let (from, end) = (from.saturating_sub(SKEW), from.saturating_add(seconds));
            (from..end).contains(&now.as_secs())
        };
        let fresh = valid(made, LIFETIME.into()) && valid(authenticated, TOTAL_LIFETIME);
        fresh.then(|| Content {
            state: state.to_vec(),
            authenticated: UnixTime::since_unix_epoch(Duration::from_secs(authenticated)),
        })
    }
}

/// The key of one line: base64 of the secret.
fn key(line: &[u8]) -> Result<SealingKey, &'static str> {
    let in_pieces = line.iter().any(u8::is_ascii_whitespace);
    let secret = (read::secret(line).ok())
        .filter(|_| !in_pieces)
        .ok_or("not base64")?;
    if secret.len() < MIN_SECRET {
        return Err("fewer than 32 bytes");
    }
    SealingKey::derive(&secret).ok_or("unusable")
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketKeys({})", self.0.len())
    }
}

impl fmt::Display for TicketKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number, why) => write!(f, "line {number}: {why}"),
            Self::NoKey => f.write_str("no key"),
            Self::TooMany => write!(f, "more than {MAX_KEYS} keys"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn keys(text: &str) -> Result<TicketKeys, TicketKeyError> {
        TicketKeys::parse(text.as_bytes())
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn content(authenticated: u64) -> Content {
        Content {
            state: b"state".to_vec(),
            authenticated: at(authenticated),
        }
    }

    #[test]
    fn the_debug_form_shows_no_key() {
        let keys = keys(&format!("{OLD}\n{NEW}")).unwrap();
        assert_eq!(format!("{keys:?}"), "TicketKeys(2)");
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let before = keys(OLD).unwrap();
        let during = keys(&format!("# rotated\n\n{NEW}\r\n  {OLD}")).unwrap();
        let after = keys(NEW).unwrap();
        let old = before.seal(b"who", &content(0), at(0)).unwrap();
        let new = during.seal(b"who", &content(0), at(0)).unwrap();
        assert_eq!(during.open(b"who", &old, at(1)), Some(content(0)));
        assert_eq!(after.open(b"who", &new, at(1)), Some(content(0)));
        assert_eq!(after.open(b"who", &old, at(1)), None);
        assert_eq!(before.open(b"who", &new, at(1)), None);
    }

    /// Whether a ticket opens at `now` that was made at `made`, of a session that goes back
    /// to a full handshake at `authenticated`.
    fn opens(authenticated: u64, made: u64, now: u64) -> bool {
        let keys = keys(OLD).unwrap();
        let content = content(authenticated);
        let ticket = keys.seal(b"who", &content, at(made)).unwrap();
        let opened = keys.open(b"who", &ticket, at(now));
        assert!(opened.is_none() || opened == Some(content));
        opened.is_some()
    }

    #[test]
    fn a_ticket_opens_for_twelve_hours_and_not_before_it_was_made() {
        let made = 1_000_000;
        let opens = |now| opens(made, made, now);
        assert!(opens(made) && opens(made + 12 * 3600 - 1) && opens(made - 60));
        assert!(!opens(made + 12 * 3600) && !opens(made - 61) && !opens(0));
    }

    #[test]
    fn no_ticket_opens_seven_days_after_the_full_handshake() {
        let first = 1_000_000;
        let end = first + 7 * 24 * 3600;
        let opens = |made, now| opens(first, made, now);
        assert!(opens(end - 2, end - 1) && opens(end + 30, end - 1));
        assert!(!opens(end - 1, end) && !opens(end, end) && !opens(end, end + 1));
        // The clock of the machine that sealed it was wrong.
        assert!(!opens(first - 1, first - 61) && opens(first - 1, first - 60));
    }

    #[test]
    fn an_invalid_file_is_refused_with_the_line_at_fault() {
        let short = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
        for (text, error) in [
            (String::new(), "no key"),
            ("# none\n\n".into(), "no key"),
            (format!("{OLD}\n!"), "line 2: not base64"),
            (format!("\u{fc}\n{OLD}"), "line 1: not base64"),
            (format!("{OLD}\n{OLD}AAA"), "line 2: not base64"),
            (OLD.replace('=', " A"), "line 1: not base64"),
            (format!("{OLD}\n#\n{short}"), "line 3: fewer than 32 bytes"),
            (format!("{OLD}\n").repeat(17), "more than 16 keys"),
        ] {
            let found = keys(&text).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), Some(error), "{text:?}");
        }
        assert_eq!(keys(&format!("{OLD}\n").repeat(16)).unwrap().0.len(), 16);
    }
}
