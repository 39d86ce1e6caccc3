//! Errors in the content of PEM and DER files.

/// Why a file cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PemError {
    /// The key is encrypted.
    Encrypted,
    /// A block with the right label cannot be decoded.
    Malformed,
    /// The file has no certificate.
    NoCertificate,
    /// The file has no private key.
    NoKey,
    /// The file has no revocation list.
    NoRevocationList,
}

impl PemError {
    /// The message that follows the file's name.
    pub fn text(self) -> &'static str {
        match self {
            Self::Encrypted => "the private key is encrypted",
            Self::Malformed => "malformed content",
            Self::NoCertificate => "no certificate inside",
            Self::NoKey => "no private key inside",
            Self::NoRevocationList => "no revocation list inside",
        }
    }
}
