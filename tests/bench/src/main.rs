//! The benchmark: s6-tlsserver and its peers under the same load, and counts of
//! instructions. doc/performance.md says what is measured and how.
//!
//! - `bench full DIR TARGET [OTHER]`: measures the programs in DIR, built for
//!   TARGET, and those in OTHER, built for the host; writes doc/performance.md,
//!   doc/performance.svg and the summary in README.md. With
//!   `ONLY="tls13.rate ping"` only these, and nothing is written
//! - `bench smoke DIR TARGET [OTHER]`: the same in small, writes nothing that stays
//! - `bench instructions DIR TARGET`: compares counts with those recorded for
//!   the target; `bench record DIR TARGET` records them

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "it talks to a terminal"
)]

mod account;
mod client;
#[path = "../../../crates/core/src/crypto/hybrid.rs"]
mod hybrid;
mod instructions;
mod launch;
mod machine;
mod measure;
mod peers;
mod plot;
mod processes;
mod reaper;
mod report;
mod results;
mod server;
mod services;
mod start;
mod turn;
mod work;

use std::env;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

/// Any failure, as a message.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The project's tree.
const TREE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[OsString]) -> Result<()> {
    let [mode, rest @ ..] = args else {
        return Err(
            "usage: bench full|smoke DIRECTORY TARGET [OTHER], bench instructions|record DIRECTORY TARGET".into(),
        );
    };
    match (mode.to_str(), rest) {
        (Some(reaper::MODE), server) => reaper::run(server),
        (Some("full"), [bin, target, other @ ..]) => measured(&measure::FULL, bin, target, other),
        (Some("smoke"), [bin, target, other @ ..]) => measured(&measure::SMOKE, bin, target, other),
        (Some("instructions"), [bin, target]) => instructions::compare(Path::new(bin), target),
        (Some("record"), [bin, target]) => instructions::record(Path::new(bin), target),
        _ => run(&[]),
    }
}

fn measured(size: &measure::Size, bin: &OsStr, target: &OsStr, other: &[OsString]) -> Result<()> {
    let work = work::Work::new()?;
    let peers = peers::all(Path::new(bin), other.first().map(Path::new))?;
    let mut machine = machine::describe();
    // The summary shows the first lines.
    machine.insert(1, format!("s6-tls built for {}", target.to_string_lossy()));
    let results = measure::run(size, &work, &peers)?;
    let report = report::Report {
        machine: &machine,
        peers: &peers,
        results: &results,
    };
    let tree = Path::new(TREE);
    let kept = size.kept && std::env::var_os("ONLY").is_none();
    report.write(tree, if kept { tree } else { work.path() })
}
