//! Copies of programs in which mutants are turned on.

use std::fs::{self, File};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Result;

/// What comes before the number of the mutant that is on: see template/lib.rs.
const MARK: &[u8] = b"the mutant that is on here: ";

/// With this number, the mutants whose code runs are noted in a file.
const NOTING: u32 = u32::MAX;
const LONGEST_PATH: usize = 223;
const NUMBERS: u64 = 1 << 20;

/// Whoever writes a program has it alone, whoever starts one shares it. A process
/// that is started while a file is open for writing has a copy of the descriptor until
/// it executes its program, and the file cannot be executed until then: ETXTBSY.
pub static EXECUTABLES: RwLock<()> = RwLock::new(());

/// A directory of programs.
pub struct Lane {
    pub dir: PathBuf,
    programs: Vec<Program>,
    temporary: PathBuf,
    /// How many temporary directories there were.
    runs: AtomicU32,
}

impl Drop for Lane {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.temporary);
    }
}

struct Program {
    original: PathBuf,
    copy: PathBuf,
    /// Where its number is.
    at: u64,
}

impl Lane {
    /// Copies the programs into `dir`.
    pub fn new<'a>(dir: PathBuf, programs: impl Iterator<Item = &'a PathBuf>) -> Result<Self> {
        fs::create_dir_all(&dir)?;
        let programs = programs.map(|original| {
            let content = fs::read(original)?;
            let mut marks = content.windows(MARK.len()).enumerate();
            let mark = marks.find(|(_, window)| *window == MARK);
            let (mark, _) = mark.ok_or_else(|| format!("no switch in {}", original.display()))?;
            let program = Program {
                original: original.clone(),
                copy: dir.join(original.file_name().unwrap_or_default()),
                at: (mark + MARK.len()).try_into()?,
            };
            program.renew()?;
            Ok(program)
        });
        let programs = programs.collect::<Result<_>>()?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("mutants.{}.{name}", std::process::id());
        let temporary = std::env::temp_dir().join(name);
        Ok(Self {
            dir,
            programs,
            temporary,
            runs: AtomicU32::new(0),
        })
    }

    /// Turns on this mutant alone.
    pub fn turn_on(&self, number: u32) -> Result<()> {
        let number = number.to_ne_bytes();
        self.programs
            .iter()
            .try_for_each(|program| program.set(&number))
    }

    /// Has the programs note in a new file which mutants' code runs.
    pub fn take_notes(&self) -> Result<()> {
        let path = self.notes();
        let path = path.as_os_str().as_bytes();
        if path.len() > LONGEST_PATH {
            return Err("the path of this directory is too long".into());
        }
        let file = File::create(self.notes())?;
        file.set_len(NUMBERS)?;
        // Programs drop privileges before they open it.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        file.set_permissions(mode)?;
        let settings = [&NOTING.to_ne_bytes(), path].concat();
        self.programs
            .iter()
            .try_for_each(|program| program.set(&settings))
    }

    /// The mutants that were noted.
    pub fn noted(&self) -> Result<Vec<u32>> {
        let notes = fs::read(self.notes())?;
        let noted = (0..).zip(notes).filter(|(_, note)| *note != 0);
        Ok(noted.map(|(number, _)| number).collect())
    }

    /// An empty directory for temporary files. Its path is short, for sockets. The ones before
    /// are removed, unless a process that a mutant has left still writes there.
    pub fn new_temporary(&self) -> Result<PathBuf> {
        let _ = fs::remove_dir_all(&self.temporary);
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let dir = self.temporary.join(run.to_string());
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    fn notes(&self) -> PathBuf {
        self.dir.with_extension("notes")
    }
}

impl Program {
    fn set(&self, settings: &[u8]) -> Result<()> {
        let _no_start = EXECUTABLES.write();
        let mut file = match File::options().write(true).open(&self.copy) {
            // It still runs.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                self.renew()?;
                File::options().write(true).open(&self.copy)?
            }
            other => other?,
        };
        file.seek(SeekFrom::Start(self.at))?;
        Ok(file.write_all(settings)?)
    }

    fn renew(&self) -> Result<()> {
        let new = Path::new(&self.copy).with_extension("new");
        fs::copy(&self.original, &new)?;
        Ok(fs::rename(new, &self.copy)?)
    }
}
