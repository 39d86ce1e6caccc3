//! Which names of a certificate cover which wanted names, and which names issuers may give.

use super::super::*;
use super::features::{Feature, feature};
use super::spec::{ISSUER, LEAF, ROOT, Spec, alternative_names};

const MAIL: u8 = 0x81;
const DIRECTORY_NAME: u8 = 0xa4;
const URI: u8 = 0x86;

/// dNSNames and common names of servers.
const PATTERNS: [&str; 34] = [
    "host.test",
    "HOST.Test",
    "host.test.",
    ".host.test",
    "test",
    "*",
    "*.test",
    "*.host.test",
    "*.*.test",
    "a.*.test",
    "h*.test",
    "*t.test",
    "h*t.test",
    "**.test",
    "*host.test",
    "*..test",
    "a.host.test",
    "*.a.host.test",
    "xn--bcher-kva.test",
    "*.xn--bcher-kva.test",
    "xn--*.test",
    "bücher.test",
    "under_score.test",
    "-host.test",
    "host-.test",
    "host..test",
    "ho st.test",
    "host.test\0.evil.test",
    "",
    ".",
    "192.0.2.1",
    "*.0.2.1",
    "*.test.",
    "1.test",
];

/// Names that are wanted.
const WANTED: [&str; 16] = [
    "host.test",
    "HOST.TEST",
    "host.test.",
    "test",
    "a.host.test",
    "b.a.host.test",
    "xn--bcher-kva.test",
    "a.xn--bcher-kva.test",
    "under_score.test",
    "192.0.2.1",
    "2001:db8::1",
    "other.test",
    "-host.test",
    "a..test",
    "1.test",
    "hoot.test",
];

/// A name of a certificate and a wanted one; common names too.
pub fn matches() -> Vec<Feature> {
    let mut all = Vec::new();
    for wanted in WANTED {
        for pattern in PATTERNS {
            all.push(feature(
                "name",
                format!("DNS:{pattern:?} {wanted}"),
                move |spec| {
                    want(spec, wanted, &[(DNS_NAME, pattern.as_bytes())]);
                },
            ));
            all.push(feature(
                "name",
                format!("CN:{pattern:?} {wanted}"),
                move |spec| {
                    spec.wanted = Some(wanted.to_owned());
                    spec.certificates[LEAF].unset(SUBJECT_ALT_NAME);
                    spec.certificates[LEAF].subject = name(pattern);
                },
            ));
        }
        for (label, names) in lists() {
            all.push(feature("name", format!("{label} {wanted}"), move |spec| {
                want(spec, wanted, names);
                spec.certificates[LEAF].subject = name("host.test");
            }));
        }
    }
    all
}

fn want(spec: &mut Spec, wanted: &str, names: &[(u8, &[u8])]) {
    spec.wanted = Some(wanted.to_owned());
    spec.certificates[LEAF].set(SUBJECT_ALT_NAME, false, &alternative_names(names));
}

type Names = &'static [(u8, &'static [u8])];

/// Other lists of alternative names, beside the common name host.test.
fn lists() -> Vec<(&'static str, Names)> {
    const MAPPED: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1];
    const V6: &[u8] = &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    vec![
        ("IP:192.0.2.1", &[(IP_ADDRESS, &[192, 0, 2, 1])]),
        ("IP:::ffff:192.0.2.1", &[(IP_ADDRESS, MAPPED)]),
        ("IP:2001:db8::1", &[(IP_ADDRESS, V6)]),
        ("IP of 5 bytes", &[(IP_ADDRESS, &[192, 0, 2, 1, 0])]),
        ("IP as text", &[(IP_ADDRESS, b"192.0.2.1")]),
        (
            "two DNS",
            &[(DNS_NAME, b"other.test"), (DNS_NAME, b"host.test")],
        ),
        (
            "bad DNS, good DNS",
            &[(DNS_NAME, b"ho st.test"), (DNS_NAME, b"host.test")],
        ),
        (
            "good DNS, bad DNS",
            &[(DNS_NAME, b"host.test"), (DNS_NAME, b"\xff\0")],
        ),
        ("only mail", &[(MAIL, b"x@host.test")]),
        ("only URI", &[(URI, b"https://host.test/")]),
        ("no names", &[]),
        ("an unknown kind", &[(0x8a, b"host.test")]),
        (
            "unknown kind, good DNS",
            &[(0x8a, b"x"), (DNS_NAME, b"host.test")],
        ),
    ]
}

