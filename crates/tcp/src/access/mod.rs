//! `s6-tcpserver-access`: looks up the client and applies access rules, then runs
//! a program. See doc/s6-tcpserver-access.md.

mod cdb;
mod directory;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod names;
mod rule;
mod rules;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use cli::address::{Address, Endpoint, Ip, parse_port};
use cli::id;
use cli::message::quoted;
use cli::{Context, Fatal, ParsedOption};
use nix::poll::PollFlags;
use unix::{Errno, Pid, fd, poll};

use crate::deadline::deadline;
use crate::ident::{self, Query, Reply};
use rule::Allowed;
use rules::Decision;
pub use rules::Ruleset;

/// Exit code: the client is refused.
const REFUSED: u8 = 1;
/// Exit code with strict resolution: the IDENT server replied with an error.
const NO_IDENT: u8 = 2;
/// Exit code: the time limit was reached.
const TIMED_OUT: u8 = 99;

#[derive(Default)]
struct Options {
    verbosity: Option<u32>,
    strict: bool,
    no_nagle: bool,
    no_dns: bool,
    hosts: bool,
    ident: bool,
    paranoid: bool,
    local_name: Option<OsString>,
    banner: Vec<u8>,
    timeout: u32,
    ruleset: Option<Ruleset>,
}

/// The connection, as the environment describes it.
struct Connection {
    proto: OsString,
    /// The client's address as in the environment: it may be IPv4-mapped.
    original_ip: Ip,
    local: Endpoint,
    remote: Endpoint,
}

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let started = Instant::now();
    let (given, prog) = context.options()?;
    let mut options = Options::default();
    for (id, option) in given.each::<id::Access>()? {
        options.apply(id, option);
    }
    context.verbosity = options.verbosity.unwrap_or(context.verbosity);
    let connection = Connection::from_environment(context)?;
    context.prog = format!("{}: pid {}", context.prog, Pid::this());
    let limit = Duration::from_millis(options.timeout.into());
    let deadline = deadline(started, limit);
    Access {
        context,
        options,
        connection,
        deadline,
    }
    .run(prog)
}

impl Options {
    fn apply(&mut self, id: id::Access, option: &ParsedOption) {
        let text = || option.text.clone();
        match id {
            id::Access::Verbosity => self.verbosity = Some(option.number()),
            id::Access::StrictResolution => self.strict = true,
            id::Access::NoNagle => self.no_nagle = true,
            id::Access::NoDns => self.no_dns = true,
            id::Access::Hosts => self.hosts = true,
            id::Access::Ident => self.ident = true,
            id::Access::Paranoid => self.paranoid = true,
            id::Access::LocalName => self.local_name = Some(text()),
            id::Access::Banner => self
                .banner
                .extend_from_slice(option.text.as_encoded_bytes()),
            id::Access::Timeout => self.timeout = option.number(),
            id::Access::RulesDirectory => self.ruleset = Some(Ruleset::Directory(text())),
            id::Access::RulesFile => self.ruleset = Some(Ruleset::File(text())),
        }
    }

    /// Whether names are looked up: `-p` needs them even with `-H`.
    fn lookups(&self) -> bool {
        self.paranoid || !self.no_dns
    }
}

impl Connection {
    fn from_environment(context: &Context) -> Result<Self, Fatal> {
        let proto = context.require("PROTO")?.to_owned();
        let end = |side: &str| {
            let [ip, port] = ["IP", "PORT"].map(|what| variable(&proto, &[side, what]));
            let address = Address::parse(context.require(&ip)?.as_encoded_bytes())
                .ok_or_else(|| Fatal::invalid_variable(&ip))?;
            let port = parse_port(context.require(&port)?.as_encoded_bytes())
                .ok_or_else(|| Fatal::invalid_variable(&port))?;
            Ok::<_, Fatal>(Endpoint { address, port })
        };
        let (local, remote) = (end("LOCAL")?, end("REMOTE")?);
        Ok(Self {
            original_ip: remote.address.ip,
            local: local.unmapped(),
            remote: remote.unmapped(),
            proto,
        })
    }
}

/// The name of a variable: the prefix, which may be any string, and these parts.
fn variable(proto: &OsStr, parts: &[&str]) -> OsString {
    let mut name = proto.to_owned();
    name.extend(parts.iter().map(OsStr::new));
    name
}

struct Access<'a> {
    context: &'a mut Context,
    options: Options,
    connection: Connection,
    deadline: Option<Instant>,
}

