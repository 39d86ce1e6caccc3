//! What is wrong with the content of a file.

/// Why a file does not give what is looked for in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PemError {
    /// The key is encrypted.
    Encrypted,
    /// A block that should be used cannot be decoded.
    Malformed,
    /// There is no certificate.
    NoCertificate,
    /// There is no private key.
    NoKey,
    /// There is no revocation list.
    NoRevocationList,
}

impl PemError {
    /// What is wrong, to follow the file's name.
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
