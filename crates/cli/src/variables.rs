//! The variables that tell an engine about keys, certificates, trust anchors
//! and its identity. The program behind the engine does not see them, unless
//! it is to.

use crate::option_spec::paragraph;

/// A variable of the engines.
#[derive(Debug)]
pub struct Variable {
    /// Its name. One that ends with a colon stands for all that begin so.
    pub name: &'static str,
    /// What it is to a server, for the pages; None if it is nothing. Without
    /// a text of its own it shares that of the row below.
    pub server: Option<&'static str>,
    /// The same for a client.
    pub client: Option<&'static str>,
}

impl Variable {
    /// Whether it has this name.
    pub fn is(&self, name: &[u8]) -> bool {
        if self.name.ends_with(':') {
            name.starts_with(self.name.as_bytes())
        } else {
            name == self.name.as_bytes()
        }
    }
}

/// All of them.
pub static VARIABLES: &[Variable] = &[
    Variable {
        name: "KEYFILE",
        server: Some(paragraph(
            "the private key, PEM or DER: PKCS#8, PKCS#1 or SEC1, by its content, whatever the \
             label says. RSA of 2048, 3072 or 4096 bits with exponent 65537 (or more, up to 33 \
             bits), ECDSA P-256 and P-384, Ed25519. Encrypted keys and those of type RSASSA-PSS are refused. It is read once; \
             what was read is wiped when TLS has its own copy. `-v2` warns of a key that \
             everybody may read (mode 004).",
        )),
        client: Some(""),
    },
    Variable {
        name: "CERTFILE",
        server: Some(paragraph(
            "the certificate, PEM or DER, or in PEM the chain: own certificate first. It has to be \
             that of the key; nothing else about it is checked.",
        )),
        client: Some(paragraph("with `-y`, the client certificate.")),
    },
    Variable {
        name: "KEYFILE:",
        server: Some(""),
        client: None,
    },
    Variable {
        name: "CERTFILE:",
        server: Some(paragraph(
            "a pair for a name (see `-k`); `*.example.org` covers one label. Neither \
             case nor a final dot matters. A name that is not ASCII is given as its A-label \
             (`xn--...`), as in SNIDIR; of others there is a warning. Shells cannot export such names; env(1) and s6-envdir can.",
        )),
        client: None,
    },
    Variable {
        name: "SNIDIR",
        server: Some(paragraph(
            "with an SNI level of 1 or more, a directory of pairs, of which only the one for the \
             name is opened, when the client asks for it: `NAME/privkey.pem` with \
             `NAME/fullchain.pem` (certbot's `live` directory as it stands), or `NAME.key` with \
             `NAME.crt` or `NAME.pem`, or `NAME.pem` with both inside; then the same for \
             `_.PARENT` and `*.PARENT`, where PARENT is NAME without its first label. Pairs for \
             names come first, then SNIDIR, then the default pair. It implies `--key-guard`.",
        )),
        client: None,
    },
    Variable {
        name: "TICKETKEYFILE",
        server: Some(paragraph(
            "a text file of keys for session tickets, so that clients resume sessions, with this \
             machine or another one that has the file: a line for each, base64 of 32 bytes or \
             more (`openssl rand -base64 48`); blank lines and those that begin with `#` are \
             skipped. The first seals, all open: to rotate, put a new line in front. Nobody but \
             owner and group may have access to it (mode 007). A ticket is good for 12 hours, for \
             the same server name, and as long as the same public key is shown. Clients that \
             are asked for a certificate get none, nor do those of TLS 1.2 with `--key-guard` \
             or SNIDIR. One file for each service; what else to know of it: [session \
             tickets](security.md#session-tickets).",
        )),
        client: None,
    },
    Variable {
        name: "CADIR",
        server: Some(""),
        client: Some(""),
    },
    Variable {
        name: "CAFILE",
        server: Some(paragraph(
            "trust anchors, with `-Y` or `-y`, unless `--any-client-cert` or `--pin` does without: \
             CADIR, or else CAFILE. CADIR is a directory: if \
             it holds names like `0a1b2c3d.0` (openssl rehash) exactly those are read, else \
             every file that does not begin with a dot. Unusable entries are skipped (see Notes). \
             Clients are told the names of the anchors, unless these exceed 63 KiB together.",
        )),
        client: Some(paragraph(
            "trust anchors, as in s6-tlsd-io. One of them is needed, also with \
             `--no-verify-cert`, unless `--webpki-roots` or `--pin` is given.",
        )),
    },
    Variable {
        name: "CRLFILE",
        server: Some(paragraph(
            "revocation lists (CRLs), PEM or DER, as many as there are; of those that one key of an \
             issuer has signed the newest counts. Every certificate below the anchor must be covered by one of its issuer that \
             is not past its nextUpdate, or there is no connection (see `--crl-check`). Read with \
             the trust anchors; a list of version 1 or without nextUpdate cannot be used. A \
             certificate that is itself an anchor, or accepted by a pin alone, is not looked up.",
        )),
        client: Some(paragraph("revocation lists, as in s6-tlsd-io.")),
    },
    Variable {
        name: "OCSPFILE",
        server: Some(""),
        client: None,
    },
    Variable {
        name: "OCSPFILE:",
        server: Some(paragraph(
            "an OCSP response in DER (`openssl ocsp -respout`), stapled to the certificate of \
             CERTFILE, or of `CERTFILE:name`, for clients that ask for it. It is not looked into. \
             A file that is missing, or not one DER SEQUENCE, is a warning and no response.",
        )),
        client: None,
    },
    Variable {
        name: "TLS_UID",
        server: Some(""),
        client: Some(""),
    },
    Variable {
        name: "TLS_GID",
        server: Some(paragraph(
            "as root, the engine takes these ids and clears its supplementary groups, after it \
             has read the key and before it reads trust anchors. They are \
             numbers (`id -u name`). `TLS_UID` without `TLS_GID` leaves gid 0; s6-tlsserver warns \
             of it.",
        )),
        client: Some(paragraph("as in s6-tlsd-io.")),
    },
];
