//! A private key with its certificate chain, from KEYFILE and CERTFILE.

use std::ffi::OsStr;

use cli::{Context, Fatal};
use nix::sys::stat::Mode;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use unix::Errno;

use crate::files::pem::{self, Defect, SecretKey};
use crate::x509::Certificate;
use crate::{CONTEXT, crypto, files};

/// Loads the key in `key_file` and the chain in `certificate_file`, and makes
/// sure that they belong together.
///
/// A renewal that replaces both files while they are being read gives a key
/// and a certificate that do not fit: then both are read once more.
///
/// A key that everybody may read is worth a warning; one that a group may
/// read is not, for there are groups for that purpose.
pub fn load(
    context: &Context,
    key_file: &OsStr,
    certificate_file: &OsStr,
) -> Result<CertifiedKey, Fatal> {
    let again = |_| read(key_file, certificate_file)?;
    let (pair, mode) = read(key_file, certificate_file)?.or_else(again)?;
    if mode.contains(Mode::S_IROTH) {
        let path = key_file.to_string_lossy();
        context.warn(&format!("private key {path} is readable by everybody"));
    }
    Ok(pair)
}

/// The pair as the files are now, and the mode of the key's; the inner error
/// is a pair that does not fit.
fn read(
    key_file: &OsStr,
    certificate_file: &OsStr,
) -> Result<Result<(CertifiedKey, Mode), Fatal>, Fatal> {
    let (key, mode) = read_key(key_file)?;
    let chain = read_chain(certificate_file)?;
    let signer = crypto::signing_key(&key)
        .map_err(|_| wrong(key_file, "unusable private key (RSA of 2048 to 8192 bits, ECDSA P-256 or P-384, Ed25519 can be used)"))?;
    let pair = CertifiedKey::new(chain, signer);
    match pair.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Ok((pair, mode))),
        Err(Error::InconsistentKeys(_)) => Ok(Err(Fatal::new(
            CONTEXT,
            format!(
                "private key in {} does not belong to the certificate in {}",
                key_file.to_string_lossy(),
                certificate_file.to_string_lossy()
            ),
        ))),
        Err(_) => Err(wrong(
            certificate_file,
            "unusable certificate (one of version 3 is needed)",
        )),
    }
}

fn read_key(path: &OsStr) -> Result<(SecretKey, Mode), Fatal> {
    let (content, mode) = files::read_with_mode(path).map_err(|errno| unreadable(path, errno))?;
    let key = pem::private_key(&content).map_err(|defect| unusable(path, defect))?;
    Ok((key, mode))
}

fn read_chain(path: &OsStr) -> Result<Vec<CertificateDer<'static>>, Fatal> {
    let content = files::read(path).map_err(|errno| unreadable(path, errno))?;
    let chain = pem::certificates(&content).map_err(|defect| unusable(path, defect))?;
    if chain.iter().any(|der| Certificate::parse(der).is_none()) {
        return Err(unusable(path, Defect::Malformed));
    }
    Ok(chain)
}

fn unreadable(path: &OsStr, errno: Errno) -> Fatal {
    Fatal::unable(CONTEXT, &format!("read {}", path.to_string_lossy()), errno)
}

fn unusable(path: &OsStr, defect: Defect) -> Fatal {
    wrong(path, defect.text())
}

fn wrong(path: &OsStr, why: &str) -> Fatal {
    Fatal::new(
        CONTEXT,
        format!("unable to use {}: {why}", path.to_string_lossy()),
    )
}
