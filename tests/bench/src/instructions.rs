//! Counts of instructions, by callgrind: unlike times they stay the same on
//! a busy machine, and show what a change costs.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, Stream};
use unix::Env;
use unix::spawn::{Child, Ended, wait};

use crate::client::{self, Offer};
use crate::work::{self, Work};
use crate::{Result, TREE};

/// The counts recorded for each target.
const RECORDED: &str = "tests/bench/instructions";

/// How far a count may be from the recorded one.
const TOLERANCE: f64 = 0.05;

/// The size of a transfer: three records, which fit into a pipe together. So
/// the engine always finds all of them, and does the same each time.
const PIECE: usize = 3 * 16384;

/// How many of them.
const PIECES: usize = 10_000_000 / PIECE;

/// The client's engine. Valgrind cannot work inside the sandbox.
const CLIENT: [&str; 6] = ["s6-tlsc-io", "--no-sandbox", "-k", "localhost", "60", "61"];

/// As many trust anchors as Debian has.
const ANCHORS: usize = 140;

/// The name of a count, and the count.
type Counts = Vec<(&'static str, u64)>;

/// Counts, and fails if a count is not as recorded.
pub fn compare(bin: &Path, target: &OsStr) -> Result<()> {
    let Ok(recorded) = fs::read_to_string(record_of(target)) else {
        println!(
            "SKIPPED: no counts are recorded for {}",
            target.to_string_lossy()
        );
        return Ok(());
    };
    let Some(counts) = count(bin)? else {
        println!("SKIPPED: valgrind is not installed, or counts are recorded for x86_64 only");
        return Ok(());
    };
    let mut bad = 0;
    for (name, count) in counts {
        let before = recorded_count(&recorded, name).ok_or_else(|| format!("no record: {name}"))?;
        let change = count as f64 / before as f64 - 1.0;
        let good = change.abs() <= TOLERANCE;
        bad += u32::from(!good);
        let verdict = if good { "" } else { "  too far" };
        println!(
            "{name:24} {count:>10}, recorded {before:>10}: {:+.2} %{verdict}",
            change * 100.0
        );
    }
    if bad > 0 {
        let limit = TOLERANCE * 100.0;
        return Err(format!(
            "{bad} counts are more than {limit} % off. If that is as it should be: make instructions RECORD=1"
        )
        .into());
    }
    Ok(())
}

/// Counts, and records that.
pub fn record(bin: &Path, target: &OsStr) -> Result<()> {
    let counts = count(bin)?.ok_or("valgrind is not installed, or this is not x86_64")?;
    let mut text = "# By callgrind. Made by `make instructions RECORD=1`.\n".to_owned();
    for (name, count) in counts {
        let _ = writeln!(text, "{name}\t{count}");
    }
    print!("{text}");
    Ok(fs::write(record_of(target), text)?)
}

fn record_of(target: &OsStr) -> PathBuf {
    let mut name = target.to_owned();
    name.push(".txt");
    Path::new(TREE).join(RECORDED).join(name)
}

fn recorded_count(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines.find(|(found, _)| *found == name)?.1.parse().ok()
}

fn count(bin: &Path) -> Result<Option<Counts>> {
    if work::find("valgrind").is_none() || std::env::consts::ARCH != "x86_64" {
        return Ok(None);
    }
    let work = Work::new()?;
    let pair = [
        fs::read(work.file("ca.pem"))?,
        fs::read(work.file("rsa.pem"))?,
    ]
    .concat();
    fs::write(work.file("anchors.pem"), pair.repeat(ANCHORS / 2))?;
    let config = |hybrid| {
        let offer = Offer {
            versions: &[&rustls::version::TLS13],
            certificate: false,
            hybrid,
            resumption: false,
        };
        client::config(work.path(), &offer).map(Arc::new)
    };
    let bench = Bench {
        bin,
        work: &work,
        config: config(false)?,
    };
    let hybrid = Bench {
        config: config(true)?,
        ..bench
    };
    let start = bench.engine(|_, _| Ok(()))?;
    let handshake = bench.engine(Bench::handshake)?;
    let hybrid = hybrid.engine(Bench::handshake)?;
    let receive = bench.engine(Bench::receive)?;
    let send = bench.engine(Bench::send)?;
    Ok(Some(vec![
        ("s6-tlsd start", bench.alone(&["s6-tlsd", "true"])?),
        ("s6-tlsd-io start", start),
        ("s6-tlsc-io start", bench.alone(&CLIENT)?),
        ("handshake", handshake.saturating_sub(start)),
        ("handshake, X25519MLKEM768", hybrid.saturating_sub(start)),
        ("receive 10 MB", receive.saturating_sub(handshake)),
        ("send 10 MB", send.saturating_sub(handshake)),
    ]))
}

struct Bench<'a> {
    bin: &'a Path,
    work: &'a Work,
    config: Arc<ClientConfig>,
}

/// Our ends of the engine's pipes.
struct Pipes {
    network: Network,
    /// To its fdr.
    program_in: File,
    /// From its fdw.
    program_out: File,
}

/// The pipes that stand for the network.
struct Network {
    received: File,
    sent: File,
}

impl Read for Network {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.received.read(buf)
    }
}

