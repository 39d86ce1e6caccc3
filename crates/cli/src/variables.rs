//! The variables that tell an engine where keys, certificates and trust anchors are, and which
//! ids it takes. They are removed from the program's environment, unless `-Z` is given.

use crate::option_spec::{Paragraph, paragraph};

/// A variable of the engines.
#[derive(Debug)]
pub struct Variable {
    /// Its name. A name that ends with a colon stands for all names that begin with it.
    pub name: &'static str,
    /// A few words for `--help`.
    pub help: &'static str,
    /// Its text in the page of the server; None if a server does not read it. An empty text
    /// means that it shares the text of the next row.
    pub server: Option<Paragraph>,
    /// Its text in the page of the client, in the same form.
    pub client: Option<Paragraph>,
}

impl Variable {
    /// Whether `name` is a name of this variable.
    pub fn is(&self, name: &[u8]) -> bool {
        if self.name.ends_with(':') {
            name.starts_with(self.name.as_bytes())
        } else {
            name == self.name.as_bytes()
        }
    }

    /// Its name, with `rest` if that stands for more than one.
    pub fn named(&self, rest: &str) -> String {
        let more = if self.name.ends_with(':') { rest } else { "" };
        format!("{}{more}", self.name)
    }
}

/// All of them.
pub static VARIABLES: &[Variable] = &[
    Variable {
        name: "KEYFILE",
        help: "file with the private key",
        server: Some(paragraph(
            "the private key, PEM or DER: PKCS#8, PKCS#1 or SEC1. The content decides which, not \
             the PEM label. RSA of 2048, 3072 or 4096 bits (exponent 65537 or more, up to 33 \
             bits), ECDSA P-256 and P-384, Ed25519; RSASSA-PSS, which works in TLS 1.3 only. \
             [Platforms](platforms.md#keys) has a table. Encrypted keys are refused. The file is \
             read once, and the buffer is wiped when TLS has its own \
             copy. `-v2` warns of a key that everybody may read (mode bit 004).",
        )),
        client: Some(paragraph("")),
    },
    Variable {
        name: "CERTFILE",
        help: "file with the chain, own certificate first",
        server: Some(paragraph(
            "the certificate, PEM or DER, or the chain in PEM, own certificate first. It must be \
             well formed and belong to the key; nothing else about it is checked.",
        )),
        client: Some(paragraph("with `-y`, key and certificate of the client.")),
    },
    Variable {
        name: "KEYFILE:",
        help: "file with the private key for this server name",
        server: Some(paragraph("")),
        client: None,
    },
    Variable {
        name: "CERTFILE:",
        help: "file with the certificate for this server name",
        server: Some(paragraph(
            "key and certificate for a name (see `-k`); `*.example.org` covers one label. Neither \
             case nor a final dot matters. A name that is not ASCII must be given as its A-label \
             (`xn--...`), as in SNIDIR; any other form never matches, and a warning says so. \
             Shells cannot export variables with such names; env(1) and s6-envdir can.",
        )),
        client: None,
    },
    Variable {
        name: "SNIDIR",
        help: "directory of keys and chains, by server name",
        server: Some(paragraph(
            "with an SNI level of 1 or more, a directory of keys and certificates; only those for \
             the name that the client asks for are opened: `NAME/privkey.pem` with \
             `NAME/fullchain.pem` (as in certbot's `live` directory), or `NAME.key` with \
             `NAME.crt` or `NAME.pem`, or `NAME.pem` with both inside; then the same for \
             `_.PARENT` and `*.PARENT`, where PARENT is NAME without its first label. \
             `KEYFILE:name` and `CERTFILE:name` come first, then SNIDIR, then the default pair. \
             A symbolic link in SNIDIR must be relative and its target in SNIDIR; links in \
             `NAME/`, such as certbot's, may lead anywhere. \
             SNIDIR implies `--key-guard`. ACME challenges are in `.acme-tls-alpn` there \
             ([ACME](acme.md)).",
        )),
        client: None,
    },
    Variable {
        name: "TICKETKEYFILE",
        help: "file with keys that seal session tickets",
        server: Some(paragraph(
            "a text file of keys for session tickets, so that clients can resume sessions with \
             this machine or any other one that has the file. Each line is a key: base64 of 32 \
             bytes or more (`openssl rand -base64 48`); blank lines and lines that begin with `#` \
             are skipped. The first key seals tickets, every key opens them: to rotate, put a new \
             line in front. Others must have no access to it (mode bits 007). A ticket is valid \
             for 12 hours, for the same server name, and while the server uses the same public \
             key. A client that resumes gets new tickets in TLS 1.3, but none opens 7 days after \
             the full handshake; in TLS 1.2 it keeps its first one, and makes a full handshake \
             when that is 12 hours old or its key is gone. Clients that are asked for a \
             certificate get no tickets; with `--key-guard` or SNIDIR, TLS 1.2 clients get none \
             either. Use one file for each service. More: [session \
             tickets](security.md#session-tickets).",
        )),
        client: None,
    },
    Variable {
        name: "CADIR",
        help: "directory of trusted CAs, instead of CAFILE",
        server: Some(paragraph("")),
        client: Some(paragraph("")),
    },
    Variable {
        name: "CAFILE",
        help: "file with trusted CA certificates",
        server: Some(paragraph(
            "trust anchors, needed with `-Y` or `-y` unless `--any-client-cert` or `--pin` is \
             given: CADIR, or else CAFILE. CADIR is a directory: if it holds names like \
             `0a1b2c3d.0` (openssl rehash), only those are read, else every file whose name does \
             not begin with a dot. Unusable entries are skipped (see Notes). Clients are sent the \
             names of the anchors, unless these exceed 63 KiB in all.",
        )),
        client: Some(paragraph(
            "trust anchors, as in s6-tlsd-io. One of them is needed, also with \
             `--no-verify-cert`, unless `--webpki-roots` or `--pin` is given, or TLSA has a usable \
             record.",
        )),
    },
    Variable {
        name: "CRLFILE",
        help: "file with revocation lists (CRLs)",
        server: Some(paragraph(
            "revocation lists (CRLs), PEM or DER, any number. Of the lists that one key of an \
             issuer has signed, the newest counts whose thisUpdate has come. Every certificate \
             below the anchor must be covered by such a list of its issuer that is not past its \
             nextUpdate, or the connection fails (see `--crl-check`). The file is read with the trust anchors; a list of version \
             1 or without nextUpdate cannot be used. A certificate that is itself an anchor, or is \
             accepted by a pin alone, is not looked up.",
        )),
        client: Some(paragraph("revocation lists, as in s6-tlsd-io.")),
    },
    Variable {
        name: "TLSA",
        help: "the server's TLSA records (DANE), one a line",
        server: None,
        client: Some(paragraph(
            "the server's TLSA records (DANE, RFC 6698), one a line: usage, selector, matching \
             type, and data in hexadecimal, as s6-tlsa sets them. If one is usable, the server \
             must match a record, and trust anchors count for usages 0 and 1 only: see \
             [DANE](dane.md). Usages 0 to 2 need a server name: TLSADOMAIN or `-k`. A malformed \
             line is wrong usage (100).",
        )),
    },
    Variable {
        name: "TLSADOMAIN",
        help: "name under which the TLSA records were found",
        server: None,
        client: Some(paragraph(
            "with TLSA, the name under which the records were found, the TLSA base domain. It is \
             sent (SNI) instead of the name of `-k`; for usages 0 to 2 the certificate must \
             contain one of the two.",
        )),
    },
    Variable {
        name: "TLSAREQUIRED",
        help: "if set, TLSA must have a usable record",
        server: None,
        client: Some(paragraph(
            "if set, to any value, it is an error (100) if TLSA is unset or has no usable record. \
             `s6-tlsa --required` sets it.",
        )),
    },
    Variable {
        name: "OCSPFILE",
        help: "file with the OCSP response for CERTFILE",
        server: Some(paragraph("")),
        client: None,
    },
    Variable {
        name: "OCSPFILE:",
        help: "file with the OCSP response for this name",
        server: Some(paragraph(
            "an OCSP response in DER (`openssl ocsp -respout`), stapled to the certificate of \
             CERTFILE, or of `CERTFILE:name`, for clients that ask for it. Its content is not \
             checked. If the file is missing, or not one DER SEQUENCE, a warning says so and no \
             response is sent.",
        )),
        client: None,
    },
    Variable {
        name: "TLS_UID",
        help: "for root: numeric user id of the TLS process",
        server: Some(paragraph("")),
        client: Some(paragraph("")),
    },
    Variable {
        name: "TLS_GID",
        help: "for root: numeric group id of the TLS process",
        server: Some(paragraph(
            "started as root, the engine takes these numeric ids (`id -u name`) and clears its \
             supplementary groups, after it has read the key and before it reads trust anchors. \
             `TLS_UID` without `TLS_GID` leaves gid 0; s6-tlsserver warns of it.",
        )),
        client: Some(paragraph("as in s6-tlsd-io.")),
    },
];

