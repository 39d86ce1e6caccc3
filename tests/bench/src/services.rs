//! What servers are to serve, and why some of them cannot.

use rustls::version::{TLS12, TLS13};

use crate::peers::Kind;
use crate::turn::{Task, Way};

/// What a server is to serve.
pub struct Service<'a> {
    /// The name of key and certificate.
    pub key: &'a str,
    /// Whether clients have to show a certificate.
    pub client_certificate: bool,
    /// What is between the network and the program.
    pub chain: Chain,
    /// How many pairs of key and certificate the server chooses from by name. 0: none.
    pub pairs: usize,
    /// Whether sessions are resumed, if that takes a setting.
    pub tickets: bool,
    /// The program and its arguments, without blanks.
    pub program: &'a [&'a str],
}

/// What is between the network and the program, and the program.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Chain {
    /// No more than is needed, and echo.
    Plain,
    /// As `Plain`, with the smallest program.
    Smallest,
    /// A change of identity.
    Identity,
    /// Rules on addresses.
    Access,
    /// The key in another process.
    Guarded,
    /// As `Guarded`, with the pair from a directory. The index of the number of pairs.
    Directory(usize),
}

/// A kind of full handshake, and its rows.
pub struct Handshakes {
    /// Connections/s, CPU and page faults.
    pub rows: [&'static str; 3],
    /// The protocol.
    pub version: &'static rustls::SupportedProtocolVersion,
    /// The name of the server's key.
    pub key: &'static str,
    /// Whether the client shows a certificate.
    pub client_certificate: bool,
    /// Whether keys are exchanged by X25519MLKEM768.
    pub hybrid: bool,
    /// What runs.
    pub chain: Chain,
}

/// Full handshakes of TLS 1.3 with a P-256 key, in the rows that begin with `$id`.
macro_rules! handshakes {
    ($id:literal) => {
        Handshakes {
            rows: [
                concat!($id, ".rate"),
                concat!($id, ".cpu"),
                concat!($id, ".faults"),
            ],
            version: &TLS13,
            key: "p256",
            client_certificate: false,
            hybrid: false,
            chain: Chain::Plain,
        }
    };
}

/// The full handshakes. The first is the base of all others.
pub static HANDSHAKES: [Handshakes; 13] = [
    handshakes!("tls13"),
    Handshakes {
        hybrid: true,
        ..handshakes!("hybrid")
    },
    Handshakes {
        version: &TLS12,
        ..handshakes!("tls12")
    },
    Handshakes {
        key: "rsa",
        ..handshakes!("rsa")
    },
    Handshakes {
        key: "ed25519",
        ..handshakes!("ed25519")
    },
    Handshakes {
        client_certificate: true,
        ..handshakes!("client")
    },
    Handshakes {
        chain: Chain::Smallest,
        ..handshakes!("smallest")
    },
    Handshakes {
        chain: Chain::Identity,
        ..handshakes!("identity")
    },
    Handshakes {
        chain: Chain::Access,
        ..handshakes!("access")
    },
    Handshakes {
        chain: Chain::Guarded,
        ..handshakes!("guarded")
    },
    Handshakes {
        chain: Chain::Directory(0),
        ..handshakes!("sni10")
    },
    Handshakes {
        chain: Chain::Directory(1),
        ..handshakes!("sni1000")
    },
    Handshakes {
        chain: Chain::Directory(2),
        ..handshakes!("sni10000")
    },
];

/// Whether a row says anything about a server without TLS.
pub fn suits_floor(task: Task) -> bool {
    match task {
        Task::Handshakes(kind) => {
            kind.rows[0] == HANDSHAKES[0].rows[0] || kind.chain == Chain::Smallest
        }
        Task::Resumed | Task::Start => false,
        _ => true,
    }
}

/// Why this server has no figure for the task, as far as that is known before it is
/// tried. None: it can do that, and a failure is an error.
pub fn cannot(kind: Kind, task: Task) -> Option<&'static str> {
    use Kind::{Floor, Haproxy, Hitch, Ncat, Reference, Socat, Stunnel, Suite};
    let chain = match task {
        Task::Handshakes(handshakes) => handshakes.chain,
        _ => Chain::Plain,
    };
    let certificate = matches!(task, Task::Handshakes(kind) if kind.client_certificate);
    Some(match (kind, task) {
        _ if chain == Chain::Identity && !nix::unistd::geteuid().is_root() => {
            "only root can change the identity"
        }
        (Suite | Floor, _) => return None,
        _ if chain == Chain::Guarded => "the process that hears the network holds the key",
        (Reference, _) if matches!(chain, Chain::Directory(_)) => "has no directory of pairs",
        (Ncat | Socat, _) if matches!(chain, Chain::Directory(_)) => "has one certificate",
        (Stunnel, _) if chain == Chain::Access => {
            "its rules are those of libwrap, in /etc, for the whole machine"
        }
        (Hitch, _) if chain == Chain::Access => "has no rules on addresses",
        (Ncat, _) if chain == Chain::Identity => "does not change the identity",
        (Ncat, _) if certificate => "does not ask for a client's certificate",
        (Ncat, Task::Bulk(Way::Both, _) | Task::IdleAfter) => {
            "deadlocks: it writes to the program while the program writes to it"
        }
        (Hitch | Haproxy, Task::Start) => "does not connect for a program",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure;

    #[test]
    fn ours_can_do_everything_that_root_can() {
        for task in measure::tasks() {
            let identity = matches!(task, Task::Handshakes(kind) if kind.chain == Chain::Identity);
            assert!(identity || cannot(Kind::Suite, task).is_none());
        }
    }

    #[test]
    fn only_rows_about_tls_leave_out_the_floor() {
        assert!(suits_floor(Task::Handshakes(&HANDSHAKES[0])));
        assert!(!suits_floor(Task::Handshakes(&HANDSHAKES[1])));
        assert!(suits_floor(Task::Ping));
    }
}
