//! Rules in a constant database (cdb), as s6-accessrules-cdb-from-fs writes
//! it. Every offset in the file is checked before it is used.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use nix::fcntl::OFlag;
use unix::errno;

use super::rule::{Allowed, Defect, Variables, Verdict};

/// The length of the header: 256 pairs of an offset and a number of slots.
const HEADER: usize = 2048;
/// The maximum length of the environment, and of the script.
const MAX_PART: usize = 4096;
/// The maximum length of a record: `A`, two lengths, environment and script.
const MAX_DATA: usize = 5 + 2 * MAX_PART;

/// An open database.
pub struct Database {
    file: File,
    size: u64,
    header: Vec<u8>,
}

impl Database {
    /// Opens the file at `path`. A pipe is an error: opening it does not wait for a writer.
    pub fn open(path: &OsStr) -> Result<Self, Defect> {
        let system = |error: std::io::Error| Defect::System(errno::of(&error));
        let mut options = File::options();
        let options = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
        Self::new(options.open(path).map_err(system)?)
    }

    /// Uses `file` if all its hash tables lie within it.
    pub fn new(file: File) -> Result<Self, Defect> {
        let system = |error: std::io::Error| Defect::System(errno::of(&error));
        let size = file.metadata().map_err(system)?.len();
        let mut database = Self {
            file,
            size,
            header: Vec::new(),
        };
        database.header = database.bytes(0, HEADER)?;
        for table in 0..=255 {
            let (offset, slots) = database.table(table)?;
            let end = u64::from(offset) + u64::from(slots) * 8;
            if slots != 0 && end > size {
                return Err(CUT_SHORT);
            }
        }
        Ok(database)
    }

    /// What the rule with this key says.
    pub fn rule(&self, key: &[u8]) -> Result<Verdict, Defect> {
        match self.find(key)? {
            Some(data) => parse(&data),
            None => Ok(Verdict::None),
        }
    }

    /// The data of the first record with this key.
    fn find(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Defect> {
        let hash = hash(key);
        let (offset, slots) = self.table(hash as u8)?;
        if slots == 0 {
            return Ok(None);
        }
        let first = (hash >> 8) % slots;
        for i in 0..slots {
            let slot = (u64::from(first) + u64::from(i)) % u64::from(slots);
            let (found, record) = self.pair(u64::from(offset) + slot * 8)?;
            if record == 0 {
                return Ok(None);
            }
            if found != hash {
                continue;
            }
            let record = u64::from(record);
            let (key_len, data_len) = self.pair(record)?;
            if key_len as usize != key.len() || self.bytes(record + 8, key.len())? != key {
                continue;
            }
            let data_len = data_len as usize;
            if data_len > MAX_DATA {
                return Err(Defect::Malformed("record too long"));
            }
            return self
                .bytes(record + 8 + u64::from(key_len), data_len)
                .map(Some);
        }
        Ok(None)
    }

    /// The offset of a hash table, and its number of slots.
    fn table(&self, number: u8) -> Result<(u32, u32), Defect> {
        let at = usize::from(number) * 8;
        let pair = self.header.get(at..at + 8).ok_or(CUT_SHORT)?;
        Ok(numbers(pair))
    }

    fn pair(&self, offset: u64) -> Result<(u32, u32), Defect> {
        Ok(numbers(&self.bytes(offset, 8)?))
    }

    fn bytes(&self, offset: u64, len: usize) -> Result<Vec<u8>, Defect> {
        let end = offset.checked_add(len as u64).ok_or(CUT_SHORT)?;
        if end > self.size {
            return Err(CUT_SHORT);
        }
        let mut bytes = vec![0; len];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|_| CUT_SHORT)?;
        Ok(bytes)
    }
}

const CUT_SHORT: Defect = Defect::Malformed("malformed database: cut short");

/// Two little-endian numbers.
fn numbers(bytes: &[u8]) -> (u32, u32) {
    let number = |at: usize| {
        let part = bytes.iter().skip(at).take(4);
        part.rev()
            .fold(0, |number, byte| number << 8 | u32::from(*byte))
    };
    (number(0), number(4))
}

fn hash(key: &[u8]) -> u32 {
    key.iter().fold(5381, |hash: u32, byte| {
        hash.wrapping_mul(33) ^ u32::from(*byte)
    })
}

