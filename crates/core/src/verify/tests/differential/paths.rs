//! What may be odd about a path: who is an issuer, what is sent, and what is trusted.

use super::super::*;
use super::features::{Feature, PLACES, feature};
use super::spec::{
    AUTHORITY_KEY_ID, ISSUER, LEAF, ROOT, STRANGER, SUBJECT_KEY_ID, alternative_names,
    basic_constraints,
};

const AUTHORITIES: [(&str, usize); 2] = [PLACES[1], PLACES[2]];

/// All of them.
pub fn all() -> Vec<Feature> {
    [constraints(), key_ids(), sent(), trusted()]
        .into_iter()
        .flatten()
        .collect()
}

/// Who may be an issuer, and of how many others.
fn constraints() -> Vec<Feature> {
    let explicit = der(SEQUENCE, &[&der(BOOLEAN, &[&[0]])]);
    let values: [(&str, bool, Vec<u8>); 9] = [
        ("CA, not critical", false, basic_constraints(true, None)),
        ("not CA", true, basic_constraints(false, None)),
        ("explicitly not CA", true, explicit),
        ("not CA, limit 0", true, basic_constraints(false, Some(0))),
        ("CA, limit 0", true, basic_constraints(true, Some(0))),
        ("CA, limit 1", true, basic_constraints(true, Some(1))),
        ("CA, limit 2", true, basic_constraints(true, Some(2))),
        ("CA, limit -1", true, basic_constraints(true, Some(0xff))),
        ("CA", true, basic_constraints(true, None)),
    ];
    let mut found = Vec::new();
    for (who, place) in PLACES {
        for (value, critical, content) in values.clone() {
            found.push(feature(
                format!("{who} basicConstraints"),
                value,
                move |spec| {
                    spec.certificates[place].set(BASIC_CONSTRAINTS, critical, &content);
                },
            ));
        }
    }
    for (who, place) in AUTHORITIES {
        found.push(feature(
            format!("{who} basicConstraints"),
            "none",
            move |spec| {
                spec.certificates[place].unset(BASIC_CONSTRAINTS);
            },
        ));
        found.push(feature(
            format!("{who} basicConstraints"),
            "none, no keyUsage",
            move |spec| {
                spec.certificates[place].unset(BASIC_CONSTRAINTS);
                spec.certificates[place].unset(KEY_USAGE);
            },
        ));
    }
    for count in [1, 2, 3, 4, 5, 6, 7, 12] {
        found.push(feature("length", format!("{count} more"), move |spec| {
            spec.lengthen(count)
        }));
    }
    found
}

fn key_ids() -> Vec<Feature> {
    let mut found = Vec::new();
    for (who, place) in PLACES {
        let part = |part| format!("{who} {part}");
        found.push(feature(part("subjectKeyIdentifier"), "none", move |spec| {
            // An extension without bytes is there, but not encoded.
            spec.certificates[place]
                .extensions
                .push((SUBJECT_KEY_ID, Vec::new()));
        }));
        found.push(feature(
            part("subjectKeyIdentifier"),
            "critical",
            move |spec| {
                let id = der(OCTET_STRING, &[&[1; 20]]);
                spec.certificates[place].set(SUBJECT_KEY_ID, true, &id);
            },
        ));
        found.push(feature(
            part("authorityKeyIdentifier"),
            "none",
            move |spec| {
                spec.certificates[place]
                    .extensions
                    .push((AUTHORITY_KEY_ID, Vec::new()));
            },
        ));
        for (value, tag, id) in [("wrong", 0x80, &[1; 20][..]), ("serial alone", 0x82, &[1])] {
            found.push(feature(
                part("authorityKeyIdentifier"),
                value,
                move |spec| {
                    let id = der(SEQUENCE, &[&der(tag, &[id])]);
                    spec.certificates[place].set(AUTHORITY_KEY_ID, false, &id);
                },
            ));
        }
    }
    found
}

