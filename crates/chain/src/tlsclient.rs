//! `s6-tlsclient`: rewrites itself into s6-tcpclient, s6-tlsc and the
//! program. See doc/s6-tlsclient.md.

use std::ffi::OsString;
use std::net::IpAddr;

use cli::{ClientOptions, Common, Context, Fatal, Grammar, Opt, Parser, switch, value};
use unix::suite;

static GRAMMAR: Grammar = Grammar {
    synopsis: "[ -q | -Q | -v ] [ -4 | -6 ] [ -d | -D ] [ -r | -R ] [ -h ] [ -H ] [ -n | -N ] \
               [ -t timeout ] [ -l localname ] [ -T timeoutconn ] [ -i localip ] [ -p localport ] \
               [ -S | -s ] [ -J | -j ] [ -Y | -y ] [ -Z | -z ] [ -K handshake-timeout ] \
               [ -k servername ] [ --no-verify-cert ] [ --webpki-roots ] [ --idle-timeout=ms ] [ --no-sandbox ] \
               host port prog...",
    options: &[
        Common::OPTIONS,
        ClientOptions::OWN,
        &[
            switch('q', "quiet"),
            switch('Q', "normally-verbose"),
            switch('v', "verbose"),
            switch('4', "ipv4"),
            switch('6', "ipv6"),
            switch('D', "no-nagle"),
            switch('d', "nagle"),
            switch('H', "no-dns"),
            switch('\0', "dns"),
            switch('h', "hosts"),
            switch('\0', "no-hosts"),
            switch('r', "ident"),
            switch('R', "no-ident"),
            switch('n', "qualify"),
            switch('N', "no-qualify"),
            value('t', "timeout"),
            value('l', "local-name"),
            value('T', "connection-timeouts"),
            value('i', "local-ip"),
            value('p', "local-port"),
            switch('Z', "keep"),
            switch('z', "no-keep"),
        ],
    ],
    long: true,
};

#[derive(Default)]
struct Options {
    verbosity: Option<&'static str>,
    family: Option<&'static str>,
    no_nagle: bool,
    no_dns: bool,
    hosts: bool,
    ident: bool,
    qualify: bool,
    timeout: u32,
    local_name: Option<OsString>,
    connection_timeouts: Option<(u32, u32)>,
    local_ip: Option<OsString>,
    local_port: u16,
    keep: bool,
    tls: ClientOptions,
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
    if options.tls.server_name.is_none() && !options.no_dns {
        options.tls.server_name = operands.first().cloned();
    }
    let mut argv = options.tcpclient();
    argv.append(&mut operands);
    argv.push(suite::TLSC.into());
    argv.append(&mut options.tls.args(options.keep));
    argv.push("--".into());
    argv.extend(prog);
    Ok(argv)
}

impl Options {
    fn accept(&mut self, opt: &Opt) -> Result<(), Fatal> {
        match opt.name {
            "quiet" => self.verbosity = Some("-q"),
            "normally-verbose" => self.verbosity = None,
            "verbose" => self.verbosity = Some("-v"),
            "ipv4" => self.family = Some("-4"),
            "ipv6" => self.family = Some("-6"),
            "no-nagle" => self.no_nagle = true,
            "nagle" => self.no_nagle = false,
            "no-dns" => self.no_dns = true,
            "dns" => self.no_dns = false,
            "hosts" => self.hosts = true,
            "no-hosts" => self.hosts = false,
            "ident" => self.ident = true,
            "no-ident" => self.ident = false,
            "qualify" => self.qualify = true,
            "no-qualify" => self.qualify = false,
            "timeout" => self.timeout = opt.unsigned()?,
            "local-name" => self.local_name = Some(opt.text().to_owned()),
            "connection-timeouts" => self.connection_timeouts = Some(timeouts(opt)?),
            "local-ip" => self.local_ip = Some(address(opt)?),
            "local-port" => self.local_port = port(opt)?,
            "keep" => self.keep = true,
            "no-keep" => self.keep = false,
            _ => {
                self.tls.accept(opt)?;
            }
        }
        Ok(())
    }

