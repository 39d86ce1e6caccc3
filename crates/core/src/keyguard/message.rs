//! The messages between engine and guard: the engine requests, the guard
//! responds. A message is a kind, a length and so many bytes of content.

use rustls::pki_types::CertificateDer;
use rustls::{SignatureAlgorithm, SignatureScheme};

/// Bytes in front of each message: the kind, three zeros, and the length of
/// what follows, most significant byte first.
pub const HEADER: usize = 8;

/// The most bytes that can be signed.
pub const MAX_TEXT: usize = 64 << 10;

/// The most bytes that a request may have: a signature's scheme and what is
/// to be signed.
pub const MAX_REQUEST: usize = 2 + MAX_TEXT;

/// The most bytes that a response may have: more than any chain that fits a
/// handshake message (RFC 8446 section 4).
pub const MAX_RESPONSE: usize = 1 << 25;

/// What the engine asks for.
#[derive(Debug, Eq, PartialEq)]
pub enum Request<'a> {
    /// The certificate to show to a client that sends this name, or none.
    Pair(Option<&'a [u8]>),
    /// The certificate of the ACME challenge for this name.
    Challenge(&'a [u8]),
    /// A signature by this scheme over this text.
    Signature(SignatureScheme, &'a [u8]),
    /// A ticket for a session of this state.
    Seal(&'a [u8]),
    /// The state of the session of this ticket.
    Open(&'a [u8]),
}

/// What the guard responds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Response {
    /// Sent first, without a request: all files are read. With the public part of the
    /// pair, if every client gets the same.
    Ready(Option<PublicCredential>),
    /// The engine is to end with this exit code and message.
    Failed(u8, String),
    /// The public part of what [`Request::Pair`] or [`Request::Challenge`] asks for.
    Pair(PublicCredential),
    /// A signature, a ticket or a state.
    Bytes(Vec<u8>),
    /// There is none, or the policy forbids it.
    None,
}

/// A certificate chain, and the properties of its private key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicCredential {
    /// The algorithm of the key.
    pub algorithm: SignatureAlgorithm,
    /// The schemes by which the key can sign, in its order of preference.
    pub schemes: Vec<SignatureScheme>,
    /// The chain, the key's own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The stapled OCSP response (RFC 6066 section 8).
    pub ocsp: Option<Vec<u8>>,
}

/// The kind and the length of the content that follows `header`. None if it is no
/// valid header, or announces more than `limit` bytes.
pub fn header(header: &[u8; HEADER], limit: usize) -> Option<(u8, usize)> {
    let [kind, 0, 0, 0, length @ ..] = *header else {
        return None;
    };
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    (length <= limit).then_some((kind, length))
}

fn message(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let header: &[u8] = &[kind, 0, 0, 0];
    [&[header, &length], parts].concat().concat()
}

impl<'a> Request<'a> {
    const ANY_PAIR: u8 = 1;
    const NAMED_PAIR: u8 = 2;
    const SIGNATURE: u8 = 3;
    const SEAL: u8 = 4;
    const OPEN: u8 = 5;
    const CHALLENGE: u8 = 6;

    /// The message of this request.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Pair(None) => message(Self::ANY_PAIR, &[]),
            Self::Pair(Some(name)) => message(Self::NAMED_PAIR, &[name]),
            Self::Signature(scheme, text) => {
                message(Self::SIGNATURE, &[&u16::from(*scheme).to_be_bytes(), text])
            }
            Self::Seal(state) => message(Self::SEAL, &[state]),
            Self::Open(ticket) => message(Self::OPEN, &[ticket]),
            Self::Challenge(name) => message(Self::CHALLENGE, &[name]),
        }
    }

    /// The request of a message; None if it is invalid.
    pub fn parse(kind: u8, content: &'a [u8]) -> Option<Self> {
        Some(match kind {
            Self::ANY_PAIR if content.is_empty() => Self::Pair(None),
            Self::NAMED_PAIR => Self::Pair(Some(content)),
            Self::SIGNATURE => {
                let (scheme, text) = content.split_first_chunk()?;
                Self::Signature(u16::from_be_bytes(*scheme).into(), text)
            }
            Self::SEAL => Self::Seal(content),
            Self::OPEN => Self::Open(content),
            Self::CHALLENGE => Self::Challenge(content),
            _ => return None,
        })
    }
}

impl Response {
    const READY: u8 = 1;
    const FAILED: u8 = 2;
    const PAIR: u8 = 3;
    const BYTES: u8 = 4;
    const NONE: u8 = 5;