/// Which certificates are sent, and in which order.
fn sent() -> Vec<Feature> {
    vec![
        feature("sent", "no issuer", |spec| spec.sent.truncate(1)),
        feature("sent", "the root too", |spec| spec.sent.push(ROOT)),
        feature("sent", "the root before the issuer", |spec| {
            spec.sent.insert(1, ROOT)
        }),
        feature("sent", "issuers from the root on", |spec| {
            spec.lengthen(2);
            spec.sent[1..].reverse();
        }),
        feature("sent", "twice", |spec| spec.sent.extend(spec.sent.clone())),
        feature("sent", "one that is unrelated first", |spec| {
            spec.sent.insert(1, STRANGER)
        }),
        feature("sent", "one that is unrelated last", |spec| {
            spec.sent.push(STRANGER)
        }),
        feature("sent", "the issuer first", |spec| spec.sent.reverse()),
        feature("sent", "issuers that issue each other", |spec| {
            // Of the issuer's name and key, by one that the issuer has issued.
            let other = spec.add("loop", ISSUER, 4);
            let twin = spec.add("issuer", other, ISSUER);
            spec.sent.retain(|place| *place != twin && *place != other);
            spec.sent.splice(1..1, [twin, other]);
        }),
        feature("sent", "only issuers that issue each other", |spec| {
            let other = spec.add("loop", ISSUER, 4);
            spec.certificates[ISSUER].issuer = other;
        }),
        feature("sent", "the same issuer by a stranger last", |spec| {
            spec.add("issuer", STRANGER, ISSUER);
        }),
        feature("sent", "the same issuer by a stranger first", |spec| {
            spec.add("issuer", STRANGER, ISSUER);
            spec.sent[1..].reverse();
        }),
        feature("sent", "only the same issuer by a stranger", |spec| {
            spec.add("issuer", STRANGER, ISSUER);
            spec.sent.remove(1);
        }),
        feature("sent", "another key of the issuer first", |spec| {
            spec.add("issuer", ROOT, 5);
            spec.sent[1..].reverse();
        }),
        feature("sent", "an expired form of the issuer first", |spec| {
            let old = spec.add("issuer", ROOT, ISSUER);
            spec.certificates[old].dates = ["200101000000Z", "210101000000Z"];
            spec.sent[1..].reverse();
        }),
        feature("sent", "twenty that are unrelated", |spec| {
            for _ in 0..20 {
                spec.add("unrelated", STRANGER, 5);
            }
        }),
    ]
}

/// What is trusted.
fn trusted() -> Vec<Feature> {
    vec![
        feature("trusted", "a stranger", |spec| {
            spec.anchors = vec![STRANGER]
        }),
        feature("trusted", "a stranger first", |spec| {
            spec.anchors = vec![STRANGER, ROOT]
        }),
        feature("trusted", "the issuer", |spec| spec.anchors = vec![ISSUER]),
        feature("trusted", "the leaf", |spec| spec.anchors = vec![LEAF]),
        feature("trusted", "a leaf that issued itself", |spec| {
            spec.certificates[LEAF].issuer = LEAF;
            spec.anchors = vec![LEAF];
            spec.sent.truncate(1);
        }),
        feature(
            "trusted",
            "a leaf that issued itself, for another name",
            |spec| {
                spec.certificates[LEAF].issuer = LEAF;
                let other = alternative_names(&[(DNS_NAME, b"other.test")]);
                spec.certificates[LEAF].set(SUBJECT_ALT_NAME, false, &other);
                spec.anchors = vec![LEAF];
                spec.sent.truncate(1);
            },
        ),
        feature("trusted", "not the leaf that issued itself", |spec| {
            spec.certificates[LEAF].issuer = LEAF;
            spec.sent.truncate(1);
        }),
        feature("trusted", "a root of the name, with another key", |spec| {
            spec.certificates[STRANGER].subject = name("root");
            spec.anchors = vec![STRANGER];
        }),
        feature(
            "trusted",
            "a root of the name, with another key, first",
            |spec| {
                spec.certificates[STRANGER].subject = name("root");
                spec.anchors = vec![STRANGER, ROOT];
            },
        ),
    ]
}
