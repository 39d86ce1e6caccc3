//! What records say of a server: which of them accepts it, or why none does.

use super::*;

/// The record with these fields and all of `selected`.
fn whole(fields: &str, selected: &[u8]) -> String {
    let hex: String = selected.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{fields} {hex}\n")
}

/// The record with these fields and the SHA-256 digest of `selected`.
fn digest(fields: &str, selected: &[u8]) -> String {
    whole(fields, &crypto::digest(Hash::Sha256, selected))
}

/// What becomes of a host, which sends its issuer.
struct Judgement {
    result: Result<(), Error>,
    /// The fields of the record that accepts it.
    by: Option<String>,
    /// The text for the message.
    why: Option<String>,
}

impl Judgement {
    /// Whether no record describes the server, with the text that says so.
    fn is_no_match(&self) -> bool {
        let text = "no TLSA record matches the remote certificate SHA256:";
        let why = self.why.as_deref().unwrap_or_default();
        self.result == Err(CertificateError::NotValidForName.into()) && why.starts_with(text)
    }
}

/// A host and its issuers. Each certificate is signed once: no two signatures are equal.
struct Host {
    leaf: CertificateDer<'static>,
    issuer: CertificateDer<'static>,
    root: CertificateDer<'static>,
    root_key: Vec<u8>,
}

impl Host {
    fn of(world: &World) -> Self {
        let leaf = (world.leaf.clone()).with(alternative_name(DNS_NAME, b"host.test"));
        Self {
            leaf: leaf.signed(&world.issuer_key),
            issuer: world.issuer.signed(&world.root_key),
            root: world.root.signed(&world.root_key),
            root_key: world.root_key.info(),
        }
    }

    /// By these records, and by the root as an anchor of the client.
    fn anchored(&self, records: &[String]) -> Judgement {
        self.judge(records, Some(anchors(&[&self.root])))
    }

    /// By these records alone.
    fn by_records(&self, records: &[String]) -> Judgement {
        self.judge(records, None)
    }

    fn judge(&self, records: &[String], anchors: Option<Anchors>) -> Judgement {
        let mut context = testing::context();
        context.env.set("TLSA", records.concat());
        let dane = Dane::from_environment(&context, true).unwrap().unwrap();
        let policy = VerificationPolicy {
            anchors,
            ..VerificationPolicy::default()
        };
        let name = ServerName::try_from("host.test").unwrap();
        let result = dane.verify(&PresentedServer {
            end_entity: &self.leaf,
            intermediates: std::slice::from_ref(&self.issuer),
            names: vec![&name],
            policy: &policy,
            now: now(),
            algorithms: &crypto::signature_algorithms(),
        });
        let (by, why) = (policy.facts.tlsa(), policy.facts.refusal());
        Judgement { result, by, why }
    }

    /// Records of usage 2 that make the root an anchor. The server does not send it.
    fn own_anchors(&self) -> [String; 2] {
        [whole("2 0 0", &self.root), whole("2 1 0", &self.root_key)]
    }
}

/// The certificate of a CA with this pathLenConstraint, or none.
fn limited(subject: &'static str, key: &Key, path_length: u8) -> Cert {
    let content = [der(BOOLEAN, &[&[0xff]]), der(INTEGER, &[&[path_length]])];
    let constraints = der(SEQUENCE, &[&content[0], &content[1]]);
    Cert::leaf(subject, subject, key).with(extension(BASIC_CONSTRAINTS, &constraints))
}

#[test]
fn a_record_of_usage_2_is_an_anchor_for_the_chain() {
    let world = World::new();
    let host = Host::of(&world);
    let issuer_key = world.issuer_key.info();
    let [root, root_key] = host.own_anchors();
    for record in [
        whole("2 0 0", &host.issuer),
        whole("2 1 0", &issuer_key),
        digest("2 0 1", &host.issuer),
        digest("2 1 1", &issuer_key),
        root,
        root_key,
    ] {
        let judged = host.by_records(std::slice::from_ref(&record));
        assert_eq!(judged.result, Ok(()), "{record}");
        let label = record[..5].replace(' ', "-");
        assert_eq!((judged.by, judged.why), (Some(label), None));
    }
}

