//! The type-length-value fields (TLVs) of version 2.

use cli::Fatal;
use cli::message::has_control;

use super::{Variable, invalid};

const AUTHORITY: u8 = 0x02;
const SSL: u8 = 0x20;
const SSL_VERSION: u8 = 0x21;
const SSL_CN: u8 = 0x22;
const SSL_CIPHER: u8 = 0x23;

/// The flag for a client that connected to the proxy over TLS.
const CLIENT_SSL: u8 = 1;

/// The maximum nesting of SSL fields.
const DEEPEST: u8 = 8;

/// What the proxy's TLS layer reports about the client.
#[derive(Default)]
struct Tls {
    protocol: Option<Vec<u8>>,
    cipher: Option<Vec<u8>>,
    peer_cn: Option<Vec<u8>>,
}

/// Which content the enclosing SSL fields vouch for.
#[derive(Clone, Copy)]
struct Trust {
    over_tls: bool,
    verified: bool,
}

/// The variables from the fields in `bytes`. The last field of a type counts; unknown
/// types are skipped.
pub fn variables(bytes: &[u8]) -> Result<Vec<Variable>, Fatal> {
    let mut server_name = None;
    let mut tls = Tls::default();
    for field in Fields(bytes) {
        match field? {
            (AUTHORITY, value) => server_name = Some(text(value)?),
            (SSL, value) => {
                let trust = Trust {
                    over_tls: true,
                    verified: true,
                };
                tls = Tls::default();
                ssl(value, trust, DEEPEST, &mut tls)?;
            }
            (SSL_VERSION..=SSL_CIPHER, _) => return Err(invalid("TLV in PROXY header")),
            _ => {}
        }
    }
    let variables = [
        ("SSL_TLS_SNI_SERVERNAME", server_name),
        ("SSL_PROTOCOL", tls.protocol),
        ("SSL_CIPHER", tls.cipher),
        ("SSL_PEER_CERT_CN", tls.peer_cn),
    ];
    let set = |(name, value): (_, Option<_>)| Some((name, value?));
    Ok(variables.into_iter().filter_map(set).collect())
}

/// Reads the value of an SSL field. A field inside counts only if all SSL fields
/// around it vouch for it.
fn ssl(value: &[u8], outer: Trust, depth: u8, tls: &mut Tls) -> Result<(), Fatal> {
    let deeper = depth.checked_sub(1);
    let (Some(depth), Some(([client, verify @ ..], fields))) =
        (deeper, value.split_first_chunk::<5>())
    else {
        return Err(invalid("TLV in PROXY header"));
    };
    let trust = Trust {
        over_tls: outer.over_tls && client & CLIENT_SSL != 0,
        verified: outer.verified && *verify == [0; 4],
    };
    for field in Fields(fields) {
        match field? {
            (SSL_VERSION, value) => keep(&mut tls.protocol, text(value)?, trust.over_tls),
            (SSL_CIPHER, value) => keep(&mut tls.cipher, text(value)?, trust.over_tls),
            (SSL_CN, value) => {
                let trusted = trust.over_tls && trust.verified;
                keep(&mut tls.peer_cn, text(value)?, trusted);
            }
            (SSL, value) => ssl(value, trust, depth, tls)?,
            (AUTHORITY, _) => return Err(invalid("TLV in PROXY header")),
            _ => {}
        }
    }
    Ok(())
}

/// Stores `value` if it is `trusted`.
fn keep(place: &mut Option<Vec<u8>>, value: Vec<u8>, trusted: bool) {
    if trusted {
        *place = Some(value);
    }
}

/// Checks that a value can be put into a variable. A NUL would truncate it. Proxies
/// pass on other control characters as the client sent them: they would break lines
/// and control terminals where the program shows the value.
fn text(value: &[u8]) -> Result<Vec<u8>, Fatal> {
    if has_control(value) {
        return Err(invalid("TLV in PROXY header"));
    }
    Ok(value.to_vec())
}

/// An iterator over the types and values of fields.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u8, &'a [u8]), Fatal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((kind, value, rest)) = split(self.0) else {
            return Some(Err(invalid("TLV in PROXY header")));
        };
        self.0 = rest;
        Some(Ok((kind, value)))
    }
}

