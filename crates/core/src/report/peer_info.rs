//! What `--peer-info` tells of the peer's certificate, under the names and in
//! the forms of mod_ssl.
//!
//! x509-cert reads it. It takes what RFC 5280 allows: of a certificate that
//! strays from that, only the PEM is passed on.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use x509_cert::certificate::{CertificateInner, Raw, TbsCertificateInner};
use x509_cert::der::asn1::Any;
use x509_cert::der::{DateTime, Decode, Tag, Tagged};
use x509_cert::name::Name;

use crate::report::env_block::EnvBlock;
use crate::report::rfc4514;

/// A certificate with a serial number of any length.
pub type Certificate = CertificateInner<Raw>;

/// How a peer's certificate came to be accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verification {
    /// By trust anchors, or by a pin.
    Verified,
    /// Without a look at who issued it.
    Unverified,
}

/// The attributes of a name that get variables of their own, as they are
/// called there and in the name.
const ATTRIBUTES: [(&str, &str); 8] = [
    ("C", "C"),
    ("ST", "ST"),
    ("L", "L"),
    ("O", "O"),
    ("OU", "OU"),
    ("CN", "CN"),
    ("UID", "UID"),
    ("Email", "emailAddress"),
];

/// The kinds of subjectAltName (RFC 5280 section 4.2.1.6), by their tags.
const ALTERNATIVE_NAMES: [(&str, u32); 4] = [("DNS", 2), ("Email", 1), ("URI", 6), ("IP", IP)];
const IP: u32 = 7;

const SUBJECT_ALT_NAME: &str = "2.5.29.17";

/// Three letters each.
const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// Says all there is about the `chain` that the peer sent, its own
/// certificate first, in variables that begin with `prefix`.
pub fn say(
    env_block: &mut EnvBlock,
    prefix: &str,
    chain: &[CertificateDer<'_>],
    verification: Verification,
) {
    let verify = match (chain, verification) {
        ([], _) => "NONE",
        (_, Verification::Verified) => "SUCCESS",
        (_, Verification::Unverified) => "GENEROUS",
    };
    env_block.say(&format!("{prefix}_VERIFY"), Some(verify));
    let own = chain
        .first()
        .and_then(|der| Certificate::from_der(der).ok());
    say_fields(
        env_block,
        prefix,
        own.as_ref().map(CertificateInner::tbs_certificate),
    );
    let mut chain = chain.iter().map(|der| pem(der));
    env_block.say(&format!("{prefix}_CERT"), chain.next().as_deref());
    let chain: Vec<String> = chain.collect();
    env_block.say_each(&format!("{prefix}_CERT_CHAIN"), &chain);
}

/// Every field is named, so that what is not there is unset.
fn say_fields(
    env_block: &mut EnvBlock,
    prefix: &str,
    certificate: Option<&TbsCertificateInner<Raw>>,
) {
    let mut say = |name: &str, value: Option<String>| {
        env_block.say(&format!("{prefix}_{name}"), value.as_deref());
    };
    let version = certificate.map(|certificate| (certificate.version() as u8 + 1).to_string());
    say("M_VERSION", version);
    let number = certificate.map(|certificate| serial(certificate.serial_number().as_bytes()));
    say("M_SERIAL", number);
    let subject = certificate.map(TbsCertificateInner::subject);
    let issuer = certificate.map(TbsCertificateInner::issuer);
    for (which, name) in [("S_DN", subject), ("I_DN", issuer)] {
        say(which, name.and_then(rfc4514::distinguished_name));
        for (suffix, kind) in ATTRIBUTES {
            let value = name.and_then(|name: &Name| rfc4514::first_value(name, kind));
            say(&format!("{which}_{suffix}"), value);
        }
    }
    let validity = certificate.map(TbsCertificateInner::validity);
    let start = validity.map(|validity| date(&validity.not_before.to_date_time()));
    say("V_START", start);
    let end = validity.map(|validity| date(&validity.not_after.to_date_time()));
    say("V_END", end);
    let alternative = certificate.map(alternative_names).unwrap_or_default();
    for (kind, tag) in ALTERNATIVE_NAMES {
        let of_kind = alternative.iter().filter(|name| number_of(name) == tag);
        let values: Vec<String> = of_kind.filter_map(alternative_name).collect();
        env_block.say_each(&format!("{prefix}_SAN_{kind}"), &values);
    }
}

/// An INTEGER in hex, two digits a byte. Below zero, which no number should
/// be, it has a sign: without that it could pass for another one.
fn serial(integer: &[u8]) -> String {
    let negative = integer.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut bytes = integer.to_vec();
    if negative {
        let mut carry = true;
        for byte in bytes.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    let digits = rfc4514::hex(&bytes);
    let shown = match digits.strip_prefix("00") {
        Some(rest) if !rest.is_empty() => rest,
        _ => &digits,
    };
    let sign = if negative { "-" } else { "" };
    format!("{sign}{shown}")
}

/// The names of the subjectAltName, whatever their kind.
fn alternative_names(certificate: &TbsCertificateInner<Raw>) -> Vec<Any> {
    let mut extensions = certificate.extensions().into_iter().flatten();
    let names = extensions.find(|extension| extension.extn_id.to_string() == SUBJECT_ALT_NAME);
    let names = names.and_then(|names| Vec::from_der(names.extn_value.as_bytes()).ok());
    names.unwrap_or_default()
}

fn number_of(name: &Any) -> u32 {
    match name.tag() {
        Tag::ContextSpecific { number, .. } => number.value(),
        _ => u32::MAX,
    }
}

/// A name of one of the [`ALTERNATIVE_NAMES`]; None for an address that is
/// neither of IPv4 nor of IPv6.
fn alternative_name(name: &Any) -> Option<String> {
    let bytes = name.value();
    if number_of(name) != IP {
        return Some(rfc4514::plain(&rfc4514::latin1(bytes)));
    }
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.ok().map(|address| address.to_string())
}

/// A date as OpenSSL prints it.
fn date(date: &DateTime) -> String {
    let month = 3 * usize::from(date.month());
    let month = month.checked_sub(3).and_then(|at| MONTHS.get(at..month));
    format!(
        "{} {:>2} {:02}:{:02}:{:02} {} GMT",
        month.unwrap_or("???"),
        date.day(),
        date.hour(),
        date.minutes(),
        date.seconds(),
        date.year()
    )
}

/// A certificate as a PEM file (RFC 7468 section 5).
fn pem(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let base64 = STANDARD.encode(der);
    for line in base64.as_bytes().chunks(64) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests;
