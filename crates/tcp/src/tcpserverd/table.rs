//! Who is served: children by pid, and how many each address has.

use std::collections::BTreeMap;

use unix::Pid;

use cli::address::Ip;

/// The living children and the counts of their addresses.
#[derive(Default)]
pub struct Table {
    children: BTreeMap<Pid, Ip>,
    counts: BTreeMap<Ip, u32>,
}

impl Table {
    /// Takes note of a child that serves `ip`; the address's new count.
    pub fn add(&mut self, pid: Pid, ip: Ip) -> u32 {
        self.children.insert(pid, ip);
        let count = self.counts.entry(ip).or_insert(0);
        *count += 1;
        *count
    }

    /// Forgets a child; its address's new count. None if it is not ours.
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

    /// How many children serve `ip`.
    pub fn count(&self, ip: Ip) -> u32 {
        self.counts.get(&ip).copied().unwrap_or(0)
    }

    /// How many children there are.
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
    fn counts_follow_children_and_vanish_with_the_last() {
        let (a, b) = (Ip::V4([127, 0, 0, 1]), Ip::V6([0; 16]));
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
