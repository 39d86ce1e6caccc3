//! The host names of both ends of a connection.

use std::ffi::OsString;
use std::net::IpAddr;

use cli::Fatal;
use cli::message::quoted;
use dns::{Failure, Families, Resolver};
use unix::tasks::Task;

use super::{Access, Connection};

/// The results of the lookups: for the remote end, then for the local one.
pub struct LookedUp {
    resolver: Resolver,
    found: Vec<Result<String, Failure>>,
}

impl Access<'_> {
    /// Looks up the name of the remote end, and that of the local end unless an
    /// option gives it. The task `alongside` runs meanwhile. None if no names are
    /// wanted.
    pub fn look_up(&self, alongside: Option<&mut dyn Task>) -> Option<Result<LookedUp, Failure>> {
        if !self.options.lookups() {
            return None;
        }
        let resolver = Resolver::new(&self.context.env, self.options.hosts, self.deadline);
        Some(resolver.map(|resolver| {
            let Connection { remote, local, .. } = self.connection;
            let both = [remote, local].map(|end| IpAddr::from(end.address.ip));
            let wanted = if self.options.local_name.is_some() {
                &both[..1]
            } else {
                &both
            };
            let found = resolver.names(wanted, alongside);
            LookedUp { resolver, found }
        }))
    }

    /// The names of the local and of the remote end; None for an end whose name
    /// was not found or not confirmed.
    pub fn names(
        &self,
        looked_up: Option<Result<LookedUp, Failure>>,
    ) -> Result<(Option<OsString>, Option<String>), Fatal> {
        let given = self.options.local_name.clone();
        let LookedUp { resolver, found } = match looked_up {
            None => return Ok((given, None)),
            Some(Ok(looked_up)) => looked_up,
            Some(Err(failure)) => {
                let why = format!("unable to set up name resolution: {failure}");
                if self.options.strict {
                    return Err(self.failed(Fatal::new(Fatal::SYSTEM, why)));
                }
                self.context.say(2, "warning", &why);
                return Ok((given, None));
            }
        };
        let mut found = found.into_iter();
        let mut next = || {
            let result = found.next();
            result.map_or(Ok(None), |result| self.looked_up(result))
        };
        let (remote, local) = (next()?, next()?);
        let remote_name = match remote {
            Some(name) if self.options.paranoid => self.confirmed(&resolver, name)?,
            Some(name) => Some(name),
            None if self.options.paranoid && self.options.strict => {
                return Err(self.refused("reason no name"));
            }
            None => None,
        };
        let local_name = given.or(local.map(OsString::from));
        Ok((local_name, remote_name))
    }

    /// The result of a lookup; None if nothing was found. A lookup that failed is
    /// an error if the time is over or resolution is strict, else a warning.
    fn looked_up<T>(&self, result: Result<T, Failure>) -> Result<Option<T>, Fatal> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(Failure::Deadline) => Err(self.timed_out()),
            Err(failure) if self.options.strict && !failure.is_negative() => {
                let why = format!("unable to look up a name: {failure}");
                Err(self.failed(Fatal::new(Fatal::SYSTEM, why)))
            }
            Err(failure) => {
                self.context.say(
                    3,
                    "warning",
                    &format!("unable to look up a name: {failure}"),
                );
                Ok(None)
            }
        }
    }

    /// The name, if one of its addresses is the client's. Refuses the client if the
    /// name has only other addresses, or none and resolution is strict. None if it has
    /// none and resolution is not strict.
    fn confirmed(&self, resolver: &Resolver, name: String) -> Result<Option<String>, Fatal> {
        let ip = IpAddr::from(self.connection.remote.address.ip);
        let family = if ip.is_ipv4() {
            Families::V4
        } else {
            Families::V6
        };
        let shown = quoted(name.as_bytes());
        match self.looked_up(resolver.addresses(&name, family, false))? {
            Some(addresses) if addresses.contains(&ip) => Ok(Some(name)),
            Some(_) => Err(self.refused(&format!("reason other addresses of {shown}"))),
            None if self.options.strict => {
                Err(self.refused(&format!("reason no address of {shown}")))
            }
            None => Ok(None),
        }
    }
}
