//! How much is measured, and in which order.

use std::time::Duration;

use crate::Result;
use crate::peers::{Kind, Peer};
use crate::results::Results;
use crate::services::{self, HANDSHAKES};
use crate::turn::{Piece, Taken, Task, Turn, Way};
use crate::work::Work;

/// How much of everything.
pub struct Size {
    /// Times that every peer has its turn.
    pub rounds: usize,
    /// For each row of handshakes.
    pub time: Duration,
    /// Blocks of 64 KiB of a bulk transfer.
    pub blocks: u64,
    /// Idle connections.
    pub idle: usize,
    /// Connections that first move much, and how many bytes each way.
    pub used: (usize, u64),
    /// Connections one after the other, and round trips of each.
    pub pings: (usize, usize),
    /// Pairs in directories.
    pub pairs: [usize; 3],
    /// Open connections, few and many, while others come and go.
    pub open: [usize; 2],
    /// Connections to be held.
    pub held: usize,
    /// Starts of the client.
    pub starts: usize,
    /// How long connections rest before memory is looked at.
    pub rest: Duration,
    /// Whether the results replace those in the tree.
    pub kept: bool,
}

/// What `make bench` does.
pub const FULL: Size = Size {
    rounds: 3,
    time: Duration::from_millis(1500),
    blocks: 8192,
    idle: 50,
    used: (20, 100_000_000),
    pings: (20, 100),
    pairs: [10, 1000, 10_000],
    open: [5, 500],
    held: 1000,
    starts: 15,
    rest: Duration::from_secs(2),
    kept: true,
};

/// What `make bench-smoke` does: proves that it all works.
pub const SMOKE: Size = Size {
    rounds: 1,
    time: Duration::from_millis(50),
    blocks: 64,
    idle: 4,
    used: (2, 1_000_000),
    pings: (2, 5),
    pairs: [2, 5, 10],
    open: [1, 4],
    held: 8,
    starts: 1,
    rest: Duration::from_millis(20),
    kept: false,
};

/// What is measured, in its order.
pub fn tasks() -> Vec<Task> {
    let mut tasks: Vec<Task> = HANDSHAKES.iter().map(Task::Handshakes).collect();
    tasks.push(Task::Resumed);
    let bulk = |piece| move |way| Task::Bulk(way, piece);
    tasks.extend([Way::Down, Way::Up, Way::Both].map(bulk(Piece::Ordinary)));
    tasks.extend([Way::Down, Way::Up].map(bulk(Piece::Large)));
    tasks.extend([Task::Ping, Task::Idle, Task::IdleAfter]);
    tasks.extend([Task::Growth, Task::Held, Task::Start]);
    tasks
}

/// Measures everything, the peers in turn. Fails if something went wrong in a small
/// measurement, whose purpose is to find that out.
pub fn run(size: &Size, work: &Work, peers: &[Peer]) -> Result<Results> {
    let mut tasks = tasks();
    let only = std::env::var("ONLY").ok();
    if let Some(only) = &only {
        tasks.retain(|task| only.split(' ').any(|name| task.name() == name));
    }
    let mut results = Results::of(size.rounds);
    let mut failed = Vec::new();
    for round in 1..=size.rounds {
        for task in &tasks {
            for (index, peer) in peers.iter().enumerate().filter(|(_, p)| p.installed()) {
                let turn = Turn { size, work, peer };
                let taken = take(&turn, *task).unwrap_or_else(|error| {
                    failed.push(format!("{}, {}: {error}", peer.name, task.name()));
                    eprintln!("{round} {}", failed[failed.len() - 1]);
                    Taken {
                        note: Some(error.to_string()),
                        ..Taken::default()
                    }
                });
                for (row, figure) in taken.figures {
                    eprintln!("{round} {:14} {row:14} {figure:9.3}", peer.name);
                    results.add(row, index, round, figure);
                }
                if let Some(note) = taken.note {
                    results.note(peer.name, &note, task.name());
                }
            }
        }
    }
    if !size.kept && !failed.is_empty() {
        return Err(failed.join("; ").into());
    }
    if only.is_none() {
        ours_is_complete(&results)?;
    }
    Ok(results)
}

fn take(turn: &Turn<'_>, task: Task) -> Result<Taken> {
    let kind = turn.peer.kind;
    if kind == Kind::Floor && !services::suits_floor(task) {
        return Ok(Taken::default());
    }
    match services::cannot(kind, task) {
        Some(cause) => Ok(Taken {
            note: Some(cause.to_owned()),
            ..Taken::default()
        }),
        None => turn.measure(task),
    }
}

/// A peer may lack a row, but no row may be silently lost for the project.
fn ours_is_complete(results: &Results) -> Result<()> {
    for row in crate::results::ROWS {
        // They take a ticket, Debian's anchors, a compiler or root.
        let mut optional = ["resumed", "start", "smallest", "identity"].iter();
        let optional = optional.any(|start| row.id.starts_with(start));
        if !optional && results.median(row.id, 0).is_none() {
            return Err(format!("no figure of s6-tls for {}", row.id).into());
        }
    }
    Ok(())
}
