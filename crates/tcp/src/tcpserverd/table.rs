//! The children by pid, and their number for each client address.

use std::collections::BTreeMap;

use cli::address::Address;
use unix::Pid;

/// The living children, and the counts of their client addresses.
#[derive(Default)]
pub struct Table {
    children: BTreeMap<Pid, Address>,
    counts: BTreeMap<Address, u32>,
}

impl Table {
    /// Adds a child that serves `address`. Returns the new count of the address.
    pub fn add(&mut self, pid: Pid, address: Address) -> u32 {
        self.children.insert(pid, address);
        let count = self.counts.entry(address).or_insert(0);
        *count += 1;
        *count
    }

    /// Removes a child. Returns the new count of its address; None if it is not in the
    /// table.
    pub fn remove(&mut self, pid: Pid) -> Option<u32> {
        let address = self.children.remove(&pid)?;
        let count = self.counts.get_mut(&address)?;
        *count -= 1;
        let left = *count;
        if left == 0 {
            self.counts.remove(&address);
        }
        Some(left)
    }

    /// The number of children that serve `address`.
    pub fn count(&self, address: Address) -> u32 {
        self.counts.get(&address).copied().unwrap_or(0)
    }

    /// The number of children.
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// The pids of all children.
    pub fn pids(&self) -> impl Iterator<Item = Pid> {
        self.children.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_of_an_address_follows_its_children() {
        let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
        let (a, b) = (address("fe80::1%eth0"), address("fe80::1%eth1"));
        let mut table = Table::default();
        assert_eq!(table.add(Pid::from_raw(10), a), 1);
        assert_eq!(table.add(Pid::from_raw(11), a), 2);
        assert_eq!(table.add(Pid::from_raw(12), b), 1);
        assert_eq!((table.len(), table.count(a)), (3, 2));
        assert_eq!(table.remove(Pid::from_raw(10)), Some(1));
        assert_eq!(table.remove(Pid::from_raw(10)), None);
        assert_eq!(table.remove(Pid::from_raw(11)), Some(0));
        assert_eq!((table.len(), table.counts.len()), (1, 1));
    }
}
