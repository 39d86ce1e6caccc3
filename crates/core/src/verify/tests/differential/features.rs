//! What may be odd about a certificate: dates, names, purposes, extensions, signatures.

use super::super::*;
use super::paths;
use super::spec::{ISSUER, LEAF, ROOT, Spec, encoded};

/// A change of a chain.
pub struct Feature {
    /// What is changed. Of two features that change the same a chain has only one.
    pub part: String,
    /// How it is changed.
    pub value: String,
    /// Makes the change.
    pub apply: Box<dyn Fn(&mut Spec)>,
}

impl Feature {
    /// Whether a chain may have both: they change different parts. All names are one.
    pub fn goes_with(&self, other: &Self) -> bool {
        let names = |feature: &Self| feature.part.starts_with("name");
        self.part != other.part && !(names(self) && names(other))
    }

    /// Both texts.
    pub fn label(&self) -> String {
        format!("{}: {}", self.part, self.value)
    }
}

/// A feature that changes `part`.
pub fn feature(
    part: impl Into<String>,
    value: impl Into<String>,
    apply: impl Fn(&mut Spec) + 'static,
) -> Feature {
    Feature {
        part: part.into(),
        value: value.into(),
        apply: Box::new(apply),
    }
}

/// The places of certificates, with what they are called in labels.
pub const PLACES: [(&str, usize); 3] = [("leaf", LEAF), ("issuer", ISSUER), ("root", ROOT)];

/// All of them but those about names.
pub fn all() -> Vec<Feature> {
    let mut all = vec![feature("side", "client", |spec| spec.of_client = true)];
    for (who, place) in PLACES {
        all.extend(dates(who, place));
        all.extend(fields(who, place));
        all.extend(usages(who, place));
        all.extend(purposes(who, place));
        all.extend(extensions(who, place));
    }
    all.extend(paths::all());
    all
}

fn dates(who: &'static str, place: usize) -> Vec<Feature> {
    [
        ("expired", ["200101000000Z", "210101000000Z"]),
        ("not yet valid", ["480101000000Z", "491231235959Z"]),
        ("end before begin", ["491231235959Z", "200101000000Z"]),
        (
            "GeneralizedTime before 2050",
            ["=20200101000000Z", "=20491231235959Z"],
        ),
        ("from 1950 on", ["500101000000Z", "491231235959Z"]),
        ("without end", ["200101000000Z", "=99991231235959Z"]),
        (
            "fractions of seconds",
            ["=20200101000000.5Z", "491231235959Z"],
        ),
        ("without seconds", ["2001010000Z", "491231235959Z"]),
        ("in another zone", ["200101000000+0100", "491231235959Z"]),
        ("30 February", ["200230000000Z", "491231235959Z"]),
    ]
    .map(|(value, dates)| {
        feature(format!("{who} dates"), value, move |spec| {
            spec.certificates[place].dates = dates;
        })
    })
    .into()
}

/// Versions, serial numbers, names of subjects and issuers, signatures.
fn fields(who: &'static str, place: usize) -> Vec<Feature> {
    let part = |part| format!("{who} {part}");
    let mut found = vec![
        feature(part("version"), "1 with extensions", move |spec| {
            spec.certificates[place].version = None;
        }),
        feature(part("version"), "2 with extensions", move |spec| {
            spec.certificates[place].version = Some(1);
        }),
        feature(part("version"), "4", move |spec| {
            spec.certificates[place].version = Some(3)
        }),
        feature(part("version"), "1", move |spec| {
            spec.certificates[place].version = None;
            spec.certificates[place].extensions.clear();
        }),
        feature(part("signature"), "wrong", move |spec| {
            spec.certificates[place].tampered = true
        }),
        feature(part("signature"), "another algorithm inside", move |spec| {
            let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
            let algorithm = der(SEQUENCE, &[&der(OBJECT_IDENTIFIER, &[&oid])]);
            spec.certificates[place].algorithm = algorithm;
        }),
        feature(part("subject"), "empty", move |spec| {
            spec.certificates[place].subject = der(SEQUENCE, &[]);
        }),
    ];
    let serials: [(&str, Vec<u8>); 6] = [
        ("zero", vec![0]),
        ("negative", vec![0xff]),
        ("20 bytes", vec![0x41; 20]),
        ("21 bytes", vec![0x41; 21]),
        ("leading zero", vec![0, 1]),
        ("empty", vec![]),
    ];
    found.extend(serials.map(|(value, serial)| {
        feature(part("serial"), value, move |spec| {
            spec.certificates[place].serial = serial.clone()
        })
    }));
    let odd_names = [
        ("another name", name("nobody")),
        ("another case", name(["Issuer", "Root", "Root"][place])),
        (
            "another type of string",
            printable_name(["issuer", "root", "root"][place]),
        ),
        ("empty", der(SEQUENCE, &[])),
    ];
    found.extend(odd_names.map(|(value, issuer)| {
        feature(part("issuer name"), value, move |spec| {
            spec.certificates[place].issuer_name = Some(issuer.clone());
        })
    }));
    found
}

/// The Name with this common name, a PrintableString.
fn printable_name(text: &str) -> Vec<u8> {
    let mut name = name(text);
    let place = name.len() - text.len() - 2;
    name[place] = 0x13;
    name
}

