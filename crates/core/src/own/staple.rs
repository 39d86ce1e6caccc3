//! What is stapled to our certificate: the response of an OCSP responder about
//! it (RFC 6066 section 8), from OCSPFILE.

use cli::Context;

use crate::files::Opened;
use crate::x509::der::is_der_sequence;

/// The longest response that fits into the extensions of a certificate in TLS
/// 1.3, with its own headers and theirs (RFC 8446 section 4.4.2).
const LONGEST: usize = 0xffff - 8;

/// The response in the file that `variable` names, if it does: it is passed on
/// as it is. One that cannot be is worth a warning, for without it clients do
/// as they did before.
pub fn load(context: &Context, variable: &[u8]) -> Option<Vec<u8>> {
    let path = context.env.get(variable)?;
    let name = path.to_string_lossy();
    let response = Opened::at(path).and_then(Opened::content);
    let response = response.map_err(|errno| context.warn_unable(&format!("read {name}"), errno));
    let response = response.ok()?;
    let why = match response.len() {
        _ if !is_der_sequence(&response) => "no OCSP response in DER",
        0..=LONGEST => return Some(response),
        _ => "OCSP response of more than 64 KiB",
    };
    context.warn(&format!("unable to use {name}: {why}"));
    None
}
