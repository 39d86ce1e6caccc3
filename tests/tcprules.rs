//! The same rules and clients through tcprules, tcpserver and our programs.

use std::collections::BTreeMap;
use std::net::TcpStream;

use crate::util::{Answer, DnsServer, Ended, Numbers, TempDir, cmd, eventually, free_port, need};

/// How many sets of rules are tried.
const RULE_SETS: u64 = 8;

/// Whether a client is accepted, and the variables that its rule sets.
#[derive(Debug, Eq, PartialEq)]
struct Decision(bool, BTreeMap<String, String>);

/// A rule of tcprules: an address, whether it allows, and variables.
struct Rule {
    address: String,
    allows: bool,
    variables: Vec<(&'static str, &'static str)>,
}

impl Rule {
    fn new(address: String, numbers: &mut Numbers) -> Self {
        let allows = numbers.below(2) == 0;
        let mut variables = Vec::new();
        for name in ["RULE", "MORE"] {
            if allows && numbers.below(2) == 0 {
                variables.push((name, numbers.one_of(&["", "x", "a b", "1=2,3"])));
            }
        }
        Self {
            address,
            allows,
            variables,
        }
    }

    /// An address, a colon and a decision.
    fn simple(line: &str) -> Self {
        let (address, decision) = line.split_once(':').unwrap();
        Self {
            address: address.to_owned(),
            allows: decision == "allow",
            variables: Vec::new(),
        }
    }

    /// A line for tcprules.
    fn line(&self) -> String {
        let decision = if self.allows { "allow" } else { "deny" };
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| format!(",{name}=\"{value}\""));
        format!(
            "{}:{decision}{}\n",
            self.address,
            variables.collect::<String>()
        )
    }

    /// The same in a directory for s6-tcpserver-access.
    fn write(&self, dir: &TempDir) {
        let place = match self.address.strip_prefix('=') {
            Some("") => "reversedns/@".to_owned(),
            Some(name) => format!("reversedns/{}", name.trim_start_matches('.')),
            None => network(&self.address),
        };
        let decision = if self.allows { "allow" } else { "deny" };
        dir.file(&format!("{place}/{decision}"), "");
        for (name, value) in &self.variables {
            // A file without a line end would unset a variable that is to be empty.
            dir.file(&format!("{place}/env/{name}"), format!("{value}\n"));
        }
    }
}

/// The rule for a prefix of an address: 127.0. is ip4/127.0.0.0_16.
fn network(prefix: &str) -> String {
    let mut parts: Vec<_> = prefix.split('.').filter(|part| !part.is_empty()).collect();
    let bits = 8 * parts.len();
    parts.resize(4, "0");
    format!("ip4/{}_{bits}", parts.join("."))
}

/// Rules in both forms.
struct Rules {
    files: TempDir,
    _compiled: TempDir,
    /// tcprules' database, and s6-accessrules-cdb-from-fs's.
    databases: [String; 2],
    text: String,
}

impl Rules {
    /// `more` is for tcprules alone.
    fn new(rules: &[Rule], more: &str) -> Self {
        let (dir, files) = (TempDir::new(), TempDir::new());
        let mut text = more.to_owned();
        for rule in rules {
            rule.write(&files);
            text += &rule.line();
        }
        let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
        let (theirs, ours, temporary) = (path("theirs"), path("ours"), path("temporary"));
        let compile = cmd(["tcprules", &theirs, &temporary]).input(&text);
        compile.run().success();
        let compile = cmd(["s6-accessrules-cdb-from-fs", &ours]).arg(files.path());
        compile.run().success();
        Self {
            files,
            _compiled: dir,
            databases: [theirs, ours],
            text,
        }
    }

    /// What tcpserver would do with a client, as tcprulescheck says.
    fn theirs(&self, ip: &str, name: Option<&str>) -> Decision {
        let mut check = cmd(["tcprulescheck", &self.databases[0]]).env("TCPREMOTEIP", ip);
        if let Some(name) = name {
            check = check.env("TCPREMOTEHOST", name);
        }
        let said = check.run().out();
        let allowed = said.ends_with("allow connection\n");
        let set = said
            .lines()
            .filter_map(|line| line.strip_prefix("set environment variable "));
        let set = set.filter_map(|line| line.split_once('='));
        let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Decision(allowed, set.collect())
    }

