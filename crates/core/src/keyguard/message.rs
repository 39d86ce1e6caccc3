//! What the two halves of an engine say to each other: the half that hears
//! the network asks, the guard answers. Everything is a message: a kind, a
//! length and so many bytes.

use rustls::pki_types::CertificateDer;
use rustls::{SignatureAlgorithm, SignatureScheme};

/// Bytes in front of each message: the kind, three zeros, and the length of
/// what follows, most significant byte first.
pub const HEADER: usize = 8;

/// The most bytes that are signed.
pub const MAX_TEXT: usize = 64 << 10;

/// The most bytes that a request may have: a signature's scheme and what is
/// to be signed.
pub const MAX_REQUEST: usize = 2 + MAX_TEXT;

/// The most bytes that a response may have: more than any chain that fits a
/// handshake message (RFC 8446 section 4).
pub const MAX_RESPONSE: usize = 1 << 25;

/// What the guard is asked.
#[derive(Debug, Eq, PartialEq)]
pub enum Request<'a> {
    /// The pair to show, for this name or for none.
    Pair(Option<&'a [u8]>),
    /// A signature over a message.
    Signature(SignatureScheme, &'a [u8]),
    /// A ticket that holds this state.
    Seal(&'a [u8]),
    /// The state in a ticket.
    Open(&'a [u8]),
}

/// What the guard answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Response {
    /// Unasked, and before anything else: all files are read.
    Ready,
    /// The engine ends with this code and message.
    Failed(u8, String),
    /// What the network sees of a pair.
    Pair(PublicCredential),
    /// A signature, a ticket, or a state.
    Bytes(Vec<u8>),
    /// There is none, or no right to one.
    None,
}

/// A pair without its private key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicCredential {
    /// The kind of the key.
    pub algorithm: SignatureAlgorithm,
    /// How the key can sign, the best first.
    pub schemes: Vec<SignatureScheme>,
    /// The chain, own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// What is stapled (RFC 6066 section 8).
    pub ocsp: Option<Vec<u8>>,
}

/// The kind of what follows `header` and its length; None if this is no
/// header, or if more than `limit` bytes were to follow.
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

    /// The message that asks this.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Pair(None) => message(Self::ANY_PAIR, &[]),
            Self::Pair(Some(name)) => message(Self::NAMED_PAIR, &[name]),
            Self::Signature(scheme, text) => {
                message(Self::SIGNATURE, &[&u16::from(*scheme).to_be_bytes(), text])
            }
            Self::Seal(state) => message(Self::SEAL, &[state]),
            Self::Open(ticket) => message(Self::OPEN, &[ticket]),
        }
    }

    /// The request of a message; None if it is none.
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

    /// The message that answers this.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ready => message(Self::READY, &[]),
            Self::Failed(code, text) => message(Self::FAILED, &[&[*code], text.as_bytes()]),
            Self::Pair(public) => message(Self::PAIR, &[&public.encode()]),
            Self::Bytes(bytes) => message(Self::BYTES, &[bytes]),
            Self::None => message(Self::NONE, &[]),
        }
    }

    /// The response of a message; None if it is none.
    pub fn parse(kind: u8, content: Vec<u8>) -> Option<Self> {
        Some(match kind {
            Self::READY => Self::Ready,
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
    /// Algorithm, number of schemes, schemes; then, each behind its length,
    /// what is stapled (nothing is a length of 0) and the certificates.
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
        let schemes = schemes.chunks_exact(2);
        let schemes = schemes.map(|pair| u16::from_be_bytes([pair[0], pair[1]]).into());
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

/// Takes the next part, behind its length, from the front of `rest`.
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
    fn every_question_arrives_as_it_was_asked() {
        for request in [
            Request::Pair(None),
            Request::Pair(Some(b"")),
            Request::Pair(Some(b"a.example")),
            Request::Signature(SignatureScheme::ED25519, b"text"),
            Request::Signature(SignatureScheme::Unknown(0x1234), b""),
            Request::Seal(b"state"),
            Request::Open(b"ticket"),
        ] {
            let message = request.encode();
            let (kind, content) = content(&message);
            assert_eq!(Request::parse(kind, content), Some(request));
        }
    }

    #[test]
    fn every_answer_arrives_as_it_was_given() {
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
            Response::Ready,
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
    fn what_is_cut_or_too_long_is_no_message() {
        assert_eq!(header(&[1, 0, 0, 0, 0, 0, 0, 9], 8), None);
        assert_eq!(header(&[1, 0, 1, 0, 0, 0, 0, 0], 8), None);
        assert_eq!(
            header(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], MAX_RESPONSE),
            None
        );
        assert_eq!(Request::parse(1, b"x"), None);
        assert_eq!(Request::parse(3, b"x"), None);
        assert_eq!(Request::parse(0, b""), None);
        assert_eq!(Request::parse(6, b""), None);
        for cut in [
            &[][..],
            &[1],
            &[1, 1, 0],
            &[1, 0, 0, 0, 0, 0],
            &[1, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ] {
            assert_eq!(Response::parse(3, cut.to_vec()), None, "{cut:?}");
        }
    }
}