    /// The message of this response.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ready(public) => {
                let public = public.as_ref().map(PublicCredential::encode);
                message(Self::READY, &[&public.unwrap_or_default()])
            }
            Self::Failed(code, text) => message(Self::FAILED, &[&[*code], text.as_bytes()]),
            Self::Pair(public) => message(Self::PAIR, &[&public.encode()]),
            Self::Bytes(bytes) => message(Self::BYTES, &[bytes]),
            Self::None => message(Self::NONE, &[]),
        }
    }

    /// The response of a message; None if it is invalid.
    pub fn parse(kind: u8, content: Vec<u8>) -> Option<Self> {
        Some(match kind {
            Self::READY if content.is_empty() => Self::Ready(None),
            Self::READY => Self::Ready(Some(PublicCredential::parse(&content)?)),
            Self::FAILED => {
                let (code, text) = content.split_first()?;
                Self::Failed(*code, String::from_utf8_lossy(text).into_owned())
            }
            Self::PAIR => Self::Pair(PublicCredential::parse(&content)?),
            Self::BYTES => Self::Bytes(content),
            Self::NONE => Self::None,
            _ => return None,
        })
    }
}

impl PublicCredential {
    /// The algorithm, the number of schemes and the schemes; then, each after its
    /// length, the OCSP response (length 0 if there is none) and the certificates.
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![u8::from(self.algorithm), self.schemes.len() as u8];
        for scheme in &self.schemes {
            out.extend_from_slice(&u16::from(*scheme).to_be_bytes());
        }
        let stapled = self.ocsp.as_deref().unwrap_or_default();
        for part in [stapled]
            .into_iter()
            .chain(self.chain.iter().map(AsRef::as_ref))
        {
            out.extend_from_slice(&(part.len() as u32).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    fn parse(content: &[u8]) -> Option<Self> {
        let ([algorithm, count], rest) = content.split_first_chunk()?;
        let (schemes, mut rest) = rest.split_at_checked(2 * usize::from(*count))?;
        let schemes =
            (schemes.chunks_exact(2)).map(|pair| u16::from_be_bytes([pair[0], pair[1]]).into());
        let stapled = part(&mut rest)?;
        let mut chain = Vec::new();
        while !rest.is_empty() {
            chain.push(CertificateDer::from(part(&mut rest)?.to_vec()));
        }
        (!chain.is_empty()).then(|| Self {
            algorithm: (*algorithm).into(),
            schemes: schemes.collect(),
            chain,
            ocsp: (!stapled.is_empty()).then(|| stapled.to_vec()),
        })
    }
}

/// Takes a length and so many bytes from the front of `rest`.
fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (part, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(message: &[u8]) -> (u8, &[u8]) {
        let (head, content) = message.split_first_chunk().unwrap();
        let (kind, length) = header(head, MAX_RESPONSE).unwrap();
        assert_eq!(length, content.len());
        (kind, content)
    }

    #[test]
    fn every_request_is_parsed_as_it_was_encoded() {
        for request in [
            Request::Pair(None),
            Request::Pair(Some(b"")),
            Request::Pair(Some(b"a.example")),
            Request::Signature(SignatureScheme::ED25519, b"text"),
            Request::Signature(SignatureScheme::Unknown(0x1234), b""),
            Request::Seal(b"state"),
            Request::Open(b"ticket"),
            Request::Challenge(b"a.example"),
        ] {
            let message = request.encode();
            let (kind, content) = content(&message);
            assert_eq!(Request::parse(kind, content), Some(request));
        }
    }

    #[test]
    fn every_response_is_parsed_as_it_was_encoded() {
        let public = PublicCredential {
            algorithm: SignatureAlgorithm::RSA,
            schemes: vec![
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PKCS1_SHA256,
            ],
            chain: vec![vec![1; 300].into(), vec![2; 1].into()],
            ocsp: Some(vec![3; 4]),
        };
        let bare = PublicCredential {
            ocsp: None,
            ..public.clone()
        };
        for response in [
            Response::Ready(None),
            Response::Ready(Some(public.clone())),
            Response::Failed(96, "why".into()),
            Response::Pair(public),
            Response::Pair(bare),
            Response::Bytes(vec![1, 2]),
            Response::None,
        ] {
            let message = response.encode();
            let (kind, content) = content(&message);
            assert_eq!(Response::parse(kind, content.to_vec()), Some(response));
        }
    }

    #[test]
    fn a_message_cut_short_or_too_long_is_invalid() {
        assert_eq!(header(&[1, 0, 0, 0, 0, 0, 0, 9], 8), None);
        assert_eq!(header(&[1, 0, 1, 0, 0, 0, 0, 0], 8), None);
        assert_eq!(
            header(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], MAX_RESPONSE),
            None
        );
        assert_eq!(Request::parse(1, b"x"), None);
        assert_eq!(Request::parse(3, b"x"), None);
        assert_eq!(Request::parse(0, b""), None);
        assert_eq!(Request::parse(7, b""), None);
        for cut in [
            &[][..],
            &[1],
            &[1, 1, 0],
            &[1, 0, 0, 0, 0, 0],
            &[1, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ] {
            assert_eq!(Response::parse(3, cut.to_vec()), None, "{cut:?}");
            let ready = cut.is_empty().then_some(Response::Ready(None));
            assert_eq!(Response::parse(1, cut.to_vec()), ready, "{cut:?}");
        }
    }
}
