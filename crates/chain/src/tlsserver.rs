//! `s6-tlsserver`: rewrites itself into s6-tcpserver, s6-tcpserver-access,
//! s6-tlsd, s6-applyuidgid and the program. See doc/s6-tlsserver.md.

use std::ffi::OsString;

use cli::{Common, Context, Fatal, Grammar, Opt, Parser, ServerOptions, switch, value};
use unix::suite;

static GRAMMAR: Grammar = Grammar {
    synopsis: "[ -q | -Q | -v ] [ -1 ] [ -a ] [ -c maxconn ] [ -C localmaxconn ] [ -b backlog ] \
               [ -W | -w ] [ -D | -d ] [ -H ] [ -h ] [ -R | -r ] [ -P | -p ] [ -l localname ] \
               [ -B banner ] [ -t timeout ] [ -i rulesdir | -x rulesfile ] [ -S | -s ] \
               [ -J | -j ] [ -Y | -y ] [ -K handshake-timeout ] [ -k snilevel ] [ -Z | -z ] \
               [ -u uid ] [ -g gid ] [ -G gidlist ] [ -U ] [ -L ] [ --idle-timeout=ms ] [ --no-sandbox ] \
               ip port prog...",
    options: &[
        Common::OPTIONS,
        ServerOptions::OWN,
        &[
            switch('q', "quiet"),
            switch('Q', "normally-verbose"),
            switch('v', "verbose"),
            switch('1', "notify"),
            switch('a', "dual-stack"),
            value('c', "global-max-connections"),
            value('C', "local-max-connections"),
            value('b', "backlog"),
            switch('w', "strict-resolution"),
            switch('W', "no-strict-resolution"),
            switch('D', "no-nagle"),
            switch('d', "nagle"),
            switch('r', "ident"),
            switch('R', "no-ident"),
            switch('p', "paranoid"),
            switch('P', "no-paranoid"),
            switch('H', "no-dns"),
            switch('\0', "dns"),
            switch('h', "hosts"),
            switch('\0', "no-hosts"),
            value('l', "local-name"),
            value('B', "banner"),
            value('t', "timeout"),
            value('i', "rules-directory"),
            value('x', "rules-file"),
            switch('Z', "keep"),
            switch('z', "no-keep"),
            value('u', "uid"),
            value('g', "gid"),
            value('G', "gidlist"),
            switch('U', "envuidgid"),
            switch('L', "proxy"),
        ],
    ],
    long: true,
};

#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Verbosity {
    Quiet,
    #[default]
    Normal,
    Verbose,
}

#[derive(Default)]
struct Options {
    verbosity: Verbosity,
    notify: bool,
    dual_stack: bool,
    max_connections: Option<u32>,
    local_max_connections: Option<u32>,
    backlog: Option<u32>,
    access: Access,
    tls: ServerOptions,
    keep: bool,
    identity: Identity,
    proxy: bool,
}

#[derive(Default)]
struct Access {
    strict: bool,
    no_nagle: bool,
    no_dns: bool,
    hosts: bool,
    ident: bool,
    paranoid: bool,
    local_name: Option<OsString>,
    banner: Option<OsString>,
    timeout: u32,
    rules_directory: Option<OsString>,
    rules_file: Option<OsString>,
}

#[derive(Default)]
struct Identity {
    uid: u32,
    gid: u32,
    groups: Option<Vec<u32>>,
    from_environment: bool,
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
    let mut argv = options.tcpserver();
    argv.append(&mut operands);
    options.access.command(options.verbosity, &mut argv);
    if options.proxy {
        extend(&mut argv, &[suite::PROXY_SERVER, "--before-tlsd", "--"]);
    }
    argv.push(suite::TLSD.into());
    options.verbosity.number(&mut argv);
    argv.append(&mut options.tls.args(options.keep));
    argv.push("--".into());
    options.identity.command(&mut argv);
    if options.proxy {
        extend(&mut argv, &[suite::PROXY_SERVER, "--after-tlsd", "--"]);
    }
    argv.extend(prog);
    Ok(argv)
}