/// Constraints of names.
struct Limit {
    kind: u8,
    base: &'static [u8],
    label: &'static str,
}

/// A name of the leaf.
struct Given {
    kind: u8,
    name: &'static [u8],
    label: &'static str,
    wanted: Option<&'static str>,
}

const fn limit(kind: u8, label: &'static str) -> Limit {
    Limit {
        kind,
        base: label.as_bytes(),
        label,
    }
}

const fn given(kind: u8, label: &'static str) -> Given {
    let wanted = if kind == DNS_NAME { Some(label) } else { None };
    Given {
        kind,
        name: label.as_bytes(),
        label,
        wanted,
    }
}

/// Each limit with each name of its kind, permitted and excluded, by issuer and root.
pub fn limits() -> Vec<Feature> {
    let mut all = Vec::new();
    for (limits, names) in [hosts(), addresses(), mails(), uris(), other_kinds()] {
        for limit in &limits {
            for given in &names {
                for (who, place) in [("issuer", ISSUER), ("root", ROOT)] {
                    for tag in [0xa0, 0xa1] {
                        all.push(limited(limit, given, (who, place), tag));
                    }
                }
            }
        }
    }
    all.extend(odd_limits());
    all
}

fn limited(limit: &Limit, given: &Given, (who, place): (&str, usize), tag: u8) -> Feature {
    let does = if tag == 0xa0 { "permits" } else { "excludes" };
    let value = format!("{} {does} {:?}", given.label, limit.label);
    let subtree = der(SEQUENCE, &[&der(limit.kind, &[limit.base])]);
    let value_of = der(SEQUENCE, &[&der(tag, &[&subtree])]);
    let (kind, name, wanted) = (given.kind, given.name, given.wanted);
    feature(format!("name, limited by {who}"), value, move |spec| {
        spec.wanted = wanted.map(str::to_owned);
        let names = alternative_names(&[(kind, name)]);
        spec.certificates[LEAF].set(SUBJECT_ALT_NAME, false, &names);
        spec.certificates[place].set(NAME_CONSTRAINTS, true, &value_of);
    })
}

fn hosts() -> (Vec<Limit>, Vec<Given>) {
    let bases = [
        "host.test",
        "test",
        "HOST.TEST",
        ".host.test",
        ".test",
        "a.host.test",
        "ost.test",
        "",
        ".",
        "*.test",
        "test.",
        "other.test",
        "host.test ",
        "xn--bcher-kva.test",
    ];
    let names = [
        "host.test",
        "a.host.test",
        "xhost.test",
        "other.test",
        "HOST.test",
        "a.xn--bcher-kva.test",
    ];
    let mut names: Vec<_> = names.map(|label| given(DNS_NAME, label)).into();
    let wildcard = Given {
        wanted: Some("b.host.test"),
        ..given(DNS_NAME, "*.host.test")
    };
    let short = Given {
        wanted: Some("host.test"),
        ..given(DNS_NAME, "*.test")
    };
    names.extend([wildcard, short]);
    (bases.map(|label| limit(DNS_NAME, label)).into(), names)
}

