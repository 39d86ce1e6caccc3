//! Lookups: the addresses of a name, and the names of addresses.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use unix::tasks::{Task, earlier, turn};
use unix::{Env, Errno};

use crate::conversation::Conversation;
use crate::{Answer, Config, Failure, Hosts, Name, Query};

/// How long to wait for the other family of addresses once one has answered.
const FAMILY_DELAY: Duration = Duration::from_secs(2);

/// The wanted families of addresses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Families {
    /// Both, IPv6 first.
    #[default]
    Both,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Families {
    /// Whether `ip` is wanted.
    pub fn include(self, ip: IpAddr) -> bool {
        match self {
            Self::Both => true,
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
        }
    }
}

/// The configuration and the deadline of a program's lookups.
pub struct Resolver {
    config: Config,
    hosts: Hosts,
    deadline: Option<Instant>,
}

impl Resolver {
    /// Reads the configuration. With `hosts`, also reads /etc/hosts, which then goes
    /// before the DNS. All lookups end by `deadline`.
    pub fn new(env: &Env, hosts: bool, deadline: Option<Instant>) -> Result<Self, Failure> {
        Ok(Self {
            config: Config::load(env)?,
            hosts: if hosts {
                Hosts::load().map_err(Failure::System)?
            } else {
                Hosts::default()
            },
            deadline,
        })
    }

    /// Keeps only the servers on this machine: nobody can change what they say on the way to us.
    /// False if there are none.
    pub fn keep_local_servers(&mut self) -> bool {
        let servers = &mut self.config.servers;
        servers.retain(|server| IpAddr::from(server.ip).is_loopback());
        !servers.is_empty()
    }

    /// The answers to `queries`, which are made at the same time.
    pub(crate) fn answers(&self, queries: &[Query]) -> Vec<Result<Answer, Failure>> {
        resolve(&self.config, queries, None, self.deadline)
    }

    /// Checks that `name` can be looked up. Nothing is queried.
    pub fn check(&self, name: &str) -> Result<(), Failure> {
        if self.hosts.addresses(name).is_empty() {
            self.candidates(name, false)?;
        }
        Ok(())
    }

    /// The addresses of `name`, IPv6 first; at least one. With `qualify`, suffixes are
    /// tried unless the name has a final dot. For `localhost` and names under it no
    /// server is queried.
    pub fn addresses(
        &self,
        name: &str,
        families: Families,
        qualify: bool,
    ) -> Result<Vec<IpAddr>, Failure> {
        let mut known = self.hosts.addresses(name);
        known.retain(|ip| families.include(*ip));
        if !known.is_empty() {
            known.sort_by_key(IpAddr::is_ipv4);
            return Ok(known);
        }
        let kinds: &[fn(Name) -> Query] = match families {
            Families::Both => &[Query::Aaaa, Query::A],
            Families::V4 => &[Query::A],
            Families::V6 => &[Query::Aaaa],
        };
        let candidates = self.candidates(name, qualify)?;
        let queries = candidates.iter();
        let queries: Vec<Query> = queries
            .flat_map(|name| kinds.iter().map(|kind| kind(name.clone())))
            .collect();
        first_with_addresses(&self.config, &queries, kinds.len(), self.deadline)
    }

    /// The names of `ips`, looked up at the same time: in lower case, with a final dot.
    /// The task `alongside` runs meanwhile. If it ends all, lookups that have no result
    /// yet fail.
    pub fn names(
        &self,
        ips: &[IpAddr],
        alongside: Option<&mut dyn Task>,
    ) -> Vec<Result<String, Failure>> {
        let known: Vec<_> = ips.iter().map(|ip| self.hosts.name(*ip)).collect();
        let asked = ips.iter().zip(&known).filter(|(_, known)| known.is_none());
        let queries: Vec<Query> = asked.map(|(ip, _)| Query::Ptr(*ip)).collect();
        let mut answers = resolve(&self.config, &queries, alongside, self.deadline).into_iter();
        let found = known.into_iter().map(|known| match known {
            Some(name) => Ok(name),
            None => match answers.next() {
                Some(Ok(Answer::HostName(name))) => Ok(name),
                Some(Err(failure)) => Err(failure),
                _ => Err(Failure::NoData),
            },
        });
        found.collect()
    }

    /// The unqualified and the qualified names for `name`, in the order of preference.
    fn candidates(&self, name: &str, qualify: bool) -> Result<Vec<Name>, Failure> {
        let itself = Name::parse(name.as_bytes()).ok_or(Failure::BadName)?;
        if !qualify || name.ends_with('.') || itself.is_localhost() {
            return Ok(vec![itself]);
        }
        let suffixes = self.config.suffixes.iter();
        let mut names: Vec<Name> = suffixes.filter_map(|suffix| itself.under(suffix)).collect();
        let first = self
            .config
            .ndots
            .is_some_and(|ndots| itself.dots() >= ndots);
        names.insert(if first { 0 } else { names.len() }, itself);
        Ok(names)
    }
}

