//! `s6-tcpserver`: executes the chain of programs that make up a server.

use std::ffi::OsString;

use cli::id::{Applyuidgid, ChainBuilder, Id};
use cli::{Context, Fatal, ParsedOptions, operands, suite, warn_about_kept_groups};

/// Runs `s6-tcpserver`.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let (given, operands) = context.options()?;
    operands::endpoint(&operands[0], &operands[1])?;
    if given.has(Id::ChainBuilder(ChainBuilder::Quiet)) {
        context.verbosity = 0;
    }
    warn_about_kept_groups(context, &given);
    Err(context.exec(&rewrite(&given, operands)))
}

/// The command line of the chain.
fn rewrite(given: &ParsedOptions, mut operands: Vec<OsString>) -> Vec<OsString> {
    let prog = operands.split_off(2);
    let mut argv = vec![suite::TCPSERVER_SOCKETBINDER.into()];
    given.forward(|id| matches!(id, Id::Socketbinder(_)), &mut argv);
    argv.push("--".into());
    argv.append(&mut operands);
    argv.append(&mut applyuidgid(given));
    argv.push(suite::TCPSERVERD.into());
    if given.has(Id::ChainBuilder(ChainBuilder::Quiet)) {
        argv.push("-v0".into());
    }
    if given.has(Id::ChainBuilder(ChainBuilder::Verbose)) {
        argv.push("-v2".into());
    }
    given.forward(|id| matches!(id, Id::Tcpserverd(_)), &mut argv);
    argv.push("--".into());
    argv.extend(prog);
    argv
}

/// The command line of s6-applyuidgid; empty if there are no ids to set. With `-U`
/// the program also removes the variables that hold the ids.
fn applyuidgid(given: &ParsedOptions) -> Vec<OsString> {
    let environment = Id::Applyuidgid(Applyuidgid::Environment);
    let mut ids = Vec::new();
    if given.has(environment) {
        ids.push("-Uz".into());
    }
    let wanted = |id| matches!(id, Id::Applyuidgid(_)) && id != environment;
    given.forward(wanted, &mut ids);
    if ids.is_empty() {
        return ids;
    }
    ids.insert(0, suite::APPLYUIDGID.into());
    ids.push("--".into());
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: Vec<OsString>) -> Result<(ParsedOptions, Vec<OsString>), Fatal> {
        cli::parse(&cli::tables::TCPSERVER, args)
    }

    fn chain(args: &str) -> String {
        let (given, operands) = parse(args.split(' ').map(OsString::from).collect()).unwrap();
        let argv = rewrite(&given, operands);
        argv.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn options_go_to_their_programs() {
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
            chain("--drain=9 --ipv6-prefix=56 --rate=01/60 :: 0 p"),
            "s6-tcpserver-socketbinder -- :: 0 \
             s6-tcpserverd --rate=1/60 --ipv6-prefix=56 --drain=9 -- p"
        );
        assert_eq!(
            chain("-qu1 -U -g2 :: 0 p"),
            "s6-tcpserver-socketbinder -- :: 0 s6-applyuidgid -Uz -g 2 -- s6-tcpserverd -v0 -- p"
        );
    }

    #[test]
    fn no_option_is_ignored() {
        let without = chain(":: 0 p");
        for spec in cli::tables::TCPSERVER.option_specs() {
            let value = spec.argument.sample();
            let line = match spec.short {
                Some(letter) => format!("-{letter}{} :: 0 p", value.unwrap_or_default()),
                None => format!("--{}={} :: 0 p", spec.long, value.unwrap()),
            };
            assert_eq!(chain(&line) == without, spec.id().is_none(), "{line}");
        }
    }

    #[test]
    fn malformed_options_and_missing_operands_are_usage_errors() {
        for args in [&["-G", "1,x", "::", "0", "p"][..], &["::", "0"], &["-cx"]] {
            let args = args.iter().map(OsString::from).collect();
            let usage = cli::tables::TCPSERVER.usage();
            assert_eq!(parse(args).err(), Some(usage));
        }
    }
}
