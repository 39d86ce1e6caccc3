//! End-to-end tests: they run the built programs, as their users do, against
//! each other and against foreign peers.
//!
//! `UNDER_TEST=DIR` runs the same tests on the programs in DIR. A test whose
//! peer is not installed says `SKIPPED`; with `CI=true` it fails.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod tickets;
mod util;

mod access;
mod acme;
mod alpn;
mod any_client_cert;
mod architecture;
mod building;
mod capacity;
mod chains;
mod check;
mod client_certificates;
mod clock;
mod completions;
mod connection_rate;
mod crl;
mod dane;
mod descriptors;
mod dns;
mod drain;
mod early_data;
mod engine_files;
mod engine_handshake;
mod engine_launchers;
mod engine_sni;
mod engine_tunnel;
mod exam;
mod examples;
mod fail2ban;
mod faults;
mod file_streams;
mod file_variables;
mod footprint;
mod groups;
mod guard_tls12;
mod haproxy;
mod harness;
mod http;
mod ident;
mod ids;
mod key_guard;
mod key_kinds;
mod links;
mod log_line;
mod manual;
mod max_record;
mod memory;
mod migrating;
mod options;
mod peer_info;
mod pins;
#[cfg(target_os = "linux")]
mod pipes;
mod postfix;
mod proxy;
mod refusals;
mod renewal;
mod sandbox;
mod scaling;
mod secrets;
#[cfg(target_os = "linux")]
mod snidir;
mod soak;
mod staple;
mod start;
mod stderr;
mod tcp;
mod tcpclient;
mod tcprules;
mod tcpserverd;
mod terminals;
mod time_limits;
mod tlsa;
mod troubleshooting;
mod trust_anchors;
mod ucspitls;
#[cfg(target_os = "linux")]
mod weak_chains;
mod zones;
