//! The OCSP response that is stapled to a certificate (RFC 6066 section 8), from
//! OCSPFILE.

use std::ffi::OsStr;

use cli::Context;
use pki::x509::der::is_der_sequence;

use crate::files::error::{Failure, unreadable, unusable};
use crate::files::retry::{Files, Reader};
use crate::files::variable;

/// The longest response that fits, with its header, into the extensions of a
/// certificate in TLS 1.3 (RFC 8446 section 4.4.2).
const LONGEST: usize = 0xffff - 8;

/// The response in the file that variable `name` names, if it is set. It is not
/// interpreted. If it cannot be used there is a warning and no response: clients
/// do without.
pub fn load(context: &Context, files: &Files, name: &[u8]) -> Option<Vec<u8>> {
    let path = variable::path(context, name).transpose()?;
    path.and_then(|path| files.load(|reader| read(reader, path)))
        .map_err(|fatal| context.warn(fatal.message()))
        .ok()
}

fn read(reader: &Reader<'_>, path: &OsStr) -> Result<Vec<u8>, Failure> {
    let response = (reader.open(path)?.content()).map_err(|errno| unreadable(path, errno))?;
    let why = match response.len() {
        _ if !is_der_sequence(&response) => "no OCSP response in DER",
        0..=LONGEST => return Ok(response),
        _ => "OCSP response of more than 64 KiB",
    };
    Err(unusable(path, why).into())
}
