//! What is stapled to our certificate: the response of an OCSP responder about
//! it (RFC 6066 section 8), from OCSPFILE.

use std::ffi::OsStr;

use cli::Context;
use pki::x509::der::is_der_sequence;

use crate::files::error::{Failure, unreadable, unusable};
use crate::files::patience::{Files, Reader};
use crate::files::variable;

/// The longest response that fits into the extensions of a certificate in TLS
/// 1.3, with its own headers and theirs (RFC 8446 section 4.4.2).
const LONGEST: usize = 0xffff - 8;

/// The response in the file that `name` names, if that is set: it is passed on
/// as it is. One that cannot be is worth a warning, for without it clients do
/// as they did before.
pub fn load(context: &Context, files: &Files, name: &[u8]) -> Option<Vec<u8>> {
    let response = match variable::path(context, name) {
        Ok(path) => path.map(|path| files.load(|reader| read(reader, path)))?,
        Err(fatal) => Err(fatal),
    };
    response.map_err(|fatal| context.warn(fatal.message())).ok()
}

fn read(reader: &Reader<'_>, path: &OsStr) -> Result<Vec<u8>, Failure> {
    let response = reader.open(path)?.content();
    let response = response.map_err(|errno| unreadable(path, errno))?;
    let why = match response.len() {
        _ if !is_der_sequence(&response) => "no OCSP response in DER",
        0..=LONGEST => return Ok(response),
        _ => "OCSP response of more than 64 KiB",
    };
    Err(unusable(path, why).into())
}
