//! The TLSA records of a service (RFC 6698), where DNSSEC secures them.
//!
//! They are looked up only if DNSSEC secures the addresses of the host, too (RFC 7672 section
//! 2.2). Some name servers of zones without DNSSEC do not answer queries for TLSA records. A
//! failed lookup forbids the connection, so the hosts in these zones could not be reached.

use std::fmt;

use cli::address::Address;
use cli::tlsa::TlsaRecord;

use crate::{Answer, Failure, Name, Query, Resolver, Secured, SecuredKind};

/// A service over TCP.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// The name of its host.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
}

/// The TLSA records of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tlsa {
    /// DNSSEC secures them.
    Authentic {
        /// The TLSA base domain: the name of the host, or the one of which it is an alias (RFC
        /// 7671 section 7). In lower case.
        base: Name,
        /// The records, in the server's order. Malformed ones are left out.
        records: Vec<TlsaRecord>,
    },
    /// There are none, or DNSSEC does not secure them.
    Absent(Unsecured),
}

/// Why there are no authentic TLSA records. Displayed as the reason at the end of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unsecured {
    /// The host is not a name in the DNS.
    NoName,
    /// The host has no address in the DNS.
    NoAddress(Failure),
    /// DNSSEC does not secure the addresses of the host.
    Address,
    /// DNSSEC secures the addresses, and the answer that there are no TLSA records.
    NoRecord,
    /// DNSSEC secures the addresses, but not the answer that there are no TLSA records.
    Denial,
    /// DNSSEC secures the addresses, but not the TLSA records.
    Record,
}

impl fmt::Display for Unsecured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("the host is not a name in the DNS"),
            Self::NoAddress(failure) => write!(f, "the host has no address: {failure}"),
            Self::Address => f.write_str(
                "DNSSEC does not secure the addresses of the host, or the resolver does not \
                 validate",
            ),
            Self::NoRecord => f.write_str("there are none"),
            Self::Denial => f.write_str("DNSSEC does not secure the answer that there are none"),
            Self::Record => f.write_str("DNSSEC does not secure them"),
        }
    }
}

impl Resolver {
    /// Looks up the TLSA records of `service`. The servers are trusted to validate.
    ///
    /// # Errors
    /// A lookup failed, so that it is unknown whether there are any. A validating server answers
    /// SERVFAIL if a signature or the denial of a record is not valid.
    pub fn tlsa(&self, service: Service<'_>) -> Result<Tlsa, Failure> {
        let host = match Name::parse(service.host.as_bytes()) {
            Some(host) if !host.is_localhost() => host.to_lowercase(),
            _ => return Ok(Tlsa::Absent(Unsecured::NoName)),
        };
        let kinds = [SecuredKind::A, SecuredKind::Aaaa];
        let queries = kinds.map(|kind| Query::Secured(host.clone(), kind));
        let answers = self.answers(&queries);
        let mut validators = Validators::default();
        for answer in &answers {
            if let Ok(Answer::Secured(said)) = answer {
                validators.note(said);
            }
        }
        let bases = match base_domains(&host, &answers)? {
            Bases::Known(bases) => bases,
            Bases::Absent(why) => return Ok(Tlsa::Absent(why)),
            Bases::HostIfAliasIsSecure => {
                let alias = self.secured(&mut validators, host.clone(), SecuredKind::Cname)?;
                if !(alias.authentic && alias.records.is_ok()) {
                    return Ok(Tlsa::Absent(Unsecured::Address));
                }
                vec![host]
            }
        };
        let mut absent = Unsecured::NoRecord;
        for base in bases {
            let Some(owner) = owner(service.port, &base) else {
                continue;
            };
            let found = self.secured(&mut validators, owner, SecuredKind::Tlsa)?;
            let data = match (found.authentic, found.records) {
                (true, Ok(data)) => data,
                (true, Err(_)) => continue,
                (false, Ok(_)) => {
                    absent = Unsecured::Record;
                    continue;
                }
                (false, Err(_)) => {
                    absent = Unsecured::Denial;
                    continue;
                }
            };
            let records = data.iter().filter_map(|data| TlsaRecord::from_rdata(data));
            let records = records.collect();
            return Ok(Tlsa::Authentic { base, records });
        }
        Ok(Tlsa::Absent(absent))
    }

