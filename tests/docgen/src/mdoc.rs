//! Text in mdoc, the language of manual pages: words, macros, escapes.

use cli::{Program, suite};

use crate::reader::{Span, spans};

/// The longest line of text.
const WIDTH: usize = 78;

/// Closing delimiters: they may follow a macro's arguments and are no arguments.
const DELIMITERS: [char; 8] = ['.', ',', ':', ';', ')', ']', '?', '!'];

/// A part of a word. There is no space between parts.
enum Piece {
    Plain(String),
    /// A macro with its arguments, without the leading dot.
    Macro(String),
}

type Word = Vec<Piece>;

/// The lines of a paragraph in the page about `program`.
pub fn paragraph(text: &str, program: Option<&Program>) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in words(text, program) {
        let (text, call) = line_of(&word);
        if call {
            end(&mut lines, &mut line);
            lines.push_str(&format!(".{text}\n"));
            continue;
        }
        if !line.is_empty() && line.len() + 1 + text.len() > WIDTH {
            end(&mut lines, &mut line);
        }
        if line.is_empty() {
            line.push_str(guard(&text));
        } else {
            line.push(' ');
        }
        line.push_str(&text);
        // Each sentence begins a line.
        if text.trim_end_matches(')').ends_with(['.', '?', '!']) {
            end(&mut lines, &mut line);
        }
    }
    end(&mut lines, &mut line);
    lines
}

fn end(lines: &mut String, line: &mut String) {
    if !line.is_empty() {
        lines.push_str(line);
        lines.push('\n');
        line.clear();
    }
}

/// The text as arguments of one macro, such as `.It`.
pub fn arguments(text: &str, program: Option<&Program>) -> String {
    let mut after_macro = false;
    let mut arguments: Vec<String> = Vec::new();
    for word in words(text, program) {
        let (text, call) = line_of(&word);
        if !call && after_macro {
            arguments.push("No".to_owned());
        }
        after_macro = call;
        arguments.push(if call { text } else { protected(text) });
    }
    arguments.join(" ")
}

/// Literal lines.
pub fn literal(code: &[String]) -> String {
    let lines = code.iter().map(|line| {
        let escaped = line
            .replace('\\', "\\e")
            .replace('-', "\\-")
            .replace('\'', "\\(aq")
            .replace('`', "\\(ga")
            .replace('^', "\\(ha")
            .replace('~', "\\(ti");
        format!("{}{escaped}\n", guard(line))
    });
    let lines: String = lines.collect();
    format!(".Bd -literal -offset 2n\n{lines}.Ed\n")
}

/// The prefix that keeps a line of text from being a macro.
fn guard(line: &str) -> &'static str {
    if line.starts_with(['.', '\'']) {
        "\\&"
    } else {
        ""
    }
}

