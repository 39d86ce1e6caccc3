use super::*;

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length, bytes].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), &with_length(data)[..]].concat()
}

fn hello(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &with_length(body)].concat()
}

fn client(version: u16, groups: &[u8], shares: &[u8], versions: &[u8]) -> Vec<u8> {
    let share = |group: &u8| [&[0, *group][..], &with_length(b"key")].concat();
    let shares: Vec<u8> = shares.iter().flat_map(share).collect();
    let groups: Vec<u8> = groups.iter().flat_map(|group| [0, *group]).collect();
    let mut extensions = vec![
        (SIGNATURE_ALGORITHMS, with_length(&[4, 3])),
        (SUPPORTED_GROUPS, with_length(&groups)),
        (KEY_SHARE, with_length(&shares)),
    ];
    if !versions.is_empty() {
        extensions.push(supported_versions(versions));
    }
    client_with(version, &extensions)
}

fn supported_versions(versions: &[u8]) -> (u16, Vec<u8>) {
    let length = u8::try_from(versions.len()).unwrap();
    (SUPPORTED_VERSIONS, [&[length], versions].concat())
}

/// A ClientHello with these extensions.
fn client_with(version: u16, extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let extensions = extensions
        .iter()
        .flat_map(|(kind, data)| extension(*kind, data));
    let start = [
        &version.to_be_bytes()[..],
        &[7; 32],
        b"\x02id\0\x02\x13\x01\x01\0",
    ];
    let extensions: Vec<u8> = extensions.collect();
    hello(
        CLIENT_HELLO,
        &[&start.concat()[..], &with_length(&extensions)].concat(),
    )
}

fn server(version: u16, random: u8, id: &[u8], tls13: bool) -> Vec<u8> {
    let random = if random == 0 { RETRY } else { [random; 32] };
    let extensions = if tls13 {
        extension(SUPPORTED_VERSIONS, &[3, 4])
    } else {
        Vec::new()
    };
    let id = [&[id.len() as u8], id].concat();
    let start = [&version.to_be_bytes()[..], &random, &id, b"\x13\x01\0"].concat();
    hello(SERVER_HELLO, &[start, with_length(&extensions)].concat())
}

/// How many hellos may follow this message, which is checked whole and in pieces.
fn look(own: Option<&[u8]>, bytes: &[u8]) -> Result<u8, Violation> {
    let run = |piece: usize| {
        let mut hellos = Hellos::default();
        if let Some(own) = own {
            hellos.sent(&[&[22, 3, 1, 0, 99], own].concat());
        }
        let mut pieces = bytes.chunks(piece);
        pieces.try_for_each(|piece| hellos.received(piece))?;
        // Only a client that offers TLS 1.3 may say hello again.
        let client = bytes.first() == Some(&CLIENT_HELLO);
        assert!(!client || hellos.offers_tls13() == (hellos.left == 1));
        Ok(hellos.left)
    };
    let whole = run(usize::MAX);
    for piece in [1, 3, 40] {
        assert_eq!(run(piece), whole, "in pieces of {piece}");
    }
    whole
}

#[test]
fn client_hello_with_old_version_or_foreign_key_share_is_refused() {
    let tls13 = &[3, 4];
    assert_eq!(look(None, &client(0x0303, &[29, 23], &[23], tls13)), Ok(1));
    assert_eq!(look(None, &client(0x0303, &[29], &[], tls13)), Ok(1));
    assert_eq!(look(None, &client(0x0303, &[29], &[29], &[3, 3])), Ok(0));
    for version in [0, 0x0002, 0x0300] {
        let old = client(version, &[29], &[29], tls13);
        assert_eq!(look(None, &old), Err(Violation::LegacyVersion));
    }
    for shares in [&[30][..], &[29, 30]] {
        let foreign = client(0x0303, &[23, 29], shares, tls13);
        assert_eq!(look(None, &foreign), Err(Violation::KeyShareGroup));
    }
}

#[test]
fn client_without_tls_1_2_and_1_3_is_refused_for_its_version() {
    let groups = || (SUPPORTED_GROUPS, with_length(&[0, 29]));
    for version in [0x0002, 0x0300, 0x0301, 0x0302] {
        let old = Err(Violation::OldVersion);
        assert_eq!(look(None, &client_with(version, &[])), old);
        assert_eq!(look(None, &client_with(version, &[groups()])), old);
        assert_eq!(look(None, &client(version, &[29], &[29], &[])), old);
        // Before TLS 1.2 there may be no extensions at all, not even their length.
        let mut plain = client_with(version, &[]);
        plain.truncate(plain.len() - 2);
        plain[3] -= 2;
        assert_eq!(look(None, &plain), old);
    }
    for versions in [&[3, 2][..], &[3, 1, 3, 2], &[0x7a, 0x7a]] {
        let old = client_with(0x0303, &[groups(), supported_versions(versions)]);
        assert_eq!(look(None, &old), Err(Violation::OldVersion), "{versions:?}");
    }
    // The last extension is cut short.
    let mut malformed = client_with(0x0302, &[groups(), groups()]);
    let length = malformed.len();
    malformed[3] -= 1;
    malformed[length - 17] -= 1;
    malformed.pop();
    assert_eq!(look(None, &malformed), Ok(0));
    // One of TLS 1.2 is left to rustls.
    for versions in [&[][..], &[supported_versions(&[3, 2, 3, 3])]] {
        for version in [0x0303, 0x0304] {
            assert_eq!(look(None, &client_with(version, versions)), Ok(0));
        }
    }
}

