//! Memory and CPU time of an engine that is idle, blocked or busy.

use std::time::Duration;

use crate::util::tls::{engine, start, tlsc, tlsd};
use crate::util::{Running, TempDir, certs, eventually, idle};

/// Private memory of a process in KiB.
fn resident(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("Private_Dirty:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn stalled_reader_costs_neither_time_nor_memory() {
    // Only root may read the memory use of an engine in its sandbox.
    let options: &[&str] = if nix::unistd::geteuid().is_root() {
        &[]
    } else {
        &["--no-sandbox"]
    };
    // Neither side reads: all buffers fill up and stay full.
    let writer = "exec head -c 50000000 /dev/zero";
    let (server, client) = start(
        tlsd(options, "p256", writer),
        tlsc(options, "exec head -c 50000000 /dev/zero >&7"),
    );
    let (a, b) = (engine(&server), engine(&client));
    rests(&[&server, &client], "engines rest while neither side reads");
    let (idle_server, idle_client) = start(
        tlsd(options, "p256", "echo ready >&2; exec cat"),
        tlsc(options, "echo ready >&2; exec cat <&6"),
    );
    idle_server.wait_err("ready");
    idle_client.wait_err("ready");
    for (pid, other) in [(a, engine(&idle_server)), (b, engine(&idle_client))] {
        eventually("it keeps no more than what is stuck", || {
            let more = resident(pid).saturating_sub(resident(other));
            (more <= STUCK).then_some(())
        });
    }
}

/// The most KiB that an engine keeps while neither side reads: a bulk buffer of
/// decrypted data for the program, one of encrypted data for the network, an
/// incomplete record from the network, and data read ahead from the program to
/// shrink its pipe. Each has its own pages, the last of which may be almost
/// empty. Everything else is freed after a second, except small allocations.
const STUCK: u64 = {
    let (records, page) = (32_u64, 4);
    let decrypted = records * 16;
    // A header, a type and a tag each.
    let encrypted = decrypted + (records * (5 + 1 + 16)).div_ceil(1024);
    let begun = (5 + 16384 + 256_u64).div_ceil(1024);
    let read_ahead = decrypted;
    let heap = 32;
    decrypted + encrypted + begun + read_ahead + 4 * page + heap
};

/// Fails unless these stop using CPU time. A process that spins never does. On
/// a busy machine others may need some time: to start, or to free memory after
/// a second.
fn rests(running: &[&Running], what: &str) {
    let used = || running.iter().map(|one| one.cpu()).sum::<Duration>();
    eventually(what, || {
        let before = used();
        idle(Duration::from_millis(500));
        let more = used().saturating_sub(before);
        (more < Duration::from_millis(5)).then_some(())
    });
}

/// The most KiB by which an engine grows during a bulk transfer both ways: four
/// buffers of 32 records each, up to five records more in all, and an area of
/// the heap and pages of the stack, if these were freed before.
const BULK: u64 = 4 * 32 * 16 + 5 * 18 + 256 + 64;

#[test]
fn a_client_keeps_no_anchors_when_it_has_verified_the_chain() {
    let options: &[&str] = if nix::unistd::geteuid().is_root() {
        &["-k", "localhost"]
    } else {
        &["-k", "localhost", "--no-sandbox"]
    };
    let dir = TempDir::new();
    let many = dir.file("many.pem", certs().read("ca.pem").repeat(2000));
    let client = || tlsc(options, "echo ready >&2; exec cat <&6");
    let server = || tlsd(&options[2..], "p256", "exec cat");
    let (_one, few) = start(server(), client());
    let (_other, many) = start(server(), client().env("CAFILE", many));
    let [few, many] = [few, many].map(|client| {
        client.wait_err("ready");
        (engine(&client), client)
    });
    eventually("they are alike", || {
        (resident(many.0) < resident(few.0) + 200).then_some(())
    });
}

#[test]
fn an_engine_is_large_only_while_data_flow() {
    let options: &[&str] = if nix::unistd::geteuid().is_root() {
        &[]
    } else {
        &["--no-sandbox"]
    };
    // Both ways at once, then nothing more.
    let server = "echo hi >&2; read x; exec 3<&0; cat <&3 >/dev/null &
        head -c 40000000 /dev/zero; echo said >&2; wait";
    let client = "echo hi >&2; read x; echo >&7; cat <&6 >/dev/null &
        head -c 40000000 /dev/zero >&7; echo said >&2; wait";
    let (server, mut client) = start(
        tlsd(options, "p256", server),
        tlsc(options, client).input_pipe(),
    );
    server.wait_err("hi");
    client.wait_err("hi");
    let engines = [engine(&server), engine(&client)];
    let before = engines.map(resident);
    client.write("\n");
    let mut peak = before;
    eventually("everything is said", || {
        for (peak, engine) in peak.iter_mut().zip(engines) {
            *peak = resident(engine).max(*peak);
        }
        let said = [&server.stderr, &client.stderr].map(|text| text.bytes().ends_with(b"said\n"));
        (said == [true; 2]).then_some(())
    });
    for (peak, before) in peak.iter().zip(before) {
        let more = peak.saturating_sub(before);
        assert!(more <= BULK, "{more} KiB more while data flow");
    }
    eventually("they are small again", || {
        let after = engines.map(resident);
        let grown = after
            .iter()
            .zip(before)
            .any(|(after, before)| *after > before + 32);
        (!grown).then_some(())
    });
}

#[test]
fn idle_engines_use_no_cpu() {
    for (server_program, client_program) in [
        ("exec cat", "exec cat <&6"),
        // The client's direction has ended.
        ("exec sleep 60", "exec 7>&-; exec cat <&6"),
        // The server's program reads nothing and has closed its input.
        ("exec <&-; exec sleep 60", "exec cat <&6"),
        // The server's direction has ended.
        ("exec >&-; exec cat", "exec sleep 60"),
    ] {
        let (server, client) = start(tlsd(&[], "p256", server_program), tlsc(&[], client_program));
        engine(&server);
        engine(&client);
        rests(&[&server, &client], server_program);
    }
}
