//! Lets the names of the programs end as the build wishes.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=S6_TLS_PROGRAM_SUFFIX");
    let suffix = std::env::var("S6_TLS_PROGRAM_SUFFIX").unwrap_or_default();
    println!("cargo::rustc-env=S6_TLS_PROGRAM_SUFFIX={suffix}");
}