/// Makes all queries at the same time. The answers are in the order of the queries.
fn resolve(
    config: &Config,
    queries: &[Query],
    mut alongside: Option<&mut dyn Task>,
    deadline: Option<Instant>,
) -> Vec<Result<Answer, Failure>> {
    let mut conversations = begin(config, queries);
    let mut failure = Failure::Deadline;
    loop {
        let other = alongside.as_mut().map(|task| &mut **task as &mut dyn Task);
        match advance(&mut conversations, other, deadline) {
            Ok(true) => {}
            Ok(false) => break,
            Err(errno) => {
                failure = Failure::System(errno);
                break;
            }
        }
    }
    let results = conversations.iter().map(Conversation::result);
    results
        .map(|result| result.cloned().unwrap_or(Err(failure)))
        .collect()
}

/// A conversation for each query. The first step of each is due at once.
fn begin(config: &Config, queries: &[Query]) -> Vec<Conversation> {
    let now = Instant::now();
    let queries = queries.iter();
    queries
        .map(|query| Conversation::new(config, query, now))
        .collect()
}

/// Waits until a task can go on. False if all are finished or `until` has passed.
fn advance(
    conversations: &mut [Conversation],
    alongside: Option<&mut dyn Task>,
    until: Option<Instant>,
) -> Result<bool, Errno> {
    let mut tasks: Vec<&mut dyn Task> = Vec::with_capacity(conversations.len() + 1);
    for conversation in conversations {
        tasks.push(conversation);
    }
    if let Some(task) = alongside {
        tasks.push(task);
    }
    turn(&mut tasks, until)
}

/// Makes all queries at the same time, and returns the addresses of the first name that
/// has any. Each name has `per_name` successive queries.
fn first_with_addresses(
    config: &Config,
    queries: &[Query],
    per_name: usize,
    deadline: Option<Instant>,
) -> Result<Vec<IpAddr>, Failure> {
    wait_for_addresses(&mut begin(config, queries), per_name, deadline)
}

fn wait_for_addresses(
    conversations: &mut [Conversation],
    per_name: usize,
    deadline: Option<Instant>,
) -> Result<Vec<IpAddr>, Failure> {
    let mut other_until: Option<Instant> = None;
    loop {
        let results: Vec<_> = conversations.iter().map(|c| c.result().cloned()).collect();
        let now = Instant::now();
        let over = deadline.is_some_and(|deadline| now >= deadline);
        let wait_for_other = !over && other_until.is_none_or(|until| now < until);
        match choose(&results, per_name, wait_for_other) {
            Choice::Take(addresses) => return Ok(addresses),
            Choice::Nothing(failure) => return Err(failure),
            Choice::Wait if over => return Err(Failure::Deadline),
            Choice::Wait => {}
            Choice::WaitForOther => other_until = other_until.or(Some(now + FAMILY_DELAY)),
        }
        advance(conversations, None, earlier(deadline, other_until)).map_err(Failure::System)?;
    }
}

/// What to do with the results so far.
#[derive(Debug, Eq, PartialEq)]
enum Choice {
    /// Take these addresses.
    Take(Vec<IpAddr>),
    /// Fail: no name has an address.
    Nothing(Failure),
    /// Wait: the first name without a negative answer has no answer yet.
    Wait,
    /// Wait for the other family of that name: one has answered.
    WaitForOther,
}

/// Chooses the addresses of the first name that has any. `wait_for_other` while the
/// other family of a name may still answer.
fn choose(
    results: &[Option<Result<Answer, Failure>>],
    per_name: usize,
    wait_for_other: bool,
) -> Choice {
    let mut failure = None;
    for name in results.chunks(per_name) {
        let mut addresses = Vec::new();
        for answer in name.iter().flatten().flatten() {
            addresses.extend_from_slice(answer.addresses());
        }
        let complete = name.iter().all(Option::is_some);
        match (addresses.is_empty(), complete) {
            (false, true) => return Choice::Take(addresses),
            (false, false) if wait_for_other => return Choice::WaitForOther,
            (false, false) => return Choice::Take(addresses),
            (true, false) => return Choice::Wait,
            (true, true) => {
                let mut failures = name
                    .iter()
                    .flatten()
                    .filter_map(|result| result.clone().err());
                let first = failures.next();
                // A failed lookup counts for more than a negative answer: there may
                // be an address.
                let unknown = failures.find(|failure| !failure.is_negative());
                failure = unknown
                    .filter(|_| first.is_some_and(Failure::is_negative))
                    .or(first);
            }
        }
    }
    Choice::Nothing(failure.unwrap_or(Failure::NoData))
}

#[cfg(test)]
mod tests;
