//! What programs ask for: the addresses of a name, the names of addresses.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use unix::tasks::{Task, earlier, turn};
use unix::{Env, Errno};

use crate::conversation::Conversation;
use crate::{Answer, Config, Failure, Hosts, Name, Query};

/// How long a family of addresses that does not answer is waited for once
/// the other one has answered.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which addresses are wanted.
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

/// The name of an address, and where it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// In lower case, with a final dot.
    pub name: String,
    /// It stands in /etc/hosts, and not in the DNS.
    pub in_hosts: bool,
}

/// Everything that lookups of one program need.
pub struct Resolver {
    config: Config,
    hosts: Hosts,
    deadline: Option<Instant>,
}

impl Resolver {
    /// Reads the configuration, and /etc/hosts if `hosts` is to be consulted
    /// before the DNS. All lookups are over by `deadline`.
    pub fn new(env: &Env, hosts: bool, deadline: Option<Instant>) -> Result<Self, Errno> {
        Ok(Self {
            config: Config::load(env)?,
            hosts: if hosts {
                Hosts::load()?
            } else {
                Hosts::default()
            },
            deadline,
        })
    }

    /// The addresses of `name`, those of IPv6 first; at least one. With
    /// `qualify`, suffixes are tried where it has no final dot. `localhost`
    /// and what is under it are this host without any question.
    pub fn addresses(
        &self,
        name: &str,
        families: Families,
        qualify: bool,
    ) -> Result<Vec<IpAddr>, Failure> {
        let known = self.hosts.addresses(name).into_iter();
        let mut known: Vec<IpAddr> = known.filter(|ip| families.include(*ip)).collect();
        if !known.is_empty() {
            known.sort_by_key(IpAddr::is_ipv4);
            return Ok(known);
        }
        let candidates = self.candidates(name, qualify)?;
        let mut queries = Vec::new();
        for name in &candidates {
            if families != Families::V4 {
                queries.push(Query::Aaaa(name.clone()));
            }
            if families != Families::V6 {
                queries.push(Query::A(name.clone()));
            }
        }
        let per_name = queries.len() / candidates.len().max(1);
        first_with_addresses(&self.config, &queries, per_name, self.deadline)
    }

    /// The names of `ips`, asked for at the same time; `alongside`, another
    /// question of the program, goes on meanwhile.
    pub fn names(
        &self,
        ips: &[IpAddr],
        alongside: Option<&mut dyn Task>,
    ) -> Vec<Result<Found, Failure>> {
        let known: Vec<_> = ips.iter().map(|ip| self.hosts.name(*ip)).collect();
        let asked = ips.iter().zip(&known).filter(|(_, known)| known.is_none());
        let queries: Vec<Query> = asked.map(|(ip, _)| Query::Ptr(*ip)).collect();
        let mut answers = resolve(&self.config, &queries, alongside, self.deadline).into_iter();
        let found = known.into_iter().map(|known| match known {
            Some(name) => Ok(Found {
                name,
                in_hosts: true,
            }),
            None => match answers.next() {
                Some(Ok(Answer::HostName(name))) => Ok(Found {
                    name,
                    in_hosts: false,
                }),
                Some(Err(failure)) => Err(failure),
                _ => Err(Failure::NoData),
            },
        });
        found.collect()
    }

