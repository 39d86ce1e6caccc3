//! The configuration: servers, suffixes and timeouts.

use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use cli::address::{Address, Ip};
use unix::Env;

use crate::{Failure, Name, file};

const FILE: &str = "/etc/resolv.conf";
const MAX_SERVERS: usize = 16;

/// The default timeouts of a server in the first, second and third round.
const ROUNDS: [Duration; 3] = [
    Duration::from_secs(3),
    Duration::from_secs(11),
    Duration::from_secs(45),
];

/// The configuration of the resolver.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// The servers, in the order in which they are asked.
    pub servers: Vec<Address>,
    /// The suffixes that qualify a name, in the order of preference.
    pub suffixes: Vec<Name>,
    /// A name with at least this many dots is tried unqualified first; otherwise it is
    /// tried last. None: always last.
    pub ndots: Option<usize>,
    /// The timeout of each server, by round.
    pub rounds: Vec<Duration>,
}

impl Config {
    /// Reads the configuration from the variables `DNSCACHEIP` and `DNSQUALIFY`, and
    /// the rest from /etc/resolv.conf, which may be missing.
    pub fn load(env: &Env) -> Result<Self, Failure> {
        let file = file::content(FILE).map_err(Failure::System)?;
        let variable = |name| env.get(name).map(OsStrExt::as_bytes);
        Self::new(&file, variable("DNSCACHEIP"), variable("DNSQUALIFY"))
    }

    pub(crate) fn new(
        file: &[u8],
        dnscacheip: Option<&[u8]>,
        dnsqualify: Option<&[u8]>,
    ) -> Result<Self, Failure> {
        let mut config = Self::parse(file);
        let servers = addresses(dnscacheip.unwrap_or_default())?;
        if !servers.is_empty() {
            config.servers = servers;
        }
        config.servers.truncate(MAX_SERVERS);
        if config.servers.is_empty() {
            config.servers.push(Ip::V4([127, 0, 0, 1]).into());
        }
        if let Some(suffixes) = dnsqualify {
            config.suffixes = words(suffixes).filter_map(Name::parse).collect();
            config.ndots = None;
        }
        Ok(config)
    }

    /// Parses resolv.conf(5). The last of several `search` and `domain` lines counts.
    /// Unknown lines are skipped.
    fn parse(file: &[u8]) -> Self {
        let mut config = Self {
            servers: Vec::new(),
            suffixes: Vec::new(),
            ndots: None,
            rounds: ROUNDS.to_vec(),
        };
        for line in file.split(|&byte| byte == b'\n') {
            let mut words = words(line);
            match words.next() {
                Some(b"nameserver") => {
                    config.servers.extend(words.next().and_then(server));
                }
                Some(b"search") => config.suffixes = words.filter_map(Name::parse).collect(),
                Some(b"domain") => {
                    config.suffixes = words.next().and_then(Name::parse).into_iter().collect();
                }
                Some(b"options") => words.for_each(|option| config.option(option)),
                _ => {}
            }
        }
        config
    }

    /// Applies one word of an `options` line.
    fn option(&mut self, option: &[u8]) {
        let text = String::from_utf8_lossy(option);
        let Some((name, Ok(number))) = text.split_once(':').map(|(n, v)| (n, v.parse::<u8>()))
        else {
            return;
        };
        match name {
            "ndots" => self.ndots = Some(usize::from(number)),
            "timeout" => {
                let timeout = Duration::from_secs(u64::from(number.clamp(1, 30)));
                self.rounds.fill(timeout);
            }
            "attempts" => {
                let last = self.rounds.last().copied().unwrap_or(ROUNDS[2]);
                self.rounds.resize(usize::from(number.clamp(1, 5)), last);
            }
            _ => {}
        }
    }
}

/// The words of a line, up to a word that starts with `#` or `;`: a comment.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .take_while(|word| !word.starts_with(b"#") && !word.starts_with(b";"))
}

/// The address of a server. An IPv4-mapped one is the IPv4 address: our sockets are of one family.
fn server(text: &[u8]) -> Option<Address> {
    let address = Address::parse(text)?;
    Some(Address {
        ip: address.ip.unmapped(),
        ..address
    })
}

