//! The programs around the TLS engines. `s6-tlsd` and `s6-tlsc` start an engine, wait until the
//! handshake is over, and run the program. `s6-ucspitlsd` and `s6-ucspitlsc` run the program at
//! once, and leave a helper that starts the engine when the program asks. `s6-tlsserver` and
//! `s6-tlsclient` rewrite their command lines into longer ones.
//!
//! With `--check` they find what they would execute, and replace each other by exec until the
//! engine has checked its files.
//!
//! Nothing here does cryptography: the engines are programs that are executed.
#![forbid(unsafe_code)]

mod check;
mod clean_env;
mod ends;
mod engine_command;
pub mod engine_launcher;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod notification;
mod options;
pub mod tlsclient;
pub mod tlsserver;
pub mod ucspi;