#[test]
fn client_of_tls_1_3_without_a_needed_extension_is_refused() {
    let needed = [
        (SIGNATURE_ALGORITHMS, "signature_algorithms", vec![4, 3]),
        (SUPPORTED_GROUPS, "supported_groups", vec![0, 29]),
        (KEY_SHARE, "key_share", Vec::new()),
    ];
    let all: Vec<_> = needed
        .iter()
        .map(|(kind, _, list)| (*kind, with_length(list)))
        .collect();
    for versions in [&[3, 4][..], &[0x7a, 0x7a, 3, 4, 3, 3]] {
        let with = |extensions: &[(u16, Vec<u8>)]| {
            let versions = [supported_versions(versions)];
            look(
                None,
                &client_with(0x0303, &[extensions, &versions].concat()),
            )
        };
        assert_eq!(with(&all), Ok(1));
        for (missing, (_, name, _)) in needed.iter().enumerate() {
            let mut rest = all.clone();
            rest.remove(missing);
            assert_eq!(with(&rest), Err(Violation::MissingExtension(name)));
        }
        // A malformed list is not a missing one.
        for malformed in [&[][..], &[0], &[0, 0], &[0, 2, 4], &[0, 3, 4, 3, 4]] {
            let mut rest = all.clone();
            rest[0].1 = malformed.to_vec();
            rest.truncate(2);
            assert_eq!(with(&rest), Ok(0), "{malformed:?}");
        }
    }
}

#[test]
fn client_does_not_check_a_client_hello() {
    let own = client(0x0303, &[29], &[29], &[3, 4]);
    assert_eq!(look(Some(&own), &client_with(0x0300, &[])), Ok(0));
}

#[test]
fn server_hello_with_another_session_id_is_refused() {
    let own = client(0x0303, &[29], &[29], &[3, 4]);
    let look = |bytes: &[u8]| look(Some(&own), bytes);
    assert_eq!(look(&server(0x0303, 7, b"id", true)), Ok(0));
    assert_eq!(look(&server(0x0303, 0, b"id", true)), Ok(1));
    assert_eq!(look(&server(0x0303, 7, b"other", false)), Ok(0));
    for id in [&b""[..], b"ie", b"id "] {
        for random in [0, 7] {
            let wrong = server(0x0303, random, id, true);
            assert_eq!(look(&wrong), Err(Violation::SessionId));
        }
    }
    let old = server(0x0300, 7, b"id", true);
    assert_eq!(look(&old), Err(Violation::LegacyVersion));
}

#[test]
fn second_client_hello_is_checked_and_a_third_is_not() {
    let good = client(0x0303, &[29], &[29], &[3, 4]);
    let bad = client(0x0303, &[29], &[30], &[3, 4]);
    let mut hellos = Hellos::default();
    assert_eq!(hellos.received(&good), Ok(()));
    assert_eq!(hellos.clone().received(&bad), Err(Violation::KeyShareGroup));
    assert_eq!(hellos.received(&good), Ok(()));
    assert!(hellos.are_over());
    assert_eq!(hellos.received(&bad), Ok(()));
}

#[test]
fn malformed_and_other_messages_are_not_checked() {
    let good = client(0x0303, &[29], &[29], &[3, 4]);
    for cut in 0..good.len() - HEADER {
        let body = &good[HEADER..HEADER + cut];
        assert!(look(None, &hello(CLIENT_HELLO, body)).is_ok(), "{cut}");
    }
    assert_eq!(look(None, &hello(11, b"x")), Ok(0));
    assert_eq!(look(None, &[1, 1, 0, 0]), Ok(0));
    assert_eq!(look(None, &[1, 0, 255, 255, 3]), Ok(2));
    // Not even if the beginning of a message that is too long looks like a bad hello.
    let mut too_long = client(0x0300, &[29], &[29], &[3, 4]);
    assert_eq!(look(None, &too_long), Err(Violation::LegacyVersion));
    too_long[1] = 1;
    assert_eq!(look(None, &too_long), Ok(0));
}
