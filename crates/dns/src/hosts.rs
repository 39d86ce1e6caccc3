//! /etc/hosts, read into memory.

use std::net::IpAddr;

use cli::address::Ip;
use unix::Errno;

use crate::{file, host_name};

const FILE: &str = "/etc/hosts";

/// The well-formed lines of a hosts file.
#[derive(Debug, Default)]
pub struct Hosts {
    lines: Vec<(IpAddr, Vec<String>)>,
}

impl Hosts {
    /// Reads /etc/hosts, which may be missing.
    pub fn load() -> Result<Self, Errno> {
        file::content(FILE).map(|file| Self::parse(&file))
    }

    /// Parses hosts(5). Malformed lines and addresses with a zone are skipped.
    pub(crate) fn parse(file: &[u8]) -> Self {
        let mut lines = Vec::new();
        for line in file.split(|byte| *byte == b'\n') {
            let text = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            let mut words = text
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            if let Some(ip) = words.next().and_then(Ip::parse) {
                let names = words.map(|name| plain(&String::from_utf8_lossy(name)));
                lines.push((ip.into(), names.collect()));
            }
        }
        Self { lines }
    }

    /// The address and the names of each line.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn lines(&self) -> &[(IpAddr, Vec<String>)] {
        &self.lines
    }

    /// The addresses of `name`, regardless of case and final dot.
    pub fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let name = plain(name);
        let lines = self.lines.iter();
        lines
            .filter(|(_, names)| names.contains(&name))
            .map(|(ip, _)| *ip)
            .collect()
    }

    /// The first name on the first line of `ip` where it is a host name, with a final
    /// dot.
    pub fn name(&self, ip: IpAddr) -> Option<String> {
        let mut lines = self.lines.iter().filter(|(address, _)| *address == ip);
        lines.find_map(|(_, names)| host_name(names.first()?.split('.').map(str::as_bytes)))
    }
}

/// The name in lower case and without a final dot.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"# nothing\n127.0.0.5\tHost.test alias 9lives # comment\r\n\
        bad line\nfe80::1%lo zone\n::1 host.test. six\n127.0.0.6\n127.0.0.7 ../x good\n\
        127.000.0.08 last";

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn address_is_found_by_every_name_of_its_line() {
        let hosts = Hosts::parse(FILE);
        for (name, found) in [
            ("host.TEST", &["127.0.0.5", "::1"][..]),
            ("alias.", &["127.0.0.5"]),
            ("9lives", &["127.0.0.5"]),
            ("six", &["::1"]),
            ("last", &["127.0.0.8"]),
            ("zone", &[]),
            ("line", &[]),
            ("comment", &[]),
        ] {
            assert_eq!(hosts.addresses(name), ips(found), "{name}");
        }
    }

    #[test]
    fn name_of_an_address_is_the_first_of_its_line() {
        let hosts = Hosts::parse(FILE);
        let name = |ip: &str| hosts.name(ip.parse().unwrap());
        assert_eq!(name("127.0.0.5").as_deref(), Some("host.test."));
        assert_eq!(name("::1").as_deref(), Some("host.test."));
        assert_eq!(name("127.0.0.6"), None);
        assert_eq!(name("127.0.0.7"), None);
        assert_eq!(name("127.0.0.9"), None);
    }
}
