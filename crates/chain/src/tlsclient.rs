//! `s6-tlsclient`: rewrites its command line into s6-tcpclient, s6-tlsc and the
//! program. See doc/s6-tlsclient.md.

use std::ffi::{OsStr, OsString};

use cli::address::Address;
use cli::id::{Client, Dane, Id, Tcpclient};
use cli::operands::{self, Host};
use cli::{Context, Fatal, ParsedOptions, StartCheck, Value, suite, tlsa};
use unix::quoted;

use crate::check::{find, speak_as};

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let (given, operands) = context.options()?;
    check_host(&given, &operands[0])?;
    operands::port(&operands[1])?;
    check_dane(&given)?;
    if StartCheck::is_given(&given) {
        return check(context, given, operands);
    }
    Err(context.exec(&rewrite(given, operands)))
}

/// `--check`: finds the programs, and becomes s6-tlsc, which checks the rest.
fn check(
    context: &mut Context,
    given: ParsedOptions,
    mut operands: Vec<OsString>,
) -> Result<u8, Fatal> {
    context.fact("host", quoted::path(&operands[0]))?;
    context.fact("port", operands::port(&operands[1])?)?;
    let own = OsString::from(&context.prog);
    let asks = !tlsa_line(&given, &operands).is_empty();
    if asks {
        find(context, &own, suite::TLSA.as_ref())?;
    }
    find(context, &own, suite::TCPCLIENT.as_ref())?;
    connecting(context, &given, &operands)?;
    find(context, suite::TCPCLIENT.as_ref(), suite::TLSC.as_ref())?;
    if asks {
        stand_in_for_records(context, &given);
    }
    let prog = operands.split_off(2);
    Err(context.exec(&tlsc(given, &operands[0], prog)))
}

/// Checks what s6-tcpclient knows before it sends anything, and speaks as that program from then
/// on.
fn connecting(
    context: &mut Context,
    given: &ParsedOptions,
    operands: &[OsString],
) -> Result<(), Fatal> {
    let port = operands::port(&operands[1])?;
    speak_as(context, suite::TCPCLIENT.as_ref());
    let options = given.iter().filter_map(|option| match option.id {
        Id::Tcpclient(id) => Some((id, option)),
        _ => None,
    });
    tcp::tcpclient::check(context, options, &operands[0], port)
}

/// Removes inherited TLSA records, as s6-tlsa does. Sets one in the place of those that are
/// required, so that the engine needs no trust anchors either. If there are anchors, they are
/// checked.
fn stand_in_for_records(context: &mut Context, given: &ParsedOptions) {
    for name in [tlsa::RECORDS, tlsa::DOMAIN, tlsa::REQUIRED] {
        context.env.unset(name);
    }
    let has = |name: &str| context.env.get(name).is_some();
    let anchored = has("CADIR") || has("CAFILE") || given.has(Id::Client(Client::WebpkiRoots));
    let required = given.has(Id::Dane(Dane::Required));
    if required && !anchored {
        let record = format!("3 1 1 {}", "0".repeat(64));
        context.env.set(tlsa::RECORDS, record);
    }
}

/// The command line of the chain.
fn rewrite(given: ParsedOptions, mut operands: Vec<OsString>) -> Vec<OsString> {
    let prog = operands.split_off(2);
    let mut argv = tlsa_line(&given, &operands);
    argv.push(suite::TCPCLIENT.into());
    given.forward(is_of_tcpclient, &mut argv);
    argv.push("--".into());
    let host = operands[0].clone();
    argv.append(&mut operands);
    argv.extend(tlsc(given, &host, prog));
    argv
}

fn is_of_tcpclient(id: Id) -> bool {
    matches!(id, Id::Tcpclient(_))
}

/// The command line of s6-tlsc and of the program.
fn tlsc(mut given: ParsedOptions, host: &OsString, prog: Vec<OsString>) -> Vec<OsString> {
    verify_the_host(&mut given, host);
    let mut argv = vec![suite::TLSC.into()];
    let of_tlsc = |id| !is_of_tcpclient(id) && !matches!(id, Id::Dane(_));
    given.forward(of_tlsc, &mut argv);
    argv.push("--".into());
    argv.extend(prog);
    argv
}

