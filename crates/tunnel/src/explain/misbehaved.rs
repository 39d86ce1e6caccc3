//! Messages for a peer that violated the protocol.

use rustls::PeerMisbehaved;

/// The text after `remote violated the protocol: `.
pub fn text(error: &PeerMisbehaved) -> &'static str {
    use PeerMisbehaved as E;
    match error {
        E::AttemptedDowngradeToTls12WhenTls13IsSupported => "downgrade to TLS 1.2",
        E::BadCertChainExtensions => "extensions of its certificates that were not asked for",
        E::CipherSuiteDifferedOnRetry | E::SelectedDifferentCipherSuiteAfterRetry => {
            "another cipher suite after a HelloRetryRequest"
        }
        E::DisallowedEncryptedExtension => "extension that is not allowed among encrypted ones",
        E::DuplicateClientHelloExtensions
        | E::DuplicateEncryptedExtensions
        | E::DuplicateHelloRetryRequestExtensions
        | E::DuplicateNewSessionTicketExtensions
        | E::DuplicateServerHelloExtensions => "extension twice",
        E::DuplicateServerNameTypes => "two server names",
        E::EarlyDataAttemptedInSecondClientHello => "early data after a HelloRetryRequest",
        E::EarlyDataExtensionWithoutResumption => "early data without resumption",
        E::EarlyDataOfferedWithVariedCipherSuite => "early data with another cipher suite",
        E::EchAcceptanceVariedAfterRetry
        | E::UnsolicitedEchExtension
        | E::IllegalHelloRetryRequestWithInvalidEch => "encrypted ClientHello",
        E::HandshakeHashVariedAfterRetry => "another hash after a HelloRetryRequest",
        E::IllegalHelloRetryRequestWithEmptyCookie => "HelloRetryRequest with an empty cookie",
        E::IllegalHelloRetryRequestWithNoChanges => "HelloRetryRequest that changes nothing",
        E::IllegalHelloRetryRequestWithOfferedGroup => {
            "HelloRetryRequest for a group whose share was there"
        }
        E::IllegalHelloRetryRequestWithUnofferedCipherSuite => {
            "HelloRetryRequest with a cipher suite that was not offered"
        }
        E::IllegalHelloRetryRequestWithUnofferedNamedGroup => {
            "HelloRetryRequest for a group that was not offered"
        }
        E::IllegalHelloRetryRequestWithUnsupportedVersion => {
            "HelloRetryRequest with a version that was not offered"
        }
        E::IllegalHelloRetryRequestWithWrongSessionId => {
            "HelloRetryRequest with another session id"
        }
        E::IllegalMiddleboxChangeCipherSpec => "change_cipher_spec out of place",
        E::IllegalTlsInnerPlaintext => "record without a content type",
        E::IncorrectBinder => "wrong binder of a pre-shared key",
        E::InvalidCertCompression => "malformed compressed certificate",
        E::InvalidKeyShare => "malformed key share",
        E::InvalidMaxEarlyDataSize => "limit of early data",
        E::KeyEpochWithPendingFragment => "message that spans a change of keys",
        E::KeyUpdateReceivedInQuicConnection => "key update",
        E::MessageInterleavedWithHandshakeMessage => "record amid a handshake message",
        E::MissingBinderInPskExtension => "pre-shared key without a binder",
        E::MissingKeyShare => "no key share",
        E::MissingPskExtensionInSecondClientHello => {
            "no pre-shared key any more after a HelloRetryRequest"
        }
        E::MissingPskModesExtension => "pre-shared key without its modes",
        E::MissingQuicTransportParameters => "no transport parameters",
        E::OfferedDuplicateCertificateCompressions => "certificate compression twice",
        E::OfferedDuplicateKeyShares => "two key shares for one group",
        E::OfferedEarlyDataWithOldProtocolVersion => "early data in TLS 1.2",
        E::OfferedEmptyApplicationProtocol => "empty application protocol",
        E::OfferedIncorrectCompressions => "compression",
        E::PskExtensionMustBeLast => "pre_shared_key is not the last extension",
        E::PskExtensionWithMismatchedIdsAndBinders => "pre-shared keys without their binders",
        E::RefusedToFollowHelloRetryRequest => "HelloRetryRequest not followed",
        E::RejectedEarlyDataInterleavedWithHandshakeMessage => "early data amid the handshake",
        E::ResumptionAttemptedWithVariedEms | E::ResumptionOfferedWithVariedEms => {
            "resumption with another extended_master_secret"
        }
        E::ResumptionOfferedWithIncompatibleCipherSuite
        | E::ResumptionOfferedWithVariedCipherSuite => "resumption with another cipher suite",
        E::SelectedInvalidPsk | E::SelectedUnofferedPsk => {
            "choice of a pre-shared key that was not offered"
        }
        E::SelectedTls12UsingTls13VersionExtension => "TLS 1.2 in the way of TLS 1.3",
        E::SelectedUnofferedApplicationProtocol => {
            "choice of an application protocol that was not offered"
        }
        E::SelectedUnofferedCertCompression => {
            "choice of a certificate compression that was not offered"
        }
        E::SelectedUnofferedCipherSuite => "choice of a cipher suite that was not offered",
        E::SelectedUnofferedCompression => "choice of a compression that was not offered",
        E::SelectedUnofferedKxGroup => "choice of a group that was not offered",
        E::SelectedUnusableCipherSuiteForVersion => {
            "choice of a cipher suite of another TLS version"
        }
        E::ServerEchoedCompatibilitySessionId => "session id sent back in TLS 1.2",
        E::ServerHelloMustOfferUncompressedEcPoints => "no uncompressed points",
        E::ServerNameDifferedOnRetry => "another server name after a HelloRetryRequest",
        E::ServerNameMustContainOneHostName => "server name that is no host name",
        E::SignedHandshakeWithUnadvertisedSigScheme => "signature by a scheme that was not offered",
        E::SignedKxWithWrongAlgorithm => "signature by a scheme that its key does not have",
        E::TooManyEmptyFragments => "too many empty records",
        E::TooManyKeyUpdateRequests => "too many key updates",
        E::TooManyRenegotiationRequests => "too many renegotiations",
        E::TooManyWarningAlertsReceived => "too many warning alerts",
        E::TooMuchEarlyDataReceived => "too much early data",
        E::UnexpectedCleartextExtension => "extension that has to be encrypted",
        E::UnsolicitedCertExtension
        | E::UnsolicitedEncryptedExtension
        | E::UnsolicitedSctList
        | E::UnsolicitedServerHelloExtension => "extension that was not asked for",
        E::WrongGroupForKeyShare => "key share of another group",
        _ => "unspecified",
    }
}
