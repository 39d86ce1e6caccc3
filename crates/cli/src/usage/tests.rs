//! Usage lines and `--help`.

use super::*;
use crate::Fatal;
use crate::id::{Id, Tlsa};
use crate::option_spec::{Argument, Effect, paragraph};

const fn row(
    short: Option<char>,
    long: &'static str,
    argument: Argument,
    effect: Effect,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        short,
        long,
        argument,
        effect,
        help,
        doc: paragraph(""),
    }
}

const PORT: Id = Id::Tlsa(Tlsa::Port);
const REQUIRED: Id = Id::Tlsa(Tlsa::Required);
const TRUST: Id = Id::Tlsa(Tlsa::TrustResolver);
const LONG: &str = "a text of more words than a line of the help has room for";

static OPTIONS: &[OptionSpec] = &[
    row(
        Some('p'),
        "port",
        Argument::Number("n"),
        Effect::Set(PORT),
        "a port",
    ),
    // It discards the first one, which does not discard it.
    row(
        None,
        "as-long-as-fits-beside",
        Argument::Text("a-text"),
        Effect::Override(TRUST, &[PORT]),
        LONG,
    ),
    row(
        None,
        "longer-than-fits-beside",
        Argument::Text("a-text"),
        Effect::Set(TRUST),
        LONG,
    ),
    row(
        Some('r'),
        "required",
        Argument::None,
        Effect::Override(REQUIRED, &[PORT]),
        "yes",
    ),
    row(
        Some('P'),
        "any-port",
        Argument::None,
        Effect::Override(PORT, &[REQUIRED]),
        "no",
    ),
    row(
        Some('q'),
        "no-port",
        Argument::None,
        Effect::Negate(&[PORT, REQUIRED]),
        "neither",
    ),
    row(
        Some('Q'),
        "quiet",
        Argument::None,
        Effect::Negate(&[PORT, REQUIRED]),
        "again",
    ),
    row(
        Some('n'),
        "neither",
        Argument::None,
        Effect::Negate(&[TRUST]),
        "no trust",
    ),
];

static PROGRAM: Program = Program {
    name: "program",
    summary: "Does what it can.",
    options: &[OPTIONS],
    operands: &["host", "prog..."],
    reads: &[Reads::These(&[("NAME", "a variable")])],
    long: true,
};

static MANY: Program = Program {
    name: "program",
    summary: "Does it thrice.",
    options: &[OPTIONS, OPTIONS, OPTIONS],
    operands: &["host", "prog..."],
    reads: &[],
    long: true,
};

#[test]
fn the_synopsis_has_options_that_discard_each_other_in_one_pair_of_brackets() {
    assert_eq!(
        PROGRAM.synopsis(),
        "[ -p n ] [ --as-long-as-fits-beside=a-text ] [ --longer-than-fits-beside=a-text ] \
         [ -r | -P | -q | -Q ] [ -n ] host prog..."
    );
}

#[test]
fn usage_line_of_a_program_with_many_options_has_only_the_operands() {
    assert_eq!(PROGRAM.usage(), Fatal::usage(PROGRAM.synopsis()));
    let line = "[ options ] host prog... (program --help lists the options)";
    assert_eq!(MANY.usage(), Fatal::usage(line));
}

#[test]
fn help_has_a_text_for_each_option_and_variable_in_two_columns() {
    let help = "\
usage: program [ -p n ] [ --as-long-as-fits-beside=a-text ]
               [ --longer-than-fits-beside=a-text ] [ -r | -P | -q | -Q ] [ -n ]
               host prog...

Does what it can.

options:
  -p n, --port=n                  a port
  --as-long-as-fits-beside=a-text a text of more words than a line of the help
                                  has room for
  --longer-than-fits-beside=a-text
                                  a text of more words than a line of the help
                                  has room for
  -r, --required                  yes
  -P, --any-port                  no
  -q, --no-port                   neither
  -Q, --quiet                     again
  -n, --neither                   no trust

environment:
  NAME                            a variable
";
    assert_eq!(PROGRAM.help(), help);
    let nothing = Program {
        options: &[],
        reads: &[],
        ..PROGRAM
    };
    let help = "usage: program host prog...\n\nDoes what it can.\n";
    assert_eq!(nothing.help(), help);
    let version = concat!("program (s6-tls) ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(nothing.version(), version);
}

#[test]
fn help_names_the_variables_of_the_engine_that_a_program_runs() {
    let names = |reads: &'static [Reads]| -> Vec<String> {
        let program = Program { reads, ..PROGRAM };
        let variables = program.variables().into_iter();
        variables.map(|(name, _)| name).collect()
    };
    let (server, client) = (names(&[Reads::Server]), names(&[Reads::Client]));
    for name in ["KEYFILE", "KEYFILE:name", "SNIDIR", "CADIR"] {
        assert!(server.iter().any(|server| server == name), "{name}");
    }
    for name in ["KEYFILE", "TLSA", "CADIR"] {
        assert!(client.iter().any(|client| client == name), "{name}");
    }
    assert!(!server.contains(&"TLSA".into()) && !client.contains(&"SNIDIR".into()));
}

#[test]
fn lines_break_before_a_word_that_does_not_fit() {
    let filled = |first: &str, indent| {
        let mut text = format!("before\n{first}");
        add_words(&mut text, indent, 10, &mut "one two three".split(' '));
        text.strip_prefix("before\n").unwrap().to_owned()
    };
    assert_eq!(filled("-", 1), "- one two\n  three\n");
    assert_eq!(filled("- 34", 4), "- 34 one\n     two\n     three\n");
    assert_eq!(filled("123456789", 0), "123456789 one\n two three\n");
    assert_eq!(filled("--", 0), "-- one two\n three\n");
}