/// The ids that s6-applyuidgid takes with `-U`.
pub(crate) const IDS: &[(&str, &str)] = &[
    ("UID", "numeric user id for -U"),
    ("GID", "numeric group id for -U"),
    ("GIDLIST", "numeric supplementary groups for -U"),
];

/// The configuration of the resolver.
pub(crate) const RESOLVER: &[(&str, &str)] =
    &[("DNSCACHEIP", "DNS servers, instead of /etc/resolv.conf's")];

/// How the resolver qualifies names.
pub(crate) const QUALIFICATION: &[(&str, &str)] = &[(
    "DNSQUALIFY",
    "suffixes for -n, instead of /etc/resolv.conf's",
)];

/// The connection, as s6-tcpserverd describes it.
pub(crate) const CONNECTION: &[(&str, &str)] = &[
    ("PROTO", "prefix of the connection's variables"),
    ("${PROTO}REMOTEIP", "address of the client"),
    ("${PROTO}REMOTEPORT", "port of the client"),
    ("${PROTO}LOCALIP", "our address"),
    ("${PROTO}LOCALPORT", "our port"),
];

/// Where a service manager hears that its service ends (sd_notify(3)).
pub(crate) const SERVICE_MANAGER: &[(&str, &str)] = &[(
    "NOTIFY_SOCKET",
    "socket of the service manager, for --drain",
)];

