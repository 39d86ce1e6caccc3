//! A stub resolver for programs with one thread and a deadline. Programs use
//! [`Resolver`].
//!
//! It asks the servers that the environment or /etc/resolv.conf names, and reads
//! /etc/hosts if the caller wants that. It caches nothing and does not use NSS.
//! Whatever a server sends, a lookup ends in time with an answer or a [`Failure`].
#![forbid(unsafe_code)]

mod config;
mod conversation;
mod dane;
mod exchange;
mod failure;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod hosts;
mod message;
mod name;
mod query;
mod resolver;

pub use config::Config;
pub use dane::{Service, Tlsa, Unsecured};
pub use failure::Failure;
pub use hosts::Hosts;
pub use name::{Name, host_name};
pub use query::{Answer, Query, Secured, SecuredKind};
pub use resolver::{Families, Resolver};
