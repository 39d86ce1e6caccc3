//! Finding and executing the next program.
//!
//! Names without a slash are searched in PATH the way the chains expect:
//! empty components are skipped, and a file that may not be executed does not
//! end the search. The programs of this suite find each other in the same
//! way, and failing that beside the running executable.

use std::convert::Infallible;
use std::ffi::{CStr, CString, OsStr, OsString, c_char};
use std::marker::PhantomData;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::ptr::null;

use nix::errno::Errno;

use crate::{Env, suite};

/// Where PATH is not set, programs are searched here.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// An absolute directory fixed at build time, in which the programs of the
/// suite find each other instead of searching.
const FIXED_DIRECTORY: Option<&str> = option_env!("S6_TLS_LIBEXECDIR");

/// Replaces the process by the program that `argv` names, and returns only
/// if that fails. Everything else of the process is inherited as it is:
/// descriptors, signals, directory.
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

/// What a program is started with, in the form that execve(2) takes.
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

    /// Tries one path after the other, and returns why none could be
    /// executed: ENOENT only if every attempt gave that. It takes no memory,
    /// for a child that shares its parent's.
    pub(crate) fn exec(&self, paths: &[CString]) -> Errno {
        let mut failure = Errno::ENOENT;
        for path in paths {
            // SAFETY: both arrays end with a null pointer, and their strings
            // live as long as self.
            unsafe { libc::execve(path.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
            match Errno::last() {
                Errno::ENOENT => {}
                errno if is_of_file(errno) => failure = errno,
                errno => return errno,
            }
        }
        failure
    }
}

/// Whether the failure is one of a file that is there, after which the search
/// goes on.
fn is_of_file(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EACCES | Errno::EPERM | Errno::ENOTDIR | Errno::ELOOP
    )
}

/// Calls `attempt` with the paths that `name` may stand for, and once more
/// with the one beside the running executable if `name` is of the suite and
/// the others had no such program.
pub(crate) fn search<T>(
    name: &OsStr,
    env: &Env,
    mut attempt: impl FnMut(&[CString]) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let failure = match attempt(&candidates(name, env)) {
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

/// The arguments as C strings; EINVAL if there is none or one holds a NUL.
pub(crate) fn c_strings(argv: &[OsString]) -> Result<Vec<CString>, Errno> {
    if argv.is_empty() {
        return Err(Errno::EINVAL);
    }
    let args = argv.iter().map(|arg| CString::new(arg.as_bytes()));
    args.collect::<Result<_, _>>().map_err(|_| Errno::EINVAL)
}

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

/// Whether this is the name of a program of the suite.
fn is_ours(name: &OsStr) -> bool {
    suite::all().any(|program| program == name)
}

/// The only path for a program of the suite, if the build fixed it.
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
    fn without_path_the_default_is_searched() {
        assert_eq!(paths("p", None), ["/usr/bin/p", "/bin/p"]);
    }

    #[test]
    fn a_name_with_a_slash_is_not_searched() {
        assert_eq!(paths("./s6-tlsd", Some("/a")), ["./s6-tlsd"]);
    }

    /// Searches with attempts that end like this, and tells how many there
    /// were.
    fn attempts(name: &str, results: &[Result<i32, Errno>]) -> (Result<i32, Errno>, usize) {
        let mut count = 0;
        let result = search(OsStr::new(name), &env(Some("/a")), |_| {
            count += 1;
            results[count - 1]
        });
        (result, count)
    }

    #[test]
    fn only_the_suite_is_looked_for_beside_the_executable() {
        let absent = Err(Errno::ENOENT);
        assert_eq!(attempts("s6-tlsd-io", &[absent, Ok(1)]), (Ok(1), 2));
        assert_eq!(attempts("s6-tlsd-io", &[Ok(1)]), (Ok(1), 1));
        assert_eq!(attempts("s6-tlsd-iox", &[absent]), (absent, 1));
        let barred = Err(Errno::EACCES);
        assert_eq!(attempts("s6-tlsd-io", &[barred, absent]), (barred, 2));
        assert_eq!(attempts("s6-tlsd-io", &[Err(Errno::E2BIG)]).1, 1);
    }

    #[test]
    fn a_file_that_may_not_be_run_does_not_end_the_search_but_is_reported() {
        let env = Env::default();
        let image = Image::new(&[], &env);
        let run = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|p| CString::new(*p).unwrap()).collect();
            image.exec(&paths)
        };
        assert_eq!(run(&["/nonexistent"]), Errno::ENOENT);
        assert_eq!(run(&["/dev/null", "/nonexistent"]), Errno::EACCES);
        assert_eq!(run(&["/dev/null/p", "/nonexistent"]), Errno::ENOTDIR);
        let long = format!("/{}", "x".repeat(300));
        assert_eq!(run(&["/dev/null", &long, "/dev/null"]), Errno::ENAMETOOLONG);
    }
}