/// The addresses in a list. Other words are skipped, unless there is nothing else: the
/// servers of the file would be asked although somebody has named others.
fn addresses(list: &[u8]) -> Result<Vec<Address>, Failure> {
    let words = list.split(|byte| b",; \t\r\n".contains(byte));
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let addresses: Vec<_> = words.iter().copied().filter_map(server).collect();
    if addresses.is_empty() && !words.is_empty() {
        return Err(Failure::BadServers);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Name> {
        let names = names.iter().map(|name| Name::parse(name.as_bytes()));
        names.map(Option::unwrap).collect()
    }

    fn ips(ips: &[&str]) -> Vec<Address> {
        let ips = ips.iter().map(|ip| Address::parse(ip.as_bytes()));
        ips.map(Option::unwrap).collect()
    }

    fn read(file: &[u8], dnscacheip: Option<&[u8]>, dnsqualify: Option<&[u8]>) -> Config {
        Config::new(file, dnscacheip, dnsqualify).unwrap()
    }

    const FILE: &[u8] = b"# comment\nnameserver 127.0.0.5 # ours\r\nnameserver\t::1\n\
        nameserver fe80::1%lo\nnameserver x\nnameserver\nsearch a.test  b.test\nother x\n";

    #[test]
    fn file_names_servers_and_suffixes() {
        let config = read(FILE, None, None);
        assert_eq!(config.servers, ips(&["127.0.0.5", "::1", "fe80::1%lo"]));
        assert_eq!(config.suffixes, names(&["a.test", "b.test"]));
        assert_eq!(config.rounds, ROUNDS);
        let config = read(b"search a\ndomain b.test c.test", None, None);
        assert_eq!(config.suffixes, names(&["b.test"]));
    }

    #[test]
    fn a_comment_configures_nothing() {
        let file = b"nameserver # 127.0.0.9\nsearch a.test # b.test\noptions ;timeout:1\n\
            ;nameserver 127.0.0.9\n#search c.test";
        let config = read(file, None, None);
        assert_eq!(config.servers, ips(&["127.0.0.1"]));
        assert_eq!(config.suffixes, names(&["a.test"]));
        assert_eq!(config.rounds, ROUNDS);
    }

    #[test]
    fn local_host_is_the_server_if_there_is_no_other() {
        assert_eq!(read(b"", None, None).servers, ips(&["127.0.0.1"]));
        let many = "nameserver 127.0.0.9\n".repeat(20);
        assert_eq!(read(many.as_bytes(), None, None).servers.len(), 16);
    }

    #[test]
    fn environment_replaces_the_file() {
        let config = read(FILE, Some(b"127.0.0.7,::1;127.0.0.8\t"), Some(b" c. d.e "));
        assert_eq!(config.servers, ips(&["127.0.0.7", "::1", "127.0.0.8"]));
        assert_eq!(config.suffixes, names(&["c", "d.e"]));
        let config = read(FILE, Some(b""), Some(b""));
        assert_eq!(config.servers, ips(&["127.0.0.5", "::1", "fe80::1%lo"]));
        assert_eq!(config.suffixes, []);
        let config = read(b"nameserver 127.000.0.5", Some(b"127.000.00.010"), None);
        assert_eq!(config.servers, ips(&["127.0.0.10"]));
    }

    #[test]
    fn ipv4_mapped_address_of_a_server_is_the_ipv4_address() {
        let mapped = b"::ffff:127.0.0.7 ::7f00:8";
        let expected = ips(&["127.0.0.7", "::7f00:8"]);
        assert_eq!(read(FILE, Some(mapped), None).servers, expected);
        let file = b"nameserver ::FFFF:7f00:7\nnameserver ::7f00:8";
        assert_eq!(read(file, None, None).servers, expected);
    }

    #[test]
    fn list_of_servers_without_an_address_is_an_error() {
        for list in [&b"junk"[..], b"127.0.0.1:53", b" ,localhost"] {
            assert_eq!(
                Config::new(FILE, Some(list), None),
                Err(Failure::BadServers)
            );
        }
        let with_one = read(FILE, Some(b"junk 127.0.0.7:53;127.0.0.8"), None);
        assert_eq!(with_one.servers, ips(&["127.0.0.8"]));
        let without_words = read(FILE, Some(b" ,"), None);
        assert_eq!(without_words, read(FILE, None, None));
    }

    #[test]
    fn options_change_timeouts_and_ndots() {
        let seconds = |file: &[u8]| -> Vec<u64> {
            let rounds = read(file, None, None).rounds;
            rounds.iter().map(Duration::as_secs).collect()
        };
        assert_eq!(seconds(b"options timeout:2"), [2, 2, 2]);
        assert_eq!(seconds(b"options attempts:2 rotate"), [3, 11]);
        assert_eq!(seconds(b"options attempts:9 timeout:0"), [1, 1, 1, 1, 1]);
        assert_eq!(seconds(b"options timeout:x attempts:300"), [3, 11, 45]);
        let file = b"options ndots:2\n";
        assert_eq!(read(file, None, None).ndots, Some(2));
        assert_eq!(read(file, None, Some(b"x")).ndots, None);
    }
}
