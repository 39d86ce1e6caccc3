//! Finding and executing the next program.
//!
//! Names without a slash are searched in PATH: empty components are skipped, those that are not
//! directories hold no program, and a file that may not be executed does not end the search. A
//! program of the suite that is not in PATH is looked for in the directory of the running
//! executable.

use std::convert::Infallible;
use std::ffi::{CStr, CString, OsStr, OsString, c_char};
use std::marker::PhantomData;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::ptr::null;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{SFlag, stat};
use nix::unistd::{AccessFlags, faccessat};

use crate::{Env, suite};

/// The PATH that is used if none is set.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// An absolute directory, set at build time. The programs of the suite then find
/// each other only there.
const FIXED_DIRECTORY: Option<&str> = option_env!("S6_TLS_LIBEXECDIR");

/// Replaces the process with the program that `argv` names, and returns only if
/// that fails. The program inherits everything else unchanged: descriptors,
/// signals, directory.
pub fn exec(argv: &[OsString], env: &Env) -> Errno {
    let args = match c_strings(argv) {
        Ok(args) => args,
        Err(errno) => return errno,
    };
    let image = Image::new(&args, env);
    let failed = |paths: &[CString]| Err::<Infallible, _>(image.exec(paths));
    match search(&argv[0], env, failed) {
        Ok(never) => match never {},
        Err(errno) => errno,
    }
}

/// Arguments and environment in the form that execve(2) takes.
pub(crate) struct Image<'a> {
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    strings: PhantomData<&'a CStr>,
}

impl<'a> Image<'a> {
    pub(crate) fn new(args: &'a [CString], env: &'a Env) -> Self {
        let pointers = |strings: &[CString]| {
            let pointers = strings.iter().map(|string| string.as_ptr());
            pointers.chain([null()]).collect()
        };
        Self {
            argv: pointers(args),
            envp: pointers(env.entries()),
            strings: PhantomData,
        }
    }