fn words(text: &str, program: Option<&Program>) -> Vec<Word> {
    let mut words: Vec<Word> = vec![Vec::new()];
    for span in spans(text) {
        match span {
            Span::Text(text) => add_text(&mut words, &text, program),
            Span::Code(code) => add(&mut words, Piece::Macro(code_macro(&code, program))),
            Span::Strong(strong) => {
                let strong = strong.split(' ').map(argument).collect::<Vec<_>>();
                add(&mut words, Piece::Macro(format!("Sy {}", strong.join(" "))));
            }
            // A link to a section becomes a link to the page.
            Span::Link(text, target) => match target.split('#').next().and_then(page) {
                Some(name) if is_program(name) => {
                    add(&mut words, Piece::Macro(name_macro(name, program)));
                }
                Some(name) if text.to_lowercase().replace(' ', "-") == name => {
                    add(&mut words, Piece::Macro(format!("Pa {name}.md")));
                }
                Some(name) => {
                    add_text(&mut words, &format!("{text} ("), program);
                    add(&mut words, Piece::Macro(format!("Pa {name}.md")));
                    add(&mut words, Piece::Plain(")".to_owned()));
                }
                None => add_text(&mut words, &text, program),
            },
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn page(target: &str) -> Option<&str> {
    target.strip_suffix(".md")
}

/// Adds to the last word.
fn add(words: &mut [Word], piece: Piece) {
    let Some(word) = words.last_mut() else {
        return;
    };
    match (word.last_mut(), piece) {
        (Some(Piece::Plain(text)), Piece::Plain(more)) => text.push_str(&more),
        (_, piece) => word.push(piece),
    }
}

/// Adds words of text. Options, names of programs and references to manual pages become macros.
fn add_text(words: &mut Vec<Word>, text: &str, program: Option<&Program>) {
    for (at, part) in text.split_whitespace().enumerate() {
        if at > 0 || text.starts_with(char::is_whitespace) {
            words.push(Vec::new());
        }
        let inner = part.trim_start_matches('(');
        let word = inner.trim_end_matches(DELIMITERS);
        let bare = word.strip_suffix("'s").unwrap_or(word);
        let (call, length) = if let Some((name, section)) = elsewhere(inner) {
            let length = name.len() + section.len() + 2;
            (format!("Xr {name} {section}"), length)
        } else if is_program(bare) {
            (name_macro(bare, program), bare.len())
        } else if bare.len() > 1 && bare.starts_with('-') {
            (flags(bare), bare.len())
        } else {
            add(words, Piece::Plain(part.to_owned()));
            continue;
        };
        let (before, after) = (&part[..part.len() - inner.len()], &inner[length..]);
        add_plain(words, before);
        add(words, Piece::Macro(call));
        add_plain(words, after);
    }
    if text.ends_with(char::is_whitespace) {
        words.push(Vec::new());
    }
}

fn add_plain(words: &mut [Word], text: &str) {
    if !text.is_empty() {
        add(words, Piece::Plain(text.to_owned()));
    }
}

/// The text of a word, and whether it calls a macro.
fn line_of(word: &Word) -> (String, bool) {
    if !word.iter().any(|piece| matches!(piece, Piece::Macro(_))) {
        let pieces = word.iter().map(|piece| match piece {
            Piece::Plain(text) | Piece::Macro(text) => escaped(text),
        });
        return (pieces.collect(), false);
    }
    let mut line = String::new();
    for (at, piece) in word.iter().enumerate() {
        let text = match piece {
            Piece::Macro(text) => text.clone(),
            Piece::Plain(text) if at == 0 => format!("No {}", argument(text)),
            Piece::Plain(text) if at + 1 == word.len() => {
                let rest = text.trim_end_matches(DELIMITERS);
                if !rest.is_empty() {
                    line.push_str(&format!(" Ns {}", argument(rest)));
                }
                for delimiter in text[rest.len()..].chars() {
                    line.push_str(&format!(" {delimiter}"));
                }
                continue;
            }
            Piece::Plain(text) => argument(text),
        };
        if at > 0 {
            line.push_str(" Ns ");
        }
        line.push_str(&text);
    }
    (line, true)
}

/// The name and the section of a manual page that a word begins with: `pipe(7)`.
fn elsewhere(word: &str) -> Option<(&str, &str)> {
    let (name, rest) = word.split_once('(')?;
    let (section, _) = rest.split_once(')')?;
    let sound = section.parse::<u8>().is_ok() && !name.is_empty();
    (sound && name.chars().all(|c| c.is_ascii_lowercase())).then_some((name, section))
}

fn is_program(name: &str) -> bool {
    suite::all().any(|program| program == name)
}

/// A reference to another program, or the name of the page's own.
fn name_macro(name: &str, program: Option<&Program>) -> String {
    match program {
        Some(program) if program.name == name => "Nm".to_owned(),
        _ => format!("Xr {name} 8"),
    }
}

fn code_macro(code: &str, program: Option<&Program>) -> String {
    let stem = code
        .trim_start_matches("${PROTO}")
        .trim_end_matches(['*', ':']);
    let name = stem.strip_suffix(":name").unwrap_or(stem);
    let variable = name.len() > 1
        && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_uppercase());
    if is_program(code) {
        name_macro(code, program)
    } else if code.starts_with('-') && code.len() > 1 {
        flags(code)
    } else if variable && name.starts_with("SIG") {
        format!("Dv {name}")
    } else if variable {
        format!("Ev {}", argument(code))
    } else if code.starts_with('/') && !code.contains(' ') {
        format!("Pa {}", argument(code))
    } else if program.is_some_and(|program| is_value(code, program)) {
        format!("Ar {}", argument(code))
    } else {
        format!("Ql {}", argument(code))
    }
}

/// Whether the program's command line has this name for a value.
fn is_value(name: &str, program: &Program) -> bool {
    let operand = |operand: &&str| operand.trim_end_matches('.') == name;
    program.operands.iter().any(operand)
        || program
            .option_specs()
            .any(|row| row.value_name() == Some(name))
}

/// Options, with their values: `-K ms`, `--groups=list`.
pub fn flags(code: &str) -> String {
    let words = code.split(' ').map(|word| match word.strip_prefix('-') {
        Some(flag) if !flag.is_empty() => match flag.split_once('=') {
            Some((flag, value)) => format!("Fl {} Ns = Ns Ar {}", dashes(flag), argument(value)),
            None => format!("Fl {}", dashes(flag)),
        },
        _ if word == "|" => word.to_owned(),
        _ => format!("Ar {}", argument(word)),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn dashes(flag: &str) -> String {
    flag.replace('-', "\\-")
}

/// Text as an argument of a macro.
pub fn argument(text: &str) -> String {
    protected(escaped(text))
}

/// Escaped text as one argument of a macro: neither a macro itself nor a delimiter.
fn protected(text: String) -> String {
    let mut letters = text.chars();
    let macro_name = text.len() <= 3
        && letters.next().is_some_and(|c| c.is_ascii_uppercase())
        && letters.next().is_some_and(|c| c.is_ascii_lowercase());
    if text.contains([' ', '"']) || text.is_empty() {
        return format!("\"{}\"", text.replace('"', "\\(dq"));
    }
    let delimiters = text
        .chars()
        .all(|c| DELIMITERS.contains(&c) || "(|[".contains(c));
    let before = if macro_name || delimiters { "\\&" } else { "" };
    let ends = text.len() > 1 && text.ends_with(DELIMITERS);
    format!("{before}{text}{}", if ends { "\\&" } else { "" })
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('`', "\\(ga")
        .replace('^', "\\(ha")
        .replace('~', "\\(ti")
        .replace('–', "\\(en")
}

#[cfg(test)]
mod tests {
    use super::{arguments, paragraph};

    #[test]
    fn words_that_mean_something_are_macros() {
        let text = "Runs `prog` ([s6-tlsd](s6-tlsd.md), with `-K ms`, or `--groups=a`). See \
                    pipe(7), `KEYFILE:name`, `SIGHUP`, `X25519`, s6-tlsc's `a b:`.";
        let lines = [
            "Runs",
            ".Ql prog",
            ".No \\&( Ns Xr s6-tlsd 8 ,",
            "with",
            ".Fl K Ar ms ,",
            "or",
            ".Fl \\-groups Ns = Ns Ar a ) .",
            "See",
            ".Xr pipe 7 ,",
            ".Ev KEYFILE:name ,",
            ".Dv SIGHUP ,",
            ".Ql X25519 ,",
            ".Xr s6-tlsc 8 Ns 's",
            ".Ql \"a b:\" .",
        ];
        assert_eq!(paragraph(text, None).lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn a_link_to_a_page_names_it() {
        let text = "[Security](security.md), [the guard](security.md#guard).";
        let lines = [
            ".Pa security.md ,",
            "the guard",
            ".No \\&( Ns Pa security.md ) .",
        ];
        assert_eq!(paragraph(text, None).lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn text_is_no_macro() {
        assert_eq!(paragraph(".Fl a\\b. 'x", None), "\\&.Fl a\\eb.\n\\&'x\n");
        assert_eq!(
            arguments("a No `::` Ar", None),
            "a \\&No Ql \\&::\\& No \\&Ar"
        );
    }
}
