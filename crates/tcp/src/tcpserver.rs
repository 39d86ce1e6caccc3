//! s6-tcpserver: rewrites itself into the chain that serves.

use std::ffi::OsString;

use cli::{Context, Fatal, Grammar, Parser, list_u32, switch, value};
use unix::suite;

const GRAMMAR: Grammar = Grammar {
    synopsis: "[ -q | -Q | -v ] [ -d | -D ] [ -a ] [ -1 ] [ -c maxconn ] [ -C localmaxconn ] \
               [ -b backlog ] [ -G gidlist ] [ -g gid ] [ -u uid ] [ -U ] ip port prog...",
    options: &[&[
        switch('q', "quiet"),
        switch('Q', "normal"),
        switch('v', "verbose"),
        switch('d', "reuse"),
        switch('D', "no-reuse"),
        switch('a', "dual-stack"),
        switch('1', "announce"),
        switch('U', "environment"),
        value('c', "maxconn"),
        value('C', "localmaxconn"),
        value('b', "backlog"),
        value('u', "uid"),
        value('g', "gid"),
        value('G', "gidlist"),
    ]],
    long: false,
};

#[derive(Default)]
struct Options {
    verbosity: Option<&'static str>,
    no_reuse: bool,
    dual: bool,
    announce: bool,
    maxconn: Option<u32>,
    localmaxconn: Option<u32>,
    backlog: Option<u32>,
    ids: Ids,
}

#[derive(Default)]
struct Ids {
    environment: bool,
    uid: u32,
    gid: u32,
    groups: Option<OsString>,
}

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let argv = rewrite(std::mem::take(&mut context.args))?;
    Err(context.exec(&argv))
}

/// The command line of the chain.
fn rewrite(args: Vec<OsString>) -> Result<Vec<OsString>, Fatal> {
    let mut parser = Parser::new(&GRAMMAR, args);
    let options = parse(&mut parser)?;
    let mut operands = parser.operands(3)?;
    let prog = operands.split_off(2);
    let mut argv = Vec::with_capacity(prog.len() + 24);
    argv.push(suite::TCPSERVER_SOCKETBINDER.into());
    if options.no_reuse {
        argv.push("-D".into());
    }
    if options.dual {
        argv.push("-a".into());
    }
    push_number(&mut argv, "-b", options.backlog);
    argv.push("--".into());
    argv.append(&mut operands);
    push_ids(&mut argv, options.ids);
    argv.push(suite::TCPSERVERD.into());
    argv.extend(options.verbosity.map(OsString::from));
    if options.announce {
        argv.push("-1".into());
    }
    push_number(&mut argv, "-c", options.maxconn);
    push_number(&mut argv, "-C", options.localmaxconn);
    argv.push("--".into());
    argv.extend(prog);
    Ok(argv)
}

fn parse(parser: &mut Parser) -> Result<Options, Fatal> {
    let mut options = Options::default();
    while let Some(opt) = parser.next()? {
        match opt.name {
            "quiet" => options.verbosity = Some("-v0"),
            "normal" => options.verbosity = None,
            "verbose" => options.verbosity = Some("-v2"),
            "reuse" => options.no_reuse = false,
            "no-reuse" => options.no_reuse = true,
            "dual-stack" => options.dual = true,
            "announce" => options.announce = true,
            "maxconn" => options.maxconn = Some(opt.unsigned()?.max(1)),
            "localmaxconn" => options.localmaxconn = Some(opt.unsigned()?.max(1)),
            "backlog" => options.backlog = Some(opt.unsigned()?),
            "environment" => {
                options.ids = Ids {
                    environment: true,
                    ..Ids::default()
                };
            }
            "uid" => options.ids.uid = opt.unsigned()?,
            "gid" => options.ids.gid = opt.unsigned()?,
            _ => {
                list_u32(opt.text().as_encoded_bytes())
                    .ok_or_else(|| Fatal::usage(GRAMMAR.synopsis))?;
                options.ids.groups = Some(opt.text().to_owned());
            }
        }
    }
    Ok(options)
}

fn push_number(argv: &mut Vec<OsString>, option: &str, number: Option<u32>) {
    if let Some(number) = number {
        argv.push(option.into());
        argv.push(number.to_string().into());
    }
}

fn push_ids(argv: &mut Vec<OsString>, ids: Ids) {
    if !ids.environment && ids.uid == 0 && ids.gid == 0 && ids.groups.is_none() {
        return;
    }
    argv.push(suite::APPLYUIDGID.into());
    if ids.environment {
        argv.push("-Uz".into());
    }
    push_number(argv, "-u", Some(ids.uid).filter(|uid| *uid > 0));
    push_number(argv, "-g", Some(ids.gid).filter(|gid| *gid > 0));
    if let Some(groups) = ids.groups {
        argv.push("-G".into());
        argv.push(groups);
    }
    argv.push("--".into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(args: &str) -> String {
        let args = args.split(' ').map(OsString::from).collect();
        let argv = rewrite(args).unwrap();
        argv.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn each_option_goes_to_its_program() {
        let plain = "s6-tcpserver-socketbinder -- :: 0 s6-tcpserverd -- p -v";
        assert_eq!(chain(":: 0 p -v"), plain);
        for args in ["-Q :: 0 p -v", "-d :: 0 p -v", "-u0 -g 0 -- :: 0 p -v"] {
            assert_eq!(chain(args), plain);
        }
        assert_eq!(
            chain("-v1aD -c0 -C 0 -b 5 -u1 -g2 -G 3,4 :: 0 p"),
            "s6-tcpserver-socketbinder -D -a -b 5 -- :: 0 s6-applyuidgid -u 1 -g 2 -G 3,4 -- \
             s6-tcpserverd -v2 -1 -c 1 -C 1 -- p"
        );
        assert_eq!(
            chain("-qu1 -U -g2 :: 0 p"),
            "s6-tcpserver-socketbinder -- :: 0 s6-applyuidgid -Uz -g 2 -- s6-tcpserverd -v0 -- p"
        );
    }

    #[test]
    fn malformed_groups_and_missing_operands_are_wrong_usage() {
        for args in [&["-G", "1,x", "::", "0", "p"][..], &["::", "0"], &["-cx"]] {
            let args = args.iter().map(OsString::from).collect();
            assert_eq!(rewrite(args), Err(Fatal::usage(GRAMMAR.synopsis)));
        }
    }
}
