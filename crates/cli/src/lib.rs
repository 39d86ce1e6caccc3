//! What every program of the suite has in common before it does its own
//! work: the command line, messages, exit codes.
#![forbid(unsafe_code)]

mod context;
mod fatal;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod number;
mod opts;
mod tls;

pub use context::{Context, run};
pub use fatal::Fatal;
pub use number::{list_u32, unsigned};
pub use opts::{Grammar, Opt, Parser, Row, switch, value};
pub use tls::{ClientCertificate, ClientOptions, Common, ServerOptions, SniLevel};

#[doc(hidden)]
pub use unix::entry;

/// Defines the program `$name`: its C `main` runs `$main`, a
/// `fn(&mut Context) -> Result<u8, Fatal>`.
#[macro_export]
macro_rules! program {
    ($name:literal, $main:path) => {
        $crate::entry!($name, |args| $crate::run($name, args, $main));
    };
}
