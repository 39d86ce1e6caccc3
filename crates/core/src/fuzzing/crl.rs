//! Revocation lists: as they are, and with signatures that make changed ones count.

use std::cmp::Reverse;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cli::CrlCheck;
use pki::read;
use pki::x509::crl::{RevocationList, Signed};
use pki::x509::der::{BIT_STRING, SEQUENCE, element_of};
use rustls::pki_types::{CertificateDer, UnixTime, alg_id};
use rustls::sign::SigningKey;
use rustls::{CertificateError, Error, SignatureScheme};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage,
    RevocationOptionsBuilder, anchor_from_trusted_cert,
};

use super::block;
use crate::crypto;
use crate::verify::chain::Chain;
use crate::verify::crl::RevocationLists;
use crate::verify::trust_anchors::Anchors;

/// A certificate that the lists of the seeds revoke, and its issuer's.
const REVOKED: &[u8] = include_bytes!("../../../pki/src/testdata/revoked.pem");

/// The private key and the certificate of a CA, and a certificate that it has issued.
const ISSUED: &[u8] = include_bytes!("../testdata/crl.pem");

/// A file of revocation lists: a certificate that every list of its issuer names is
/// not accepted. The lists mean the same in PEM and in DER. If the CA had signed them, what they
/// accept webpki would accept, too.
pub fn crl(input: &[u8]) -> bool {
    let Ok(lists) = RevocationLists::parse(input, CrlCheck::Chain) else {
        return false;
    };
    let mut shown = read::certificates(REVOKED).unwrap();
    let leaf = shown.remove(0);
    // Of an anchor only the dates would be checked: the leaf must not be one.
    let begin = b"-----BEGIN";
    let issuer = REVOKED.windows(begin.len()).rposition(|at| at == begin);
    let anchors = Anchors::parse(&REVOKED[issuer.unwrap()..]).unwrap();
    let verdict = |lists: &RevocationLists| verdict(&leaf, &anchors, lists);
    let with_lists = verdict(&lists);
    assert!(with_lists.is_err());
    let ders = read::revocation_lists(input).unwrap();
    let again: String = ders.iter().map(|der| block("X509 CRL", der)).collect();
    for file in [again.into_bytes(), ders.concat()] {
        assert_eq!(read::revocation_lists(&file[..]).as_ref(), Ok(&ders));
        let read = RevocationLists::parse(file, CrlCheck::Chain).unwrap();
        assert!(facts(&read).eq(facts(&lists)));
        assert_eq!(verdict(&read), with_lists);
    }
    let signed = signed_lists(&ders);
    with_lists == Err(CertificateError::Revoked.into()) || signed
}

fn verdict(
    end_entity: &CertificateDer<'_>,
    anchors: &Anchors,
    lists: &RevocationLists,
) -> Result<(), Error> {
    let chain = Chain {
        end_entity,
        intermediates: &[],
        usage: KeyUsage::server_auth(),
        common_name_counts: false,
    };
    let algorithms = crypto::signature_algorithms();
    chain.verify(anchors, Some(lists), now(), &algorithms, drop)
}

/// In 2038.
fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1 << 31))
}

/// What lists say of themselves.
fn facts(lists: &RevocationLists) -> impl Iterator<Item = (String, i64, i64)> {
    let facts = lists
        .each(now())
        .map(|list| (list.issuer, list.this_update, list.next_update));
    facts.map(|(issuer, from, until)| (issuer, from.seconds(), until.seconds()))
}

/// Judges lists with the content of these, signed by the CA. Whether they accept its certificate.
fn signed_lists(lists: &[Vec<u8>]) -> bool {
    let certificates = read::certificates(ISSUED).unwrap();
    let [ca, leaf] = &certificates[..] else {
        unreachable!("there are two")
    };
    let anchors = Anchors::parse(&block("CERTIFICATE", ca).into_bytes()).unwrap();
    let lists: Vec<Vec<u8>> = lists.iter().filter_map(|list| signed(list)).collect();
    let judge = |ders: Vec<u8>| {
        let lists = RevocationLists::parse(ders, CrlCheck::Chain).ok()?;
        Some(verdict(leaf, &anchors, &lists))
    };
    let Some(together) = judge(lists.concat()) else {
        return false;
    };
    let unknown = Err(CertificateError::UnknownRevocationStatus.into());
    let mut judged = Vec::new();
    for list in lists {
        let alone = judge(list.clone()).unwrap();
        let other = webpki_verdict(leaf, ca, &list);
        assert!(alone.is_err() || other == Ok(()), "{other:?}");
        if alone != unknown {
            let issued = RevocationList::parse(&list).unwrap().this_update.seconds();
            judged.push((issued, alone));
        }
    }
    // The newest list that says something decides.
    judged.sort_by_key(|(issued, _)| Reverse(*issued));
    match &judged[..] {
        [] => assert_eq!(together, unknown),
        [(newest, _), (next, _), ..] if newest == next => {}
        [(_, newest), ..] => assert_eq!(together, *newest),
    }
    together.is_ok()
}

/// The list with a signature by the CA.
fn signed(list: &[u8]) -> Option<Vec<u8>> {
    static KEY: OnceLock<Arc<dyn SigningKey>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let key = read::private_key(ISSUED).unwrap();
        crypto::signing_key(&key).unwrap()
    });
    let message = Signed::parse(list)?.message;
    let signer = key.choose_scheme(&[SignatureScheme::ED25519]).unwrap();
    let signature = signer.sign(message).unwrap();
    let algorithm = element_of(SEQUENCE, &[alg_id::ED25519.as_ref()])?;
    let bits = element_of(BIT_STRING, &[&[0], &signature])?;
    element_of(SEQUENCE, &[message, &algorithm, &bits])
}

/// What webpki says of the certificate with this list.
fn webpki_verdict(
    leaf: &CertificateDer<'_>,
    ca: &CertificateDer<'_>,
    list: &[u8],
) -> Result<(), webpki::Error> {
    let list = BorrowedCertRevocationList::from_der(list)?;
    let lists = CertRevocationList::from(list);
    let lists = [&lists];
    let builder = RevocationOptionsBuilder::new(&lists).unwrap();
    let options = builder
        .with_expiration_policy(ExpirationPolicy::Enforce)
        .build();
    let roots = [anchor_from_trusted_cert(ca).unwrap()];
    let leaf = EndEntityCert::try_from(leaf).unwrap();
    let (all, usage) = (crypto::signature_algorithms().all, KeyUsage::server_auth());
    let path = leaf.verify_for_usage(all, &roots, &[], now(), usage, Some(options), None);
    path.map(drop)
}

#[cfg(test)]
mod tests {
    #[test]
    fn crl() {
        inputs::run("crl", 2000, super::crl);
    }
}
