//! A run: all mutants built, some of them judged by the unit tests, then by end-to-end tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::lane::Lane;
use crate::mutant::{self, Mutant};
use crate::results::{Results, Stage, hash, hash_of};
use crate::select::{self, Module};
use crate::suite::{Kind, Suite, Verdict, lanes, late};
use crate::tree::Tree;
use crate::{Result, output};

/// Unit tests that take longer come last, after the end-to-end tests.
const SLOW: Duration = Duration::from_millis(200);

/// End-to-end tests that take longer are not used: there are many mutants.
const LONGEST: Duration = Duration::from_secs(10);

struct Run {
    out: PathBuf,
    tree: Tree,
    results: Results,
    /// When it is to end, finished or not.
    until: Option<Instant>,
}

/// Mutants that no test has noticed, and what is said about each behind its name.
type Missed = BTreeMap<u32, &'static str>;

const NOT_RUN: &str = " (no test runs it)";

/// Judges the mutants of a module whose names contain one of `texts`, or all; with `unit_only`
/// by the unit tests alone. Returns whether all that no test notices is explained.
pub fn module(name: &str, unit_only: bool, texts: &[&str]) -> Result<bool> {
    let module = Module::find(name)?;
    let mut run = Run::new(mutant::list(&["--workspace"])?, None)?;
    let chosen = module.mutants(&run.tree.mutants, texts)?;
    let (chosen, constant) = run.compiling(&chosen);
    eprintln!(
        "{} are in constants, or return types without a name: not run",
        constant.len()
    );
    let listed = constant.iter().map(|number| (*number, "")).collect();
    run.write(&format!("{name}.constant"), &listed)?;
    let missed = run.unit_tests(&module.package, &chosen, false)?;
    run.write(&format!("{name}.unit-survivors"), &missed)?;
    let left = run.unexplained(&missed, Some(name))?;
    let end_to_end = !unit_only && !left.is_empty();
    let mut survivors = if end_to_end {
        run.programs(&module, &left)?
    } else {
        left.clone()
    };
    let by_programs = left.len() - survivors.len();
    run.write(&format!("{name}.survivors"), &survivors)?;
    run.retain_missed_by_slow(&module.package, &mut survivors)?;
    run.write(&format!("{name}.survivors"), &survivors)?;
    println!(
        "{name}: {} mutants that compile: noticed by quick unit tests {}, explained {}, \
         noticed by end-to-end tests {by_programs}, by slow unit tests {}, survive {}; \
         in constants {}",
        chosen.len(),
        chosen.len() - missed.len(),
        missed.len() - left.len(),
        left.len() - by_programs - survivors.len(),
        survivors.len(),
        constant.len(),
    );
    Ok(run.report(&survivors))
}

/// Judges the mutants of the lines changed since the commit `base`, for so many seconds. Those
/// that are not judged by then are not blamed. Returns whether all that no test notices is
/// explained.
pub fn changed(base: &str, seconds: u64) -> Result<bool> {
    let until = Instant::now() + Duration::from_secs(seconds);
    let lines = select::changed(base)?;
    let files = lines.keys().flat_map(|file| ["-f", file.as_str()]);
    let files: Vec<&str> = ["--workspace"].into_iter().chain(files).collect();
    let listed = if lines.is_empty() {
        Vec::new()
    } else {
        mutant::list(&files)?
    };
    if listed.is_empty() {
        println!("no code in crates has changed since {base}");
        return Ok(true);
    }
    let mut run = Run::new(listed, Some(until))?;
    let (chosen, _) = run.compiling(&select::within(&run.tree.mutants, &lines));
    let mut packages: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for number in chosen {
        let package = run.tree.mutants[&number].package().to_owned();
        packages.entry(package).or_default().push(number);
    }
    let mut survivors = Missed::new();
    for (package, chosen) in packages {
        survivors.extend(run.package(&package, &chosen)?);
    }
    Ok(run.report(&survivors))
}

impl Run {
    /// Finds out which of the listed mutants, and of the statements in their files, compile.
    fn new(listed: Vec<Mutant>, until: Option<Instant>) -> Result<Self> {
        fs::create_dir_all("target/mutants")?;
        let out = Path::new("target/mutants").canonicalize()?;
        let results = Results::new(&out.join("results"))?;
        let mut tree = Tree::new(&out, mutant::numbered(listed)?)?;
        let stage = Stage {
            name: "check",
            tests: 0,
        };
        let known = |mutant: &Mutant| results.known(&stage, mutant).is_some();
        let broken = tree.mutants.iter().filter(|(_, mutant)| known(mutant));
        tree.broken = broken.map(|(number, _)| *number).collect();
        let before = tree.broken.clone();
        let crates = "check --lib --tests --keep-going --workspace --exclude s6-tls --exclude s6-tls-bench \
            --exclude s6-tls-tables";
        tree.compile(&crates.split_whitespace().collect::<Vec<_>>())?;
        for number in tree.broken.difference(&before) {
            let verdict = Verdict::Noticed("the compiler".into());
            results.add(&stage, &tree.mutants[number], &verdict)?;
        }
        Ok(Self {
            out,
            tree,
            results,
            until,
        })
    }