#[test]
fn a_record_of_usage_2_that_the_chain_does_not_lead_to_accepts_nothing() {
    let world = World::new();
    let host = Host::of(&world);
    let other = Key::new();
    for record in [
        // A digest is no anchor, and the server does not send the root.
        digest("2 0 1", &host.root),
        digest("2 1 1", &host.root_key),
        digest("2 1 1", &other.info()),
        // The server's own certificate is no anchor, and neither is one that may not issue others.
        digest("2 1 1", &world.leaf.key),
        whole(
            "2 0 0",
            &Cert::leaf("root", "root", &world.root_key).signed(&world.root_key),
        ),
    ] {
        let judged = host.by_records(std::slice::from_ref(&record));
        assert!(judged.is_no_match(), "{record}: {:?}", judged.result);
        assert_eq!(judged.by, None);
    }
    for record in [
        whole(
            "2 0 0",
            &Cert::authority("root", "root", &other).signed(&other),
        ),
        whole("2 1 0", &other.info()),
    ] {
        let judged = host.by_records(std::slice::from_ref(&record));
        assert!(judged.result.is_err(), "{record}");
        assert_eq!(judged.by, None);
    }
}

#[test]
fn the_record_whose_anchor_the_chain_leads_to_accepts_it() {
    let host = Host::of(&World::new());
    let other = Key::new();
    let others = [
        whole(
            "2 0 0",
            &Cert::authority("root", "root", &other).signed(&other),
        ),
        digest("2 0 1", &host.root),
    ];
    for (record, label) in host.own_anchors().into_iter().zip(["2-0-0", "2-1-0"]) {
        for other in &others {
            for records in [[other, &record], [&record, other]] {
                let judged = host.by_records(&records.map(String::clone));
                assert_eq!((judged.result, judged.by.as_deref()), (Ok(()), Some(label)));
            }
        }
    }
}

#[test]
fn an_anchor_in_a_record_limits_how_many_issuers_are_below_it() {
    for (path_length, accepted) in [(0, false), (1, true), (2, true)] {
        let mut world = World::new();
        world.root = limited("root", &world.root_key, path_length);
        let host = Host::of(&world);
        let judged = host.by_records(&[whole("2 0 0", &host.root)]);
        assert_eq!(judged.result.is_ok(), accepted, "{path_length}");
        assert_eq!(judged.by.is_some(), accepted, "{path_length}");
    }
}

#[test]
fn a_key_in_a_record_has_the_limits_of_its_certificate_if_the_server_sends_it() {
    for (name, accepted) in [("host.test", true), ("other.test", false)] {
        let mut world = World::new();
        world.issuer = world.issuer.with(permits_only(DNS_NAME, name.as_bytes()));
        let record = whole("2 1 0", &world.issuer_key.info());
        let judged = Host::of(&world).by_records(&[record]);
        assert_eq!(judged.result.is_ok(), accepted, "{name}");
    }
}

#[test]
fn a_chain_to_an_anchor_that_a_record_describes_is_refused_for_its_fault() {
    let mut world = World::new();
    world.leaf.dates[1] = "20240601000000Z";
    let host = Host::of(&world);
    let [root, root_key] = host.own_anchors();
    for record in [root, root_key, digest("0 0 1", &host.root)] {
        let judged = host.anchored(std::slice::from_ref(&record));
        let result = format!("{:?}", judged.result);
        assert!(result.contains("Expired"), "{record} {result}");
        assert_eq!((judged.by, judged.why), (None, None));
    }
}

#[test]
fn a_chain_to_a_usual_anchor_needs_an_issuer_that_a_record_describes() {
    let host = Host::of(&World::new());
    for record in [
        digest("0 0 1", &host.leaf),
        digest("0 1 1", &Key::new().info()),
    ] {
        let judged = host.anchored(std::slice::from_ref(&record));
        assert!(judged.is_no_match(), "{record}: {:?}", judged.result);
    }
    for described in [&host.issuer, &host.root] {
        let judged = host.anchored(&[digest("0 0 1", described)]);
        let by = judged.by.as_deref();
        assert_eq!((judged.result, by), (Ok(()), Some("0-0-1")));
    }
}

#[test]
fn a_record_of_another_usage_accepts_what_one_of_usage_2_refuses() {
    let mut world = World::new();
    world.root = limited("root", &world.root_key, 0);
    let host = Host::of(&world);
    let own = whole("2 0 0", &host.root);
    let refused = host.anchored(std::slice::from_ref(&own));
    assert!(refused.result.is_err());
    let judged = host.anchored(&[own, digest("0 0 1", &host.root)]);
    let by = judged.by.as_deref();
    assert_eq!((judged.result, by), (Ok(()), Some("0-0-1")));
}
