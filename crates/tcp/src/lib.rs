//! The TCP programs of the suite, one module for each.
#![forbid(unsafe_code)]

pub mod access;
pub mod applyuidgid;
mod deadline;
pub mod getservbyname;
pub mod ident;
pub mod proxy;
pub mod socketbinder;
pub mod tcpclient;
pub mod tcpserver;
pub mod tcpserverd;
pub mod tlsa;
