//! Trust anchors that are part of the program.
//!
//! They are one string of bytes. A table of pointers to their fields would be relocated at each
//! start of a client, which would take 10 KiB of memory, whether or not they are used.

use rustls::pki_types::{Der, TrustAnchor};

/// Trust anchors, one after the other. Each has three fields: the subject, the
/// SubjectPublicKeyInfo and the name constraints, in the form of [`TrustAnchor`]. Each field
/// follows its length, a number of two bytes, big endian. No name constraints have length 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packed(pub &'static [u8]);

/// Mozilla's roots, from webpki-roots. `build.rs` packs them.
pub const MOZILLA: Packed = Packed(include_bytes!(concat!(env!("OUT_DIR"), "/roots.bin")));

impl Packed {
    /// The anchors.
    pub fn iter(self) -> impl Iterator<Item = TrustAnchor<'static>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            Some(TrustAnchor {
                subject: field(&mut rest)?,
                subject_public_key_info: field(&mut rest)?,
                name_constraints: field(&mut rest).filter(|field| !field.is_empty()),
            })
        })
    }
}

/// Takes the next field from `rest`.
fn field(rest: &mut &'static [u8]) -> Option<Der<'static>> {
    let (len, after) = rest.split_first_chunk()?;
    let (field, after) = after.split_at_checked(u16::from_be_bytes(*len).into())?;
    *rest = after;
    Some(Der::from_slice(field))
}

#[cfg(test)]
impl Packed {
    /// This anchor, which has no name constraints.
    pub fn one(anchor: &TrustAnchor<'_>) -> Self {
        let field = |field: &[u8]| {
            let len = u16::try_from(field.len()).unwrap().to_be_bytes();
            [&len, field].concat()
        };
        let fields = [&anchor.subject, &anchor.subject_public_key_info, &[][..]].map(field);
        Self(fields.concat().leak())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_roots_are_those_of_webpki_roots() {
        let unpacked: Vec<_> = MOZILLA.iter().collect();
        assert_eq!(unpacked, webpki_roots::TLS_SERVER_ROOTS);
    }

    #[test]
    fn name_constraints_of_length_0_are_none() {
        let bytes = b"\0\x01a\0\x02bc\0\0\0\0\0\0\0\x01d";
        let unpacked: Vec<_> = Packed(bytes).iter().collect();
        let constraints =
            |anchor: &TrustAnchor<'_>| anchor.name_constraints.as_deref().map(<[u8]>::to_vec);
        let constraints: Vec<_> = unpacked.iter().map(constraints).collect();
        assert_eq!(constraints, [None, Some(b"d".to_vec())]);
        assert_eq!(unpacked[0].subject.as_ref(), b"a");
        assert_eq!(unpacked[0].subject_public_key_info.as_ref(), b"bc");
    }
}
