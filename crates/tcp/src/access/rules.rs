//! Which rules are looked up for a client, and in which order.

use std::ffi::{OsStr, OsString};

use cli::Fatal;
use cli::address::Ip;

use super::rule::{Allowed, Defect, Verdict};
use super::{cdb, directory};

/// Where the rules are.
pub enum Ruleset {
    /// A directory with one directory per rule.
    Directory(OsString),
    /// A constant database (cdb).
    File(OsString),
}

/// What a ruleset says about a client.
pub enum Decision {
    /// No rule matches.
    None,
    /// The rule with this key refuses the client.
    Deny(String),
    /// A rule lets the client in.
    Allow(Allowed),
}

/// What the keys of a look-up are made from, for messages.
const BY_ADDRESS: &str = "IP";
const BY_NAME: &str = "reverse DNS";

impl Ruleset {
    /// Checks that rules can be looked up, also by name if clients have `names`. Otherwise the
    /// error is that of a client's look-up.
    pub fn check(&self, names: bool) -> Result<(), Fatal> {
        match self {
            Self::Directory(path) => {
                let check = |kinds: &[&str], what| {
                    directory::check(path, kinds)
                        .map_err(|errno| unusable("fs", what, path, &errno.into()))
                };
                check(&["ip4", "ip6"], BY_ADDRESS)?;
                if names {
                    check(&["reversedns"], BY_NAME)?;
                }
                Ok(())
            }
            Self::File(path) => open(path).map(drop),
        }
    }

    /// The most precise rule for an address.
    pub fn by_address(&self, ip: Ip) -> Result<Decision, Fatal> {
        let mut families = vec![family(ip)];
        if ip.unmapped() != ip {
            families.push(family(ip.unmapped()));
        }
        self.search(&families, prefixes(ip), BY_ADDRESS)
    }

    /// The most precise rule for a name.
    pub fn by_name(&self, name: &str) -> Result<Decision, Fatal> {
        self.search(&["reversedns"], suffixes(name), BY_NAME)
    }

    /// The decision of the first of `keys` whose rule decides. The keys begin with
    /// one of `kinds`. `what` they are made from is for messages.
    fn search(
        &self,
        kinds: &[&str],
        keys: impl Iterator<Item = String>,
        what: &str,
    ) -> Result<Decision, Fatal> {
        match self {
            Self::Directory(path) => {
                let failed = |defect: Defect| unusable("fs", what, path, &defect);
                directory::check(path, kinds).map_err(|errno| failed(errno.into()))?;
                first(keys, |key| directory::rule(path, key)).map_err(failed)
            }
            Self::File(path) => {
                let database = open(path)?;
                first(keys, |key| database.rule(key.as_bytes()))
                    .map_err(|defect| unusable("cdb", what, path, &defect))
            }
        }
    }
}

fn open(path: &OsStr) -> Result<cdb::Database, Fatal> {
    cdb::Database::open(path).map_err(|defect| {
        let text = format!("unable to cdb_init {}", path.to_string_lossy());
        Fatal::new(Fatal::SYSTEM, format!("{text}: {}", defect.text()))
    })
}

/// The decision of the first of `keys` whose rule decides; `rule` looks one up.
fn first(
    keys: impl Iterator<Item = String>,
    rule: impl Fn(&str) -> Result<Verdict, Defect>,
) -> Result<Decision, Defect> {
    for key in keys {
        match rule(&key)? {
            Verdict::None => {}
            Verdict::Deny => return Ok(Decision::Deny(key)),
            Verdict::Allow(allowed) => return Ok(Decision::Allow(allowed)),
        }
    }
    Ok(Decision::None)
}

fn unusable(kind: &str, what: &str, path: &OsStr, defect: &Defect) -> Fatal {
    let (path, why) = (path.to_string_lossy(), defect.text());
    Fatal::new(
        Fatal::SYSTEM,
        format!("unable to check {kind} ruleset for {what} in {path}: {why}"),
    )
}

