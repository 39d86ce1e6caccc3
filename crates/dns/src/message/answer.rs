//! The answer among the records of a reply.

use std::net::IpAddr;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, ResourceRecord, TYPE};

use super::{Message, TLSA};
use crate::{Answer, Failure, Name, Secured, host_name};

/// The maximum length of a chain of aliases.
const MAX_CHAIN: usize = 16;

/// The owner and the data of records: those of [`Secured`].
type Found = (Option<Name>, Vec<Vec<u8>>);

impl Message {
    /// The answer in `records`, if there is one, at the end of the chain of aliases that starts
    /// with our name. Also returns whether there is an alias.
    pub(super) fn find(
        &self,
        records: &[ResourceRecord],
        authentic: bool,
    ) -> Result<(bool, Option<Answer>), Failure> {
        if !self.secured {
            let (aliased, found) =
                self.follow(records, |_, here| self.collect(here.iter().copied()))?;
            return Ok((aliased, found.transpose()?));
        }
        let (aliased, found) =
            self.follow(records, |name, here| self.collect_secured(here, name))?;
        let secured = |(owner, data)| {
            Answer::Secured(Secured {
                authentic,
                aliased,
                owner,
                records: Ok(data),
                server: None,
            })
        };
        Ok((aliased, found.transpose()?.map(secured)))
    }

    /// The result if the server says that there are no records.
    pub(super) fn absent(
        &self,
        why: Failure,
        aliased: bool,
        authentic: bool,
    ) -> Result<Answer, Failure> {
        if !self.secured {
            return Err(why);
        }
        Ok(Answer::Secured(Secured {
            authentic,
            aliased,
            owner: None,
            records: Err(why),
            server: None,
        }))
    }

    /// Follows the chain of aliases that starts with our name until `collect` finds something in
    /// the records of a name, or to its end. Also returns whether there is an alias.
    fn follow<T>(
        &self,
        records: &[ResourceRecord],
        collect: impl Fn(&[&[u8]], &[&ResourceRecord]) -> Option<T>,
    ) -> Result<(bool, Option<T>), Failure> {
        let mut name: Vec<&[u8]> = self.labels().collect();
        for followed in 0..MAX_CHAIN {
            let here = records.iter().filter(|record| {
                record.class == CLASS::IN && same(record.name.as_bytes(), name.iter().copied())
            });
            let here: Vec<&ResourceRecord> = here.collect();
            if let Some(found) = collect(&name, &here) {
                return Ok((followed > 0, Some(found)));
            }
            let Some(target) = here.iter().find_map(|record| match &record.rdata {
                RData::CNAME(target) => Some(&target.0),
                _ => None,
            }) else {
                return Ok((followed > 0, None));
            };
            name = target.as_bytes().collect();
        }
        Err(Failure::Malformed)
    }

    /// The answer in `records`, which all have the same name; None if none has our type.
    /// Of several names of an address the first counts: no data if it is not a host name.
    fn collect<'a>(
        &self,
        mut records: impl Iterator<Item = &'a ResourceRecord<'a>>,
    ) -> Option<Result<Answer, Failure>> {
        if self.kind == TYPE::PTR {
            let name = records.find_map(|record| match &record.rdata {
                RData::PTR(name) => Some(&name.0),
                _ => None,
            })?;
            let answer = host_name(name.as_bytes()).map(Answer::HostName);
            return Some(answer.ok_or(Failure::NoData));
        }
        let address = |record: &ResourceRecord| match &record.rdata {
            RData::A(a) if self.kind == TYPE::A => Some(IpAddr::from(a.address.to_be_bytes())),
            RData::AAAA(a) if self.kind == TYPE::AAAA => {
                Some(IpAddr::from(a.address.to_be_bytes()))
            }
            _ => None,
        };
        let addresses: Vec<IpAddr> = records.filter_map(address).collect();
        (!addresses.is_empty()).then_some(Ok(Answer::Addresses(addresses)))
    }

    /// The owner and the data in `records` of `name`: see [`Secured`]; None if none has our type.
    fn collect_secured(
        &self,
        records: &[&ResourceRecord],
        name: &[&[u8]],
    ) -> Option<Result<Found, Failure>> {
        // A TLSA record without data is malformed, but there.
        let empty =
            |data: &RData| matches!(data, RData::Empty(_)) && self.kind != TYPE::Unknown(TLSA);
        let is_ours = |data: &&RData| data.type_code() == self.kind && !empty(data);
        let ours: Vec<_> = (records.iter().map(|record| &record.rdata))
            .filter(is_ours)
            .collect();
        let owner = match ours.first()? {
            RData::A(_) | RData::AAAA(_) => match Name::of_labels(name.iter().copied()) {
                None => return Some(Err(Failure::Malformed)),
                owner => owner,
            },
            _ => None,
        };
        let data = ours.iter().filter_map(|data| match data {
            RData::NULL(_, data) => Some(data.get_data().to_vec()),
            RData::Empty(_) => Some(Vec::new()),
            _ => None,
        });
        Some(Ok((owner, data.collect())))
    }
}

/// Whether two names are equal, regardless of case.
fn same<'a>(a: impl Iterator<Item = &'a [u8]>, b: impl Iterator<Item = &'a [u8]>) -> bool {
    a.map(<[u8]>::to_ascii_lowercase)
        .eq(b.map(<[u8]>::to_ascii_lowercase))
}