/// Reads the data of a record.
pub fn parse(data: &[u8]) -> Result<Verdict, Defect> {
    match data {
        [] => Err(Defect::Malformed("malformed record: empty")),
        [b'D', ..] => Ok(Verdict::Deny),
        [b'A', rest @ ..] => {
            let (env, rest) = part(rest)?;
            let (exec, rest) = part(rest)?;
            if !rest.is_empty() || exec.contains(&0) {
                return Err(BAD_RECORD);
            }
            Ok(Verdict::Allow(Allowed {
                env: variables(env)?,
                exec: exec.to_vec(),
            }))
        }
        _ => Ok(Verdict::None),
    }
}

const BAD_RECORD: Defect = Defect::Malformed("malformed record");

/// The part that follows its length at the start of `data`, and the rest.
fn part(data: &[u8]) -> Result<(&[u8], &[u8]), Defect> {
    let (length, rest) = data.split_first_chunk().ok_or(BAD_RECORD)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length > MAX_PART {
        return Err(BAD_RECORD);
    }
    rest.split_at_checked(length).ok_or(BAD_RECORD)
}

/// Reads strings that each end with NUL: `NAME=value` or `NAME`.
fn variables(env: &[u8]) -> Result<Variables, Defect> {
    let Some(strings) = env.strip_suffix(b"\0") else {
        return if env.is_empty() {
            Ok(Vec::new())
        } else {
            Err(BAD_RECORD)
        };
    };
    let variables = strings.split(|byte| *byte == 0).map(|string| {
        match string.iter().position(|byte| *byte == b'=') {
            Some(at) => (string[..at].to_vec(), Some(string[at + 1..].to_vec())),
            None => (string.to_vec(), None),
        }
    });
    Ok(variables.filter(|(name, _)| !name.is_empty()).collect())
}

