//! End-to-end tests: they run the built programs, as their users do, against
//! each other and against foreign peers.
//!
//! `UNDER_TEST=DIR` runs the same tests on the programs in DIR. A test whose
//! peer is not installed says `SKIPPED`; with `CI=true` it fails.

mod util;

mod harness;