impl Write for Network {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.sent.write(buf)
    }

    /// All records in one piece.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.sent.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Bench<'_> {
    /// Runs a program whose network ends at once. Counts the program itself,
    /// not what it starts.
    fn alone(&self, program: &[&str]) -> Result<u64> {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        let run = |child: Child<'_>| {
            let child = child.descriptor(null.as_fd(), 0);
            let child = child.descriptor(null.as_fd(), 1);
            let child = child.descriptor(null.as_fd(), 60);
            let child = child.descriptor(null.as_fd(), 61);
            Ok(wait(child.spawn()?)?)
        };
        self.counted(program, run)
    }

    /// s6-tlsd-io, while `talk` uses its descriptors.
    fn engine(&self, talk: fn(&Self, &mut Pipes) -> Result<()>) -> Result<u64> {
        let run = |child: Child<'_>| {
            let ([near_in, far_in], [far_out, near_out]) = (pipe()?, pipe()?);
            let ([fdr, program_in], [program_out, fdw]) = (pipe()?, pipe()?);
            let mut pipes = Pipes {
                network: Network {
                    received: far_out.into(),
                    sent: far_in.into(),
                },
                program_in: program_in.into(),
                program_out: program_out.into(),
            };
            let pid = child
                .descriptor(near_in.as_fd(), 0)
                .descriptor(near_out.as_fd(), 1)
                .descriptor(fdr.as_fd(), 60)
                .descriptor(fdw.as_fd(), 61)
                .spawn()?;
            drop((near_in, near_out, fdr, fdw));
            let talked = talk(self, &mut pipes);
            let Pipes {
                network,
                program_in,
                program_out,
            } = pipes;
            drop((network.sent, program_in));
            // Reads its remaining output, so that it can exit.
            let mut rest = Vec::new();
            for mut pipe in [network.received, program_out] {
                pipe.read_to_end(&mut rest)?;
            }
            let ended = wait(pid)?;
            talked?;
            Ok(ended)
        };
        self.counted(&["s6-tlsd-io", "--no-sandbox", "60", "61"], run)
    }

    /// What `program` executes by itself.
    fn counted(
        &self,
        program: &[&str],
        run: impl FnOnce(Child<'_>) -> Result<Ended>,
    ) -> Result<u64> {
        let log = self.work.file("callgrind.log");
        let [name, args @ ..] = program else {
            return Err("no program".into());
        };
        // A program that hangs must not take the caller with it.
        let found = |tool| work::find(tool).ok_or_else(|| format!("not installed: {tool}"));
        let mut argv: Vec<OsString> = vec![found("timeout")?.into(), "120".into()];
        argv.push(found("valgrind")?.into());
        argv.push("--tool=callgrind".into());
        argv.push("--callgrind-out-file=/dev/null".into());
        argv.push(format!("--log-file={}", log.display()).into());
        argv.push(self.bin.join(name).into());
        argv.extend(args.iter().map(OsString::from));
        let mut env = Env::default();
        // The same everywhere: each directory in which a program is not found costs.
        let mut path = self.bin.as_os_str().to_owned();
        path.push(":/usr/bin:/bin");
        env.set("PATH", path);
        env.set("KEYFILE", self.work.file("p256.key"));
        env.set("CERTFILE", self.work.file("p256.pem"));
        env.set("CAFILE", self.work.file("anchors.pem"));
        let stderr = self.work.file("stderr");
        let file = File::create(&stderr)?;
        let ended = run(Child::new(&argv, &env).descriptor(file.as_fd(), 2))?;
        let log = fs::read_to_string(&log)?;
        let counted = log.lines().find_map(|line| line.split_once("Collected : "));
        let counted = counted.and_then(|(_, count)| count.trim().parse().ok());
        counted.ok_or_else(|| {
            let said = fs::read_to_string(&stderr).unwrap_or_default();
            format!("{name}: no count, {ended:?}: {said}{log}").into()
        })
    }

    fn handshake(&self, pipes: &mut Pipes) -> Result<()> {
        self.connect(pipes).map(|_| ())
    }

    fn connect(&self, pipes: &mut Pipes) -> Result<ClientConnection> {
        let mut tls = ClientConnection::new(self.config.clone(), client::server_name()?)?;
        tls.set_buffer_limit(None);
        while tls.is_handshaking() {
            tls.complete_io(&mut pipes.network)?;
        }
        Ok(tls)
    }

    fn receive(&self, pipes: &mut Pipes) -> Result<()> {
        let mut tls = self.connect(pipes)?;
        let (piece, mut arrived) = (vec![b'x'; PIECE], vec![0; PIECE]);
        for _ in 0..PIECES {
            Stream::new(&mut tls, &mut pipes.network).write_all(&piece)?;
            pipes.program_out.read_exact(&mut arrived)?;
        }
        same(&piece, &arrived)
    }

    fn send(&self, pipes: &mut Pipes) -> Result<()> {
        let mut tls = self.connect(pipes)?;
        let (piece, mut arrived) = (vec![b'x'; PIECE], vec![0; PIECE]);
        for _ in 0..PIECES {
            pipes.program_in.write_all(&piece)?;
            Stream::new(&mut tls, &mut pipes.network).read_exact(&mut arrived)?;
        }
        same(&piece, &arrived)
    }
}

fn same(piece: &[u8], arrived: &[u8]) -> Result<()> {
    if piece != arrived {
        return Err("what arrived is not what was sent".into());
    }
    Ok(())
}

/// A pipe: reader and writer.
fn pipe() -> Result<[OwnedFd; 2]> {
    let (reader, writer) = unix::fd::pipe()?;
    Ok([reader, writer])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_record() {
        let text = "# comment\nreceive 10 MB\t12\nhandshake\t7\n";
        assert_eq!(recorded_count(text, "handshake"), Some(7));
        assert_eq!(recorded_count(text, "receive 10 MB"), Some(12));
        assert_eq!(recorded_count(text, "send 10 MB"), None);
    }
}