    /// What s6-tcpserver-access does with the same client, with both forms of rules.
    fn ours(&self, ip: &str, dns: Option<&DnsServer>) -> [Decision; 2] {
        let forms = [
            ("-i", self.files.path().to_str().unwrap()),
            ("-x", &self.databases[1]),
        ];
        forms.map(|(option, path)| {
            let lookup = if dns.is_some() { "-P" } else { "-H" };
            let mut access = cmd(["s6-tcpserver-access", lookup, "-l", "local", option, path])
                .args(["sh", "-c", SHOW])
                .env("PROTO", "TCP")
                .env("TCPLOCALIP", "127.0.0.1")
                .env("TCPLOCALPORT", "80")
                .env("TCPREMOTEIP", ip)
                .env("TCPREMOTEPORT", "4000");
            if let Some(dns) = dns {
                access = access.env("DNSCACHEIP", dns.ip.to_string());
            }
            let output = access.run();
            let allowed = output.ended == Ended::Exited(0);
            assert!(
                allowed || output.ended == Ended::Exited(1),
                "{}",
                output.err()
            );
            Decision(allowed, variables(&output.out()))
        })
    }
}

/// Prints the variables that rules set.
const SHOW: &str = "env | grep -E '^(RULE|MORE)=' || true";

/// The variables in lines of env.
fn variables(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Addresses and prefixes of them.
const PREFIXES: [&str; 12] = [
    "",
    "127.",
    "10.",
    "127.0.",
    "127.1.",
    "127.0.0.",
    "127.1.1.",
    "127.0.0.1",
    "127.0.0.2",
    "127.1.1.1",
    "10.0.0.1",
    "127.0.1.",
];

const CLIENTS: [&str; 6] = [
    "127.0.0.1",
    "127.0.0.2",
    "127.0.1.1",
    "127.1.1.1",
    "10.0.0.1",
    "192.0.2.1",
];

/// Some rules about addresses; the last one is for all other clients. Without it tcpserver accepts
/// these and s6-tcpserver-access refuses them.
fn rules_by_address(numbers: &mut Numbers) -> Vec<Rule> {
    let mut addresses = PREFIXES[1..].to_vec();
    let count = 1 + numbers.below(8);
    let mut rules: Vec<_> = (0..count)
        .map(|_| {
            let chosen = addresses.remove(numbers.below(addresses.len()));
            Rule::new(chosen.to_owned(), numbers)
        })
        .collect();
    rules.push(Rule::new(String::new(), numbers));
    rules
}

#[test]
fn rules_by_address_decide_as_those_of_tcprules() {
    if !need(&["tcprules", "tcprulescheck", "s6-accessrules-cdb-from-fs"]) {
        return;
    }
    for seed in 0..RULE_SETS {
        let rules = Rules::new(&rules_by_address(&mut Numbers::new(seed)), "");
        for ip in CLIENTS {
            let theirs = rules.theirs(ip, None);
            for ours in rules.ours(ip, None) {
                assert_eq!(ours, theirs, "{ip}:\n{}", rules.text);
            }
        }
    }
}

/// The names of clients.
const NAMES: [(&str, &str); 3] = [
    ("127.0.0.1", "a.good.test"),
    ("127.0.0.2", "other.test"),
    ("127.1.1.1", "x.y.test"),
];

fn name_of(ip: &str) -> Option<&'static str> {
    let mut names = NAMES.iter();
    names.find_map(|(known, name)| (*known == ip).then_some(*name))
}

/// A DNS server that knows [`NAMES`].
fn names() -> Option<DnsServer> {
    let questions = NAMES.map(|(ip, name)| {
        let mut parts: Vec<_> = ip.split('.').collect();
        parts.reverse();
        (format!("{}.in-addr.arpa. PTR", parts.join(".")), name)
    });
    let answers = questions
        .each_ref()
        .map(|(key, name)| (key.as_str(), Answer::Name(name)));
    DnsServer::start(&answers)
}

