//! A stub resolver for programs that have a deadline and one thread.
//!
//! It asks the servers that the environment or /etc/resolv.conf names, and
//! reads /etc/hosts if it is told to. Nothing is cached, NSS is not consulted,
//! and whatever a server sends ends in an answer or a [`Failure`], in time.
//!
//! [`Resolver`] is what programs use.
#![forbid(unsafe_code)]

mod config;
mod conversation;
mod exchange;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod hosts;
mod message;
mod name;
mod resolver;

pub use config::Config;
pub use failure::Failure;
pub use hosts::Hosts;
pub use message::{Answer, Query};
pub use name::{Name, host_name};
pub use resolver::{Families, Found, Resolver};
