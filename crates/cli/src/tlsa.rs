//! TLSA records (RFC 6698), and the variable `TLSA` that holds them.

use std::fmt;

/// The variable with the records of the server, one a line.
pub const RECORDS: &str = "TLSA";

/// The variable with the name under which the records were found: the TLSA base domain (RFC 7671
/// section 7).
pub const DOMAIN: &str = "TLSADOMAIN";

/// The variable that is set if the server must be verified by a record.
pub const REQUIRED: &str = "TLSAREQUIRED";

/// The certificate usage, the first field of a record (RFC 6698 section 2.1.1): what the record
/// describes. The names are those of RFC 7218.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Usage {
    /// 0: an issuer in a chain to a trust anchor of the client, or this anchor.
    PkixTa,
    /// 1: the server's certificate, at the end of a chain to a trust anchor of the client.
    PkixEe,
    /// 2: a trust anchor.
    DaneTa,
    /// 3: the server's certificate, whatever its issuer.
    DaneEe,
}

/// The selector, the second field: the part of the certificate that is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Selector {
    /// 0: the whole certificate.
    Certificate,
    /// 1: its SubjectPublicKeyInfo.
    PublicKey,
}

/// The matching type, the third field: how this part is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Matching {
    /// 0: byte for byte.
    Full,
    /// 1: by its SHA-256 digest.
    Sha256,
    /// 2: by its SHA-512 digest.
    Sha512,
}

/// A record. Its fields may have undefined values: see [`TlsaRecord::meaning`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsaRecord {
    usage: u8,
    selector: u8,
    matching: u8,
    data: Vec<u8>,
}

impl TlsaRecord {
    /// Reads the data of a record in a DNS message (RFC 6698 section 2.1). None if it is too
    /// short.
    pub fn from_rdata(rdata: &[u8]) -> Option<Self> {
        let ([usage, selector, matching], data) = rdata.split_first_chunk()?;
        (!data.is_empty()).then(|| Self {
            usage: *usage,
            selector: *selector,
            matching: *matching,
            data: data.to_vec(),
        })
    }

    /// Reads `usage selector matching hex` (RFC 6698 section 2.2): three numbers up to 255, and
    /// an even number of hexadecimal digits, which may have blanks between them.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty());
        let [usage, selector, matching] = [words.next()?, words.next()?, words.next()?].map(field);
        let digits: Vec<u8> = words.flatten().copied().collect();
        let data = bytes(&digits)?;
        Some(Self {
            usage: usage?,
            selector: selector?,
            matching: matching?,
            data,
        })
    }

    /// Reads the value of `TLSA`: one record a line. The error is the text that follows the
    /// variable's name in a message.
    pub fn parse_all(value: &[u8]) -> Result<Vec<Self>, String> {
        let value = value.strip_suffix(b"\n").unwrap_or(value);
        let lines = value.split(|byte| *byte == b'\n').enumerate();
        let records = lines.map(|(index, line)| {
            Self::parse(line).ok_or_else(|| {
                let number = index + 1;
                format!("line {number} is not of the form `usage selector matching hex`")
            })
        });
        records.collect()
    }

    /// What the record means. None if it is unusable: a field has a value that is not defined, a
    /// digest has another length than its algorithm gives, or the data cannot be what the
    /// selector says.
    pub fn meaning(&self) -> Option<(Usage, Selector, Matching)> {
        let usage = match self.usage {
            0 => Usage::PkixTa,
            1 => Usage::PkixEe,
            2 => Usage::DaneTa,
            3 => Usage::DaneEe,
            _ => return None,
        };
        let selector = match self.selector {
            0 => Selector::Certificate,
            1 => Selector::PublicKey,
            _ => return None,
        };
        let (matching, fits) = match self.matching {
            0 => (Matching::Full, is_sequence(&self.data)),
            1 => (Matching::Sha256, self.data.len() == 32),
            2 => (Matching::Sha512, self.data.len() == 64),
            _ => return None,
        };
        fits.then_some((usage, selector, matching))
    }

    /// The certificate association data: a digest, or the compared bytes themselves.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The three numbers, joined by `-`.
    pub fn label(&self) -> String {
        format!("{}-{}-{}", self.usage, self.selector, self.matching)
    }
}