    /// What a server says about records of `name`.
    fn secured(
        &self,
        validators: &mut Validators,
        name: Name,
        kind: SecuredKind,
    ) -> Result<Secured, Failure> {
        let said = match self.answers(&[Query::Secured(name, kind)]).pop() {
            Some(Ok(Answer::Secured(said))) => said,
            Some(Err(failure)) => return Err(failure),
            _ => return Err(Failure::Malformed),
        };
        validators.note(&said);
        if validators.agree(&said) {
            Ok(said)
        } else {
            Err(Failure::Disagreement)
        }
    }
}

/// The servers that have called an answer authentic.
#[derive(Default)]
struct Validators(Vec<Option<Address>>);

impl Validators {
    fn note(&mut self, said: &Secured) {
        if said.authentic {
            self.0.push(said.server);
        }
    }

    /// Whether `said` may count. After one server has called an answer authentic, only a server
    /// that has done so, too, may say that another answer is not.
    fn agree(&self, said: &Secured) -> bool {
        said.authentic || self.0.is_empty() || self.0.contains(&said.server)
    }
}

/// Under which names there may be TLSA records.
#[derive(Debug, Eq, PartialEq)]
enum Bases {
    /// Under these, in this order.
    Known(Vec<Name>),
    /// Under the name of the host, if DNSSEC secures its CNAME record. DNSSEC does not secure the
    /// target of the alias: anybody could have forged its addresses, or their absence.
    HostIfAliasIsSecure,
    /// Under none.
    Absent(Unsecured),
}

/// The names under which there may be TLSA records of `host` (RFC 7671 section 7, RFC 7672
/// section 2.2). `answers` are those to the queries for its addresses of both families: if one
/// has addresses, the other one may have failed.
fn base_domains(host: &Name, answers: &[Result<Answer, Failure>]) -> Result<Bases, Failure> {
    let said = answers.iter().filter_map(|answer| match answer {
        Ok(Answer::Secured(said)) => Some(said),
        _ => None,
    });
    let said: Vec<&Secured> = said.collect();
    let mut found = said.iter().filter(|said| said.records.is_ok()).peekable();
    let any = found.peek().is_some();
    if let Some(secure) = found.find(|found| found.authentic) {
        let mut bases: Vec<Name> = secure.owner.iter().cloned().collect();
        if !bases.contains(host) {
            bases.push(host.clone());
        }
        return Ok(Bases::Known(bases));
    }
    let failure = answers.iter().find_map(|answer| answer.as_ref().err());
    if let Some(failure) = failure.filter(|_| !any) {
        return Err(*failure);
    }
    if said.iter().any(|said| said.aliased && !said.authentic) {
        return Ok(Bases::HostIfAliasIsSecure);
    }
    if any {
        return Ok(Bases::Absent(Unsecured::Address));
    }
    let absent = said.iter().find_map(|said| said.records.as_ref().err());
    let absent = *absent.ok_or(Failure::Malformed)?;
    Ok(Bases::Absent(Unsecured::NoAddress(absent)))
}

/// The name of the TLSA records (RFC 6698 section 3). None if it is too long.
fn owner(port: u16, base: &Name) -> Option<Name> {
    Name::parse(format!("_{port}._tcp").as_bytes())?.under(base)
}