/// The command line of s6-tlsa, without the program that it runs. Empty if DANE is not asked for.
fn tlsa_line(given: &ParsedOptions, operands: &[OsString]) -> Vec<OsString> {
    let has = |id| given.has(Id::Dane(id));
    if !has(Dane::IfAny) && !has(Dane::Required) && !has(Dane::TrustResolver) {
        return Vec::new();
    }
    let mut argv: Vec<OsString> = vec![suite::TLSA.into()];
    let verbosity = if given.has(Id::Tcpclient(Tcpclient::Quiet)) {
        Some("-v0")
    } else {
        given
            .has(Id::Tcpclient(Tcpclient::Verbose))
            .then_some("-v2")
    };
    argv.extend(verbosity.map(OsString::from));
    argv.extend(["-p".into(), operands[1].clone()]);
    if let Some(timeout) = given.get(Id::Tcpclient(Tcpclient::Timeout)) {
        argv.extend(["-t".into(), timeout.text.clone()]);
    }
    if has(Dane::Required) {
        argv.push("--required".into());
    }
    if has(Dane::TrustResolver) {
        argv.push("--trust-resolver".into());
    }
    argv.extend(["--".into(), operands[0].clone()]);
    argv
}

/// Refuses what contradicts DANE. TLSA records belong to one name, which suffixes would change.
/// With `--no-verify-cert` the engine ignores records of usage 0 and 1: if there were no others,
/// it would accept any certificate.
fn check_dane(given: &ParsedOptions) -> Result<(), Fatal> {
    let [if_any, required, trust] =
        [Dane::IfAny, Dane::Required, Dane::TrustResolver].map(|id| given.has(Id::Dane(id)));
    if (if_any || required || trust) && given.has(Id::Tcpclient(Tcpclient::Qualify)) {
        return Err(Fatal::user("dane and qualify exclude each other"));
    }
    if required && given.has(Id::Client(Client::NoVerifyCert)) {
        return Err(Fatal::user(
            "dane=required and no-verify-cert exclude each other",
        ));
    }
    Ok(())
}

/// Refuses a host that cannot be connected to, or cannot be verified: this host, and several
/// addresses, have no name in common.
fn check_host(given: &ParsedOptions, host: &OsStr) -> Result<(), Fatal> {
    let one = match Host::parse(host, !given.has(Id::Tcpclient(Tcpclient::NoDns)))? {
        Host::Name => true,
        Host::Addresses(_) => Address::parse(host.as_encoded_bytes()).is_some(),
        Host::Local => false,
    };
    if one || !is_host_verified(given) {
        return Ok(());
    }
    let host = host.to_string_lossy();
    let text = format!("host is not one name or address, so -k or -H is needed: {host}");
    Err(Fatal::user(text))
}

/// Without `-k` and `-H` the host is the name to verify.
fn verify_the_host(given: &mut ParsedOptions, host: &OsString) {
    if is_host_verified(given) {
        let name = Id::Client(Client::ServerName);
        given.set(name, Value::Text(host.clone()));
    }
}