#[test]
fn rules_by_name_decide_as_those_of_tcprules() {
    if !need(&["tcprules", "tcprulescheck", "s6-accessrules-cdb-from-fs"]) {
        return;
    }
    let Some(dns) = names() else {
        return;
    };
    let all = [
        "=a.good.test",
        "=other.test",
        "=.good.test",
        "=.y.test",
        "=.test",
        "=",
        "127.0.0.1",
    ];
    for seed in 0..RULE_SETS {
        let mut numbers = Numbers::new(seed);
        let chosen = all
            .iter()
            .filter(|_| numbers.below(2) == 0)
            .collect::<Vec<_>>();
        let rules = chosen
            .into_iter()
            .map(|address| Rule::new(address.to_string(), &mut numbers));
        let rules = Rules::new(&rules.collect::<Vec<_>>(), ":deny\n");
        for ip in CLIENTS {
            let theirs = rules.theirs(ip, name_of(ip));
            for ours in rules.ours(ip, Some(&dns)) {
                assert_eq!(ours, theirs, "{ip}:\n{}", rules.text);
            }
        }
    }
}

/// The differences in doc/migrating.md: lines for tcprules, a client, whether tcpserver accepts
/// it, and whether s6-tcpserver-access does.
const DIFFERENCES: [(&[&str], &str, bool, bool); 5] = [
    // Without a rule for all.
    (&["10.:deny"], "127.0.0.1", true, false),
    // All rules by address come first.
    (
        &["127.:deny", "=a.good.test:allow"],
        "127.0.0.1",
        true,
        false,
    ),
    (&[":allow", "=.good.test:deny"], "127.0.0.1", false, true),
    // A name stands for itself and for all below it.
    (&["=good.test:allow", ":deny"], "127.0.0.1", false, true),
    (&["=.other.test:allow", ":deny"], "127.0.0.2", false, true),
];

#[test]
fn differences_from_tcprules_are_those_of_the_page() {
    if !need(&["tcprules", "tcprulescheck", "s6-accessrules-cdb-from-fs"]) {
        return;
    }
    let Some(dns) = names() else {
        return;
    };
    for (lines, ip, in_theirs, in_ours) in DIFFERENCES {
        let (denied, lines): (Vec<&str>, Vec<&str>) =
            lines.iter().copied().partition(|line| *line == ":deny");
        let rules = lines.iter().map(|line| Rule::simple(line));
        let more: String = denied.iter().map(|line| format!("{line}\n")).collect();
        let rules = Rules::new(&rules.collect::<Vec<_>>(), &more);
        assert_eq!(rules.theirs(ip, name_of(ip)).0, in_theirs, "{lines:?}");
        for ours in rules.ours(ip, Some(&dns)) {
            assert_eq!(ours.0, in_ours, "{lines:?}");
        }
    }
}

/// What a client with this address reads from a server.
fn read_from(ip: &str, port: u16) -> String {
    let client = cmd([
        "s6-tcpclient",
        "-H",
        "-i",
        ip,
        "127.0.0.1",
        &port.to_string(),
    ]);
    let client = client.args(["sh", "-c", "cat <&6"]).run();
    // A server that refuses a client may reset the connection.
    client.out()
}

#[test]
fn clients_get_from_both_servers_what_the_rules_say() {
    if !need(&["tcprules", "tcpserver", "s6-accessrules-cdb-from-fs"]) {
        return;
    }
    let lines = [
        "127.0.0.1:allow",
        "127.0.0.:deny",
        "127.0.1.:allow",
        ":deny",
    ];
    let mut rules = lines.map(Rule::simple);
    rules[0].variables = vec![("RULE", "a b"), ("MORE", "")];
    let rules = Rules::new(&rules, "");
    let show = format!("{SHOW}; echo served");
    let number = free_port().to_string();
    let _theirs = cmd([
        "tcpserver",
        "-RHl0",
        "-x",
        &rules.databases[0],
        "127.0.0.1",
        &number,
    ])
    .args(["sh", "-c", &show])
    .start();
    let port = number.parse().unwrap();
    eventually("it listens", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let ours = cmd([
        "s6-tcpserver",
        "-1",
        "127.0.0.1",
        "0",
        "s6-tcpserver-access",
        "-H",
        "-x",
    ])
    .arg(&rules.databases[1])
    .args(["sh", "-c", &show])
    .start();
    let mut served = Vec::new();
    for ip in CLIENTS.into_iter().filter(|ip| ip.starts_with("127.")) {
        let answers = [port, ours.port()].map(|port| read_from(ip, port));
        let decisions = answers.map(|text| Decision(text.ends_with("served\n"), variables(&text)));
        assert_eq!(decisions[0], decisions[1], "{ip}:\n{}", rules.text);
        served.extend(decisions[0].0.then_some(ip));
    }
    assert_eq!(served, ["127.0.0.1", "127.0.1.1"]);
}
