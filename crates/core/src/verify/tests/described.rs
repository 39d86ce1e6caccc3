//! What anchors and lists say of themselves, for `--check`.

use cli::CrlCheck;
use webpki::anchor_from_trusted_cert;

use super::lists::Crl;
use super::*;
use crate::files::retry::Files;
use crate::testing;
use crate::verify::compiled_in::Packed;
use crate::verify::crl::RevocationLists;
use crate::verify::trust_anchors::Source;

/// The certificate of an authority of this name.
fn authority(name: &'static str) -> CertificateDer<'static> {
    let key = Key::new();
    Cert::authority(name, name, &key).signed(&key)
}

#[test]
fn anchors_that_can_verify_are_counted() {
    let (one, other) = (authority("one"), authority("other"));
    let mut unknown = Cert::authority("unknown", "unknown", &Key::new());
    unknown.key = info(&[0x2b, 0x65, 0x71], &[1; 57]);
    let unknown = unknown.signed(&Key::new());
    assert_eq!(anchors(&[&one, &unknown]).count(), 1);
    assert_eq!(anchors(&[&one, &unknown, &other]).count(), 2);
    let files = Files::at_once(&testing::context());
    let packed = Packed::one(&anchor_from_trusted_cert(&one).unwrap());
    for (packed, count) in [(packed, 1), (Packed(&[]), 0)] {
        let compiled_in = Anchors::load(&files, &Source::CompiledIn(packed)).unwrap();
        assert_eq!(compiled_in.count(), count);
    }
}

#[test]
fn lists_are_of_an_anchor_if_one_has_its_name() {
    let lists = |names: &[&'static str]| {
        let lists = names
            .iter()
            .map(|name| Crl::of(name, &[]).signed(&Key::new()));
        RevocationLists::parse(pem("X509 CRL", &lists.collect::<Vec<_>>()), CrlCheck::Chain)
    };
    let (one, other) = (authority("one"), authority("other"));
    for (names, anchored, has) in [
        (&["one"][..], vec![&one], true),
        (&["one"], vec![&other], false),
        (&["one"], vec![&other, &one], true),
        (&["other", "one"], vec![&one], true),
        (&["other", "third"], vec![&one], false),
    ] {
        let lists = lists(names).unwrap();
        assert_eq!(lists.has_one_of(&anchors(&anchored)), has, "{names:?}");
    }
}

#[test]
fn lists_that_count_are_described_before_those_that_are_not_valid_yet() {
    let list = |name, date| {
        Crl::of(name, &[])
            .issued(date)
            .of_key(b"key")
            .signed(&Key::new())
    };
    let lists = [
        list("b", "20240601000000Z"),
        list("a", "20240501000000Z"),
        // It is replaced.
        list("b", "20240401000000Z"),
        list("b", "20250101000001Z"),
        list("c", "20250101000000Z"),
    ];
    let lists = RevocationLists::parse(pem("X509 CRL", &lists), CrlCheck::Chain).unwrap();
    let described: Vec<_> = lists
        .each(now())
        .map(|list| {
            let dates = [list.this_update, list.next_update].map(|date| date.to_string());
            (list.issuer, dates, list.is_valid)
        })
        .collect();
    let until = "Jan  1 00:00:00 2026 GMT";
    let expected = [
        (r"CN\x3dc", "Jan  1 00:00:00 2025 GMT", true),
        (r"CN\x3db", "Jun  1 00:00:00 2024 GMT", true),
        (r"CN\x3da", "May  1 00:00:00 2024 GMT", true),
        (r"CN\x3db", "Jan  1 00:00:01 2025 GMT", false),
    ];
    let expected = expected.map(|(issuer, from, is_valid)| {
        let dates = [from, until].map(str::to_owned);
        (issuer.to_owned(), dates, is_valid)
    });
    assert_eq!(described, expected);
}
