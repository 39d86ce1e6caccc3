//! `s6-tlsserver`: rewrites its command line into s6-tcpserver, s6-tcpserver-access,
//! s6-tlsd, s6-applyuidgid and the program. See doc/s6-tlsserver.md.

use std::ffi::{OsStr, OsString};

use cli::id::{Access, Applyuidgid, ChainBuilder, Id, Tls};
use cli::{Context, Fatal, ParsedOptions, StartCheck, operands, suite};
use cli::{check_client_certificates, normalize_sni_level};
use cli::{warn_about_engine_group, warn_about_kept_groups};

use crate::check;

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let (given, operands) = context.options()?;
    check_client_certificates(&given)?;
    operands::endpoint(&operands[0], &operands[1])?;
    if given.has(Id::ChainBuilder(ChainBuilder::Quiet)) {
        context.verbosity = 0;
    }
    warn_about_kept_groups(context, &given);
    warn_about_engine_group(context);
    if StartCheck::is_given(&given) {
        return check::server::check(context, given, operands);
    }
    Err(context.exec(&rewrite(given, operands)))
}

/// The command line of the chain.
fn rewrite(mut given: ParsedOptions, operands: Vec<OsString>) -> Vec<OsString> {
    let mut chain = Chain::new(&mut given, operands);
    let mut argv = std::mem::take(&mut chain.tcpserver);
    argv.append(&mut chain.access);
    argv.append(&mut chain.before_tlsd);
    argv.extend(chain.from_tlsd());
    argv
}

/// The command lines of the programs of the chain. Those that have nothing to do are empty.
pub struct Chain {
    /// s6-tcpserver, with its operands.
    tcpserver: Vec<OsString>,
    access: Vec<OsString>,
    before_tlsd: Vec<OsString>,
    tlsd: Vec<OsString>,
    applyuidgid: Vec<OsString>,
    after_tlsd: Vec<OsString>,
    prog: Vec<OsString>,
}

impl Chain {
    /// The chain for a command line of s6-tlsserver.
    pub fn new(given: &mut ParsedOptions, mut operands: Vec<OsString>) -> Self {
        normalize_sni_level(given);
        let prog = operands.split_off(2);
        let mut tcpserver = tcpserver(given);
        tcpserver.append(&mut operands);
        Self {
            tcpserver,
            access: access(given),
            before_tlsd: before_tlsd(given),
            tlsd: tlsd(given),
            applyuidgid: applyuidgid(given),
            after_tlsd: after_tlsd(given),
            prog,
        }
    }

    /// The command line from s6-tlsd on.
    pub fn from_tlsd(self) -> impl Iterator<Item = OsString> {
        let parts = [self.tlsd, self.applyuidgid, self.after_tlsd, self.prog];
        parts.into_iter().flatten()
    }

    /// The programs between s6-tcpserverd and s6-tlsd.
    pub fn programs_before_tlsd(&self) -> impl Iterator<Item = &OsStr> {
        names([&self.access, &self.before_tlsd])
    }

    /// The programs behind s6-tlsd.
    pub fn programs_behind_tlsd(&self) -> impl Iterator<Item = &OsStr> {
        names([&self.applyuidgid, &self.after_tlsd, &self.prog])
    }
}

/// The programs of these command lines.
fn names<const N: usize>(parts: [&Vec<OsString>; N]) -> impl Iterator<Item = &OsStr> {
    parts
        .into_iter()
        .filter_map(|part| part.first().map(OsString::as_os_str))
}

/// `-q` or `-v`, in the form of s6-tcpserver or in that of the others.
fn verbosity(given: &ParsedOptions, quiet: &str, verbose: &str, argv: &mut Vec<OsString>) {
    if given.has(Id::ChainBuilder(ChainBuilder::Quiet)) {
        argv.push(quiet.into());
    }
    if given.has(Id::ChainBuilder(ChainBuilder::Verbose)) {
        argv.push(verbose.into());
    }
}

