//! Descriptors, processes, users and memory of a Unix system, for programs that
//! run in chains of exec.
//!
//! All unsafe code of the project is here, behind functions that are safe to
//! call. In this crate only [`fd::message`] prints, and only [`entry`] and an
//! allocation that fails exit.

pub mod clock;
pub mod entry;
pub mod env;
pub mod errno;
pub mod exec;
pub mod fd;
pub mod fork;
pub mod heap;
mod lock;
#[cfg(target_os = "linux")]
pub mod lockdown;
pub mod memory;
pub mod net;
mod page;
pub mod pages;
pub mod poll;
pub mod quoted;
pub mod signal;
pub mod spawn;
pub mod suite;
pub mod tasks;
pub mod user;

pub use env::Env;
pub use lock::lock;
pub use nix::errno::Errno;
pub use nix::sys::signal::Signal;
pub use nix::unistd::Pid;
