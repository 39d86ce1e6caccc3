//! Command lines, messages and exit codes, which all programs of the suite share.
//!
//! [`tables`] lists the options of each program. CONTRIBUTING.md says how to add one.
#![forbid(unsafe_code)]

pub mod address;
mod checks;
mod context;
mod endpoint;
mod fatal;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod groups;
pub mod id;
mod ids;
mod limits;
pub mod message;
mod number;
pub mod operands;
mod option_spec;
mod parsed_options;
mod parser;
mod pins;
pub mod tables;
mod tls;
pub mod tlsa;
pub mod usage;
mod value;
pub mod variables;

pub use context::{Context, run};
pub use fatal::Fatal;
pub use groups::Group;
pub use id::Id;
pub use ids::{Ids, Whose, warn_about_engine_group, warn_about_kept_groups};
pub use limits::{ConnectionLimits, Rate};
pub use number::{list_u32, unsigned};
pub use option_spec::{Argument, Check, Effect, OptionSpec, Paragraph, Program, Reads};
pub use parsed_options::{ParsedOption, ParsedOptions};
pub use parser::parse;
pub use pins::Pin;
pub use tls::{
    ACME_TLS, ClientCertificate, ClientOptions, CrlCheck, EngineOptions, ServerOptions, SniLevel,
    StartCheck, answers_challenges, check_client_certificates, normalize_sni_level,
};
pub use unix::suite;
pub use value::Value;

#[doc(hidden)]
pub use unix::entry;

/// Defines the C `main` of a program. It answers `--help` and `--version`; otherwise it runs
/// `$main`, a `fn(&mut Context) -> Result<u8, Fatal>`.
#[macro_export]
macro_rules! program {
    ($program:path, $main:path) => {
        $crate::entry!($program.name, |args| $crate::run(&$program, args, $main));
    };
}