fn tcpserver(given: &ParsedOptions) -> Vec<OsString> {
    let mut argv = vec![suite::TCPSERVER.into()];
    verbosity(given, "-q", "-v", &mut argv);
    let wanted = |id| matches!(id, Id::Tcpserverd(_) | Id::Socketbinder(_));
    given.forward(wanted, &mut argv);
    argv.push("--".into());
    argv
}

/// s6-tcpserver-access, if it has anything to do. With `-H`, `-h` alone does not count, since no
/// names are looked up.
fn access(given: &mut ParsedOptions) -> Vec<OsString> {
    if given.has(Id::Access(Access::RulesDirectory)) {
        given.clear(&[Id::Access(Access::RulesFile)]);
    }
    let nothing = [Access::NoDns, Access::Hosts].map(Id::Access);
    let mut work = Vec::new();
    let wanted = |id| matches!(id, Id::Access(_));
    given.forward(|id| wanted(id) && !nothing.contains(&id), &mut work);
    if given.has(Id::Access(Access::NoDns)) && work.is_empty() {
        return Vec::new();
    }
    let mut argv = vec![suite::TCPSERVER_ACCESS.into()];
    verbosity(given, "-v0", "-v2", &mut argv);
    given.forward(wanted, &mut argv);
    argv.push("--".into());
    argv
}

fn tlsd(given: &ParsedOptions) -> Vec<OsString> {
    let mut argv = vec![suite::TLSD.into()];
    verbosity(given, "-v0", "-v2", &mut argv);
    let wanted = |id| matches!(id, Id::Tls(_) | Id::Server(_) | Id::Launcher(_));
    given.forward(wanted, &mut argv);
    argv.push("--".into());
    argv
}

/// s6-applyuidgid, if it has anything to do. `-U` replaces the other options.
fn applyuidgid(given: &ParsedOptions) -> Vec<OsString> {
    let mut ids = Vec::new();
    if given.has(Id::Applyuidgid(Applyuidgid::Environment)) {
        ids.push("-Uz".into());
    } else {
        given.forward(|id| matches!(id, Id::Applyuidgid(_)), &mut ids);
    }
    if ids.is_empty() {
        return ids;
    }
    ids.insert(0, suite::APPLYUIDGID.into());
    ids.push("--".into());
    ids
}

/// The proxy-server that reads the header. The limit of the handshake, which begins after the
/// header, holds for the header, too.
fn before_tlsd(given: &ParsedOptions) -> Vec<OsString> {
    if !given.has(Id::ChainBuilder(ChainBuilder::Proxy)) {
        return Vec::new();
    }
    let mut argv = [suite::PROXY_SERVER, "--before-tlsd"]
        .map(OsString::from)
        .to_vec();
    let limit = given.get(Id::Tls(Tls::HandshakeTimeout));
    if let Some(limit) = limit.filter(|limit| limit.number() != 0) {
        argv.extend(["-t".into(), limit.text.clone()]);
    }
    argv.push("--".into());
    argv
}

