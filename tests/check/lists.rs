//! Revocation lists are described, and those that do not count are named.

use super::{facts, server};
use crate::util::{TempDir, certs};

/// The warnings about these lists of certs.sh, and how many lists are described.
fn described(lists: &[&str]) -> (Vec<String>, usize) {
    let dir = TempDir::new();
    let lists = lists.iter().map(|list| certs().read(list));
    let lists = dir.file("lists", lists.collect::<Vec<_>>().concat());
    let output = server(&["--check", "-y"], "p256")
        .env("CAFILE", certs().path("ca.pem"))
        .env("CRLFILE", lists)
        .run()
        .success();
    let warnings = facts(&output, "warning");
    let root: Vec<String> = (warnings.into_iter())
        .filter(|text| text.contains("revocation list"))
        .map(|text| text.replace(r"O\x3ds6-tls\x20tests,\x20CN\x3dRoot", "ROOT"))
        .collect();
    let facts = ["crl", "crl-this-update", "crl-next-update"].map(|key| facts(&output, key).len());
    assert_eq!(facts, [facts[0]; 3]);
    (root, facts[0])
}

#[test]
fn a_list_that_does_not_count_now_is_warned_of() {
    let outdated =
        "the revocation list of ROOT is out of date: certificates of this issuer are refused";
    let future = "the revocation list of ROOT is not valid yet: until then certificates of this \
                  issuer are refused if no other list covers them";
    let [outdated, future] = [outdated, future].map(str::to_owned);
    for (lists, warnings, described_lists) in [
        (&["ca-later.crl"][..], vec![], 1),
        (&["ca-old.crl"], vec![outdated.clone()], 1),
        (&["ca-future.crl"], vec![future.clone()], 1),
        (&["ca-later.crl", "ca-future.crl"], vec![future.clone()], 2),
        (&["ca-future.crl", "ca-old.crl"], vec![outdated, future], 2),
        // A newer list has replaced this one.
        (&["ca-old.crl", "ca-later.crl"], vec![], 1),
    ] {
        assert_eq!(described(lists), (warnings, described_lists), "{lists:?}");
    }
}