fn is_host_verified(given: &ParsedOptions) -> bool {
    let name = Id::Client(Client::ServerName);
    !given.has(name) && !given.has(Id::Tcpclient(Tcpclient::NoDns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use unix::Env;

    fn parse(line: &str) -> Result<(ParsedOptions, Vec<OsString>), Fatal> {
        let args = line.split(' ').map(OsString::from).collect();
        cli::parse(&cli::tables::TLSCLIENT, args)
    }

    fn rewritten(line: &str) -> String {
        let (given, operands) = parse(line).unwrap();
        let argv = rewrite(given, operands);
        let argv: Vec<_> = argv.iter().map(|arg| arg.to_string_lossy()).collect();
        argv.join(" ")
    }

    fn refused(line: &str) -> Option<String> {
        parse(line).err()?.line("p")
    }

    #[test]
    fn every_option_is_handed_on_to_its_program() {
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
            (
                "--dane h 443 p",
                "s6-tlsa -p 443 -- h s6-tcpclient -- h 443 s6-tlsc -k h -- p",
            ),
            (
                "-qt5 --dane --dane=required h 1 p",
                "s6-tlsa -v0 -p 1 -t 5 --required -- h s6-tcpclient -q -t 5 -- h 1 \
                 s6-tlsc -k h -- p",
            ),
            (
                "-v --dane=required --dane --dane-trust-resolver -k n h 1 p",
                "s6-tlsa -v2 -p 1 --trust-resolver -- h s6-tcpclient -v -- h 1 \
                 s6-tlsc -k n -- p",
            ),
            ("-vQ64 h 1 p", "s6-tcpclient -4 -- h 1 s6-tlsc -k h -- p"),
            (
                "-i 127.000.0.01 h 1 p",
                "s6-tcpclient -i 127.000.0.01 -- h 1 s6-tlsc -k h -- p",
            ),
            (
                "--webpki-roots --no-sandbox --idle-timeout=5 -- h 1 p",
                "s6-tcpclient -- h 1 s6-tlsc --webpki-roots --idle-timeout=5 --no-sandbox \
                 -k h -- p",
            ),
        ] {
            assert_eq!(rewritten(given), written, "{given}");
        }
    }

    #[test]
    fn two_dashes_as_a_value_are_handed_on_in_one_word() {
        for (given, written) in [
            (
                "-l-- -k-- h 1 p",
                "s6-tcpclient -l-- -- h 1 s6-tlsc -k-- -- p",
            ),
            (
                "--local-name=-- --servername=-- h 1 p",
                "s6-tcpclient -l-- -- h 1 s6-tlsc -k-- -- p",
            ),
            ("-- -- 1 p", "s6-tcpclient -- -- 1 s6-tlsc -k-- -- p"),
        ] {
            assert_eq!(rewritten(given), written, "{given}");
        }
    }

    #[test]
    fn every_option_changes_the_chain() {
        let without = rewritten("h 1 p");
        for spec in cli::tables::TLSCLIENT.option_specs() {
            let sample = spec.argument.sample();
            let value = sample.map_or(String::new(), |value| format!("={value}"));
            let line = format!("--{}{value} h 1 p", spec.long);
            assert_eq!(rewritten(&line) == without, spec.id().is_none(), "{line}");
        }
    }

    #[test]
    fn a_host_to_verify_is_one_name_or_address() {
        let error = |options: &str, host: &str| {
            check_host(
                &parse(&format!("{options} h 1 p")).unwrap().0,
                host.as_ref(),
            )
            .err()
        };
        for host in ["a.org", "127.0.0.1", "::1", "fe80::1%eth0", "127.0.0.1-x"] {
            assert_eq!(error("-S", host), None, "{host}");
        }
        for host in ["0", "", "127.0.0.1,::1", "127.0.0.1;"] {
            let text = "host is not one name or address, so -k or -H is needed";
            assert_eq!(
                error("-S", host),
                Some(Fatal::user(format!("{text}: {host}")))
            );
            for options in ["-k a.org", "-H", "-H -k a.org"] {
                assert_eq!(error(options, host), None, "{options} {host}");
            }
        }
        let no_address = Fatal::user("host must be an IP address with -H: a.org");
        assert_eq!(error("-H -k a.org", "a.org"), Some(no_address));
    }

    #[test]
    fn dane_excludes_suffixes_and_required_dane_excludes_any_certificate() {
        let error = |line: &str| check_dane(&parse(line).unwrap().0).err();
        let suffixes = Some(Fatal::user("dane and qualify exclude each other"));
        for dane in ["--dane", "--dane=required", "--dane-trust-resolver"] {
            assert_eq!(error(&format!("-n {dane} h 1 p")), suffixes, "{dane}");
            assert_eq!(error(&format!("{dane} -k n -H h 1 p")), None, "{dane}");
        }
        let any = "dane=required and no-verify-cert exclude each other";
        let line = "--no-verify-cert --dane=required h 1 p";
        assert_eq!(error(line), Some(Fatal::user(any)));
        for line in ["--dane --no-verify-cert h 1 p", "-n --no-verify-cert h 1 p"] {
            assert_eq!(error(line), None, "{line}");
        }
    }

    #[test]
    fn a_check_takes_required_records_for_granted_only_where_there_are_no_anchors() {
        let records = |options: &str, anchors: &[&str]| {
            let mut env = Env::default();
            for name in anchors {
                env.set(name, "/etc/ssl");
            }
            for name in [tlsa::RECORDS, tlsa::DOMAIN, tlsa::REQUIRED] {
                env.set(name, "inherited");
            }
            let mut context = Context::new(&cli::tables::TLSCLIENT, Vec::new(), env);
            let given = parse(&format!("{options} h 1 p")).unwrap().0;
            stand_in_for_records(&mut context, &given);
            let get = |name| context.env.get(name);
            assert_eq!((get(tlsa::DOMAIN), get(tlsa::REQUIRED)), (None, None));
            get(tlsa::RECORDS).is_some()
        };
        assert!(records("--dane=required", &[]));
        assert!(!records("--dane", &[]));
        assert!(!records("--dane=required --webpki-roots", &[]));
        for anchor in ["CADIR", "CAFILE"] {
            assert!(!records("--dane=required", &[anchor]));
        }
    }

    #[test]
    fn bad_values_name_their_option() {
        for (given, message) in [
            (
                "-T 5s h 1 p",
                "connection-timeouts must be x+y or x, in seconds: 5s",
            ),
            (
                "-T 1+ h 1 p",
                "connection-timeouts must be x+y or x, in seconds: 1+",
            ),
            (
                "-t 1s h 1 p",
                "timeout must be an unsigned integer (-t s, at most 4294967295): 1s",
            ),
            ("-p 65536 h 1 p", "local-port must be a port number: 65536"),
            ("-i 1.2.3 h 1 p", "local-ip must be an IP address: 1.2.3"),
            (
                "--dane=yes h 1 p",
                "dane must be required, or without a value: yes",
            ),
            (
                "-K x h 1 p",
                "handshake-timeout must be an unsigned integer (-K ms, at most 4294967295): x",
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
