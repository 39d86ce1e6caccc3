//! A private key with its certificate chain, from KEYFILE and CERTFILE.

use std::ffi::OsStr;
use std::sync::Arc;

use cli::{Context, Fatal};
use nix::sys::stat::Mode;
use pki::PemError;
use pki::x509::public_key::PublicKey;
use pki::x509::{Certificate, kind};
use pki::{key_fault, private_key, read};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};

use crate::files::OpenFile;
use crate::files::error::{Failure, unreadable, unusable};
use crate::files::retry::Files;
use crate::{CONTEXT, crypto};

/// Loads the key in `key_file` and the chain in `certificate_file`, and makes sure that they belong
/// together. Nothing else in the certificate is checked: that is up to peers.
pub fn load(
    files: &Files,
    key_file: &OsStr,
    certificate_file: &OsStr,
) -> Result<CertifiedKey, Fatal> {
    files.load(|reader| {
        let key = PairFile {
            path: key_file,
            open: &|| reader.open(key_file),
        };
        let certificate = PairFile {
            path: certificate_file,
            open: &|| reader.open(certificate_file),
        };
        read(files.context(), &key, &certificate)
    })
}

/// One of the two files of a pair.
pub struct PairFile<'a> {
    /// Its path, for messages.
    pub path: &'a OsStr,
    /// Opens it.
    pub open: &'a dyn Fn() -> Result<OpenFile, Failure>,
}

/// Reads the files of a pair once, and makes sure that they belong together.
pub fn read(
    context: &Context,
    key: &PairFile<'_>,
    certificate: &PairFile<'_>,
) -> Result<CertifiedKey, Failure> {
    let pair = read_both(context, key, certificate);
    // Decoding has left copies of the key there.
    unix::memory::wipe_stack();
    pair
}

/// Whether `file`, which should hold a key and its chain, holds only one of them.
pub fn is_half(file: &PairFile<'_>) -> bool {
    let half = has_one(file);
    // As in `read`.
    unix::memory::wipe_stack();
    half
}

/// Not inlined, so that all it leaves on the stack is below the frame of `is_half`.
#[inline(never)]
fn has_one(file: &PairFile<'_>) -> bool {
    match (read_key(file), read_chain(file)) {
        (Ok(_), Err(failure)) | (Err(failure), Ok(_)) => failure.is_lacking(),
        _ => false,
    }
}

/// Not inlined, so that all it leaves on the stack is below the frame of `read`.
#[inline(never)]
fn read_both(
    context: &Context,
    key: &PairFile<'_>,
    certificate: &PairFile<'_>,
) -> Result<CertifiedKey, Failure> {
    let (secret, mode) = read_key(key)?;
    let chain = read_chain(certificate)?;
    match signer(&secret, &chain) {
        Ok(signer) => {
            warn_if_open_to_all(context, key.path, mode);
            Ok(CertifiedKey::new(chain, signer))
        }
        Err(_) if !crypto::has_random_bytes() => Err(no_random_bytes(key.path)),
        Err(Unfit::Key) => Err(Failure::lasting(unusable(
            key.path,
            &key_fault::text(&secret),
        ))),
        Err(Unfit::Curve) => Err(unusable(certificate.path, EXPLICIT).into()),
        Err(Unfit::Pair) => Err(mismatch(key.path, certificate.path).into()),
    }
}

/// ring needs random bytes to load an EC key, but its error does not say so.
fn no_random_bytes(key_file: &OsStr) -> Failure {
    let path = key_file.to_string_lossy();
    let text = format!("unable to use {path}: the system gives no random bytes");
    Failure::lasting(Fatal::new(Fatal::SYSTEM, text))
}

fn mismatch(key_file: &OsStr, certificate_file: &OsStr) -> Fatal {
    let (key, certificate) = (
        key_file.to_string_lossy(),
        certificate_file.to_string_lossy(),
    );
    let text = format!("private key in {key} does not belong to the certificate in {certificate}");
    Fatal::new(CONTEXT, text)
}

/// The message for [`Unfit::Curve`].
const EXPLICIT: &str = "the curve of its key is written out (explicit parameters) and is neither \
                        P-256 nor P-384, or the private key is another one; a named curve is \
                        needed (openssl ec -param_enc named_curve), and a new certificate";

/// Why a key and a chain cannot be used together.
enum Unfit {
    /// The key is of a kind that cannot be used.
    Key,
    /// The certificate has explicit parameters of a curve. Either that is no
    /// supported curve, or key and certificate do not belong together.
    Curve,
    /// They do not belong together.
    Pair,
}

