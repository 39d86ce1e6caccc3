//! What a process in the sandbox can do, and what not. A forbidden action is tried
//! in two processes: outside the sandbox, where it must not be refused, and
//! inside, where it must be.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: only Linux has the sandbox");
}

#[cfg(target_os = "linux")]
mod allowed;
#[cfg(target_os = "linux")]
#[path = "../../../unix/tests/one_thread/mod.rs"]
mod one_thread;
#[cfg(target_os = "linux")]
mod refused;

#[cfg(target_os = "linux")]
use allowed::an_engine_and_a_guard_can_do_their_work;
#[cfg(target_os = "linux")]
use refused::what_an_engine_does_not_need_is_refused;

#[cfg(target_os = "linux")]
const TESTS: &[one_thread::Test] = one_thread::tests![
    what_an_engine_does_not_need_is_refused,
    an_engine_and_a_guard_can_do_their_work,
];

#[cfg(target_os = "linux")]
fn main() {
    // Set by the parent, for the process of an attempt.
    match (std::env::var("INSIDE"), std::env::var("OUTSIDE")) {
        (Ok(name), _) if name == "work" => allowed::work(),
        (Ok(name), _) if name == "guard" => allowed::guard(),
        (Ok(name), _) => refused::attempt(&name, true),
        (_, Ok(name)) => refused::attempt(&name, false),
        _ => {
            if !refused::supported() {
                one_thread::skip("this kernel has no seccomp filters");
                assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"));
                return;
            }
            one_thread::main(TESTS);
        }
    }
}

/// Runs this program again, to do `name` at `place`.
#[cfg(target_os = "linux")]
fn run(place: &str, name: &str) -> std::process::Output {
    let this = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(this);
    command.env(place, name);
    command.output().unwrap()
}
