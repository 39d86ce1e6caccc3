//! The end of a connection as its program reports it: an exit code and a
//! message.

use cli::Fatal;
use tunnel::handshake_facts::HandshakeAbort;
use tunnel::outcome::{EndReason, Outcome};

/// What to print, and the exit code; `verbosity` 0 leaves out the line
/// about the handshake's limit.
pub fn result(outcome: Outcome, verbosity: u32) -> Result<u8, Fatal> {
    match outcome.reason {
        EndReason::Closed => Ok(outcome.code()),
        EndReason::HandshakeTimeout if verbosity == 0 => Err(Fatal::silent(outcome.code())),
        _ => Err(Fatal::new(outcome.code(), outcome.text)),
    }
}

/// The reason to abort a handshake with: `fatal` ends this process as well.
pub fn abort(fatal: &Fatal) -> HandshakeAbort {
    HandshakeAbort::Failed(fatal.code(), fatal.message().to_owned())
}

#[cfg(test)]
mod tests {
    use tunnel::outcome::SYSTEM;

    use super::*;

    #[test]
    fn the_code_of_system_errors_is_that_of_all_programs() {
        assert_eq!(SYSTEM, Fatal::SYSTEM);
    }

    #[test]
    fn only_the_line_about_the_handshakes_limit_can_be_left_out() {
        let line = |outcome: Outcome, verbosity| {
            let fatal = result(outcome, verbosity).unwrap_err();
            (fatal.code(), fatal.line("p"))
        };
        assert_eq!(result(Outcome::closed(), 0), Ok(0));
        assert_eq!(line(Outcome::handshake_timeout(), 0), (98, None));
        let late = "p: fatal: handshake timed out\n".to_owned();
        assert_eq!(line(Outcome::handshake_timeout(), 1), (98, Some(late)));
        let idle = "p: fatal: connection idle for too long\n".to_owned();
        assert_eq!(line(Outcome::idle(), 0), (98, Some(idle)));
    }
}
