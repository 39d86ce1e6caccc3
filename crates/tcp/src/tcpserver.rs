//! `s6-tcpserver`: rewrites itself into s6-tcpserver-socketbinder,
//! s6-applyuidgid and s6-tcpserverd. See doc/s6-tcpserver.md.

use std::ffi::OsString;

use cli::{Context, Fatal, Grammar, Opt, Parser, list_u32, switch, value};

static GRAMMAR: Grammar = Grammar {
    synopsis: "[ -q | -Q | -v ] [ -d | -D ] [ -1 ] [ -c maxconn ] [ -C localmaxconn ] \
               [ -b backlog ] [ -G gidlist ] [ -g gid ] [ -u uid ] [ -U ] ip port prog...",
    options: &[&[
        switch('q', "quiet"),
        switch('Q', "normally-verbose"),
        switch('v', "verbose"),
        switch('d', "reuse-address"),
        switch('D', "no-reuse-address"),
        switch('1', "notify"),
        value('c', "maxconn"),
        value('C', "localmaxconn"),
        value('b', "backlog"),
        value('u', "uid"),
        value('g', "gid"),
        value('G', "gidlist"),
        switch('U', "envuidgid"),
    ]],
    long: false,
};

#[derive(Default)]
struct Options {
    verbosity: Option<&'static str>,
    no_reuse: bool,
    notify: bool,
    max_connections: Option<u32>,
    local_max_connections: Option<u32>,
    backlog: Option<u32>,
    identity: Identity,
}

#[derive(Default)]
struct Identity {
    from_environment: bool,
    uid: u32,
    gid: u32,
    groups: Option<Vec<u32>>,
}

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let argv = rewrite(std::mem::take(&mut context.args))?;
    Err(context.exec(&argv))
}

/// The command line that `args` stand for.
fn rewrite(args: Vec<OsString>) -> Result<Vec<OsString>, Fatal> {
    let mut options = Options::default();
    let mut parser = Parser::new(&GRAMMAR, args);
    while let Some(opt) = parser.next()? {
        options.accept(&opt)?;
    }
    let mut operands = parser.operands(3)?;
    let prog = operands.split_off(2);
    let mut argv: Vec<OsString> = vec!["s6-tcpserver-socketbinder".into()];
    flag(&mut argv, options.no_reuse, "-D");
    number(&mut argv, "-b", options.backlog);
    argv.push("--".into());
    argv.append(&mut operands);
    options.identity.command(&mut argv);
    argv.push("s6-tcpserverd".into());
    argv.extend(options.verbosity.map(OsString::from));
    flag(&mut argv, options.notify, "-1");
    number(&mut argv, "-c", options.max_connections);
    number(&mut argv, "-C", options.local_max_connections);
    argv.push("--".into());
    argv.extend(prog);
    Ok(argv)
}

impl Options {
    fn accept(&mut self, opt: &Opt) -> Result<(), Fatal> {
        match opt.name {
            "quiet" => self.verbosity = Some("-v0"),
            "normally-verbose" => self.verbosity = None,
            "verbose" => self.verbosity = Some("-v2"),
            "reuse-address" => self.no_reuse = false,
            "no-reuse-address" => self.no_reuse = true,
            "notify" => self.notify = true,
            "maxconn" => self.max_connections = Some(opt.unsigned()?.max(1)),
            "localmaxconn" => self.local_max_connections = Some(opt.unsigned()?.max(1)),
            "backlog" => self.backlog = Some(opt.unsigned()?),
            "uid" => self.identity.uid = opt.unsigned()?,
            "gid" => self.identity.gid = opt.unsigned()?,
            "gidlist" => {
                let list = list_u32(opt.text().as_encoded_bytes());
                let list = list.ok_or_else(|| opt.invalid("must be a list of gids"))?;
                self.identity.groups = Some(list);
            }
            // It cancels what stands before it; what follows overrides it.
            _ => {
                self.identity = Identity {
                    from_environment: true,
                    ..Identity::default()
                };
            }
        }
        Ok(())
    }
}

impl Identity {
    fn command(&self, argv: &mut Vec<OsString>) {
        let given = self.from_environment || self.uid != 0 || self.gid != 0;
        if !given && self.groups.is_none() {
            return;
        }
        argv.push("s6-applyuidgid".into());
        flag(argv, self.from_environment, "-Uz");
        number(argv, "-u", Some(self.uid).filter(|uid| *uid != 0));
        number(argv, "-g", Some(self.gid).filter(|gid| *gid != 0));
        if let Some(groups) = &self.groups {
            let list: Vec<String> = groups.iter().map(u32::to_string).collect();
            argv.extend(["-G".into(), list.join(",").into()]);
        }
        argv.push("--".into());
    }
}

fn flag(argv: &mut Vec<OsString>, given: bool, option: &str) {
    if given {
        argv.push(option.into());
    }
}

fn number(argv: &mut Vec<OsString>, option: &str, value: Option<u32>) {
    if let Some(value) = value {
        argv.extend([option.into(), value.to_string().into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> String {
        let args = line.split(' ').map(OsString::from).collect();
        let argv = rewrite(args).unwrap();
        let argv: Vec<_> = argv.iter().map(|arg| arg.to_string_lossy()).collect();
        argv.join(" ")
    }

    #[test]
    fn every_option_goes_where_it_belongs() {
        for (given, written) in [
            (
                "0 1 p -v",
                "s6-tcpserver-socketbinder -- 0 1 s6-tcpserverd -- p -v",
            ),
            (
                "-vD1c 5 -C0 -b 7 -u 1 -g 2 -G 3,4 0 1 p",
                "s6-tcpserver-socketbinder -D -b 7 -- 0 1 s6-applyuidgid -u 1 -g 2 -G 3,4 -- \
                 s6-tcpserverd -v2 -1 -c 5 -C 1 -- p",
            ),
            (
                "-vq -Dd -u0 -g0 0 1 p",
                "s6-tcpserver-socketbinder -- 0 1 s6-tcpserverd -v0 -- p",
            ),
            (
                "-u 1 -U -g 2 -vQ 0 1 p",
                "s6-tcpserver-socketbinder -- 0 1 s6-applyuidgid -Uz -g 2 -- s6-tcpserverd -- p",
            ),
        ] {
            assert_eq!(rewritten(given), written, "{given}");
        }
        let empty = ["-G", "", "0", "1", "p"].map(OsString::from).to_vec();
        assert!(rewrite(empty).unwrap().contains(&"s6-applyuidgid".into()));
    }

    #[test]
    fn mistakes_show_the_usage() {
        for given in [
            "-G 1,x 0 1 p",
            "-c x 0 1 p",
            "-z 0 1 p",
            "--nope 0 1 p",
            "0 1",
            "-u",
        ] {
            let args = given.split(' ').map(OsString::from).collect();
            assert_eq!(
                rewrite(args),
                Err(Fatal::usage(GRAMMAR.synopsis)),
                "{given}"
            );
        }
    }
}
