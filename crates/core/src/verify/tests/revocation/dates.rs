//! When a list counts: from its thisUpdate until its nextUpdate.

use super::*;

/// A second after [`NOW`].
const LATER: &str = "20250101000001Z";

/// A list of the issuer's key with and without a key identifier.
fn of_issuer(world: &World, revoked: &[u8], this_update: &'static str) -> [Vec<u8>; 2] {
    let list = Crl::of("issuer", revoked).issued(this_update);
    [list.clone(), list.of_key(b"a key")].map(|list| list.signed(&world.issuer_key))
}

#[test]
fn a_list_is_out_of_date_from_its_next_update_on() {
    let mut world = World::new();
    world.leaf.dates[1] = "20270101000000Z";
    world.issuer.dates[1] = "20270101000000Z";
    let next_update = NOW + 365 * 24 * 60 * 60;
    let both = world.both(&[], &[]);
    let before = world.at(next_update - 1, &both, CrlCheck::Chain);
    assert_eq!(before, (Ok(()), String::new()));
    for now in [next_update, next_update + 1] {
        let (result, why) = world.at(now, &both, CrlCheck::Leaf);
        assert!(
            format!("{result:?}").contains("ExpiredRevocationList"),
            "{result:?}"
        );
        assert_eq!(why, r"the revocation list of CN\x3dissuer is out of date");
    }
}

#[test]
fn a_list_counts_from_its_this_update_on() {
    let world = World::new();
    let why = r"the revocation list of CN\x3dissuer is not valid yet";
    for revoked in [&[][..], &[9]] {
        for list in of_issuer(&world, revoked, LATER) {
            let list = [list];
            assert_eq!(world.leaf(&list), (unknown(), why.to_owned()));
            let later = world.at(NOW + 1, &list, CrlCheck::Leaf).0;
            assert_eq!(
                later,
                if revoked.is_empty() {
                    Ok(())
                } else {
                    super::revoked()
                }
            );
        }
    }
}

#[test]
fn a_list_that_is_not_valid_yet_replaces_none() {
    let world = World::new();
    for (of_old, of_new, before, after) in [
        (&[9][..], &[][..], revoked(), Ok(())),
        (&[], &[9], Ok(()), revoked()),
    ] {
        let old = of_issuer(&world, of_old, DATES[0]);
        let new = of_issuer(&world, of_new, LATER);
        for (old, new) in old.into_iter().zip(new) {
            for both in [[old.clone(), new.clone()], [new, old]] {
                assert_eq!(world.leaf(&both), (before.clone(), String::new()));
                let later = world.at(NOW + 1, &both, CrlCheck::Leaf).0;
                assert_eq!(later, after);
            }
        }
    }
}

#[test]
fn a_list_that_is_not_valid_yet_is_the_reason_only_if_it_would_count_later() {
    let world = World::new();
    let list = Crl::of("issuer", &[]).issued(LATER);
    for (ders, text) in [
        (vec![list.signed(&world.root_key)], "is signed by the key"),
        (
            vec![list.clone().only(ONLY_CA_CERTS).signed(&world.issuer_key)],
            "covers the certificate",
        ),
        (
            vec![
                list.signed(&world.issuer_key),
                Crl::of("issuer", &[]).signed(&world.root_key),
            ],
            "is not valid yet",
        ),
    ] {
        let (result, why) = world.leaf(&ders);
        assert_eq!(result, unknown(), "{why}");
        assert!(why.contains(text), "{why}");
    }
}
