//! Who is being served: the children, and how many each address has.

use std::collections::BTreeMap;
use std::fmt;

use unix::Pid;

use crate::address::Ip;

/// The connections of a server, within their limits. All of its work is
/// logarithmic in their number.
pub struct Connections {
    max: u32,
    local_max: u32,
    children: BTreeMap<Pid, Ip>,
    counts: BTreeMap<Ip, u32>,
}

/// An address has as many connections as it may have.
#[derive(Debug, Eq, PartialEq)]
pub struct Refused {
    /// That many.
    pub count: u32,
}

impl Connections {
    /// At most `max`, and at most `local_max` from one address.
    pub fn new(max: u32, local_max: u32) -> Self {
        Self {
            max,
            local_max,
            children: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// The most from one address.
    pub fn local_max(&self) -> u32 {
        self.local_max
    }

    /// Whether there can be no more.
    pub fn full(&self) -> bool {
        self.children.len() >= self.max as usize
    }

    /// The number that a new connection from `ip` would have: 1 for the
    /// first. It counts only once [`Connections::add`] is called.
    pub fn admit(&self, ip: Ip) -> Result<u32, Refused> {
        let count = self.counts.get(&ip).copied().unwrap_or(0);
        if count >= self.local_max {
            return Err(Refused { count });
        }
        Ok(count + 1)
    }

    /// Child `pid` serves a connection from `ip`.
    pub fn add(&mut self, pid: Pid, ip: Ip) {
        self.children.insert(pid, ip);
        *self.counts.entry(ip).or_insert(0) += 1;
    }

    /// Child `pid` has ended: how many its address still has. None if it was
    /// no child of this table.
    pub fn remove(&mut self, pid: Pid) -> Option<u32> {
        let ip = self.children.remove(&pid)?;
        let count = self.counts.get_mut(&ip)?;
        *count -= 1;
        let left = *count;
        if left == 0 {
            self.counts.remove(&ip);
        }
        Some(left)
    }

    /// The children.
    pub fn pids(&self) -> impl Iterator<Item = Pid> {
        self.children.keys().copied()
    }
}

/// `N/MAX`.
impl fmt::Display for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.children.len(), self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number)
    }

    #[test]
    fn each_address_and_the_whole_have_their_limits() {
        let (a, b) = (Ip::V4([127, 0, 0, 1]), Ip::V4([127, 0, 0, 2]));
        let mut connections = Connections::new(3, 2);
        for number in 1..=2 {
            assert_eq!(connections.admit(a), Ok(number as u32));
            connections.add(pid(number), a);
        }
        assert_eq!(connections.admit(a), Err(Refused { count: 2 }));
        assert_eq!(connections.admit(b), Ok(1));
        assert!(!connections.full());
        connections.add(pid(3), b);
        assert!(connections.full());
        assert_eq!(connections.to_string(), "3/3");
        assert_eq!(connections.remove(pid(1)), Some(1));
        assert_eq!(connections.remove(pid(1)), None);
        assert_eq!(connections.admit(a), Ok(2));
        assert_eq!(connections.remove(pid(2)), Some(0));
        assert!(connections.counts.len() == 1);
    }
}