/// The peer's address, as the engines' log line has it.
pub(crate) const PEER: &[(&str, &str)] = &[
    ("PROTO", "prefix of the next two variables (default: TCP)"),
    ("${PROTO}REMOTEIP", "address of the peer, for the log line"),
    ("${PROTO}REMOTEPORT", "port of the peer, for the log line"),
];

/// What proxy-server saves before s6-tlsd runs.
pub(crate) const SAVED: &[(&str, &str)] =
    &[("tlsbak_SSL_*", "saved by --before-tlsd for --after-tlsd")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_ends_with_a_colon_stands_for_all_that_begin_with_it() {
        let named = |name: &str| -> Vec<&str> {
            let variables = VARIABLES.iter();
            let found = variables.filter(|variable| variable.is(name.as_bytes()));
            found.map(|variable| variable.name).collect()
        };
        for (name, variable) in [
            ("KEYFILE", "KEYFILE"),
            ("KEYFILE:", "KEYFILE:"),
            ("KEYFILE:a.test", "KEYFILE:"),
            ("TLS_UID", "TLS_UID"),
        ] {
            assert_eq!(named(name), [variable]);
        }
        for other in ["KEYFILE2", "KEY", "keyfile", "XKEYFILE", "PATH", ""] {
            assert!(named(other).is_empty(), "{other}");
        }
    }
}