/// The first component of the keys of an address.
fn family(ip: Ip) -> &'static str {
    match ip {
        Ip::V4(_) => "ip4",
        Ip::V6(_) => "ip6",
    }
}

/// `ip4/ADDRESS_LENGTH` or `ip6/ADDRESS_LENGTH` for every prefix length, longest
/// first. An IPv4-mapped address has keys of both families, of IPv4 first at each
/// length: a rule for the IPv4 address applies to it.
pub fn prefixes(ip: Ip) -> impl Iterator<Item = String> {
    let bits = ip.bytes().len() * 8;
    let unmapped = Some(ip.unmapped()).filter(|unmapped| *unmapped != ip);
    (0..=bits).rev().flat_map(move |length| {
        let in_ipv4 = unmapped.zip(length.checked_sub(MAPPED));
        let keys = in_ipv4.map(|(ip, length)| prefix(ip, length)).into_iter();
        keys.chain([prefix(ip, length)])
    })
}

/// The number of bits before the IPv4 address in an IPv4-mapped one.
const MAPPED: usize = 96;

/// The key of the first `length` bits of `ip`.
fn prefix(mut ip: Ip, length: usize) -> String {
    let bytes = match &mut ip {
        Ip::V4(bytes) => &mut bytes[..],
        Ip::V6(bytes) => &mut bytes[..],
    };
    for (i, byte) in bytes.iter_mut().enumerate() {
        let kept = length.saturating_sub(i * 8).min(8);
        *byte &= !(0xffu16 >> kept) as u8;
    }
    format!("{}/{ip}_{length}", family(ip))
}

/// `reversedns/NAME` for the name and for what follows each of its dots, then
/// `reversedns/@`, which matches every name.
pub fn suffixes(name: &str) -> impl Iterator<Item = String> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let starts = std::iter::once(0).chain(name.match_indices('.').map(|(at, _)| at + 1));
    let mut keys: Vec<String> = starts
        .map(|at| format!("reversedns/{}", &name[at..]))
        .collect();
    keys.push("reversedns/@".into());
    keys.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_go_from_the_longest_to_the_shortest() {
        let keys: Vec<String> = prefixes(Ip::V4([192, 168, 1, 7])).collect();
        assert_eq!(keys.len(), 33);
        assert_eq!(
            keys[..3],
            [
                "ip4/192.168.1.7_32",
                "ip4/192.168.1.6_31",
                "ip4/192.168.1.4_30"
            ]
        );
        assert_eq!(keys[8], "ip4/192.168.1.0_24");
        assert_eq!(keys[31..], ["ip4/128.0.0.0_1", "ip4/0.0.0.0_0"]);
        let ip = Ip::parse(b"2001:db8::1").unwrap();
        let keys: Vec<String> = prefixes(ip).collect();
        assert_eq!(keys.len(), 129);
        assert_eq!(
            (keys[0].as_str(), keys[128].as_str()),
            ("ip6/2001:db8::1_128", "ip6/::_0")
        );
        assert_eq!(keys[128 - 32], "ip6/2001:db8::_32");
    }

    #[test]
    fn mapped_address_has_the_prefixes_of_both_families() {
        let ip = Ip::parse(b"::ffff:192.168.1.7").unwrap();
        let keys: Vec<String> = prefixes(ip).collect();
        assert_eq!(keys.len(), 129 + 33);
        let expected = [
            "ip4/192.168.1.7_32",
            "ip6/::ffff:c0a8:107_128",
            "ip4/192.168.1.6_31",
        ];
        assert_eq!(keys[..3], expected);
        let expected = ["ip4/0.0.0.0_0", "ip6/::ffff:0:0_96", "ip6/::fffe:0:0_95"];
        assert_eq!(keys[64..67], expected);
    }

    #[test]
    fn suffixes_go_from_the_whole_name_to_any_name() {
        let keys: Vec<String> = suffixes("A.b.com.").collect();
        let expected = [
            "reversedns/a.b.com",
            "reversedns/b.com",
            "reversedns/com",
            "reversedns/@",
        ];
        assert_eq!(keys, expected);
    }
}
