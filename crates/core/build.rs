//! Packs Mozilla's roots into one file, which the programs contain. `src/verify/compiled_in.rs`
//! says how it is laid out.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut packed = Vec::new();
    for root in webpki_roots::TLS_SERVER_ROOTS {
        let constraints = root.name_constraints.as_deref().unwrap_or_default();
        for field in [&root.subject, &root.subject_public_key_info, constraints] {
            packed.extend(u16::try_from(field.len())?.to_be_bytes());
            packed.extend(field);
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
    let directory = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    std::fs::write(Path::new(&directory).join("roots.bin"), packed)?;
    Ok(())
}