/// The type and value of the first field, and the rest.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([kind, len @ ..], rest) = bytes.split_first_chunk::<3>()?;
    let (value, rest) = rest.split_at_checked(u16::from_be_bytes(*len).into())?;
    Some((*kind, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: u8, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[kind], &len[..], value].concat()
    }

    fn ssl_field(client: u8, verify: u32, fields: &[Vec<u8>]) -> Vec<u8> {
        let head = [&[client], &verify.to_be_bytes()[..]].concat();
        field(SSL, &[head, fields.concat()].concat())
    }

    fn show(bytes: &[u8]) -> Result<String, u8> {
        let variables = variables(bytes).map_err(|fatal| fatal.code())?;
        let shown = variables.iter().map(|(name, value)| {
            let name = name.strip_prefix("SSL_").unwrap();
            format!("{name}={}", String::from_utf8_lossy(value))
        });
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    fn inner() -> Vec<Vec<u8>> {
        vec![
            field(SSL_VERSION, b"TLSv1.3"),
            field(SSL_CN, b"joe"),
            field(SSL_CIPHER, b"AES"),
            field(0x24, b"\0ignored"),
        ]
    }

    #[test]
    fn known_fields_become_variables() {
        let all = [
            field(0x04, &[0; 3]),
            field(AUTHORITY, b"a.b"),
            ssl_field(1, 0, &inner()),
        ];
        let shown = "TLS_SNI_SERVERNAME=a.b PROTOCOL=TLSv1.3 CIPHER=AES PEER_CERT_CN=joe";
        assert_eq!(show(&all.concat()).as_deref(), Ok(shown));
        assert_eq!(show(&ssl_field(6, 0, &inner())).as_deref(), Ok(""));
        let unverified = "PROTOCOL=TLSv1.3 CIPHER=AES";
        assert_eq!(show(&ssl_field(7, 1, &inner())).as_deref(), Ok(unverified));
        assert_eq!(show(b"").as_deref(), Ok(""));
    }

    #[test]
    fn last_field_of_a_type_counts() {
        let names = [field(AUTHORITY, b"a"), field(AUTHORITY, b"b")].concat();
        assert_eq!(show(&names).as_deref(), Ok("TLS_SNI_SERVERNAME=b"));
        let twice = [field(SSL_VERSION, b"1"), field(SSL_VERSION, b"2")];
        assert_eq!(show(&ssl_field(1, 0, &twice)).as_deref(), Ok("PROTOCOL=2"));
        let ssl = [ssl_field(1, 0, &inner()), ssl_field(0, 0, &inner())].concat();
        assert_eq!(show(&ssl).as_deref(), Ok(""));
    }

    #[test]
    fn nested_ssl_fields_gain_no_trust_and_have_a_maximum_depth() {
        let nested = ssl_field(1, 1, &[ssl_field(1, 0, &inner())]);
        let unverified = "PROTOCOL=TLSv1.3 CIPHER=AES";
        assert_eq!(show(&nested).as_deref(), Ok(unverified));
        let mut deep = Vec::new();
        for depth in 0..1000 {
            deep = ssl_field(1, 0, &[deep]);
            assert_eq!(show(&deep).is_ok(), depth < DEEPEST.into());
        }
    }

    #[test]
    fn malformed_fields_are_refused() {
        let bad = [
            vec![4],
            vec![4, 0],
            vec![4, 0, 1],
            [field(4, b"x"), vec![0]].concat(),
            field(SSL_VERSION, b"x"),
            field(SSL_CN, b"x"),
            field(SSL_CIPHER, b"x"),
            field(SSL, &[0; 4]),
            field(SSL, b""),
            ssl_field(0, 0, &[field(AUTHORITY, b"x")]),
            ssl_field(1, 0, &[vec![0x21, 0, 9, b'x']]),
            field(AUTHORITY, b"good.example\0evil"),
            ssl_field(0, 1, &[field(SSL_CN, b"joe\0")]),
            field(AUTHORITY, b"good.example\nX"),
            ssl_field(1, 0, &[field(SSL_CN, b"joe\x1b[2J")]),
            ssl_field(1, 0, &[field(SSL_VERSION, b"TLSv1.3\r")]),
            ssl_field(1, 0, &[field(SSL_CIPHER, b"\x7f")]),
        ];
        for bytes in bad {
            assert_eq!(show(&bytes), Err(1), "{bytes:x?}");
        }
    }

    #[test]
    fn truncated_and_mutated_fields_cause_no_panic() {
        let good = [field(AUTHORITY, b"a.b"), ssl_field(1, 0, &inner())].concat();
        for cut in 0..good.len() {
            let whole_fields = [0, field(AUTHORITY, b"a.b").len()].contains(&cut);
            assert_eq!(show(&good[..cut]).is_ok(), whole_fields, "{cut}");
            for value in 0..=255 {
                let mut copy = good.clone();
                copy[cut] = value;
                let _ = show(&copy);
            }
        }
    }
}
