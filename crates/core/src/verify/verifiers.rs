//! The verifiers of server and client certificates, for rustls.
//!
//! webpki verifies chain, dates and name. These rules are added: a certificate that
//! is itself an anchor is accepted without a chain; a certificate without
//! subjectAltName may match by its common name; no name is checked if none was given.

use pki::x509::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use unix::quoted::quoted;
use webpki::KeyUsage;

use crate::crypto;
use crate::host_name;
use crate::verify::chain::{Chain, fields};
use crate::verify::handshake_signature;
use crate::verify::policy::{TrustCell, VerificationPolicy};

/// The methods that both verifier traits have in common: the peer has to prove
/// possession of the key of its certificate.
macro_rules! verify_handshake_signature {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            handshake_signature::tls12(message, certificate, signature, &self.algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            handshake_signature::tls13(message, certificate, signature, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
}

/// Verifies the certificate of a server.
#[derive(Debug)]
pub struct ServerVerifier {
    /// What the certificate must be.
    pub policy: TrustCell,
    /// The name that is checked if there are anchors; None: any name is accepted.
    pub name: Option<ServerName<'static>>,
    /// The signature algorithms that are accepted.
    pub algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let policy = self.policy.take()?;
        policy.check_pins(end_entity)?;
        let server = PresentedServer {
            end_entity,
            intermediates,
            names: self.names(&policy),
            policy: &policy,
            now,
            algorithms: &self.algorithms,
        };
        match &policy.dane {
            Some(dane) => dane.verify(&server)?,
            None if policy.anchors.is_none() => {}
            None => server.verify(&mut |chain| policy.verify(chain, now, &self.algorithms))?,
        }
        Ok(ServerCertVerified::assertion())
    }

    verify_handshake_signature!();
}

impl ServerVerifier {
    /// The names of which the certificate must have one; none: any name is accepted.
    fn names<'a>(&'a self, policy: &'a VerificationPolicy) -> Vec<&'a ServerName<'static>> {
        let dane = policy.dane.as_ref();
        let domain = dane.and_then(|dane| dane.domain.as_ref());
        domain.into_iter().chain(&self.name).collect()
    }
}

/// The certificates that a server has sent, and what they must be.
pub struct PresentedServer<'a> {
    /// Its own certificate.
    pub end_entity: &'a CertificateDer<'a>,
    /// The others.
    pub intermediates: &'a [CertificateDer<'a>],
    /// The first of these is the wanted name, but each will do.
    pub names: Vec<&'a ServerName<'static>>,
    /// What the certificate must be.
    pub policy: &'a VerificationPolicy,
    /// The time of the handshake.
    pub now: UnixTime,
    /// The signature algorithms that are accepted.
    pub algorithms: &'a WebPkiSupportedAlgorithms,
}

impl PresentedServer<'_> {
    /// Checks the chain with `verify`, and then the name.
    pub fn verify(
        &self,
        verify: &mut dyn FnMut(&Chain<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let host_name = |name: &&ServerName<'_>| matches!(name, ServerName::DnsName(_));
        let by_common_name = !fields(self.end_entity)?.has_alternative_names();
        verify(&Chain {
            end_entity: self.end_entity,
            intermediates: self.intermediates,
            usage: KeyUsage::server_auth(),
            common_name_counts: self.names.iter().any(host_name) && by_common_name,
        })?;
        let Some((wanted, others)) = self.names.split_first() else {
            return Ok(());
        };
        check_name(self.end_entity, wanted).or_else(|error| {
            let mut others = others.iter();
            if others.any(|name| check_name(self.end_entity, name).is_ok()) {
                return Ok(());
            }
            record_names(&error, self.end_entity, wanted, self.policy);
            Err(error)
        })
    }
}

/// Verifies the certificate of a client.
#[derive(Debug)]
pub struct ClientVerifier {
    policy: VerificationPolicy,
    hints: Vec<DistinguishedName>,
    mandatory: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    /// Certificates must meet `policy`. Clients without one are accepted unless it is
    /// `mandatory`. The names of the anchors are sent to them.
    pub fn new(policy: VerificationPolicy, mandatory: bool) -> Self {
        let subjects = policy.anchors.as_ref().map(|anchors| anchors.subjects());
        Self {
            hints: hints(subjects.unwrap_or_default()),
            policy,
            mandatory,
            algorithms: crypto::signature_algorithms(),
        }
    }
}

impl ClientCertVerifier for ClientVerifier {
    /// Who validates an ACME challenge has no certificate for this server.
    fn offer_client_auth(&self) -> bool {
        !self.policy.facts.is_challenge()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = Chain {
            end_entity,
            intermediates,
            usage: KeyUsage::client_auth(),
            common_name_counts: false,
        };
        self.policy.check_pins(end_entity)?;
        self.policy.verify(&chain, now, &self.algorithms)?;
        Ok(ClientCertVerified::assertion())
    }

    verify_handshake_signature!();
}

/// The names of anchors that are sent to clients, which choose a certificate by them.
/// None if they do not fit: their list, and in TLS 1.3 all extensions together, are
/// limited to 64 KiB (RFC 8446 section 4.2.4, RFC 5246 section 7.4.4). Without names a
/// client may choose any.
fn hints(subjects: Vec<DistinguishedName>) -> Vec<DistinguishedName> {
    const OTHER_FIELDS: usize = 1024;
    let length: usize = subjects.iter().map(|name| 2 + name.as_ref().len()).sum();
    if length + OTHER_FIELDS > usize::from(u16::MAX) {
        return Vec::new();
    }
    subjects
}

/// Checks that `name` is one of the certificate's subjectAltNames (RFC 9525), or if
/// it has none its common name.
fn check_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    let fields = fields(certificate)?;
    if fields.has_alternative_names() {
        let names = fields
            .san_only_certificate()
            .ok_or(CertificateError::BadEncoding)?;
        return verify_server_name(&ParsedCertificate::try_from(&names.into())?, name);
    }
    let common_name = fields.subject().common_name();
    match (name, common_name) {
        (ServerName::DnsName(name), Some(pattern))
            if host_name::covers(&pattern, name.as_ref()) && !fields.limits_host_names() =>
        {
            Ok(())
        }
        _ => Err(CertificateError::NotValidForName.into()),
    }
}

/// Records which name is wanted and which ones the certificate has, if that is the
/// error.
fn record_names(
    error: &Error,
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    policy: &VerificationPolicy,
) {
    use CertificateError as C;
    let by_name = matches!(
        error,
        Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. })
    );
    let Some(fields) = Certificate::parse(certificate).filter(|_| by_name) else {
        return;
    };
    let names = quoted(&fields.identities().join(&b','));
    let names = if names.is_empty() { "none" } else { &names };
    let name = name.to_str();
    policy.facts.refuse(format!(
        "certificate of remote refused: not valid for this name: {name} is wanted, it has {names}"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_anchors_are_sent_only_if_they_fit() {
        let names = |count| vec![DistinguishedName::from(vec![0; 1022]); count];
        assert_eq!(hints(names(62)).len(), 62);
        assert_eq!(hints(names(63)).len(), 0);
        assert_eq!(hints(vec![]).len(), 0);
        let longest = 64 * 1024 - 1 - 1024 - 2;
        let name = |len| vec![DistinguishedName::from(vec![0; len])];
        assert_eq!(hints(name(longest)).len(), 1);
        assert_eq!(hints(name(longest + 1)).len(), 0);
    }
}