/// The proxy-server that restores the variables that the first one has renamed.
fn after_tlsd(given: &ParsedOptions) -> Vec<OsString> {
    if !given.has(Id::ChainBuilder(ChainBuilder::Proxy)) {
        return Vec::new();
    }
    [suite::PROXY_SERVER, "--after-tlsd", "--"]
        .map(OsString::from)
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<(ParsedOptions, Vec<OsString>), Fatal> {
        let args = line.split(' ').map(OsString::from).collect();
        cli::parse(&cli::tables::TLSSERVER, args)
    }

    fn rewritten(line: &str) -> String {
        let (given, operands) = parse(line).unwrap();
        let argv = rewrite(given, operands);
        let argv: Vec<_> = argv.iter().map(|arg| arg.to_string_lossy()).collect();
        argv.join(" ")
    }

    #[test]
    fn every_option_is_handed_on_to_its_program() {
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
            (
                "-H -B a -B b 0 1 p",
                "s6-tcpserver -- 0 1 s6-tcpserver-access -H -B b -- s6-tlsd -- p",
            ),
            (
                "-H -i d -x f 0 1 p",
                "s6-tcpserver -- 0 1 s6-tcpserver-access -H -i d -- s6-tlsd -- p",
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
                "-HL -K 250 0 1 p",
                "s6-tcpserver -- 0 1 proxy-server --before-tlsd -t 250 -- s6-tlsd -K 250 -- \
                 proxy-server --after-tlsd -- p",
            ),
            (
                "-HLK 0 0 1 p",
                "s6-tcpserver -- 0 1 proxy-server --before-tlsd -- s6-tlsd -- \
                 proxy-server --after-tlsd -- p",
            ),
            (
                "-HU -u 5 0 1 p",
                "s6-tcpserver -- 0 1 s6-tlsd -- s6-applyuidgid -Uz -- p",
            ),
            ("-H -u 0 -g 0 0 1 p", "s6-tcpserver -- 0 1 s6-tlsd -- p"),
            (
                "-H --rate=9/60 --ipv6-prefix=56 --drain=5 0 1 p",
                "s6-tcpserver --rate=9/60 --ipv6-prefix=56 --drain=5 -- 0 1 s6-tlsd -- p",
            ),
            (
                "-H --no-sandbox --idle-timeout=4 --mandatory-sni 0 1 p",
                "s6-tcpserver -- 0 1 s6-tlsd --idle-timeout=4 --no-sandbox --mandatory-sni -- p",
            ),
        ] {
            assert_eq!(rewritten(given), written, "{given}");
        }
    }

    #[test]
    fn two_dashes_as_a_value_are_handed_on_in_one_word() {
        let written = "s6-tcpserver -- 0 1 s6-tcpserver-access -H -l-- -B-- -x-- -- \
                       s6-tlsd -- p";
        for given in [
            "-H -l-- -B-- -x-- 0 1 p",
            "-H --local-name=-- --banner=-- --rules-file=-- 0 1 p",
        ] {
            assert_eq!(rewritten(given), written);
        }
        let written = "s6-tcpserver -- 0 1 s6-tcpserver-access -H -i-- -- s6-tlsd -- p";
        assert_eq!(rewritten("-H --rules-directory=-- 0 1 p"), written);
    }

    #[test]
    fn every_option_changes_the_chain() {
        let without = rewritten("-H 0 1 p");
        for spec in cli::tables::TLSSERVER.option_specs() {
            let sample = spec.argument.sample();
            let value = sample.map_or(String::new(), |value| format!("={value}"));
            let line = format!("-H --{}{value} 0 1 p", spec.long);
            // -H is given already; -h does nothing without DNS.
            let known = matches!(spec.long, "no-dns" | "hosts");
            let same = spec.id().is_none() && spec.long != "dns";
            assert_eq!(rewritten(&line) == without, same || known, "{line}");
        }
    }

    #[test]
    fn bad_values_name_their_option() {
        for (given, message) in [
            (
                "-G 100,abc 0 1 p",
                "gidlist must be a list of unsigned integers: \
                 `getent group abc` shows the number",
            ),
            (
                "-G 100,x 0 1 p",
                "gidlist must be a list of unsigned integers: 100,x",
            ),
            (
                "-u www-data 0 1 p",
                "uid must be an unsigned integer: `id -u www-data` prints the number",
            ),
            (
                "-v2 0 1 p",
                "unrecognized short option: 2 (-v takes no value)",
            ),
            (
                "-u x 0 1 p",
                "uid must be an unsigned integer (-u uid, at most 4294967295): x",
            ),
            (
                "-c -1 0 1 p",
                "global-max-connections must be an unsigned integer (-c n, at most 4294967295): -1",
            ),
            (
                "-k x 0 1 p",
                "sni-level must be an unsigned integer (-k level, at most 4294967295): x",
            ),
            ("-u -- 0 1 p", "option -u (--uid) needs a value"),
        ] {
            assert_eq!(parse(given).err(), Some(Fatal::user(message)), "{given}");
        }
    }
}
