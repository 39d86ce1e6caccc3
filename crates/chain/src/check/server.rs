//! `--check` in s6-tlsserver: everything up to s6-tlsd, and what s6-tlsd does not execute
//! itself.

use std::ffi::{OsStr, OsString};

use cli::id::{Access, Applyuidgid, Id, Socketbinder, Tcpserverd};
use cli::{ConnectionLimits, Context, Fatal, Ids, ParsedOption, ParsedOptions, operands, suite};
use tcp::access::Ruleset;
use unix::{Errno, quoted, user};

use super::{find, speak_as};
use crate::tlsserver::Chain;

/// Checks the programs of the chain, then becomes one that binds a socket to the address,
/// does not listen, and runs s6-tlsd with `--check`.
pub fn check(
    context: &mut Context,
    mut given: ParsedOptions,
    operands: Vec<OsString>,
) -> Result<u8, Fatal> {
    let address = operands[..2].to_vec();
    let chain = Chain::new(&mut given, operands);
    endpoint(context, &given, &address)?;
    programs_before_tlsd(context, &chain)?;
    listening(context, &given)?;
    rules(context, &given)?;
    programs_behind_tlsd(context, &given, &chain)?;
    let mut argv = binder(&given, address);
    argv.extend(chain.from_tlsd());
    Err(context.exec(&argv))
}

/// Where the server would listen, and for how many clients.
fn endpoint(context: &Context, given: &ParsedOptions, address: &[OsString]) -> Result<(), Fatal> {
    let endpoint = operands::endpoint(&address[0], &address[1])?;
    context.fact("address", endpoint.address)?;
    context.fact("port", endpoint.port)?;
    let limits = ConnectionLimits::new(given);
    context.fact("connections", limits.total)?;
    context.fact("connections-per-address", limits.per_address)?;
    let option = |id| given.get(Id::Tcpserverd(id));
    let rate = option(Tcpserverd::Rate).map(ParsedOption::rate);
    context.fact("rate", or_none(rate.transpose()?))?;
    context.fact("ipv6-prefix", or_none(limits.ipv6_prefix))?;
    let drain = option(Tcpserverd::Drain).map(ParsedOption::number);
    context.fact("drain", or_none(drain.map(|time| format!("{time} s"))))
}

fn or_none(value: Option<impl ToString>) -> String {
    value.map_or("none".to_owned(), |value| value.to_string())
}

/// The programs up to s6-tlsd, each of which executes the next one.
fn programs_before_tlsd(context: &mut Context, chain: &Chain) -> Result<(), Fatal> {
    let own = OsString::from(&context.prog);
    let ours = [
        suite::TCPSERVER,
        suite::TCPSERVER_SOCKETBINDER,
        suite::TCPSERVERD,
    ];
    let mut names = vec![own.as_os_str()];
    names.extend(ours.map(OsStr::new));
    names.extend(chain.programs_before_tlsd());
    names.push(suite::TLSD.as_ref());
    for pair in names.windows(2) {
        find(context, pair[0], pair[1])?;
    }
    Ok(())
}

/// With a backlog of 0 s6-tcpserver-socketbinder does not listen, and s6-tcpserverd cannot accept.
fn listening(context: &mut Context, given: &ParsedOptions) -> Result<(), Fatal> {
    let backlog = given.get(Id::Socketbinder(Socketbinder::Backlog));
    if backlog.is_some_and(|backlog| backlog.number() == 0) {
        speak_as(context, suite::TCPSERVERD.as_ref());
        return Err(Fatal::system("accept", Errno::EINVAL));
    }
    Ok(())
}

/// The programs behind s6-tlsd, which itself finds the first one of them. The others are
/// executed by the user that s6-applyuidgid has set.
fn programs_behind_tlsd(
    context: &mut Context,
    given: &ParsedOptions,
    chain: &Chain,
) -> Result<(), Fatal> {
    let ids = ids(context, given)?;
    let names: Vec<&OsStr> = chain.programs_behind_tlsd().collect();
    let mut find_all = || {
        let mut pairs = names.windows(2);
        pairs.try_for_each(|pair| find(context, pair[0], pair[1]))
    };
    let Some(Ids { uid, gid, groups }) = ids else {
        return find_all();
    };
    user::with_effective(uid, gid, groups.as_deref(), find_all).unwrap_or_else(|(what, errno)| {
        speak_as(context, suite::APPLYUIDGID.as_ref());
        Err(Fatal::system(what, errno))
    })
}

/// The ids that s6-applyuidgid sets; None if the chain does without it.
fn ids(context: &mut Context, given: &ParsedOptions) -> Result<Option<Ids>, Fatal> {
    let mut ids = Ids::default();
    if given.has(Id::Applyuidgid(Applyuidgid::Environment)) {
        ids = Ids::from_environment(context)
            .inspect_err(|_| speak_as(context, suite::APPLYUIDGID.as_ref()))?;
    } else {
        for option in given.iter() {
            if let Id::Applyuidgid(id) = option.id {
                ids.apply(id, option, context)?;
            }
        }
    }
    if ids == Ids::default() {
        return Ok(None);
    }
    for (key, id) in [("program-uid", ids.uid), ("program-gid", ids.gid)] {
        if id != 0 {
            context.fact(key, id)?;
        }
    }
    if let Some(groups) = &ids.groups {
        let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
        let none = groups.is_empty().then(|| "none".to_owned());
        context.fact("program-groups", none.unwrap_or(groups.join(",")))?;
    }
    Ok(Some(ids))
}

/// The access rules of s6-tcpserver-access: whether they can be looked up. Which rule decides is
/// known only when there is a client.
fn rules(context: &mut Context, given: &ParsedOptions) -> Result<(), Fatal> {
    let path = |id| given.get(Id::Access(id)).map(|option| option.text.clone());
    let (path, rules) = match (path(Access::RulesDirectory), path(Access::RulesFile)) {
        (Some(path), _) => (path.clone(), Ruleset::Directory(path)),
        (None, Some(path)) => (path.clone(), Ruleset::File(path)),
        (None, None) => return Ok(()),
    };
    // As in s6-tcpserver-access: -p looks up names even with -H.
    let has = |id| given.has(Id::Access(id));
    let checked = rules.check(has(Access::Paranoid) || !has(Access::NoDns));
    checked.inspect_err(|_| speak_as(context, suite::TCPSERVER_ACCESS.as_ref()))?;
    context.fact("access-rules", quoted::path(&path))
}

/// The command line of a program that binds a socket to `address` and does not listen.
fn binder(given: &ParsedOptions, mut address: Vec<OsString>) -> Vec<OsString> {
    let mut argv = vec![suite::TCPSERVER_SOCKETBINDER.into()];
    let backlog = Id::Socketbinder(Socketbinder::Backlog);
    let wanted = |id| matches!(id, Id::Socketbinder(_)) && id != backlog;
    given.forward(wanted, &mut argv);
    argv.extend(["-b", "0", "--"].map(OsString::from));
    argv.append(&mut address);
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(line: &str) -> ParsedOptions {
        let args = line.split(' ').chain(["::", "443", "p"]);
        let args = args.map(OsString::from).collect();
        cli::parse(&cli::tables::TLSSERVER, args).unwrap().0
    }

    #[test]
    fn a_check_binds_as_the_server_would_and_does_not_listen() {
        let address = ["::", "443"].map(OsString::from).to_vec();
        let argv = binder(&given("-b 5 -a -c 3 -H"), address);
        let expected = [
            "s6-tcpserver-socketbinder",
            "-a",
            "-b",
            "0",
            "--",
            "::",
            "443",
        ];
        assert_eq!(argv, expected);
    }
}
