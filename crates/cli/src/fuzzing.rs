//! Entry points for fuzzing: they panic if an input shows a defect, and return whether the input
//! was accepted. See fuzz/README.md.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::checks;
use crate::id::{Id, Tls};
use crate::message::MAX_LINE;
use crate::option_spec::Program;
use crate::tables::{TLSC, TLSC_IO, TLSD, TLSD_IO};
use crate::tls::normalize_sni_level;
use crate::{ClientOptions, Fatal, Group, ParsedOptions, Pin, ServerOptions, Value, parse};

static TERSE: Program = Program {
    name: TLSD.name,
    summary: TLSD.summary,
    options: TLSD.options,
    operands: TLSD.operands,
    reads: &[],
    long: false,
};

/// Command lines with arguments separated by NUL: an accepted command line is handed on as one
/// with the same meaning, and its operands stay as they are.
pub fn options(input: &[u8]) -> bool {
    let args = input.split(|byte| *byte == 0);
    let args: Vec<OsString> = args.map(|arg| OsString::from_vec(arg.to_vec())).collect();
    let client = read(&TLSC, &args);
    if let Ok(given) = &client {
        let typed = ClientOptions::new(&engine_only(given));
        assert_eq!(typed, ClientOptions::new(&forwarded(given, &TLSC_IO)));
        assert!(typed.is_ok());
    }
    let server = read(&TLSD, &args);
    if let Ok(given) = &server {
        let typed = engine_options(given);
        let again = engine_options(&forwarded(given, &TLSD_IO));
        assert_eq!((typed.sni(), &typed.engine), (again.sni(), &again.engine));
        assert_eq!(typed.client_certificate, again.client_certificate);
        let any = typed.any_client_certificate;
        assert_eq!(any, again.any_client_certificate);
    }
    let terse = read(&TERSE, &args);
    assert!(
        terse.is_err() || terse.is_ok() && server.is_ok(),
        "without long options"
    );
    client.is_ok() || server.is_ok()
}

fn engine_options(given: &ParsedOptions) -> ServerOptions {
    match ServerOptions::new(&engine_only(given)) {
        Ok(options) => options,
        Err(fatal) => unreachable!("{fatal:?}"),
    }
}

/// The options without those of the programs around the engine.
fn engine_only(given: &ParsedOptions) -> ParsedOptions {
    let mut given = given.clone();
    let own: Vec<Id> = given
        .iter()
        .map(|option| option.id)
        .filter(|id| !of_engine(*id))
        .collect();
    given.clear(&own);
    given
}

fn of_engine(id: Id) -> bool {
    matches!(id, Id::Tls(_) | Id::Server(_) | Id::Client(_))
}

/// The options of a command line.
fn read(program: &'static Program, args: &[OsString]) -> Result<ParsedOptions, Fatal> {
    let (given, operands) = parse(program, args.to_vec()).inspect_err(wrong_usage)?;
    assert!(args.ends_with(&operands), "operands {operands:?}");
    for option in given.iter() {
        let number = option.text.to_str().and_then(|text| text.parse().ok());
        let read = option.number();
        assert!(read == 0 || number == Some(read), "{:?}", option.text);
    }
    Ok(given)
}

/// The options that an engine reads from the command line that it is started with.
fn forwarded(given: &ParsedOptions, engine: &'static Program) -> ParsedOptions {
    let mut given = given.clone();
    normalize_sni_level(&mut given);
    let mut args = Vec::new();
    given.forward(of_engine, &mut args);
    args.extend(["6", "7"].map(OsString::from));
    match read(engine, &args) {
        Ok(given) => given,
        Err(fatal) => unreachable!("{args:?}: {fatal:?}"),
    }
}

/// Values of `--groups`: an accepted list is handed on in a form with the same meaning.
pub fn groups(input: &[u8]) -> bool {
    let list = OsStr::from_bytes(input);
    match Group::list(list) {
        Ok(groups) => {
            let forwarded = Value::Groups(groups.clone()).text();
            assert_eq!(Group::list(&forwarded).as_ref(), Ok(&groups));
            let twice = |group| groups.iter().filter(|other| *other == group).count() > 1;
            assert!(!groups.is_empty() && !groups.iter().any(twice));
            true
        }
        Err(complaint) => {
            wrong_usage(&invalid(Tls::Groups, &complaint));
            false
        }
    }
}

/// Values of `--pin`: an accepted pin is handed on in a form with the same meaning.
pub fn pins(input: &[u8]) -> bool {
    let pin = OsStr::from_bytes(input);
    match Pin::parse(pin) {
        Ok(read) => {
            let forwarded = Value::Pin(read).text();
            assert_eq!(Pin::parse(&forwarded), Ok(read));
            assert!(forwarded.as_bytes().eq_ignore_ascii_case(input));
            true
        }
        Err(complaint) => {
            wrong_usage(&invalid(Tls::Pin, &checks::refused(&complaint, pin)));
            false
        }
    }
}

/// The error for a bad value of an option of s6-tlsd.
fn invalid(id: Tls, complaint: &str) -> Fatal {
    let spec = TLSD.option_spec(Id::Tls(id));
    spec.map_or_else(|| TLSD.usage(), |spec| TLSD.invalid(spec, complaint))
}

/// A mistake on the command line is reported on one line that is short enough.
fn wrong_usage(fatal: &Fatal) {
    let line = fatal.line("prog").unwrap_or_default();
    assert_eq!(fatal.code(), Fatal::USER);
    assert_eq!(line.matches(char::is_control).count(), 1, "{line:?}");
    assert!(line.len() <= MAX_LINE, "{line:?}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn options() {
        inputs::run("options", 4000, super::options);
    }

    #[test]
    fn groups() {
        inputs::run("groups", 4000, super::groups);
    }

    #[test]
    fn pins() {
        inputs::run("pins", 4000, super::pins);
    }
}