fn addresses() -> (Vec<Limit>, Vec<Given>) {
    let of = |label, base| Limit {
        kind: IP_ADDRESS,
        base,
        label,
    };
    let limits = vec![
        of("192.0.2.0/24", &[192, 0, 2, 0, 255, 255, 255, 0]),
        of("192.0.2.1/32", &[192, 0, 2, 1, 255, 255, 255, 255]),
        of("192.0.2.1/24", &[192, 0, 2, 1, 255, 255, 255, 0]),
        of("0.0.0.0/0", &[0; 8]),
        of("10.0.0.0/8", &[10, 0, 0, 0, 255, 0, 0, 0]),
        of(
            "192.0.0.1 with a mask in two parts",
            &[192, 0, 0, 1, 255, 255, 0, 255],
        ),
        of("4 bytes", &[192, 0, 2, 1]),
        of("::/0", &[0; 32]),
        of("no bytes", &[]),
    ];
    let address = |label, wanted, name| Given {
        kind: IP_ADDRESS,
        name,
        label,
        wanted: Some(wanted),
    };
    let v6 = &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let names = vec![
        address("192.0.2.1", "192.0.2.1", &[192, 0, 2, 1]),
        address("192.0.3.1", "192.0.3.1", &[192, 0, 3, 1]),
        address("2001:db8::1", "2001:db8::1", v6),
    ];
    (limits, names)
}

fn mails() -> (Vec<Limit>, Vec<Given>) {
    let bases = [
        "host.test",
        ".host.test",
        "x@host.test",
        "X@host.test",
        "other.test",
        "",
    ];
    let names = ["x@host.test", "y@HOST.test", "x@a.host.test", "host.test"];
    (
        bases.map(|label| limit(MAIL, label)).into(),
        names.map(|label| given(MAIL, label)).into(),
    )
}

fn uris() -> (Vec<Limit>, Vec<Given>) {
    let bases = ["host.test", ".host.test", "other.test"];
    let names = ["https://host.test/", "https://a.host.test:1/", "urn:x:y"];
    (
        bases.map(|label| limit(URI, label)).into(),
        names.map(|label| given(URI, label)).into(),
    )
}

/// Limits of one kind, a name of another kind.
fn other_kinds() -> (Vec<Limit>, Vec<Given>) {
    let unknown = Limit {
        kind: 0x88,
        base: &[0x2a, 3, 4],
        label: "1.2.3.4",
    };
    let limits = vec![limit(MAIL, "other.test"), limit(URI, "other.test"), unknown];
    (
        limits,
        vec![given(DNS_NAME, "host.test"), given(0x82, "a.host.test")],
    )
}

/// Constraints that are malformed or not critical, or about subjects and common names.
fn odd_limits() -> Vec<Feature> {
    let part = "name, limited by issuer";
    let tree = |kind, base: &[u8], bounds: &[u8]| {
        let tree = der(SEQUENCE, &[&der(kind, &[base]), bounds]);
        der(SEQUENCE, &[&der(0xa0, &[&tree])])
    };
    let values = [
        ("not critical", false, tree(DNS_NAME, b"other.test", &[])),
        ("minimum 1", true, tree(DNS_NAME, b"test", &[0x80, 1, 1])),
        ("maximum 1", true, tree(DNS_NAME, b"test", &[0x81, 1, 1])),
        ("nothing", true, der(SEQUENCE, &[])),
        ("no subtree", true, der(SEQUENCE, &[&der(0xa0, &[])])),
        (
            "its subject",
            true,
            tree(DIRECTORY_NAME, &name("leaf"), &[]),
        ),
        (
            "another subject",
            true,
            tree(DIRECTORY_NAME, &name("nobody"), &[]),
        ),
        (
            "every subject",
            true,
            tree(DIRECTORY_NAME, &der(SEQUENCE, &[]), &[]),
        ),
    ];
    let mut all: Vec<_> = values
        .map(|(value, critical, content)| {
            feature(part, format!("host.test, {value}"), move |spec| {
                spec.certificates[ISSUER].set(NAME_CONSTRAINTS, critical, &content);
            })
        })
        .into();
    for base in ["host.test", "other.test"] {
        let content = tree(DNS_NAME, base.as_bytes(), &[]);
        all.push(feature(
            part,
            format!("CN host.test permits {base}"),
            move |spec| {
                spec.certificates[LEAF].unset(SUBJECT_ALT_NAME);
                spec.certificates[LEAF].subject = name("host.test");
                spec.certificates[ISSUER].set(NAME_CONSTRAINTS, true, &content);
            },
        ));
    }
    all
}