    /// Those that compile, and those that no switch can turn on.
    fn compiling(&self, chosen: &BTreeSet<u32>) -> (Vec<u32>, Vec<u32>) {
        let compiling = chosen.difference(&self.tree.broken).copied();
        let constant = |number: &u32| self.tree.constant.contains(number);
        let (constant, compiling): (Vec<_>, Vec<_>) = compiling.partition(constant);
        let broken = chosen.len() - compiling.len() - constant.len();
        eprintln!("{} mutants, of which {broken} do not compile", chosen.len());
        (compiling, constant)
    }

    /// Those of a package that neither its unit tests nor the end-to-end tests of its modules
    /// notice, and no table explains.
    fn package(&mut self, package: &str, chosen: &[u32]) -> Result<Missed> {
        let mut missed = self.unit_tests(package, chosen, false)?;
        self.retain_missed_by_slow(package, &mut missed)?;
        let left = self.unexplained(&missed, None)?;
        let mut survivors = Missed::new();
        for module in Module::all()? {
            if module.package != package || left.is_empty() {
                continue;
            }
            let of_module = module.mutants(&self.tree.mutants, &[])?;
            let mut left = left.clone();
            left.retain(|number, _| of_module.contains(number));
            if !left.is_empty() {
                survivors.extend(self.programs(&module, &left)?);
            }
        }
        Ok(survivors)
    }

    /// Leaves what the slow unit tests miss as well.
    fn retain_missed_by_slow(&mut self, package: &str, missed: &mut Missed) -> Result<()> {
        let chosen: Vec<u32> = missed.keys().copied().collect();
        let still = self.unit_tests(package, &chosen, true)?;
        missed.retain(|number, _| still.contains_key(number));
        Ok(())
    }

    /// Those that no test of the package notices.
    fn unit_tests(&mut self, package: &str, chosen: &[u32], slow: bool) -> Result<Missed> {
        let of = format!("s6-tls-{package}");
        let built = self
            .tree
            .compile(&["test", "-p", &of, "--lib", "--tests", "--no-run"])?;
        let mut missed: Missed = chosen.iter().map(|number| (*number, NOT_RUN)).collect();
        for program in built.values() {
            let chosen: Vec<u32> = missed.keys().copied().collect();
            let still = self.unit_tests_of(package, program, &chosen, slow)?;
            let note = |(number, note)| match note {
                NOT_RUN => (number, missed[&number]),
                _ => (number, note),
            };
            missed = still.into_iter().map(note).collect();
        }
        Ok(missed)
    }

    fn unit_tests_of(
        &self,
        package: &str,
        program: &PathBuf,
        chosen: &[u32],
        slow: bool,
    ) -> Result<Missed> {
        let tests = hash([program.as_path()]);
        let dir = self.tree.path(&format!("crates/{package}"));
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        self.judge(
            &Stage {
                name: if slow { "slow unit" } else { "unit" },
                tests,
            },
            chosen,
            || {
                let lanes = self.lanes(&format!("{package}-{name}"), [program])?;
                let known = self.out.join(format!("baseline-{tests:x}"));
                let kind = Kind::Unit {
                    program: name.into(),
                };
                let (mut suite, failing) = Suite::new(kind, dir, lanes, &[], &known, self.until)?;
                suite.tests.retain(|test| (test.time > SLOW) == slow);
                Ok((suite, failing))
            },
        )
    }

    fn programs(&mut self, module: &Module, chosen: &Missed) -> Result<Missed> {
        let built = self.tree.compile(&["build", "-p", "s6-tls", "--bins"])?;
        let harness = harness()?;
        let tests = hash([harness.as_path()]) ^ hash_of(&module.tests);
        let chosen: Vec<u32> = chosen.keys().copied().collect();
        self.judge(
            &Stage {
                name: "programs",
                tests,
            },
            &chosen,
            || {
                let lanes = self.lanes(&format!("{}-programs", module.name), built.values())?;
                let files = built.values().chain([&harness]);
                let known = hash(files.map(PathBuf::as_path));
                let known = self.out.join(format!("baseline-{known:x}"));
                let tests: Vec<&str> = module.tests.iter().map(String::as_str).collect();
                let kind = Kind::Programs {
                    harness: harness.clone(),
                };
                let dir = std::env::current_dir()?;
                let (mut suite, failing) =
                    Suite::new(kind, dir, lanes, &tests, &known, self.until)?;
                suite.tests.retain(|test| test.time < LONGEST);
                Ok((suite, failing))
            },
        )
    }

