use super::*;

const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const TELETEX: u8 = 0x14;
const IA5: u8 = 0x16;
const BMP: u8 = 0x1e;
const OCTETS: u8 = 0x04;

const CN: &[u8] = &[0x55, 4, 3];
const O: &[u8] = &[0x55, 4, 10];
const EMAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
const UNKNOWN: &[u8] = &[0x2a, 3, 4];

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let header = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [header, content].concat()
}

fn attribute(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    der(0x30, &[&der(6, &[oid]), &der(tag, &[value])])
}

/// A name of relative names with one attribute each.
fn name(attributes: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
    let relative = attributes
        .iter()
        .map(|(oid, tag, value)| der(0x31, &[&attribute(oid, *tag, value)]));
    der(0x30, &[&relative.collect::<Vec<_>>().concat()])
}

/// The fields in which the certificates of these tests differ.
struct Fields {
    serial: Vec<u8>,
    subject: Vec<u8>,
    dates: [Vec<u8>; 2],
    alternative_names: Vec<u8>,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            serial: vec![1],
            subject: name(&[(CN, UTF8, b"x")]),
            dates: [
                der(0x17, &[b"261105120000Z"]),
                der(0x18, &[b"99991231235959Z"]),
            ],
            alternative_names: Vec::new(),
        }
    }
}

impl Fields {
    fn certificate(&self) -> CertificateDer<'static> {
        let algorithm = der(0x30, &[&der(6, &[&[0x2b, 0x65, 0x70]])]);
        let bits = der(3, &[&[0, 1]]);
        let extension = der(
            0x30,
            &[
                &der(6, &[&[0x55, 0x1d, 17]]),
                &der(OCTETS, &[&der(0x30, &[&self.alternative_names])]),
            ],
        );
        let certificate = der(
            0x30,
            &[
                &der(0xa0, &[&der(2, &[&[2]])]),
                &der(2, &[&self.serial]),
                &algorithm,
                &name(&[(O, PRINTABLE, b"Issuer")]),
                &der(0x30, &[&self.dates[0], &self.dates[1]]),
                &self.subject,
                &der(0x30, &[&algorithm, &bits]),
                &der(0xa3, &[&der(0x30, &[&extension])]),
            ],
        );
        der(0x30, &[&certificate, &algorithm, &bits]).into()
    }

    fn variables(&self) -> Variables {
        variables(&[self.certificate()], Verification::Verified)
    }

    fn subject(attributes: &[(&[u8], u8, &[u8])]) -> Variables {
        let subject = name(attributes);
        Self {
            subject,
            ..Self::default()
        }
        .variables()
    }
}

/// The strings of a notification.
struct Variables(Vec<String>);

impl Variables {
    /// The value of `X_name`; None if it is unset. It must be either set or unset.
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find_map(|string| {
            let rest = string.strip_prefix(&format!("X_{name}"))?;
            match rest.strip_prefix('=') {
                Some(value) => Some(Some(value)),
                None => rest.is_empty().then_some(None),
            }
        });
        value.unwrap_or_else(|| panic!("{name} is neither set nor unset"))
    }
}

