//! How many connections one machine holds, and how evenly it serves those that transfer
//! data: `make capacity`. It prints what doc/scaling.md has in its tables.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;
use std::thread::{Builder, scope};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use rustls::ProtocolVersion;

use crate::soak::client::{Client, Trouble};
use crate::util::{Cmd, DEADLINE, Running, TempDir, certs, cmd, eventually, idle};

/// How many clients open connections at the same time.
const OPENERS: usize = 8;

/// The server's user, which no process of the machine has.
const USER: &str = "64999";

/// A number from the environment.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// A field of a file in /proc, in KiB.
fn kib(file: &str, field: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with(field));
    lines
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum()
}

/// What the machine has left, and what this process, with all clients in it, uses.
fn memory() -> [u64; 2] {
    [
        kib("/proc/meminfo", "MemAvailable:"),
        kib("/proc/self/status", "VmRSS:"),
    ]
}

/// The name of a program and the memory that only its process has.
fn private(pid: Pid) -> Option<(String, u64)> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let private = kib(&format!("/proc/{pid}/smaps_rollup"), "Private_");
    Some((name.trim().to_owned(), private))
}

/// A server for `count` connections, as a user without privileges where this process may
/// choose one. Its program sends zeros as soon as it reads a line.
fn server(dir: &TempDir, count: usize, limit: Duration) -> Running {
    let count = count.to_string();
    let options = ["-1H", "-c", &count, "-C", &count, "127.0.0.1", "0"];
    let server = cmd(["s6-tlsserver"])
        .args(options)
        .args(["sh", "-c", "read -r line; exec cat /dev/zero"])
        .deadline(limit);
    let files = ["KEYFILE", "CERTFILE"]
        .into_iter()
        .zip(["p256.key", "p256.pem"]);
    let server = files.fold(server, |server, (variable, name)| {
        server.env(variable, dir.file(name, certs().read(name)))
    });
    unprivileged(dir, server).start()
}

fn unprivileged(dir: &TempDir, server: Cmd) -> Cmd {
    if !nix::unistd::geteuid().is_root() {
        return server;
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let ids = [format!("--reuid={USER}"), format!("--regid={USER}")];
    server.run_by(["setpriv", &ids[0], &ids[1], "--clear-groups"])
}

/// Opens connections.
fn open(port: u16, count: usize) -> Vec<Client> {
    let open = |first| {
        let clients = (first..count).step_by(OPENERS);
        let clients = clients.map(|_| Client::new(port, ProtocolVersion::TLSv1_3));
        clients.map(|client| client.unwrap_or_else(|trouble| panic!("{trouble}")))
    };
    scope(|scope| {
        let openers: Vec<_> = (0..OPENERS)
            .map(|first| scope.spawn(move || open(first).collect::<Vec<_>>()))
            .collect();
        let clients = openers.into_iter().map(|opener| opener.join().unwrap());
        clients.flatten().collect()
    })
}

/// How many bytes each of `clients` receives within `time`, fewest first.
fn download(clients: &mut [Client], time: Duration) -> Vec<u64> {
    let start = Barrier::new(clients.len());
    let received = scope(|scope| {
        let threads: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                let start = &start;
                let download = move || -> Result<u64, Trouble> {
                    start.wait();
                    client.send(b"go\n")?;
                    client.receive(Instant::now() + time)
                };
                let thread = Builder::new().stack_size(1 << 18);
                thread.spawn_scoped(scope, download).unwrap()
            })
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended.collect::<Result<Vec<_>, _>>()
    });
    let mut received = received.unwrap_or_else(|trouble| panic!("{trouble}"));
    received.sort_unstable();
    received
}

/// Prints what `processes` take of the machine's memory, by program.
fn report(what: &str, processes: &[Pid], before: [u64; 2], connections: usize) {
    let mut programs = BTreeMap::<String, Vec<u64>>::new();
    for (name, private) in processes.iter().filter_map(|pid| private(*pid)) {
        programs.entry(name).or_default().push(private);
    }
    for (name, sizes) in &mut programs {
        sizes.sort_unstable();
        let (count, median) = (sizes.len(), sizes[sizes.len() / 2]);
        println!("capacity: {what}: {count} {name}, private KiB: median {median}");
    }
    let [available, own] = memory();
    let taken = before[0].saturating_sub(available) - (own - before[1]);
    println!(
        "capacity: {what}: {} MiB without the clients, {} KiB for each connection",
        taken / 1024,
        taken / connections as u64
    );
}

#[test]
#[ignore = "it takes the whole machine: make capacity"]
fn capacity() {
    let (idle_count, bulk) = (number("IDLE", 5000), number("BULK", 1000));
    let time = Duration::from_secs(number("CAPACITY_SECONDS", 120) as u64);
    let count = idle_count + bulk;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let dir = TempDir::new();
    let server = server(&dir, count, time + 20 * DEADLINE);
    let (port, before, from) = (server.port(), memory(), Instant::now());
    let mut clients = open(port, count);
    println!(
        "capacity: {count} connections opened in {:.1} s",
        from.elapsed().as_secs_f64()
    );
    let processes = eventually("each connection has an engine and a program", || {
        let group = server.group();
        (group.len() == 1 + 2 * count).then_some(group)
    });
    // Engines give memory back after a second of silence.
    idle(Duration::from_secs(3));
    report("all idle", &processes, before, count);
    let received = download(&mut clients[..bulk], time);
    report("in bulk", &processes, before, count);
    let [slowest, median, fastest] = [0, bulk / 2, bulk - 1].map(|at| received[at]);
    println!(
        "capacity: {bulk} transfers, {} MB/s in all; KB/s: slowest {}, median {}, fastest {}",
        received.iter().sum::<u64>() / 1_000_000 / time.as_secs(),
        slowest / 1000 / time.as_secs(),
        median / 1000 / time.as_secs(),
        fastest / 1000 / time.as_secs(),
    );
    let tenths = (0..=10).map(|tenth| received[tenth * (bulk - 1) / 10] / 1000 / time.as_secs());
    println!("capacity: KB/s by tenths: {:?}", tenths.collect::<Vec<_>>());
    assert!(2 * slowest >= median, "slowest {slowest}, median {median}");
    // Those that were idle meanwhile are still served.
    for client in &mut clients[bulk..] {
        client
            .send(b"go\n")
            .unwrap_or_else(|trouble| panic!("{trouble}"));
        let until = Instant::now() + Duration::from_millis(1);
        let _ = client
            .receive(until)
            .unwrap_or_else(|trouble| panic!("{trouble}"));
    }
}