impl Access<'_> {
    fn run(mut self, prog: Vec<OsString>) -> Result<u8, Fatal> {
        if self.options.no_nagle {
            if let Err(errno) = unix::net::no_delay(fd::stdout()) {
                self.context.warn_unable("set TCP_NODELAY", errno);
            }
        }
        self.banner()?;
        let ip = self.connection.remote.address;
        let mut decision = match &self.options.ruleset {
            Some(ruleset) => ruleset.by_address(self.connection.original_ip)?,
            None => Decision::Allow(Allowed::default()),
        };
        if let Decision::Deny(rule) = decision {
            return Err(self.refused_by(&rule));
        }
        let mut query = self.options.ident.then(|| self.query_ident());
        let looked_up = match query {
            // `user` refuses the client.
            Some(Err(_)) if self.options.strict => None,
            _ => self.look_up(Query::task(&mut query)),
        };
        let user = query.map_or(Ok(None), |query| self.user(query))?;
        let (local_name, remote_name) = self.names(looked_up)?;
        if let (Decision::None, Some(ruleset), Some(name)) =
            (&decision, &self.options.ruleset, &remote_name)
        {
            decision = ruleset.by_name(name)?;
        }
        let allowed = match decision {
            Decision::Allow(allowed) => allowed,
            Decision::Deny(rule) => return Err(self.refused_by(&rule)),
            Decision::None => return Err(self.refused("rule none")),
        };
        self.set_variables([
            ("REMOTEHOST", remote_name.map(OsString::from)),
            ("LOCALHOST", local_name),
            ("REMOTEINFO", user),
        ]);
        self.context
            .say(1, "info", &format!("allow pid {} ip {ip}", Pid::this()));
        Err(self.execute(allowed, prog))
    }

    /// Sets or unsets the variables about the client.
    fn set_variables(&mut self, variables: [(&str, Option<OsString>); 3]) {
        for (name, value) in variables {
            let name = variable(&self.connection.proto, &[name]);
            match value {
                Some(value) => self.context.env.set(name.as_encoded_bytes(), value),
                None => self.context.env.unset(name.as_encoded_bytes()),
            }
        }
    }

    /// Runs the program, or the rule's script instead. The rule's variables
    /// replace all others of the same name.
    fn execute(&mut self, allowed: Allowed, prog: Vec<OsString>) -> Fatal {
        for (name, value) in allowed.env {
            match value {
                Some(value) => self.context.env.set(name, OsString::from_vec(value)),
                None => self.context.env.unset(name),
            }
        }
        if allowed.exec.is_empty() {
            return self.context.exec(&prog);
        }
        let script = OsString::from_vec(allowed.exec);
        self.context
            .exec(&["execlineb".into(), "-c".into(), script])
    }

    /// Logs that the client is refused, and returns `end`. `why` is `rule` with
    /// the rule's key, or `reason` with a text.
    fn refuse(&self, why: &str, end: Fatal) -> Fatal {
        let ip = self.connection.remote.address;
        let text = format!("deny pid {} ip {ip} {why}", Pid::this());
        self.context.say(1, "info", &text);
        end
    }

    fn refused(&self, why: &str) -> Fatal {
        self.refuse(why, Fatal::silent(REFUSED))
    }

    /// Refuses the client because of the rule with this key, which may contain the
    /// client's name.
    fn refused_by(&self, rule: &str) -> Fatal {
        self.refused(&format!("rule {}", quoted(rule.as_bytes())))
    }

    /// Refuses the client because of an error.
    fn failed(&self, end: Fatal) -> Fatal {
        self.refuse(&format!("reason {}", end.message()), end)
    }

    fn timed_out(&self) -> Fatal {
        Fatal::new(TIMED_OUT, "time limit reached")
    }

    /// Writes the banner, whatever its length, until the deadline.
    fn banner(&self) -> Result<(), Fatal> {
        let _quiet = unix::signal::ignore_sigpipe();
        let mut rest = &self.options.banner[..];
        while !rest.is_empty() {
            let ready = poll::ready(fd::stdout(), PollFlags::POLLOUT, self.deadline);
            let written = ready.and_then(|()| fd::write_first(fd::stdout(), rest));
            match written {
                Ok(count) => rest = &rest[count..],
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(Errno::ETIMEDOUT) => return Err(self.timed_out()),
                Err(errno) => return Err(Fatal::system("write banner", errno)),
            }
        }
        Ok(())
    }

    /// Starts the query to the client's IDENT server. With strict resolution it ends
    /// the lookups of names when it ends without a user: the client is refused then.
    fn query_ident(&self) -> Result<Query, Errno> {
        let Connection { remote, local, .. } = self.connection;
        let query = Query::new(remote, local, ident::until(self.deadline))?;
        Ok(query.required(self.options.strict))
    }

    /// The user in the reply of the IDENT server; None if it names none.
    fn user(&self, query: Result<Query, Errno>) -> Result<Option<OsString>, Fatal> {
        match query.and_then(Query::finish) {
            Ok(Reply::User(name)) => Ok(Some(OsString::from_vec(name))),
            Ok(Reply::Error(why)) => {
                self.context
                    .say(3, "warning", &format!("ident server replied: {why}"));
                if self.options.strict {
                    let why = format!("reason ident server replied: {why}");
                    return Err(self.refuse(&why, Fatal::silent(NO_IDENT)));
                }
                Ok(None)
            }
            Err(_) if self.over() => Err(self.timed_out()),
            Err(errno) if self.options.strict => {
                Err(self.failed(Fatal::system("ask the ident server", errno)))
            }
            Err(errno) => {
                let why = unix::errno::text(errno);
                self.context.say(
                    3,
                    "warning",
                    &format!("unable to ask the ident server: {why}"),
                );
                Ok(None)
            }
        }
    }

    fn over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }
}