fn variables(chain: &[CertificateDer<'_>], verification: Verification) -> Variables {
    let mut env_block = EnvBlock::default();
    add(&mut env_block, "X", chain, verification);
    let block = String::from_utf8(env_block.finish()).unwrap();
    Variables(block.split_terminator('\0').map(str::to_owned).collect())
}

#[test]
fn a_usual_certificate_gives_everything() {
    let variables = Fields {
        serial: vec![0, 0xb0, 0x0a],
        subject: name(&[
            (&[0x55, 4, 6], PRINTABLE, b"FR"),
            (O, UTF8, "Éxample, Inc".as_bytes()),
            (CN, UTF8, b"first"),
            (CN, UTF8, b"second"),
            (EMAIL, IA5, b"a@b.test"),
        ]),
        alternative_names: [
            der(0x82, &[b"a.test"]),
            der(0x81, &[b"c@d.test"]),
            der(0x82, &[b"b.test"]),
            der(0x86, &[b"urn:x"]),
            der(0x87, &[&[192, 0, 2, 1]]),
            der(
                0x87,
                &[&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
            ),
        ]
        .concat(),
        ..Fields::default()
    }
    .variables();
    for (name, value) in [
        ("VERIFY", Some("SUCCESS")),
        ("M_VERSION", Some("3")),
        ("M_SERIAL", Some("B00A")),
        (
            "S_DN",
            Some("emailAddress=a@b.test,CN=second,CN=first,O=Éxample\\, Inc,C=FR"),
        ),
        ("S_DN_C", Some("FR")),
        ("S_DN_ST", None),
        ("S_DN_O", Some("Éxample, Inc")),
        ("S_DN_CN", Some("first")),
        ("S_DN_Email", Some("a@b.test")),
        ("I_DN", Some("O=Issuer")),
        ("I_DN_O", Some("Issuer")),
        ("I_DN_CN", None),
        ("SAN_DNS_0", Some("a.test")),
        ("SAN_DNS_1", Some("b.test")),
        ("SAN_DNS_2", None),
        ("SAN_Email_0", Some("c@d.test")),
        ("SAN_Email_1", None),
        ("SAN_URI_0", Some("urn:x")),
        ("SAN_IP_0", Some("192.0.2.1")),
        ("SAN_IP_1", Some("2001:db8::1")),
        ("SAN_IP_2", None),
        ("V_START", Some("Nov  5 12:00:00 2026 GMT")),
        ("V_END", Some("Dec 31 23:59:59 9999 GMT")),
        ("CERT_CHAIN_0", None),
    ] {
        assert_eq!(variables.get(name), value, "{name}");
    }
}

#[test]
fn without_a_certificate_all_but_one_are_unset() {
    let variables = variables(&[], Verification::Verified);
    assert_eq!(variables.get("VERIFY"), Some("NONE"));
    assert_eq!(variables.0.iter().filter(|s| s.contains('=')).count(), 1);
    for name in [
        "S_DN",
        "I_DN_Email",
        "M_SERIAL",
        "V_END",
        "SAN_IP_0",
        "CERT",
        "CERT_CHAIN_0",
    ] {
        assert_eq!(variables.get(name), None, "{name}");
    }
}

#[test]
fn the_chain_is_there_in_pem_and_in_order() {
    let (own, issuer) = (
        Fields::default().certificate(),
        CertificateDer::from(&b"abc"[..]),
    );
    let variables = variables(&[own.clone(), issuer], Verification::Unverified);
    assert_eq!(variables.get("VERIFY"), Some("GENEROUS"));
    let text = variables.get("CERT").unwrap();
    assert!(text.lines().all(|line| line.len() <= 64));
    assert_eq!(pki::read::certificates(text.as_bytes()), Ok(vec![own]));
    assert_eq!(
        variables.get("CERT_CHAIN_0"),
        Some("-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n")
    );
    assert_eq!(variables.get("CERT_CHAIN_1"), None);
}

#[test]
fn names_are_escaped_and_cannot_pass_for_other_names() {
    for (value, in_name, alone) in [
        ("a,CN=b", "CN=a\\,CN=b", "a,CN=b"),
        (" a ", "CN=\\ a\\ ", " a "),
        (" ", "CN=\\ ", " "),
        ("#a#", "CN=\\#a#", "#a#"),
        ("a\n\0b\x7f", "CN=a\\0A\\00b\\7F", "a\\0A\\00b\\7F"),
        ("a\\0Ab", "CN=a\\\\0Ab", "a\\\\0Ab"),
        ("\"+;<>=", "CN=\\\"\\+\\;\\<\\>=", "\"+;<>="),
        ("", "CN=", ""),
    ] {
        let variables = Fields::subject(&[(CN, UTF8, value.as_bytes())]);
        assert_eq!(variables.get("S_DN"), Some(in_name), "{value:?}");
        assert_eq!(variables.get("S_DN_CN"), Some(alone), "{value:?}");
    }
}

#[test]
fn every_string_type_is_text_and_the_rest_is_hex() {
    for (tag, value, in_name, alone) in [
        (TELETEX, &b"\xe9"[..], "CN=é", Some("é")),
        (IA5, b"\xe9", "CN=é", Some("é")),
        (BMP, &[0, 0xe9, 0xd8, 0x3d, 0xde, 0], "CN=é😀", Some("é😀")),
        (BMP, &[0xd8, 0x3d], "CN=#1E02D83D", None),
        (BMP, &[1], "CN=#1E0101", None),
        (UTF8, b"\xff", "CN=#0C01FF", None),
        (OCTETS, b"x", "CN=#040178", None),
    ] {
        let variables = Fields::subject(&[(CN, tag, value)]);
        assert_eq!(variables.get("S_DN"), Some(in_name));
        assert_eq!(variables.get("S_DN_CN"), alone);
    }
    let variables = Fields::subject(&[(UNKNOWN, UTF8, b"x")]);
    assert_eq!(variables.get("S_DN"), Some("1.2.3.4=#0C0178"));
}

#[test]
fn relative_names_of_several_attributes_are_joined_by_plus() {
    let pairs = [attribute(CN, UTF8, b"x"), attribute(O, UTF8, b"y")];
    let subject = der(0x30, &[&der(0x31, &[&pairs[0], &pairs[1]])]);
    let fields = Fields {
        subject,
        ..Fields::default()
    };
    assert_eq!(fields.variables().get("S_DN"), Some("O=y+CN=x"));
    assert_eq!(Fields::subject(&[]).get("S_DN"), None);
}

#[test]
fn a_serial_number_is_unmistakable() {
    for (bytes, shown) in [
        (&[0u8][..], "00"),
        (&[0, 0x80], "80"),
        (&[0x80], "-80"),
        (&[0xff], "-01"),
        (&[0xff, 0], "-0100"),
        (&[0x7f; 30], &"7F".repeat(30)),
    ] {
        assert_eq!(serial(bytes), *shown);
    }
}

#[test]
fn odd_alternative_names_neither_forge_nor_hide_others() {
    let variables = Fields {
        alternative_names: [
            der(0x81, &[b"a@b\nX_VERIFY=x\xe9\\"]),
            der(0xa0, &[b""]),
            der(0xa3, &[b""]),
            der(0x87, &[&[1, 2, 3]]),
            der(0x82, &[b"a.test\0.b.test"]),
        ]
        .concat(),
        ..Fields::default()
    }
    .variables();
    assert_eq!(variables.get("SAN_Email_0"), Some("a@b\\0AX_VERIFY=xé\\\\"));
    assert_eq!(variables.get("SAN_DNS_0"), Some("a.test\\00.b.test"));
    assert_eq!(variables.get("SAN_IP_0"), None);
}

#[test]
fn of_what_is_no_certificate_only_the_pem_is_passed_on() {
    let whole = Fields::default().certificate();
    for cut in 0..whole.len() {
        let variables = variables(&[whole[..cut].to_vec().into()], Verification::Verified);
        assert_eq!(variables.get("S_DN"), None, "{cut}");
        assert_eq!(variables.get("VERIFY"), Some("SUCCESS"));
        assert!(variables.get("CERT").is_some());
    }
}
