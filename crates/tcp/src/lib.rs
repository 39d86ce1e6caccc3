//! The TCP programs of the suite, each in a module of its name.
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