    /// Tries one path after the other, and returns why none could be executed: ENOENT only if
    /// every attempt gave that, and ENOTDIR only if none found a file. It allocates nothing, so
    /// that a child that shares its parent's memory may call it.
    pub(crate) fn exec(&self, paths: &[CString]) -> Errno {
        let executed = first(paths, |path| {
            // SAFETY: both arrays end with a null pointer, and their strings
            // live as long as self.
            unsafe { libc::execve(path.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
            Err::<Infallible, _>(Errno::last())
        });
        match executed {
            Ok(never) => match never {},
            Err(errno) => errno,
        }
    }
}

/// The path at which [`exec`] would find `name` for the effective user, or why it would find none.
/// It does not look into the file, so it also finds a script whose interpreter is missing.
pub fn find(name: &OsStr, env: &Env) -> Result<OsString, Errno> {
    let found = |path: &CString| {
        is_executable(path)?;
        Ok(OsStr::from_bytes(path.as_bytes()).to_owned())
    };
    search(name, env, |paths| first(paths, found))
}

/// EACCES unless `path` is a regular file that the effective user may execute.
fn is_executable(path: &CStr) -> Result<(), Errno> {
    faccessat(AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS)?;
    match SFlag::from_bits_truncate(stat(path)?.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => Ok(()),
        _ => Err(Errno::EACCES),
    }
}

/// The first success of `attempt` with one path after the other. The error is ENOENT
/// only if every attempt gave that, and ENOTDIR only if none found a file.
fn first<T>(paths: &[CString], attempt: impl Fn(&CString) -> Result<T, Errno>) -> Result<T, Errno> {
    let mut failure = Errno::ENOENT;
    for path in paths {
        match attempt(path) {
            Err(Errno::ENOENT) => {}
            Err(Errno::ENOTDIR) if failure != Errno::ENOENT => {}
            Err(errno) if is_of_file(errno) => failure = errno,
            decided => return decided,
        }
    }
    Err(failure)
}

/// Whether the error is about one file, so that the search goes on.
fn is_of_file(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EACCES | Errno::EPERM | Errno::ENOTDIR | Errno::ELOOP
    )
}

/// Calls `attempt` with the paths where `name` may be. If none can be executed and
/// `name` is a program of the suite, calls it again with the path in the directory
/// of the running executable. A name that is nowhere in PATH is ENOENT, also if PATH
/// has components that are not directories.
pub(crate) fn search<T>(
    name: &OsStr,
    env: &Env,
    mut attempt: impl FnMut(&[CString]) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let failure = match attempt(&candidates(name, env)) {
        Err(Errno::ENOTDIR) if !name.as_bytes().contains(&b'/') => Errno::ENOENT,
        Err(errno) if errno == Errno::ENOENT || is_of_file(errno) => errno,
        result => return result,
    };
    if fixed(name).is_some() || !is_ours(name) {
        return Err(failure);
    }
    match attempt(beside_ourselves(name).as_slice()) {
        Err(Errno::ENOENT) => Err(failure),
        result => result,
    }
}

/// The arguments as C strings. EINVAL if there are none or one contains a NUL.
pub(crate) fn c_strings(argv: &[OsString]) -> Result<Vec<CString>, Errno> {
    if argv.is_empty() {
        return Err(Errno::EINVAL);
    }
    let args = argv.iter().map(|arg| CString::new(arg.as_bytes()));
    args.collect::<Result<_, _>>().map_err(|_| Errno::EINVAL)
}

/// The paths where `name` may be, in the order of the search.
fn candidates(name: &OsStr, env: &Env) -> Vec<CString> {
    let bytes = name.as_bytes();
    if bytes.is_empty() {
        return Vec::new();
    }
    if bytes.contains(&b'/') {
        return CString::new(bytes).into_iter().collect();
    }
    if let Some(path) = fixed(name) {
        return vec![path];
    }
    let path = env.get("PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
    path.as_bytes()
        .split(|&byte| byte == b':')
        .filter(|directory| !directory.is_empty())
        .filter_map(|directory| join(directory, bytes))
        .collect()
}

/// Whether `name` is a program of the suite.
fn is_ours(name: &OsStr) -> bool {
    suite::all().any(|program| program == name)
}

/// The only path of a program of the suite, if the build set a directory.
fn fixed(name: &OsStr) -> Option<CString> {
    let directory = FIXED_DIRECTORY.filter(|_| is_ours(name))?;
    join(directory.as_bytes(), name.as_bytes())
}

fn join(directory: &[u8], name: &[u8]) -> Option<CString> {
    CString::new([directory, b"/", name].concat()).ok()
}

/// The path of `name` in the directory of the running executable.
fn beside_ourselves(name: &OsStr) -> Option<CString> {
    let executable = std::env::current_exe().ok()?;
    let directory = executable.parent()?.as_os_str().to_owned().into_vec();
    join(&directory, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(path: Option<&str>) -> Env {
        let mut env = Env::default();
        if let Some(path) = path {
            env.set("PATH", path);
        }
        env
    }

    fn paths(name: &str, path: Option<&str>) -> Vec<String> {
        candidates(OsStr::new(name), &env(path))
            .into_iter()
            .map(|path| path.into_string().unwrap())
            .collect()
    }

    #[test]
    fn empty_components_of_path_are_skipped() {
        assert_eq!(paths("p", Some(":/a::/b:")), ["/a/p", "/b/p"]);
        assert!(paths("p", Some("")).is_empty());
        assert!(paths("", Some("/a")).is_empty());
    }

    #[test]
    fn default_is_searched_without_path() {
        assert_eq!(paths("p", None), ["/usr/bin/p", "/bin/p"]);
    }

    #[test]
    fn name_with_a_slash_is_not_searched() {
        assert_eq!(paths("./s6-tlsd", Some("/a")), ["./s6-tlsd"]);
    }

    /// Searches with attempts that have these results: the result of the search,
    /// and the number of attempts.
    fn attempts(name: &str, results: &[Result<i32, Errno>]) -> (Result<i32, Errno>, usize) {
        let mut count = 0;
        let result = search(OsStr::new(name), &env(Some("/a")), |_| {
            count += 1;
            results[count - 1]
        });
        (result, count)
    }

    #[test]
    fn only_the_suite_is_searched_beside_the_executable() {
        let absent = Err(Errno::ENOENT);
        assert_eq!(attempts("s6-tlsd-io", &[absent, Ok(1)]), (Ok(1), 2));
        assert_eq!(attempts("s6-tlsd-io", &[Ok(1)]), (Ok(1), 1));
        assert_eq!(attempts("s6-tlsd-iox", &[absent]), (absent, 1));
        let barred = Err(Errno::EACCES);
        assert_eq!(attempts("s6-tlsd-io", &[barred, absent]), (barred, 2));
        assert_eq!(attempts("s6-tlsd-io", &[Err(Errno::E2BIG)]).1, 1);
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no faccessat")]
    fn find_gives_the_path_or_the_error_of_exec() {
        let found = |name: &str, path| find(OsStr::new(name), &env(Some(path)));
        assert_eq!(
            found("sh", "/dev/null:/nonexistent:/bin"),
            Ok("/bin/sh".into())
        );
        assert_eq!(found("/bin/sh", ""), Ok("/bin/sh".into()));
        assert_eq!(found("sh", "/nonexistent"), Err(Errno::ENOENT));
        for path in ["/dev/null", "/dev/null:/nonexistent"] {
            assert_eq!(found("sh", path), Err(Errno::ENOENT), "{path}");
        }
        assert_eq!(found("/dev/null/sh", "/bin"), Err(Errno::ENOTDIR));
        for path in ["/dev:/nonexistent", "/dev:/dev/null", "/dev/null:/dev"] {
            assert_eq!(found("null", path), Err(Errno::EACCES), "{path}");
        }
        assert_eq!(found("/", "/bin"), Err(Errno::EACCES), "a directory");
        assert_eq!(found("", "/bin"), Err(Errno::ENOENT));
        let plain = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(found(plain, ""), Err(Errno::EACCES), "not executable");
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no executable")]
    fn a_program_of_the_suite_may_be_in_the_directory_of_the_running_one() {
        let own = std::env::current_exe().unwrap().into_os_string();
        let name = own.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap();
        let found = beside_ourselves(OsStr::from_bytes(name)).unwrap();
        assert_eq!(found.as_bytes(), own.as_bytes());
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no execve")]
    fn file_that_may_not_be_executed_is_reported_after_the_search() {
        let env = Env::default();
        let image = Image::new(&[], &env);
        let run = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|p| CString::new(*p).unwrap()).collect();
            image.exec(&paths)
        };
        assert_eq!(run(&["/nonexistent"]), Errno::ENOENT);
        assert_eq!(run(&["/dev/null", "/nonexistent"]), Errno::EACCES);
        assert_eq!(run(&["/dev/null/p", "/nonexistent"]), Errno::ENOTDIR);
        assert_eq!(run(&["/dev/null", "/dev/null/p"]), Errno::EACCES);
        let long = format!("/{}", "x".repeat(300));
        assert_eq!(run(&["/dev/null", &long, "/dev/null"]), Errno::ENAMETOOLONG);
    }
}