impl Options {
    fn accept(&mut self, opt: &Opt) -> Result<(), Fatal> {
        match opt.name {
            "quiet" => self.verbosity = Verbosity::Quiet,
            "normally-verbose" => self.verbosity = Verbosity::Normal,
            "verbose" => self.verbosity = Verbosity::Verbose,
            "notify" => self.notify = true,
            "dual-stack" => self.dual_stack = true,
            "global-max-connections" => self.max_connections = Some(opt.unsigned()?.max(1)),
            "local-max-connections" => self.local_max_connections = Some(opt.unsigned()?.max(1)),
            "backlog" => self.backlog = Some(opt.unsigned()?),
            "keep" => self.keep = true,
            "no-keep" => self.keep = false,
            "proxy" => self.proxy = true,
            _ => {
                let taken = self.access.accept(opt)? || self.identity.accept(opt)?;
                if !taken {
                    self.tls.accept(opt)?;
                }
            }
        }
        Ok(())
    }

    fn tcpserver(&self) -> Vec<OsString> {
        let mut argv = vec![suite::TCPSERVER.into()];
        match self.verbosity {
            Verbosity::Quiet => argv.push("-q".into()),
            Verbosity::Normal => {}
            Verbosity::Verbose => argv.push("-v".into()),
        }
        flag(&mut argv, self.notify, "-1");
        flag(&mut argv, self.dual_stack, "-a");
        number(&mut argv, "-c", self.max_connections);
        number(&mut argv, "-C", self.local_max_connections);
        number(&mut argv, "-b", self.backlog);
        argv.push("--".into());
        argv
    }
}

impl Verbosity {
    fn number(self, argv: &mut Vec<OsString>) {
        match self {
            Self::Quiet => argv.push("-v0".into()),
            Self::Normal => {}
            Self::Verbose => argv.push("-v2".into()),
        }
    }
}

