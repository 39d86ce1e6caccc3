//! The fields of an OCSP response (RFC 6960 section 4.2.1) by which a client judges it. Its
//! signature is not verified.

use crate::x509::der::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element, expect};
use crate::x509::time::Date;

/// What the response says of the first certificate in it.
pub struct Status<'a> {
    /// The content of the INTEGER of the certificate's serial number.
    pub serial_number: &'a [u8],
    /// Whether the certificate is good, revoked or unknown.
    pub verdict: Verdict,
    /// When the status was known to be correct.
    pub this_update: Date,
    /// When there will be newer information.
    pub next_update: Option<Date>,
}

/// The status of a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is not revoked.
    Good,
    /// It is revoked.
    Revoked,
    /// The responder does not know it.
    Unknown,
}

impl Verdict {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
        }
    }
}

const ENUMERATED: u8 = 0x0a;
/// id-pkix-ocsp-basic.
const BASIC: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x30\x01\x01";

impl<'a> Status<'a> {
    /// Reads the DER of a response. None if it is malformed, or reports an error.
    pub fn parse(response: &'a [u8]) -> Option<Self> {
        let (outer, _) = expect(response, SEQUENCE)?;
        let (outcome, rest) = expect(outer, ENUMERATED)?;
        let (bytes, _) = expect(rest, 0xa0)?;
        let (bytes, _) = expect(bytes, SEQUENCE)?;
        let (kind, rest) = expect(bytes, OBJECT_IDENTIFIER)?;
        if outcome != [0] || kind != BASIC {
            return None;
        }
        let (basic, _) = expect(rest, OCTET_STRING)?;
        let (basic, _) = expect(basic, SEQUENCE)?;
        let (data, _) = expect(basic, SEQUENCE)?;
        Self::first(data)
    }

    /// The first SingleResponse of a ResponseData.
    fn first(data: &'a [u8]) -> Option<Self> {
        let (_version, rest) = expect(data, 0xa0).unwrap_or((&[], data));
        let (_, _responder, rest) = element(rest)?;
        let (_produced_at, rest) = Date::read(rest)?;
        let (all, _) = expect(rest, SEQUENCE)?;
        let (single, _) = expect(all, SEQUENCE)?;
        let (certificate, rest) = expect(single, SEQUENCE)?;
        let serial_number = serial_number(certificate)?;
        let (tag, _, rest) = element(rest)?;
        let (this_update, rest) = Date::read(rest)?;
        let next_update = expect(rest, 0xa0).and_then(|(next, _)| Date::read(next));
        Some(Self {
            serial_number,
            verdict: match tag {
                0x80 => Verdict::Good,
                0xa1 => Verdict::Revoked,
                0x82 => Verdict::Unknown,
                _ => return None,
            },
            this_update,
            next_update: next_update.map(|(date, _)| date),
        })
    }
}

/// The serial number in the content of a CertID: it follows an algorithm and two hashes.
fn serial_number(certificate: &[u8]) -> Option<&[u8]> {
    let (_algorithm, rest) = expect(certificate, SEQUENCE)?;
    let (_issuer_name, rest) = expect(rest, OCTET_STRING)?;
    let (_issuer_key, rest) = expect(rest, OCTET_STRING)?;
    expect(rest, INTEGER).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::encode as der;

    const TIME: u8 = 0x18;

    fn response(outcome: u8, status: &[u8], next: &[u8]) -> Vec<u8> {
        let certificate = [
            der(SEQUENCE, b"algorithm"),
            der(OCTET_STRING, b"name"),
            der(OCTET_STRING, b"key"),
            der(INTEGER, &[5]),
        ];
        let single = [
            der(SEQUENCE, &certificate.concat()),
            status.to_vec(),
            der(TIME, b"19700101000010Z"),
            next.to_vec(),
        ];
        let data = [
            der(0xa1, b"responder"),
            der(TIME, b"19700101000020Z"),
            der(SEQUENCE, &der(SEQUENCE, &single.concat())),
        ];
        let basic = der(SEQUENCE, &der(SEQUENCE, &data.concat()));
        let bytes = [der(OBJECT_IDENTIFIER, BASIC), der(OCTET_STRING, &basic)].concat();
        let bytes = der(0xa0, &der(SEQUENCE, &bytes));
        der(SEQUENCE, &[der(ENUMERATED, &[outcome]), bytes].concat())
    }

    #[test]
    fn a_response_has_a_verdict_and_dates() {
        let next = der(0xa0, &der(TIME, b"19700101000030Z"));
        for (status, verdict) in [
            (der(0x80, &[]), Verdict::Good),
            (der(0xa1, &der(TIME, b"19700101000000Z")), Verdict::Revoked),
            (der(0x82, &[]), Verdict::Unknown),
        ] {
            for (next, expected) in [(&next[..], Some(30)), (&[], None)] {
                let response = response(0, &status, next);
                let status = Status::parse(&response).unwrap();
                assert_eq!(status.serial_number, [5]);
                assert_eq!(status.verdict, verdict);
                assert_eq!(status.this_update.seconds(), 10);
                assert_eq!(status.next_update.map(|date| date.seconds()), expected);
            }
        }
    }

    #[test]
    fn an_error_or_a_response_cut_anywhere_has_no_status() {
        assert!(Status::parse(&response(6, &der(0x80, &[]), &[])).is_none());
        assert!(Status::parse(&response(0, &der(0x83, &[]), &[])).is_none());
        let whole = response(0, &der(0x80, &[]), &[]);
        for cut in 0..whole.len() {
            assert!(Status::parse(&whole[..cut]).is_none(), "{cut}");
        }
    }
}
