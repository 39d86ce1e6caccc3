//! The copy of the sources with all mutants in it, and what is built of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::edit::Rendered;
use crate::mutant::Mutants;
use crate::rewrite::rewrite;
use crate::{Result, output};

/// The crate with the switch, which the others in the copy depend on.
const SWITCH: &str = include_str!("../template/lib.rs");
const MANIFEST: &str = include_str!("../template/manifest");

/// The copy, as it is built with the mutants that compile.
pub struct Tree {
    lock: File,
    root: PathBuf,
    build: PathBuf,
    target: String,
    files: BTreeMap<String, Source>,
    pub mutants: Mutants,
    /// Mutants that do not compile.
    pub broken: BTreeSet<u32>,
    /// Mutants in constants.
    pub constant: BTreeSet<u32>,
}

/// A file with mutants.
struct Source {
    text: String,
    mutants: Mutants,
    rendered: Rendered,
}

impl Tree {
    /// Copies the sources in `.` to `out`/tree. They are to have these mutants, and those without
    /// a statement.
    pub fn new(out: &Path, mutants: Mutants) -> Result<Self> {
        let mut files: BTreeMap<String, Source> = BTreeMap::new();
        for (number, mutant) in &mutants {
            if !files.contains_key(&mutant.file) {
                let text = fs::read_to_string(&mutant.file)?;
                let (mutants, rendered) = Default::default();
                files.insert(
                    mutant.file.clone(),
                    Source {
                        text,
                        mutants,
                        rendered,
                    },
                );
            }
            if let Some(source) = files.get_mut(&mutant.file) {
                source.mutants.insert(*number, mutant.clone());
            }
        }
        let mut tree = Self {
            lock: File::create(out.join("lock"))?,
            root: out.join("tree"),
            build: out.join("build"),
            target: std::env::var("CARGO_BUILD_TARGET").unwrap_or("host-tuple".into()),
            files,
            mutants,
            broken: BTreeSet::new(),
            constant: BTreeSet::new(),
        };
        tree.rewrite()?;
        Ok(tree)
    }

    /// Where the copy of this file is.
    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    /// What else is in the repository.
    fn copy(&self) -> Result<()> {
        let mut git = Command::new("git");
        git.args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]);
        for file in output(&mut git)?.split_terminator('\0') {
            // Git may know a file that is deleted.
            let Ok(content) = fs::read(file) else {
                continue;
            };
            if file.starts_with("crates/") && file.ends_with("/Cargo.toml") {
                let manifest = depending(&String::from_utf8(content)?);
                write(&self.path(file), manifest.as_bytes())?;
            } else if !self.files.contains_key(file) {
                write(&self.path(file), &content)?;
                fs::set_permissions(self.path(file), fs::metadata(file)?.permissions())?;
            }
        }
        write(
            &self.path("crates/mutant_switch/Cargo.toml"),
            MANIFEST.as_bytes(),
        )?;
        write(
            &self.path("crates/mutant_switch/src/lib.rs"),
            SWITCH.as_bytes(),
        )
    }

    /// Puts the mutants into the texts of their files.
    fn rewrite(&mut self) -> Result<()> {
        for (file, source) in &mut self.files {
            let mutants = &source.mutants;
            let next = mutants.last_key_value().map_or(0, |(number, _)| number + 1);
            let listed = mutants.iter().map(|(number, mutant)| (*number, mutant));
            let rewritten = rewrite(file, &source.text, listed, next, &self.broken)?;
            source.rendered = Rendered::new(&source.text, &rewritten.edits);
            self.constant.extend(rewritten.constant);
            self.mutants.extend(rewritten.statements);
        }
        Ok(())
    }

    /// Runs cargo until all that is left compiles. Returns the programs that were built: their
    /// names and files.
    pub fn compile(&mut self, arguments: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
        // Several runs share the copy.
        self.lock.lock()?;
        self.copy()?;
        let built = self.compile_locked(arguments);
        self.lock.unlock()?;
        built
    }

    fn compile_locked(&mut self, arguments: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
        loop {
            self.rewrite()?;
            for (file, source) in &self.files {
                write(&self.path(file), source.rendered.text.as_bytes())?;
            }
            let (done, messages) = self.cargo(arguments)?;
            if done {
                let built = messages.iter().filter_map(|message| {
                    let name = message["target"]["name"].as_str()?;
                    Some((name.to_owned(), message["executable"].as_str()?.into()))
                });
                return Ok(built.collect());
            }
            let errors = messages
                .iter()
                .filter(|message| message["message"]["level"] == "error");
            let mut blamed = BTreeSet::new();
            for error in errors {
                let found = self.blamed(&error["message"]);
                if found.is_empty() {
                    let text = error["message"]["rendered"].as_str().unwrap_or_default();
                    eprintln!("no mutant is to blame for this:\n{text}");
                }
                blamed.extend(found);
            }
            let before = self.broken.len();
            self.broken.extend(blamed);
            if self.broken.len() == before {
                return Err("the copy with all mutants does not compile".into());
            }
            eprintln!("{} mutants do not compile so far", self.broken.len());
        }
    }

    fn cargo(&self, arguments: &[&str]) -> Result<(bool, Vec<Value>)> {
        let ran = Command::new("cargo")
            .args(arguments)
            .args(["--message-format=json", "--quiet", "--offline"])
            .args(["--target", &self.target])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.build)
            // Fast enough to be run thousands of times.
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env(
                "RUSTFLAGS",
                "-C target-feature=+crt-static --cap-lints warn",
            )
            .stderr(Stdio::inherit())
            .output()?;
        let lines = ran.stdout.split(|byte| *byte == b'\n');
        let messages = lines.filter(|line| line.starts_with(b"{"));
        let messages = messages.map(serde_json::from_slice);
        Ok((ran.status.success(), messages.collect::<Result<_, _>>()?))
    }

    /// The mutants that an error of the compiler comes from. The first of the places that it
    /// names at which there is one counts, the main one first.
    fn blamed(&self, message: &Value) -> Vec<u32> {
        let spans = message["spans"].as_array().into_iter().flatten();
        let (first, others): (Vec<_>, Vec<_>) = spans.partition(|span| span["is_primary"] == true);
        let found = first.into_iter().chain(others).map(|span| {
            let file = span["file_name"].as_str().unwrap_or_default();
            let at = |key: &str| span[key].as_u64().and_then(|at| at.try_into().ok());
            let range = at("byte_start").unwrap_or(0)..at("byte_end").unwrap_or(0);
            let source = self.files.get(file);
            source
                .map(|source| source.rendered.blamed(&range))
                .unwrap_or_default()
        });
        let mut found = found.filter(|found| !found.is_empty());
        found.next().unwrap_or_default()
    }
}

/// The manifest of a crate that depends on the one with the switch.
fn depending(manifest: &str) -> String {
    let dependency = "[dependencies]\nmutant_switch = { path = \"../mutant_switch\" }\n";
    if manifest.contains("[dependencies]\n") {
        manifest.replacen("[dependencies]\n", dependency, 1)
    } else {
        format!("{manifest}\n{dependency}")
    }
}

/// Writes the file if it is not the same already: cargo goes by its time.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let parent = path.parent().ok_or("no directory")?;
    fs::create_dir_all(parent)?;
    Ok(fs::write(path, content)?)
}
