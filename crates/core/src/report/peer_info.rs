//! The variables of `--peer-info` about the peer's certificate, with the names and
//! forms of mod_ssl.
//!
//! A certificate that does not follow RFC 5280 in every part gives only its PEM.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pki::x509::Certificate;
use pki::x509::alternative_names::ip_address;
use pki::x509::name::latin1;
use pki::x509::rfc4514;
use rustls::pki_types::CertificateDer;

use crate::report::env_block::EnvBlock;

/// How the peer's certificate was accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verification {
    /// By trust anchors or by a pin.
    Verified,
    /// Without verification of its issuer.
    Unverified,
}

/// The attributes of a name that have variables: the end of the variable's name,
/// and the attribute type.
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

/// The kinds of GeneralName (RFC 5280 section 4.2.1.6) that have variables, and
/// their numbers.
const ALTERNATIVE_NAMES: [(&str, u8); 4] = [("DNS", 2), ("Email", 1), ("URI", 6), ("IP", IP)];
const IP: u8 = 7;

/// Adds all variables about the `chain` that the peer sent, its own certificate
/// first. Their names begin with `prefix`.
pub fn add(
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
    env_block.set(&format!("{prefix}_VERIFY"), Some(verify));
    let own = chain.first().and_then(|der| Certificate::parse_strict(der));
    add_fields(env_block, prefix, own.as_ref());
    let mut chain = chain.iter().map(|der| pem(der));
    env_block.set(&format!("{prefix}_CERT"), chain.next().as_deref());
    let chain: Vec<String> = chain.collect();
    env_block.set_each(&format!("{prefix}_CERT_CHAIN"), &chain);
}

/// Adds a variable for each field. Fields that the certificate does not have are
/// unset.
fn add_fields(env_block: &mut EnvBlock, prefix: &str, certificate: Option<&Certificate<'_>>) {
    let mut set = |name: &str, value: Option<String>| {
        env_block.set(&format!("{prefix}_{name}"), value.as_deref());
    };
    let version = certificate.map(|certificate| certificate.version().to_string());
    set("M_VERSION", version);
    let number = certificate.map(|certificate| serial(certificate.serial_number()));
    set("M_SERIAL", number);
    let subject = certificate.map(Certificate::subject);
    let issuer = certificate.map(Certificate::issuer);
    for (which, name) in [("S_DN", subject), ("I_DN", issuer)] {
        set(which, name.and_then(|name| name.rfc4514()));
        for (suffix, kind) in ATTRIBUTES {
            let value = name.and_then(|name| name.first_value(kind));
            set(&format!("{which}_{suffix}"), value);
        }
    }
    let dates = certificate.map(|certificate| certificate.dates().map(|date| date.to_string()));
    let [start, end] = dates.map_or([None, None], |dates| dates.map(Some));
    set("V_START", start);
    set("V_END", end);
    let names = certificate
        .into_iter()
        .flat_map(Certificate::alternative_names);
    let names: Vec<_> = names.collect();
    for (kind, number) in ALTERNATIVE_NAMES {
        let of_kind = names.iter().filter(|(found, _)| *found == number);
        let values = of_kind.filter_map(|(number, name)| alternative_name(*number, name));
        let values: Vec<String> = values.collect();
        env_block.set_each(&format!("{prefix}_SAN_{kind}"), &values);
    }
}

/// An INTEGER in hex, two digits a byte. RFC 5280 does not allow negative serial
/// numbers; they have a minus sign, so that they differ from positive ones.
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

/// The text of a GeneralName. None for an address that is neither IPv4 nor IPv6.
fn alternative_name(number: u8, name: &[u8]) -> Option<String> {
    if number == IP {
        return ip_address(name).map(|address| address.to_string());
    }
    Some(rfc4514::plain(&latin1(name)))
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
