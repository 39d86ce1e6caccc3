//! The exit code and the message for the outcome of a connection.

use cli::Fatal;
use tunnel::handshake_facts::HandshakeAbort;
use tunnel::outcome::{EndReason, Outcome};

/// The exit code, or the error to print. With `verbosity` 0 the line about the
/// handshake's time limit is left out.
pub fn result(outcome: Outcome, verbosity: u32) -> Result<u8, Fatal> {
    match outcome.reason {
        EndReason::Closed => Ok(outcome.code()),
        EndReason::HandshakeTimeout if verbosity == 0 => Err(Fatal::silent(outcome.code())),
        _ => Err(Fatal::new(outcome.code(), outcome.text)),
    }
}

/// The reason to abort a handshake, from the error that ends the process.
pub fn abort(fatal: &Fatal) -> HandshakeAbort {
    HandshakeAbort::Failed(fatal.code(), fatal.message().to_owned())
}

#[cfg(test)]
mod tests {
    use tunnel::outcome::SYSTEM;

    use super::*;

    #[test]
    fn the_code_of_system_errors_is_equal_in_tunnel_and_cli() {
        assert_eq!(SYSTEM, Fatal::SYSTEM);
    }

    #[test]
    fn verbosity_0_leaves_out_only_the_handshake_timeout() {
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