impl Access {
    /// Takes `opt` if it is one of these; false if it is not.
    fn accept(&mut self, opt: &Opt) -> Result<bool, Fatal> {
        match opt.name {
            "strict-resolution" => self.strict = true,
            "no-strict-resolution" => self.strict = false,
            "no-nagle" => self.no_nagle = true,
            "nagle" => self.no_nagle = false,
            "ident" => self.ident = true,
            "no-ident" => self.ident = false,
            "paranoid" => self.paranoid = true,
            "no-paranoid" => self.paranoid = false,
            "no-dns" => self.no_dns = true,
            "dns" => self.no_dns = false,
            "hosts" => self.hosts = true,
            "no-hosts" => self.hosts = false,
            "local-name" => self.local_name = Some(opt.text().to_owned()),
            "banner" => self.banner = Some(opt.text().to_owned()),
            "timeout" => self.timeout = opt.unsigned()?,
            "rules-directory" => self.rules_directory = Some(opt.text().to_owned()),
            "rules-file" => self.rules_file = Some(opt.text().to_owned()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the program has anything to do. /etc/hosts alone is nothing,
    /// since without DNS nobody looks there.
    fn needed(&self) -> bool {
        !self.no_dns
            || self.strict
            || self.no_nagle
            || self.ident
            || self.paranoid
            || self.local_name.is_some()
            || self.banner.is_some()
            || self.timeout != 0
            || self.rules_directory.is_some()
            || self.rules_file.is_some()
    }

    fn command(&self, verbosity: Verbosity, argv: &mut Vec<OsString>) {
        if !self.needed() {
            return;
        }
        argv.push(suite::TCPSERVER_ACCESS.into());
        verbosity.number(argv);
        flag(argv, self.strict, "-w");
        flag(argv, self.no_nagle, "-D");
        flag(argv, self.no_dns, "-H");
        flag(argv, self.hosts, "-h");
        flag(argv, self.ident, "-r");
        flag(argv, self.paranoid, "-p");
        text(argv, "-l", self.local_name.as_ref());
        text(argv, "-B", self.banner.as_ref());
        number(
            argv,
            "-t",
            Some(self.timeout).filter(|timeout| *timeout != 0),
        );
        text(argv, "-i", self.rules_directory.as_ref());
        if self.rules_directory.is_none() {
            text(argv, "-x", self.rules_file.as_ref());
        }
        argv.push("--".into());
    }
}

impl Identity {
    /// Takes `opt` if it is one of these; false if it is not.
    fn accept(&mut self, opt: &Opt) -> Result<bool, Fatal> {
        match opt.name {
            "uid" => self.uid = opt.unsigned()?,
            "gid" => self.gid = opt.unsigned()?,
            "gidlist" => self.groups = Some(groups(opt)?),
            "envuidgid" => self.from_environment = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn command(&self, argv: &mut Vec<OsString>) {
        if self.from_environment {
            extend(argv, &[suite::APPLYUIDGID, "-Uz", "--"]);
            return;
        }
        if self.uid == 0 && self.gid == 0 && self.groups.is_none() {
            return;
        }
        argv.push(suite::APPLYUIDGID.into());
        if let Some(groups) = &self.groups {
            let list: Vec<String> = groups.iter().map(u32::to_string).collect();
            argv.push("-G".into());
            argv.push(list.join(",").into());
        }
        number(argv, "-g", Some(self.gid).filter(|gid| *gid != 0));
        number(argv, "-u", Some(self.uid).filter(|uid| *uid != 0));
        argv.push("--".into());
    }
}

fn groups(opt: &Opt) -> Result<Vec<u32>, Fatal> {
    cli::list_u32(opt.text().as_encoded_bytes())
        .ok_or_else(|| opt.invalid("must be a list of unsigned integers"))
}

fn extend(argv: &mut Vec<OsString>, words: &[&str]) {
    argv.extend(words.iter().map(OsString::from));
}

fn flag(argv: &mut Vec<OsString>, given: bool, option: &str) {
    if given {
        argv.push(option.into());
    }
}

fn number(argv: &mut Vec<OsString>, option: &str, value: Option<u32>) {
    text(
        argv,
        option,
        value.map(|value| value.to_string().into()).as_ref(),
    );
}

fn text(argv: &mut Vec<OsString>, option: &str, value: Option<&OsString>) {
    if let Some(value) = value {
        argv.push(option.into());
        argv.push(value.clone());
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
                "0 1 p -S",
                "s6-tcpserver -- 0 1 s6-tcpserver-access -- s6-tlsd -- p -S",
            ),
            ("-H 0 1 p", "s6-tcpserver -- 0 1 s6-tlsd -- p"),
            ("-Ha :: 1 p", "s6-tcpserver -a -- :: 1 s6-tlsd -- p"),
            ("-Hh 0 1 p", "s6-tcpserver -- 0 1 s6-tlsd -- p"),
            (
                "-v1c 0 -C0 -b0 -wDHhrp -l me -B hi -t 9 -x f -i d -SJYZ -K5 -k1 0 1 p",
                "s6-tcpserver -v -1 -c 1 -C 1 -b 0 -- 0 1 \
                 s6-tcpserver-access -v2 -w -D -H -h -r -p -l me -B hi -t 9 -i d -- \
                 s6-tlsd -v2 -S -J -Y -K 5 -Z --sni -- p",
            ),
            (
                "-q -wW -Dd -rR -pP -H --dns -h --no-hosts -t 0 -x f -Ss -Jj -Zz -yk2 0 1 p",
                "s6-tcpserver -q -- 0 1 s6-tcpserver-access -v0 -x f -- \
                 s6-tlsd -v0 -y --mandatory-sni -- p",
            ),
            ("-vQH -t0 0 1 p", "s6-tcpserver -- 0 1 s6-tlsd -- p"),
            (
                "-Ht1 0 1 p",
                "s6-tcpserver -- 0 1 s6-tcpserver-access -H -t 1 -- s6-tlsd -- p",
            ),
            (
                "-HL -u 5 -g 6 -G 7:8;9 0 1 p",
                "s6-tcpserver -- 0 1 proxy-server --before-tlsd -- s6-tlsd -- \
                 s6-applyuidgid -G 7,8,9 -g 6 -u 5 -- proxy-server --after-tlsd -- p",
            ),
            (
                "-HU -u 5 0 1 p",
                "s6-tcpserver -- 0 1 s6-tlsd -- s6-applyuidgid -Uz -- p",
            ),
            ("-H -u 0 -g 0 0 1 p", "s6-tcpserver -- 0 1 s6-tlsd -- p"),
            (
                "-H --no-sandbox --idle-timeout=4 --mandatory-sni 0 1 p",
                "s6-tcpserver -- 0 1 s6-tlsd --idle-timeout=4 --no-sandbox --mandatory-sni -- p",
            ),
        ] {
            assert_eq!(rewritten(given), written, "{given}");
        }
    }

    #[test]
    fn bad_values_name_their_option() {
        for (given, message) in [
            (
                "-G 100,abc 0 1 p",
                "gidlist must be a list of unsigned integers",
            ),
            ("-u x 0 1 p", "uid must be an unsigned integer"),
            (
                "-c -1 0 1 p",
                "global-max-connections must be an unsigned integer",
            ),
            ("-k x 0 1 p", "sni-level must be an unsigned integer"),
            ("-u -- 0 1 p", "option -u (--uid) needs a value"),
        ] {
            let args = given.split(' ').map(OsString::from).collect();
            assert_eq!(rewrite(args), Err(Fatal::user(message)), "{given}");
        }
    }
}
