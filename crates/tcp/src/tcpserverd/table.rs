//! The children by pid, and their number for each client.

use std::collections::BTreeMap;

use unix::Pid;

use super::client_key::ClientKey;

/// The living children, and the counts of their clients.
#[derive(Default)]
pub struct Table {
    children: BTreeMap<Pid, ClientKey>,
    counts: BTreeMap<ClientKey, u32>,
}

impl Table {
    /// Adds a child that serves `client`. Returns the client's new count.
    pub fn add(&mut self, pid: Pid, client: ClientKey) -> u32 {
        self.children.insert(pid, client);
        let count = self.counts.entry(client).or_insert(0);
        *count += 1;
        *count
    }

    /// Removes a child. Returns the new count of its client; None if it is not in the
    /// table.
    pub fn remove(&mut self, pid: Pid) -> Option<u32> {
        let client = self.children.remove(&pid)?;
        let count = self.counts.get_mut(&client)?;
        *count -= 1;
        let left = *count;
        if left == 0 {
            self.counts.remove(&client);
        }
        Some(left)
    }

    /// The number of children that serve `client`.
    pub fn count(&self, client: ClientKey) -> u32 {
        self.counts.get(&client).copied().unwrap_or(0)
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
    use super::super::client_key::tests::client;
    use super::*;

    #[test]
    fn count_of_a_client_follows_its_children() {
        let (a, b) = (client("fe80::1%eth0", 128), client("fe80::1%eth1", 128));
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
