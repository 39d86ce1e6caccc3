//! Entry points for fuzzing: they panic if an input shows a defect, and say
//! whether it was understood. See fuzz/README.md.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::opts::{Grammar, Opt, Parser, switch};
use crate::{ClientOptions, Common, Fatal, ServerOptions};

static SERVER: Grammar = Grammar {
    synopsis: "prog...",
    options: &[
        Common::OPTIONS,
        Common::VERBOSITY,
        ServerOptions::OWN,
        &[switch('Z', "keep")],
    ],
    long: true,
};

static CLIENT: Grammar = Grammar {
    synopsis: "prog...",
    options: &[
        Common::OPTIONS,
        Common::VERBOSITY,
        ClientOptions::OWN,
        &[switch('Z', "keep")],
    ],
    long: true,
};

static TERSE: Grammar = Grammar {
    long: false,
    ..SERVER
};

/// Command lines, their arguments ended by NUL: whatever is read is written
/// back as a command line that means the same, and what follows the options
/// is left as it is.
pub fn options(input: &[u8]) -> bool {
    let args = input.split(|byte| *byte == 0);
    let args: Vec<OsString> = args.map(|arg| OsString::from_vec(arg.to_vec())).collect();
    let client = read(&CLIENT, &args, ClientOptions::accept);
    if let Ok(first) = &client {
        let mut again = again(&CLIENT, &first.args(true), ClientOptions::accept);
        again.common.verbosity = first.common.verbosity;
        assert_eq!(*first, again);
    }
    let server = read(&SERVER, &args, ServerOptions::accept);
    if let Ok(first) = &server {
        let mut again = again(&SERVER, &first.args(true), ServerOptions::accept);
        again.common.verbosity = first.common.verbosity;
        assert_eq!((first.sni(), &first.common), (again.sni(), &again.common));
        assert_eq!(first.client_certificate, again.client_certificate);
        assert_eq!(first.args(false), again.args(false));
    }
    let terse = read(&TERSE, &args, ServerOptions::accept);
    assert!(terse.is_err() || terse == server, "without long options");
    client.is_ok() || server.is_ok()
}

/// The options of a command line, and how many arguments they are.
fn read<T: Default>(
    grammar: &'static Grammar,
    args: &[OsString],
    accept: fn(&mut T, &Opt) -> Result<bool, Fatal>,
) -> Result<T, Fatal> {
    let mut options = T::default();
    let mut parser = Parser::new(grammar, args.to_vec());
    let most: usize = args.iter().map(|arg| arg.len() + 1).sum();
    for count in 0.. {
        assert!(count <= most, "options without end");
        let Some(opt) = parser.next().inspect_err(wrong_usage)? else {
            break;
        };
        let digits = opt.text().as_bytes().iter().all(u8::is_ascii_digit);
        let number = opt.text().to_str().and_then(|text| text.parse().ok());
        assert_eq!(opt.unsigned().ok(), number.filter(|_| digits));
        accept(&mut options, &opt).inspect_err(wrong_usage)?;
    }
    let operands = parser.operands(0).inspect_err(wrong_usage)?;
    assert!(args.ends_with(&operands), "operands {operands:?}");
    Ok(options)
}

/// Reads a command line that was written here.
fn again<T: Default>(
    grammar: &'static Grammar,
    args: &[OsString],
    accept: fn(&mut T, &Opt) -> Result<bool, Fatal>,
) -> T {
    let end = OsString::from("prog");
    let args = [args, &[end]].concat();
    match read(grammar, &args, accept) {
        Ok(options) => options,
        Err(fatal) => unreachable!("{args:?}: {fatal:?}"),
    }
}

/// A mistake on the command line is told on one line.
fn wrong_usage(fatal: &Fatal) {
    let line = fatal.line("prog").unwrap_or_default();
    assert_eq!(fatal.code(), Fatal::USER);
    assert_eq!(line.matches(char::is_control).count(), 1, "{line:?}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn options() {
        inputs::run("options", 4000, super::options);
    }
}