/// A database with these records.
#[cfg(any(test, feature = "fuzzing"))]
pub fn database(records: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut tables: Vec<Vec<(u32, u32)>> = vec![Vec::new(); 256];
    for (key, data) in records {
        let offset = (HEADER + body.len()) as u32;
        tables[usize::from(hash(key) as u8)].push((hash(key), offset));
        body.extend((key.len() as u32).to_le_bytes());
        body.extend((data.len() as u32).to_le_bytes());
        body.extend_from_slice(key);
        body.extend_from_slice(data);
    }
    let mut header = Vec::new();
    for table in tables {
        let slots = table.len() as u32 * 2;
        header.extend(((HEADER + body.len()) as u32).to_le_bytes());
        header.extend(slots.to_le_bytes());
        let mut filled = vec![(0, 0); slots as usize];
        for (hash, record) in table {
            let mut at = (hash >> 8) % slots;
            while filled[at as usize].1 != 0 {
                at = (at + 1) % slots;
            }
            filled[at as usize] = (hash, record);
        }
        for (hash, record) in filled {
            body.extend(hash.to_le_bytes());
            body.extend(record.to_le_bytes());
        }
    }
    [header, body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(bytes: &[u8], name: &str, run: impl FnOnce(Result<Database, Defect>) -> T) -> T {
        let path = std::env::temp_dir().join(format!("s6-tls-cdb-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let result = run(Database::open(path.as_os_str()));
        std::fs::remove_file(&path).unwrap();
        result
    }

    const ALLOW: &[u8] = b"A\0\x08A=1\0B\0C\0\0\x02hi";

    #[test]
    fn record_that_is_longer_than_any_rule_is_malformed() {
        let [longest, longer] = [8197, 8198].map(|len| vec![b'x'; len]);
        let bytes = database(&[(b"longest", &longest), (b"longer", &longer)]);
        with(&bytes, "long", |database| {
            let database = database.unwrap();
            assert_eq!(database.rule(b"longest"), Ok(Verdict::None));
            let too_long = Err(Defect::Malformed("record too long"));
            assert_eq!(database.rule(b"longer"), too_long);
        });
    }

    #[test]
    fn record_is_found_by_its_key() {
        let bytes = database(&[
            (b"ip4/1", b"D"),
            (b"k", ALLOW),
            (b"odd", b"x"),
            (b"none", b""),
        ]);
        with(&bytes, "found", |database| {
            let database = database.unwrap();
            assert_eq!(database.rule(b"ip4/1"), Ok(Verdict::Deny));
            assert_eq!(database.rule(b"odd"), Ok(Verdict::None));
            assert_eq!(database.rule(b"missing"), Ok(Verdict::None));
            assert!(database.rule(b"none").is_err());
            let Ok(Verdict::Allow(allowed)) = database.rule(b"k") else {
                panic!("not allowed");
            };
            assert_eq!(allowed.exec, b"hi");
            let set = |name: &str, value: Option<&str>| {
                (
                    name.as_bytes().to_vec(),
                    value.map(|value| value.as_bytes().to_vec()),
                )
            };
            assert_eq!(
                allowed.env,
                [set("A", Some("1")), set("B", None), set("C", None)]
            );
        });
    }

    #[test]
    fn record_whose_slot_is_taken_is_found_in_the_next_one_from_the_last_to_the_first() {
        // Keys whose first slot is the last of the four in one table.
        let last = |key: &String| {
            let hash = hash(key.as_bytes());
            (hash as u8, (hash >> 8) % 4) == (7, 3)
        };
        let keys = (0..).map(|number: u32| format!("ip4/{number}"));
        let keys: Vec<String> = keys.filter(last).take(2).collect();
        let data = |script: &u8| [b"A\0\0\0\x01", &[*script][..]].concat();
        let data: Vec<Vec<u8>> = b"ab".iter().map(data).collect();
        let records = keys.iter().zip(&data);
        let records: Vec<_> = records
            .map(|(key, data)| (key.as_bytes(), &data[..]))
            .collect();
        with(&database(&records), "slots", |database| {
            let database = database.unwrap();
            for (key, data) in records {
                assert_eq!(database.rule(key), parse(data));
            }
        });
    }

    #[test]
    fn truncated_record_is_an_error() {
        for cut in 1..ALLOW.len() {
            assert!(parse(&ALLOW[..cut]).is_err(), "{cut}");
        }
        assert!(parse(b"A\0\0\0\0x").is_err());
        assert!(parse(b"A\x10\x01").is_err());
        assert_eq!(parse(b"A\0\0\0\0"), Ok(Verdict::Allow(Allowed::default())));
    }

    #[test]
    fn longest_environment_and_script_count_and_longer_ones_are_errors() {
        let record = |variable: usize, script: usize| {
            let value = "x".repeat(variable - "A=\0".len());
            let env = format!("A={value}\0");
            let lengths = [variable, script].map(|length| (length as u16).to_be_bytes());
            let script = vec![b's'; script];
            [b"A", &lengths[0][..], env.as_bytes(), &lengths[1], &script].concat()
        };
        for (env, script, valid) in [
            (MAX_PART, MAX_PART, true),
            (MAX_PART + 1, 0, false),
            (3, MAX_PART + 1, false),
        ] {
            with(
                &database(&[(b"k", &record(env, script))]),
                "long",
                |database| {
                    let verdict = database.unwrap().rule(b"k");
                    assert_eq!(verdict.is_ok(), valid, "{env} {script}");
                },
            );
        }
    }

    #[test]
    fn record_with_the_hash_of_a_key_and_a_longer_one_is_another() {
        let mut bytes = database(&[(b"k", b"AD")]);
        let asked = |bytes: &[u8]| with(bytes, "longer", |database| database.unwrap().rule(b"k"));
        assert!(asked(&bytes).is_err(), "its data are malformed");
        // Now its key is kA, and its data begin with D.
        bytes[HEADER] = 2;
        assert_eq!(asked(&bytes), Ok(Verdict::None));
    }

    #[test]
    fn truncated_database_lets_nobody_in() {
        let bytes = database(&[(b"k", ALLOW)]);
        for cut in 0..bytes.len() {
            with(&bytes[..cut], "cut", |database| {
                let verdict = database.and_then(|database| database.rule(b"k"));
                assert!(!matches!(verdict, Ok(Verdict::Allow(_))), "{cut}");
            });
        }
    }

    #[test]
    fn changed_byte_causes_no_panic() {
        let bytes = database(&[(b"k", ALLOW)]);
        let table = usize::from(hash(b"k") as u8) * 8;
        for at in (table..table + 8).chain(HEADER..bytes.len()) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                with(&bytes, "changed", |database| {
                    let _ = database.and_then(|database| database.rule(b"k"));
                });
            }
        }
    }
}
