//! `s6-tlsa`: looks up the TLSA records of a service and runs a program, whose TLS client
//! verifies by them (DANE, RFC 6698). See doc/s6-tlsa.md.

use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

use cli::address::parse_port;
use cli::id::Tlsa as Id;
use cli::operands::Host;
use cli::tlsa::{DOMAIN, RECORDS, REQUIRED, TlsaRecord};
use cli::{Context, Fatal, ParsedOption};
use dns::{Name, Resolver, Service, Tlsa, Unsecured};

use crate::deadline::deadline;

struct Options {
    port: u16,
    timeout: u32,
    required: bool,
    trust_resolver: bool,
}

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let started = Instant::now();
    let (given, mut operands) = context.options()?;
    let mut options = Options {
        port: 443,
        timeout: 0,
        required: false,
        trust_resolver: false,
    };
    for (id, option) in given.each::<Id>()? {
        options.apply(id, option, context)?;
    }
    let prog = operands.split_off(1);
    // Inherited records are those of another server.
    for name in [RECORDS, DOMAIN, REQUIRED] {
        context.env.unset(name);
    }
    look_up(context, &options, &operands[0], started)?;
    Err(context.exec(&prog))
}

impl Options {
    fn apply(&mut self, id: Id, option: &ParsedOption, context: &mut Context) -> Result<(), Fatal> {
        match id {
            Id::Verbosity => context.verbosity = option.number(),
            Id::Port => {
                let port = parse_port(option.text.as_encoded_bytes());
                self.port = port.ok_or_else(|| context.usage())?;
            }
            Id::Timeout => self.timeout = option.number(),
            Id::Required => self.required = true,
            Id::TrustResolver => self.trust_resolver = true,
        }
        Ok(())
    }
}

/// Looks up the records of `host` and puts them into the environment. If there are none it is an
/// error only if they are required.
fn look_up(
    context: &mut Context,
    options: &Options,
    host: &OsStr,
    started: Instant,
) -> Result<(), Fatal> {
    let name = host.to_string_lossy();
    let owner = format!("_{}._tcp.{name}", options.port);
    let failed = |why: &str| {
        let what = format!("unable to look up TLSA records of {owner}: {why}");
        Fatal::new(Fatal::SYSTEM, what)
    };
    let none = |why: &str| format!("no authentic TLSA records of {owner}: {why}");
    let limit = Duration::from_secs(options.timeout.into());
    let mut resolver = Resolver::new(&context.env, false, deadline(started, limit))
        .map_err(|failure| failed(&failure.to_string()))?;
    let trusted = options.trust_resolver || resolver.keep_local_servers();
    let found = match Host::parse(host, true)? {
        Host::Name if !trusted => {
            let why = "no resolver on this machine, and no --trust-resolver or \
                       --dane-trust-resolver given";
            return absent(context, options, &none(why), Context::warn);
        }
        Host::Name => {
            let port = options.port;
            let service = Service { host: &name, port };
            (resolver.tlsa(service)).map_err(|failure| failed(&failure.to_string()))?
        }
        Host::Local | Host::Addresses(_) => Tlsa::Absent(Unsecured::NoName),
    };
    match found {
        Tlsa::Absent(why) => absent(context, options, &none(&why.to_string()), Context::info),
        Tlsa::Authentic { records, .. } if !records.iter().any(is_usable) => {
            let text = format!("no TLSA record of {owner} is usable");
            absent(context, options, &text, Context::warn)
        }
        Tlsa::Authentic { base, records } => {
            let usable = base
                .server_name()
                .ok_or_else(|| no_server_name(&owner, &name, &base));
            let base = usable?;
            let lines: Vec<String> = records.iter().map(TlsaRecord::to_string).collect();
            for line in &lines {
                context.info(&format!("TLSA record of {base}: {line}"));
            }
            context.env.set(RECORDS, OsString::from(lines.join("\n")));
            context.env.set(DOMAIN, base);
            // Only the client knows whether it has the trust anchors that some records need.
            if options.required {
                context.env.set(REQUIRED, "1");
            }
            Ok(())
        }
    }
}

/// The error that `base`, under which the records of `host` are, cannot be the name of a server.
fn no_server_name(owner: &str, host: &str, base: &Name) -> Fatal {
    let itself = Name::parse(host.as_bytes()).is_some_and(|host| host.to_lowercase() == *base);
    let what = if itself {
        "it"
    } else {
        "the target of the alias"
    };
    let why = format!("unable to use TLSA records of {owner}: {what} is no host name: {base}");
    Fatal::new(Fatal::SYSTEM, why)
}

fn is_usable(record: &TlsaRecord) -> bool {
    record.meaning().is_some()
}

/// Says with `text` why no records count. An error if records are required, else a message that
/// `tell` prints.
fn absent(
    context: &Context,
    options: &Options,
    text: &str,
    tell: fn(&Context, &str),
) -> Result<(), Fatal> {
    if options.required {
        return Err(Fatal::new(Fatal::SYSTEM, text));
    }
    tell(context, text);
    Ok(())
}