fn usages(who: &'static str, place: usize) -> Vec<Feature> {
    let bits: [(&str, &[u8]); 9] = [
        ("digitalSignature", &[7, 0x80]),
        ("keyEncipherment", &[5, 0x20]),
        ("digitalSignature keyEncipherment", &[5, 0xa0]),
        ("keyAgreement", &[3, 0x08]),
        ("keyCertSign", &[2, 0x04]),
        ("cRLSign", &[1, 0x02]),
        ("digitalSignature keyCertSign", &[2, 0x84]),
        ("no bit", &[0]),
        ("digitalSignature, padded", &[0, 0x80]),
    ];
    let mut found = Vec::new();
    for (value, bits) in bits {
        for critical in [true, false] {
            let value = if critical {
                value.to_owned()
            } else {
                format!("{value}, not critical")
            };
            found.push(feature(format!("{who} keyUsage"), value, move |spec| {
                spec.certificates[place].set(KEY_USAGE, critical, &der(BIT_STRING, &[bits]));
            }));
        }
    }
    found.push(feature(format!("{who} keyUsage"), "none", move |spec| {
        spec.certificates[place].unset(KEY_USAGE);
    }));
    found
}

fn purposes(who: &'static str, place: usize) -> Vec<Feature> {
    const SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
    const CLIENT: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
    const CODE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
    const ANY: &[u8] = &[0x55, 0x1d, 37, 0];
    let sets: [(&str, &'static [&[u8]]); 8] = [
        ("server", &[SERVER]),
        ("client", &[CLIENT]),
        ("server client", &[SERVER, CLIENT]),
        ("code signing", &[CODE]),
        ("any", &[ANY]),
        ("any, code signing", &[ANY, CODE]),
        ("code signing, server", &[CODE, SERVER]),
        ("no purpose", &[]),
    ];
    let mut found = Vec::new();
    for (value, set) in sets {
        for (critical, of_client) in [(false, false), (true, false), (false, true)] {
            let critical_too = if critical { ", critical" } else { "" };
            let side = if of_client { ", of a client" } else { "" };
            let value = format!("{value}{critical_too}{side}");
            found.push(feature(
                format!("{who} extendedKeyUsage"),
                value,
                move |spec| {
                    let oids = set.iter().flat_map(|oid| der(OBJECT_IDENTIFIER, &[oid]));
                    let oids = der(SEQUENCE, &[&oids.collect::<Vec<_>>()]);
                    spec.certificates[place].set(EXTENDED_KEY_USAGE, critical, &oids);
                    spec.of_client |= of_client;
                },
            ));
        }
    }
    found
}

/// Extensions that are unknown, empty, twice there, or about policies.
fn extensions(who: &'static str, place: usize) -> Vec<Feature> {
    let unknown = |critical| encoded(&[0x2a, 3, 4], critical, &[5, 0]);
    let policies = |oid: &[u8]| {
        let oid = der(SEQUENCE, &[&der(OBJECT_IDENTIFIER, &[oid])]);
        der(SEQUENCE, &[&oid])
    };
    let (any, one) = (policies(&[0x55, 0x1d, 32, 0]), policies(&[0x2a, 3, 4]));
    let standard = |number, critical, value: &[u8]| encoded(&[0x55, 0x1d, number], critical, value);
    let explicit_policy = der(SEQUENCE, &[&der(0x80, &[&[0]])]);
    let not_critical = der(BOOLEAN, &[&[0]]);
    let oid = der(OBJECT_IDENTIFIER, &[&[0x2a, 3, 4]]);
    let explicit = der(
        SEQUENCE,
        &[&oid, &not_critical, &der(OCTET_STRING, &[&[5, 0]])],
    );
    let list = vec![
        ("unknown", unknown(false)),
        ("unknown, critical", unknown(true)),
        ("unknown, twice", [unknown(false), unknown(false)].concat()),
        ("explicitly not critical", explicit),
        ("any policy, critical", standard(32, true, &any)),
        ("a policy, critical", standard(32, true, &one)),
        ("a policy is required", standard(36, true, &explicit_policy)),
        (
            "any policy is inhibited",
            standard(54, true, &der(INTEGER, &[&[0]])),
        ),
        (
            "policy mappings, not critical",
            standard(33, false, &der(SEQUENCE, &[])),
        ),
        (
            "policy mappings, critical",
            standard(33, true, &der(SEQUENCE, &[])),
        ),
        (
            "TLS feature",
            encoded(&[0x2b, 6, 1, 5, 5, 7, 1, 24], false, &[0x30, 3, 2, 1, 5]),
        ),
        (
            "poison",
            encoded(&[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 3], true, &[5, 0]),
        ),
        (
            "malformed basicConstraints",
            standard(BASIC_CONSTRAINTS, true, &[0x30, 5]),
        ),
    ];
    let list = list.into_iter().map(|(value, extension)| {
        feature(format!("{who} extension"), value, move |spec| {
            spec.certificates[place].append(extension.clone());
        })
    });
    let twice = [BASIC_CONSTRAINTS, KEY_USAGE, SUBJECT_ALT_NAME].map(|number| {
        feature(
            format!("{who} extension"),
            format!("2.5.29.{number} twice"),
            move |spec| {
                let own = &mut spec.certificates[place];
                let found = own.extensions.iter().find(|(known, _)| *known == number);
                if let Some((_, extension)) = found.cloned() {
                    own.append(extension);
                }
            },
        )
    });
    list.chain(twice).collect()
}