impl fmt::Display for TlsaRecord {
    /// The form that [`TlsaRecord::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A decimal number up to 255.
fn field(digits: &[u8]) -> Option<u8> {
    digits.iter().all(u8::is_ascii_digit).then_some(())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The bytes of hexadecimal digits. None if there are none.
fn bytes(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| u8::try_from(char::from(digit).to_digit(16)?).ok();
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(value(*high)? << 4 | value(*low)?),
        _ => None,
    });
    let bytes: Vec<u8> = pairs.collect::<Option<_>>()?;
    (!bytes.is_empty()).then_some(bytes)
}

/// Whether `der` is one SEQUENCE, from its first byte to its last: so are a certificate and a
/// SubjectPublicKeyInfo. A DNS message holds none of more than 64 KiB.
fn is_sequence(der: &[u8]) -> bool {
    let (length, content) = match der {
        [0x30, length @ 0..=0x7f, content @ ..] => (usize::from(*length), content),
        [0x30, 0x81, length, content @ ..] => (usize::from(*length), content),
        [0x30, 0x82, high, low, content @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), content)
        }
        _ => return false,
    };
    length == content.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_and_written() {
        let digits = "00ff".repeat(16);
        let text = format!("3 1 1 {digits}");
        for line in [
            text.clone(),
            text.to_uppercase(),
            format!(" 003\t1  1 {} {}\r", &digits[..31], &digits[31..]),
        ] {
            let record = TlsaRecord::parse(line.as_bytes()).unwrap();
            assert_eq!(record.to_string(), text, "{line}");
            assert_eq!(record.label(), "3-1-1");
            let rdata = [&[3, 1, 1][..], record.data()].concat();
            assert_eq!(TlsaRecord::from_rdata(&rdata), Some(record));
        }
    }

    #[test]
    fn a_malformed_line_is_told_by_its_number() {
        let good = format!("3 1 1 {}", "0".repeat(64));
        let all = |value: &str| TlsaRecord::parse_all(value.as_bytes());
        assert_eq!(all(&format!("{good}\n{good}\n")).unwrap().len(), 2);
        for bad in [
            "",
            "3",
            "3 1",
            "3 1 1",
            "3 1 1 0",
            "3 1 1 0g",
            "256 1 1 00",
            "+3 1 1 00",
            "-1 1 1 00",
            "3 1 x 00",
            "3 1 1 00 # key",
            "3,1,1,00",
        ] {
            let error = "line 2 is not of the form `usage selector matching hex`";
            assert_eq!(
                all(&format!("{good}\n{bad}\n{good}")),
                Err(error.into()),
                "{bad}"
            );
            assert_eq!(TlsaRecord::parse(bad.as_bytes()), None, "{bad}");
        }
        assert!(all("").is_err());
        assert!(all(&format!("{good}\n\n")).is_err());
        assert_eq!(TlsaRecord::from_rdata(&[3, 1, 1]), None);
        assert_eq!(TlsaRecord::from_rdata(&[]), None);
    }

    #[test]
    fn only_defined_fields_and_fitting_data_are_usable() {
        let usable = |fields: &str, data: &[u8]| {
            let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            let record = TlsaRecord::parse(format!("{fields} {hex}").as_bytes()).unwrap();
            record.meaning().is_some()
        };
        for usage in 0..=4 {
            for selector in 0..=2 {
                let known = usage < 4 && selector < 2;
                for (matching, data, fits) in [
                    (0, &[0x30, 1, 0][..], true),
                    (0, &[0x30, 2, 0], false),
                    (0, &[0x30, 0, 0], false),
                    (0, &[0x31, 1, 0], false),
                    (0, &[0x30, 0x81, 1, 0], true),
                    (0, &[0x30, 0x82, 0, 1, 0], true),
                    (0, &[0x30, 0x82, 0, 1], false),
                    (0, &[0x30, 0x80], false),
                    (0, &[0x30], false),
                    (1, &[0; 32], true),
                    (1, &[0; 31], false),
                    (2, &[0; 64], true),
                    (2, &[0; 32], false),
                    (3, &[0; 32], false),
                    (255, &[0; 32], false),
                ] {
                    let fields = format!("{usage} {selector} {matching}");
                    assert_eq!(usable(&fields, data), known && fits, "{fields} {data:?}");
                }
            }
        }
    }
}