    fn tcpclient(&self) -> Vec<OsString> {
        let mut argv: Vec<OsString> = vec![suite::TCPCLIENT.into()];
        let mut push = |option: &str| argv.push(option.into());
        self.verbosity
            .into_iter()
            .chain(self.family)
            .for_each(&mut push);
        for (given, option) in [
            (self.no_nagle, "-D"),
            (self.no_dns, "-H"),
            (self.hosts, "-h"),
            (self.ident, "-r"),
            (self.qualify, "-n"),
        ] {
            if given {
                push(option);
            }
        }
        let number = |number: u32| (number != 0).then(|| number.to_string().into());
        let timeouts = self
            .connection_timeouts
            .map(|(x, y)| format!("{x}+{y}").into());
        for (option, value) in [
            ("-t", number(self.timeout)),
            ("-l", self.local_name.clone()),
            ("-T", timeouts),
            ("-i", self.local_ip.clone()),
            ("-p", number(self.local_port.into())),
        ] {
            if let Some(value) = value {
                argv.extend([option.into(), value]);
            }
        }
        argv.push("--".into());
        argv
    }
}

/// `x+y`, or `x` for `x+0`.
fn timeouts(opt: &Opt) -> Result<(u32, u32), Fatal> {
    let text = opt.text().as_encoded_bytes();
    let plus = text.iter().position(|byte| *byte == b'+');
    let first = cli::unsigned(&text[..plus.unwrap_or(text.len())]);
    let second = match plus {
        Some(at) => cli::unsigned(&text[at + 1..]),
        None => Some(0),
    };
    first.zip(second).ok_or_else(|| opt.invalid("must be x+y"))
}

fn address(opt: &Opt) -> Result<OsString, Fatal> {
    let address = opt
        .text()
        .to_str()
        .and_then(|text| text.parse::<IpAddr>().ok());
    address
        .map(|_| opt.text().to_owned())
        .ok_or_else(|| opt.invalid("must be an IP address"))
}

fn port(opt: &Opt) -> Result<u16, Fatal> {
    let port = opt
        .unsigned()
        .ok()
        .and_then(|number| u16::try_from(number).ok());
    port.ok_or_else(|| opt.invalid("must be a port number"))
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

    fn refused(line: &str) -> Option<String> {
        let args = line.split(' ').map(OsString::from).collect();
        rewrite(args).err()?.line("p")
    }

    #[test]
    fn every_option_goes_where_it_belongs() {
        for (given, written) in [
            ("h 443 p -S", "s6-tcpclient -- h 443 s6-tlsc -k h -- p -S"),
            ("-H h 443 p", "s6-tcpclient -H -- h 443 s6-tlsc -- p"),
            (
                "-H -k n h 443 p",
                "s6-tcpclient -H -- h 443 s6-tlsc -k n -- p",
            ),
            (
                "192.0.2.1 443 p",
                "s6-tcpclient -- 192.0.2.1 443 s6-tlsc -k 192.0.2.1 -- p",
            ),
            (
                "-v6DhrnHt5 -l me -T 3 -i ::1 -p 9 -SJyZ -K7 -k n --no-verify-cert h 1 p",
                "s6-tcpclient -v -6 -D -H -h -r -n -t 5 -l me -T 3+0 -i ::1 -p 9 -- h 1 \
                 s6-tlsc -S -J -y --no-verify-cert -Z -K 7 -k n -- p",
            ),
            (
                "-q46Dd -rR -nN -t 0 -p 0 -T 1+2 -Ss -Jj -yY -Zz -H --dns -h --no-hosts h 1 p",
                "s6-tcpclient -q -6 -T 1+2 -- h 1 s6-tlsc -k h -- p",
            ),
            ("-vQ64 h 1 p", "s6-tcpclient -4 -- h 1 s6-tlsc -k h -- p"),
            (
                "--webpki-roots --no-sandbox --idle-timeout=5 -- h 1 p",
                "s6-tcpclient -- h 1 s6-tlsc --webpki-roots --idle-timeout=5 --no-sandbox -k h -- p",
            ),
        ] {
            assert_eq!(rewritten(given), written, "{given}");
        }
    }

    #[test]
    fn bad_values_name_their_option() {
        for (given, message) in [
            ("-T x h 1 p", "connection-timeouts must be x+y"),
            ("-T 1+ h 1 p", "connection-timeouts must be x+y"),
            ("-t 1s h 1 p", "timeout must be an unsigned integer"),
            ("-p 65536 h 1 p", "local-port must be a port number"),
            ("-i 1.2.3 h 1 p", "local-ip must be an IP address"),
            (
                "-K x h 1 p",
                "handshake-timeout must be an unsigned integer",
            ),
            ("-6=1 h 1 p", "unrecognized short option: ="),
        ] {
            assert_eq!(
                refused(given),
                Some(format!("p: fatal: {message}\n")),
                "{given}"
            );
        }
        assert!(refused("h 443").is_some_and(|line| line.starts_with("p: usage: p [")));
    }
}
