//! What a process that is locked in can still do, and what not. Each attempt
//! is made twice in a process of its own: outside, where it must not be
//! refused, and inside, where it must.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: the sandbox is Linux");
}

#[cfg(target_os = "linux")]
mod allowed;
#[cfg(target_os = "linux")]
mod refused;

#[cfg(target_os = "linux")]
fn main() {
    // What the process of an attempt is told, by the one that starts it.
    match (std::env::var("INSIDE"), std::env::var("OUTSIDE")) {
        (Ok(name), _) if name == "work" => allowed::work(),
        (Ok(name), _) if name == "keep" => allowed::keep(),
        (Ok(name), _) => refused::attempt(&name, true),
        (_, Ok(name)) => refused::attempt(&name, false),
        _ => {
            if !refused::supported() {
                println!("SKIPPED: this kernel filters no system calls");
                assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"));
                return;
            }
            refused::all();
            allowed::all();
        }
    }
}

/// Runs this program again, to do `name` there.
#[cfg(target_os = "linux")]
fn run(place: &str, name: &str) -> std::process::Output {
    let this = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(this);
    command.env(place, name);
    command.output().unwrap()
}