#[cfg(test)]
mod tests {
    use cli::address::Ip;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes()).unwrap()
    }

    fn addresses(owner: &str, authentic: bool) -> Result<Answer, Failure> {
        Ok(Answer::Secured(Secured {
            authentic,
            aliased: owner != "host.test",
            owner: Some(name(owner)),
            records: Ok(vec![]),
            server: None,
        }))
    }

    fn none(aliased: bool, authentic: bool) -> Result<Answer, Failure> {
        Ok(Answer::Secured(Secured {
            authentic,
            aliased,
            owner: None,
            records: Err(Failure::NoData),
            server: None,
        }))
    }

    fn bases(answers: [Result<Answer, Failure>; 2]) -> Result<Bases, Failure> {
        base_domains(&name("host.test"), &answers)
    }

    fn known(names: &[&str]) -> Result<Bases, Failure> {
        Ok(Bases::Known(names.iter().copied().map(name).collect()))
    }

    const NO: Result<Answer, Failure> = Ok(Answer::Secured(Secured {
        authentic: false,
        aliased: false,
        owner: None,
        records: Err(Failure::NoData),
        server: None,
    }));
    const BOGUS: Result<Answer, Failure> = Err(Failure::Server);

    #[test]
    fn host_with_secure_addresses_is_the_base() {
        let secure = || addresses("host.test", true);
        assert_eq!(bases([secure(), NO]), known(&["host.test"]));
        assert_eq!(bases([NO, secure()]), known(&["host.test"]));
        assert_eq!(bases([BOGUS, secure()]), known(&["host.test"]));
    }

    #[test]
    fn end_of_a_secure_chain_of_aliases_goes_before_the_host() {
        let expanded = known(&["target.test", "host.test"]);
        assert_eq!(bases([addresses("target.test", true), NO]), expanded);
    }

    #[test]
    fn alias_of_an_insecure_name_has_to_be_secure_itself() {
        let alias = addresses("target.test", false);
        assert_eq!(bases([alias, NO]), Ok(Bases::HostIfAliasIsSecure));
    }

    #[test]
    fn absence_of_addresses_counts_if_it_is_secure_or_there_is_no_alias() {
        let absent = || Ok(Bases::Absent(Unsecured::NoAddress(Failure::NoData)));
        let all = [(false, false), (false, true), (true, true)];
        for (aliased, authentic) in all {
            let none = || none(aliased, authentic);
            assert_eq!(bases([none(), none()]), absent());
        }
        let forged = || none(true, false);
        for (aliased, authentic) in [(true, false)].into_iter().chain(all) {
            let other = || none(aliased, authentic);
            let unknown = Ok(Bases::HostIfAliasIsSecure);
            assert_eq!(bases([forged(), other()]), unknown);
            assert_eq!(bases([other(), forged()]), unknown);
        }
        assert_eq!(bases([forged(), BOGUS]), Err(Failure::Server));
    }

    #[test]
    fn insecure_or_missing_addresses_have_no_base() {
        let absent = |why| Ok(Bases::Absent(why));
        let insecure = || addresses("host.test", false);
        assert_eq!(bases([insecure(), NO]), absent(Unsecured::Address));
        assert_eq!(bases([BOGUS, insecure()]), absent(Unsecured::Address));
        let missing = Unsecured::NoAddress(Failure::NoData);
        assert_eq!(bases([NO, NO]), absent(missing));
    }

    #[test]
    fn server_that_has_validated_nothing_does_not_overrule_one_that_has() {
        let said = |last, authentic| Secured {
            authentic,
            aliased: false,
            owner: None,
            records: Err(Failure::NoData),
            server: Some(Ip::V4([127, 0, 0, last]).into()),
        };
        let mut validators = Validators::default();
        validators.note(&said(1, false));
        assert!(validators.agree(&said(1, false)) && validators.agree(&said(2, false)));
        validators.note(&said(1, true));
        assert!(validators.agree(&said(1, false)) && validators.agree(&said(2, true)));
        assert!(!validators.agree(&said(2, false)));
    }

    #[test]
    fn failed_lookup_is_not_a_missing_address() {
        assert_eq!(bases([NO, BOGUS]), Err(Failure::Server));
        assert_eq!(bases([BOGUS, NO]), Err(Failure::Server));
        let late = Err(Failure::TimedOut);
        assert_eq!(bases([late.clone(), late]), Err(Failure::TimedOut));
    }
}