/// The signing key, if `key` belongs to the first certificate in `chain`.
fn signer(
    key: &PrivateKeyDer<'_>,
    chain: &[CertificateDer<'_>],
) -> Result<Arc<dyn SigningKey>, Unfit> {
    let certificate = chain.first().and_then(|der| Certificate::parse(der));
    let public_key = certificate
        .and_then(|certificate| certificate.public_key())
        .ok_or(Unfit::Pair)?;
    let Ok(signer) = crypto::signing_key(key) else {
        // ring needs an EC key with its uncompressed public key and a named curve.
        let scalar = private_key::scalar(key).ok_or(Unfit::Key)?;
        let whole = private_key::ec_key(scalar, &public_key).ok_or(Unfit::Pair)?;
        return crypto::signing_key(&whole).map_err(|_| {
            if kind::is_explicit(public_key.algorithm) {
                Unfit::Curve
            } else {
                Unfit::Pair
            }
        });
    };
    let info = signer.public_key();
    let own = info.as_deref().and_then(PublicKey::parse);
    if own.is_some_and(|own| !own.is(&public_key)) {
        return Err(Unfit::Pair);
    }
    if public_key.is_rsa_pss() {
        // Peers heed the parameters in the certificate, which may be more than those of the key.
        let allowed = pki::rsa_pss::hashes(public_key.algorithm);
        return crypto::rsa_pss::signing_key_for(key, allowed).ok_or(Unfit::Pair);
    }
    Ok(signer)
}

/// Warns, from verbosity 2 on, of a key that everybody may read. A group may read
/// it: there are groups for that purpose.
fn warn_if_open_to_all(context: &Context, key_file: &OsStr, mode: Mode) {
    if mode.contains(Mode::S_IROTH) {
        let path = key_file.to_string_lossy();
        let text = format!("private key {path} is readable by everybody");
        context.say(2, "warning", &text);
    }
}

fn read_key(file: &PairFile<'_>) -> Result<(PrivateKeyDer<'static>, Mode), Failure> {
    let opened = (file.open)()?;
    let mode = opened.mode();
    let content = (opened.content()).map_err(|errno| unreadable(file.path, errno))?;
    let key = read::private_key(&content).map_err(|error| {
        let fatal = unusable(file.path, error.text());
        match error {
            PemError::Encrypted => Failure::lasting(fatal),
            PemError::NoKey => Failure::lacking(fatal),
            _ => fatal.into(),
        }
    })?;
    Ok((key, mode))
}

fn read_chain(file: &PairFile<'_>) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let content = (file.open)()?
        .content()
        .map_err(|errno| unreadable(file.path, errno))?;
    let chain = read::certificates(content).map_err(|error| {
        let fatal = unusable(file.path, error.text());
        match error {
            PemError::NoCertificate => Failure::lacking(fatal),
            _ => fatal.into(),
        }
    })?;
    if chain.iter().any(|der| Certificate::parse(der).is_none()) {
        return Err(unusable(file.path, PemError::Malformed.text()).into());
    }
    Ok(chain)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::files::retry::Attempt;
    use crate::testing;

    /// How deep [`unix::memory::wipe_stack`] goes, and more.
    const DEPTH: usize = 32 << 10;

    /// What earlier calls of the caller have left on the stack.
    #[inline(never)]
    fn left_on_the_stack(memory: &File, left: &mut [u8]) {
        let here = (&raw const memory).addr();
        let deepest = here - left.len();
        memory.read_exact_at(left, deepest as u64).unwrap();
    }

    /// How many pieces of the key's number `load` leaves on the stack.
    fn pieces_after(load: impl Fn(&Context, &PairFile<'_>, &PairFile<'_>)) -> usize {
        let context = testing::context();
        let files = Files::at_once(&context);
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../pki/src/testdata");
        let paths = ["key.pem", "certificate.pem"].map(|name| format!("{directory}/{name}"));
        let [key, certificate] = paths.each_ref().map(|path| OsStr::new(path.as_str()));
        let memory = File::open("/proc/self/mem").unwrap();
        let mut left = vec![0; DEPTH];
        let loaded = files.load(|reader| {
            let key = PairFile {
                path: key,
                open: &|| reader.open(key),
            };
            let certificate = PairFile {
                path: certificate,
                open: &|| reader.open(certificate),
            };
            load(&context, &key, &certificate);
            Ok(())
        });
        left_on_the_stack(&memory, &mut left);
        loaded.unwrap();
        let secret = read::private_key(testing::KEY).unwrap();
        let scalar = private_key::scalar(&secret).unwrap();
        let pieces = scalar.windows(8);
        pieces
            .filter(|piece| left.windows(8).any(|bytes| bytes == *piece))
            .count()
    }

    #[test]
    fn a_key_that_was_read_is_not_left_on_the_stack() {
        let read_both = |context: &Context, key: &PairFile<'_>, certificate: &PairFile<'_>| {
            read_both(context, key, certificate).unwrap();
        };
        assert_ne!(pieces_after(read_both), 0, "the search finds nothing");
        let read = |context: &Context, key: &PairFile<'_>, certificate: &PairFile<'_>| {
            read(context, key, certificate).unwrap();
        };
        assert_eq!(pieces_after(read), 0);
    }

    #[test]
    fn a_renewal_is_waited_for_only_if_it_may_mend_the_key() {
        let path = std::env::temp_dir().join(format!("s6-tls-key-{}", std::process::id()));
        let context = testing::context();
        let is_final = |der: &str| {
            let text = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
            std::fs::write(&path, text).unwrap();
            let read = Files::at_once(&context).load(|reader| {
                let path = path.as_os_str();
                let open = || reader.open(path);
                let failure = read_key(&PairFile { path, open: &open })
                    .map(drop)
                    .unwrap_err();
                Ok(matches!(
                    Attempt::from(failure),
                    Attempt::<Result<(), _>>::Final(_)
                ))
            });
            read.unwrap()
        };
        // SEQUENCE { SEQUENCE {}, OCTET STRING }, and a length alone.
        let encrypted = is_final("MAQwAAQA");
        let cut_short = is_final("MAQw");
        std::fs::remove_file(&path).unwrap();
        assert_eq!((encrypted, cut_short), (true, false));
    }
}
