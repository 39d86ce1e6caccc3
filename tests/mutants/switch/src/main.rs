//! Builds all mutants of the code at once, each behind a switch in the program file, and runs
//! the tests with one after another turned on. CONTRIBUTING.md says how it is used.
//!
//!     s6-tls-mutants module NAME [--unit] [TEXT...]
//!     s6-tls-mutants changed BASE SECONDS

mod baseline;
mod edit;
mod lane;

mod mutant;
mod results;
mod rewrite;
mod run;
mod select;
mod suite;
mod tree;

use std::error::Error;
use std::process::{Command, ExitCode, Stdio};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What a command writes, if it succeeds.
fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{:?}: {}", command.get_program(), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn start(arguments: &[&str]) -> Result<bool> {
    match arguments {
        ["module", name, "--unit", texts @ ..] => run::module(name, true, texts),
        ["module", name, texts @ ..] => run::module(name, false, texts),
        ["changed", base, seconds] => run::changed(base, seconds.parse()?),
        _ => Err("usage: module NAME [--unit] [TEXT...] | changed BASE SECONDS".into()),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match start(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: fatal: {error}");
            ExitCode::from(100)
        }
    }
}
