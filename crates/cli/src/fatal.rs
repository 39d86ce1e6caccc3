//! Errors that end a program: one line and an exit code.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use unix::Errno;

use crate::message;

/// Why a program ends without having done its work: an exit code and a line. [`crate::run`] is
/// the only place that prints it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fatal {
    code: u8,
    line: Line,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Line {
    /// `PROG: fatal: ` and this message.
    Message(String),
    /// `PROG: usage: PROG ` and this synopsis.
    Usage(String),
    /// No line: another process has printed one.
    Silent,
}

impl Fatal {
    /// The exit code for a wrong command line or variable: 100.
    pub const USER: u8 = 100;
    /// The exit code for a failed system call: 111.
    pub const SYSTEM: u8 = 111;

    /// An error with this exit code and message.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            line: Line::Message(message.into()),
        }
    }

    /// Wrong usage, with a message: 100.
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(Self::USER, message)
    }

    /// Variable `name` has an invalid value: 100 and `invalid $NAME`.
    pub fn invalid_variable(name: impl AsRef<OsStr>) -> Self {
        Self::user(format!("invalid ${}", show(name.as_ref())))
    }

    /// Wrong usage, with the usage line: 100.
    pub fn usage(synopsis: impl Into<String>) -> Self {
        Self {
            code: Self::USER,
            line: Line::Usage(synopsis.into()),
        }
    }

    /// A system call failed: 111 and `unable to WHAT: STRERROR`.
    pub fn system(what: &str, errno: Errno) -> Self {
        Self::unable(Self::SYSTEM, what, errno)
    }

    /// A system call failed: `unable to WHAT: STRERROR`, with another exit code.
    pub fn unable(code: u8, what: &str, errno: Errno) -> Self {
        Self::new(code, unable(what, errno))
    }

    /// The next program cannot be executed: 127 if it does not exist, else 126.
    pub fn exec(name: &OsStr, errno: Errno) -> Self {
        let code = if errno == Errno::ENOENT { 127 } else { 126 };
        Self::unable(code, &format!("exec {}", show(name)), errno)
    }

    /// Ends the program with `code`, without a line.
    pub fn silent(code: u8) -> Self {
        Self {
            code,
            line: Line::Silent,
        }
    }

    /// Prints the line, if there is one, as program `prog`. Returns the error without its line.
    pub fn print(self, prog: &str) -> Self {
        if let Some((kind, text)) = self.parts(prog) {
            message::print(prog, kind, &text);
        }
        Self::silent(self.code)
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// The message, without the program's name; empty if there is none.
    pub fn message(&self) -> &str {
        match &self.line {
            Line::Message(message) => message,
            Line::Usage(_) | Line::Silent => "",
        }
    }

    /// The line that a program named `prog` prints, if any.
    pub fn line(&self, prog: &str) -> Option<String> {
        let (kind, text) = self.parts(prog)?;
        Some(message::line(prog, kind, &text))
    }

    /// The kind and the text of the line.
    fn parts(&self, prog: &str) -> Option<(&'static str, Cow<'_, str>)> {
        match &self.line {
            Line::Message(message) => Some(("fatal", message.into())),
            Line::Usage(synopsis) => Some(("usage", format!("{prog} {synopsis}").into())),
            Line::Silent => None,
        }
    }
}

/// `unable to WHAT: STRERROR`.
pub(crate) fn unable(what: &str, errno: Errno) -> String {
    format!("unable to {what}: {}", unix::errno::text(errno))
}

/// `NAME not set`.
pub(crate) fn not_set(name: &OsStr) -> Fatal {
    Fatal::user(format!("{} not set", show(name)))
}

/// The text of an argument for a message.
pub(crate) fn show(arg: &OsStr) -> String {
    String::from_utf8_lossy(arg.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_prints_its_line_with_its_code() {
        let cases = [
            (Fatal::user("no"), 100, Some("p: fatal: no\n")),
            (Fatal::usage("[-v] x"), 100, Some("p: usage: p [-v] x\n")),
            (
                Fatal::system("open f", Errno::ENOENT),
                111,
                Some("p: fatal: unable to open f: No such file or directory\n"),
            ),
            (
                Fatal::exec(OsStr::new("x"), Errno::ENOENT),
                127,
                Some("p: fatal: unable to exec x: No such file or directory\n"),
            ),
            (
                Fatal::exec(OsStr::new("x"), Errno::EACCES),
                126,
                Some("p: fatal: unable to exec x: Permission denied\n"),
            ),
            (Fatal::silent(7), 7, None),
        ];
        for (fatal, code, line) in cases {
            assert_eq!(fatal.code(), code);
            assert_eq!(fatal.line("p").as_deref(), line);
        }
    }

    #[test]
    fn control_characters_in_a_message_are_escaped() {
        let fatal = Fatal::new(98, "bad\nname\x1b[2J\r");
        assert_eq!(
            fatal.line("p").as_deref(),
            Some("p: fatal: bad\\nname\\u{1b}[2J\\r\n")
        );
    }
}