    fn lanes<'a>(
        &self,
        name: &str,
        programs: impl IntoIterator<Item = &'a PathBuf> + Clone,
    ) -> Result<Vec<Lane>> {
        let dir = |lane| self.out.join(format!("lanes/{name}-{lane}"));
        let lane = |lane| Lane::new(dir(lane), programs.clone().into_iter());
        (0..lanes()).map(lane).collect()
    }

    /// The mutants that the tests of `suite` do not notice.
    fn judge(
        &self,
        stage: &Stage,
        chosen: &[u32],
        suite: impl FnOnce() -> Result<(Suite, Vec<String>)>,
    ) -> Result<Missed> {
        let known = |number: &u32| self.results.known(stage, &self.tree.mutants[number]);
        let known = chosen.iter().map(|number| (*number, known(number)));
        let (known, unknown): (Vec<_>, Vec<_>) = known.partition(|(_, known)| known.is_some());
        let mut verdicts: Vec<(u32, Option<Verdict>)> = known;
        if !unknown.is_empty() {
            let (suite, failing) = suite()?;
            for test in failing {
                eprintln!("left out, since it fails without a mutant: {test}");
            }
            verdicts.extend(self.judge_now(stage, &unknown, &suite)?);
        }
        let missed = verdicts
            .into_iter()
            .filter_map(|(number, verdict)| match verdict? {
                Verdict::Noticed(_) => None,
                Verdict::Missed => Some((number, "")),
                Verdict::NotReached => Some((number, NOT_RUN)),
            });
        Ok(missed.collect())
    }

    fn judge_now(
        &self,
        stage: &Stage,
        unknown: &[(u32, Option<Verdict>)],
        suite: &Suite,
    ) -> Result<Vec<(u32, Option<Verdict>)>> {
        let (tests, all) = (suite.tests.len(), unknown.len());
        eprintln!("{}: {tests} tests for {all} mutants", stage.name);
        let done = AtomicUsize::new(0);
        let verdicts = suite.in_lanes(unknown, |lane, (number, _)| {
            if late(self.until) {
                return Ok((*number, None));
            }
            let verdict = suite.verdict(lane, *number)?;
            self.results
                .add(stage, &self.tree.mutants[number], &verdict)?;
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(50) {
                eprintln!("{done} of {all}");
            }
            Ok((*number, Some(verdict)))
        })?;
        let late = verdicts
            .iter()
            .filter(|(_, verdict)| verdict.is_none())
            .count();
        if late > 0 {
            eprintln!("the time has passed, and {late} mutants were not run");
        }
        Ok(verdicts)
    }

    /// Those that the table of this name does not explain, or none at all.
    fn unexplained(&self, missed: &Missed, table: Option<&str>) -> Result<Missed> {
        let explained = select::explained(table)?;
        let mut left = missed.clone();
        left.retain(|number, _| !explained.contains(&self.tree.mutants[number].stable_name()));
        Ok(left)
    }

    fn lines(&self, missed: &Missed) -> String {
        let line = |(number, note)| format!("{}{note}\n", self.tree.mutants[number].name);
        missed.iter().map(line).collect()
    }

    /// Writes a list to a file of target/mutants.
    fn write(&self, name: &str, missed: &Missed) -> Result<()> {
        Ok(fs::write(self.out.join(name), self.lines(missed))?)
    }

    fn report(&self, survivors: &Missed) -> bool {
        if !survivors.is_empty() {
            eprintln!("no test notices these, and no table in tests/mutants explains them:");
            print!("{}", self.lines(survivors));
        }
        survivors.is_empty()
    }
}

/// The end-to-end tests, as they are in the repository.
fn harness() -> Result<PathBuf> {
    let target = std::env::var("CARGO_BUILD_TARGET").unwrap_or("host-tuple".into());
    let mut cargo = Command::new("cargo");
    cargo.args([
        "test",
        "--workspace",
        "--locked",
        "--target",
        &target,
        "--test",
        "all",
    ]);
    let messages = output(cargo.args(["--no-run", "--message-format=json", "--quiet"]))?;
    let mut messages = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let all = message["target"]["name"] == "all";
        Some(message["executable"].as_str()?.to_owned()).filter(|_| all)
    });
    Ok(messages
        .next_back()
        .ok_or("the end-to-end tests were not built")?
        .into())
}