    /// The names that `name` may stand for, in the order of preference.
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

/// Asks all of `queries` at the same time; the answers come in their order.
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

fn begin(config: &Config, queries: &[Query]) -> Vec<Conversation> {
    let now = Instant::now();
    let mut conversations: Vec<_> = queries
        .iter()
        .map(|query| Conversation::new(config, query, now))
        .collect();
    for conversation in &mut conversations {
        conversation.step(now);
    }
    conversations
}

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

/// Asks all of `queries`, of which `per_name` in a row are for one name, and
/// gives the addresses of the first name that has any.
fn first_with_addresses(
    config: &Config,
    queries: &[Query],
    per_name: usize,
    deadline: Option<Instant>,
) -> Result<Vec<IpAddr>, Failure> {
    let mut conversations = begin(config, queries);
    let mut patience: Option<Instant> = None;
    loop {
        let results: Vec<_> = conversations.iter().map(|c| c.result().cloned()).collect();
        let now = Instant::now();
        let over = deadline.is_some_and(|deadline| now >= deadline);
        let patient = !over && patience.is_none_or(|until| now < until);
        match choose(&results, per_name.max(1), patient) {
            Choice::Take(addresses) => return Ok(addresses),
            Choice::Nothing(failure) => return Err(failure),
            Choice::Wait if over => return Err(Failure::Deadline),
            Choice::Wait => {}
            Choice::WaitForOther => patience = patience.or(Some(now + PATIENCE)),
        }
        advance(&mut conversations, None, earlier(deadline, patience)).map_err(Failure::System)?;
    }
}

#[derive(Debug, Eq, PartialEq)]
enum Choice {
    Take(Vec<IpAddr>),
    Nothing(Failure),
    /// The name that comes first has not answered.
    Wait,
    /// One family of it has, the other not yet.
    WaitForOther,
}

fn choose(results: &[Option<Result<Answer, Failure>>], per_name: usize, patient: bool) -> Choice {
    let mut failure = None;
    for name in results.chunks(per_name) {
        let mut addresses = Vec::new();
        for answer in name.iter().flatten().flatten() {
            addresses.extend_from_slice(answer.addresses());
        }
        let complete = name.iter().all(Option::is_some);
        match (addresses.is_empty(), complete) {
            (false, true) => return Choice::Take(addresses),
            (false, false) if patient => return Choice::WaitForOther,
            (false, false) => return Choice::Take(addresses),
            (true, false) => return Choice::Wait,
            (true, true) => {
                let mut failures = name
                    .iter()
                    .flatten()
                    .filter_map(|result| result.clone().err());
                let first = failures.next();
                // A lookup that failed leaves open what one that found
                // nothing answers.
                let open = failures.find(|failure| !failure.is_negative());
                failure = open
                    .filter(|_| first.is_some_and(Failure::is_negative))
                    .or(first);
            }
        }
    }
    Choice::Nothing(failure.unwrap_or(Failure::NoData))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4() -> Option<Result<Answer, Failure>> {
        Some(Ok(Answer::Addresses(vec![IpAddr::from([127, 0, 0, 1])])))
    }

    fn v6() -> Option<Result<Answer, Failure>> {
        Some(Ok(Answer::Addresses(vec!["::1".parse().unwrap()])))
    }

    fn took(choice: Choice) -> Vec<String> {
        match choice {
            Choice::Take(ips) => ips.iter().map(IpAddr::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_families_are_taken_ipv6_first() {
        assert_eq!(took(choose(&[v6(), v4()], 2, true)), ["::1", "127.0.0.1"]);
        let no_v6 = Some(Err(Failure::TimedOut));
        assert_eq!(took(choose(&[no_v6, v4()], 2, true)), ["127.0.0.1"]);
    }

    #[test]
    fn a_silent_family_is_not_waited_for_without_end() {
        assert_eq!(choose(&[None, v4()], 2, true), Choice::WaitForOther);
        assert_eq!(took(choose(&[None, v4()], 2, false)), ["127.0.0.1"]);
        assert_eq!(
            choose(&[None, Some(Err(Failure::NoData))], 2, false),
            Choice::Wait
        );
    }

    #[test]
    fn the_first_name_in_order_wins_even_if_a_later_one_answers_first() {
        assert_eq!(choose(&[None, v4()], 1, true), Choice::Wait);
        let missing = Some(Err(Failure::NoName));
        assert_eq!(took(choose(&[missing, v4()], 1, true)), ["127.0.0.1"]);
    }

    #[test]
    fn a_failure_counts_for_more_than_a_negative_answer() {
        let nothing = |a, b| choose(&[Some(Err(a)), Some(Err(b))], 2, true);
        let (no, late) = (Failure::NoData, Failure::TimedOut);
        assert_eq!(nothing(no, late), Choice::Nothing(late));
        assert_eq!(nothing(late, no), Choice::Nothing(late));
        assert_eq!(nothing(no, no), Choice::Nothing(no));
    }
}
