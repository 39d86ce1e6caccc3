//! Finding and executing the next program.
//!
//! Names without a slash are searched in PATH the way the chains expect:
//! empty components are skipped, and a file that may not be executed does not
//! end the search. The programs of this suite find each other in the same
//! way, and failing that beside the running executable.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::errno::Errno;

use crate::Env;

/// Where PATH is not set, programs are searched here.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// An absolute directory fixed at build time, in which the programs of the
/// suite find each other instead of searching.
const FIXED_DIRECTORY: Option<&str> = option_env!("S6_TLS_LIBEXECDIR");

/// The programs that are looked for beside the running executable when PATH
/// does not have them.
const SUITE: [&str; 17] = [
    "proxy-server",
    "s6-applyuidgid",
    "s6-getservbyname",
    "s6-ident-client",
    "s6-tcpclient",
    "s6-tcpserver",
    "s6-tcpserver-access",
    "s6-tcpserver-socketbinder",
    "s6-tcpserverd",
    "s6-tlsc",
    "s6-tlsc-io",
    "s6-tlsclient",
    "s6-tlsd",
    "s6-tlsd-io",
    "s6-tlsserver",
    "s6-ucspitlsc",
    "s6-ucspitlsd",
];

/// Replaces the process by the program that `argv` names, and returns only
/// if that fails. Everything else of the process is inherited as it is:
/// descriptors, signals, directory.
pub fn exec(argv: &[OsString], env: &Env) -> Errno {
    let args = match c_strings(argv) {
        Ok(args) => args,
        Err(errno) => return errno,
    };
    let found = search(&argv[0], env, |path| {
        nix::unistd::execve(path, &args, env.entries())
    });
    match found {
        Ok(never) => match never {},
        Err(errno) => errno,
    }
}

/// Calls `attempt` with each path that `name` may stand for until one call
/// does not fail. The error is ENOENT only if every attempt gave that.
pub(crate) fn search<T>(
    name: &OsStr,
    env: &Env,
    mut attempt: impl FnMut(&CString) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let mut failure = Errno::ENOENT;
    for path in candidates(name, env) {
        match attempt(&path) {
            Ok(value) => return Ok(value),
            Err(Errno::ENOENT) => {}
            Err(errno @ (Errno::EACCES | Errno::EPERM | Errno::ENOTDIR | Errno::ELOOP)) => {
                failure = errno;
            }
            Err(errno) => return Err(errno),
        }
    }
    Err(failure)
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
    let name = name.as_bytes();
    if name.is_empty() {
        return Vec::new();
    }
    if name.contains(&b'/') {
        return CString::new(name).into_iter().collect();
    }
    let ours = SUITE.iter().any(|program| program.as_bytes() == name);
    if let (true, Some(directory)) = (ours, FIXED_DIRECTORY) {
        return join(directory.as_bytes(), name).into_iter().collect();
    }
    let path = env.get("PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut paths: Vec<CString> = path
        .as_bytes()
        .split(|&byte| byte == b':')
        .filter(|directory| !directory.is_empty())
        .filter_map(|directory| join(directory, name))
        .collect();
    if ours {
        paths.extend(beside_ourselves(name));
    }
    paths
}

fn join(directory: &[u8], name: &[u8]) -> Option<CString> {
    CString::new([directory, b"/", name].concat()).ok()
}

/// The path of `name` in the directory of the running executable.
fn beside_ourselves(name: &[u8]) -> Option<CString> {
    let executable = std::env::current_exe().ok()?;
    let directory = executable.parent()?.as_os_str().to_owned().into_vec();
    join(&directory, name)
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
    }

    #[test]
    fn without_path_the_default_is_searched() {
        assert_eq!(paths("p", None), ["/usr/bin/p", "/bin/p"]);
    }

    #[test]
    fn a_name_with_a_slash_is_not_searched() {
        assert_eq!(paths("./s6-tlsd", Some("/a")), ["./s6-tlsd"]);
    }

    #[test]
    fn only_the_suite_is_looked_for_beside_the_executable() {
        assert_eq!(paths("s6-tlsd-io", Some("/a")).len(), 2);
        assert_eq!(paths("s6-tlsd-iox", Some("/a")).len(), 1);
        assert!(paths("", Some("/a")).is_empty());
    }

    #[test]
    fn a_file_that_may_not_be_run_does_not_end_the_search_but_is_reported() {
        let env = env(Some("/a:/b"));
        let name = OsStr::new("p");
        let run = |results: &[Result<i32, Errno>]| {
            let mut results = results.iter();
            search(name, &env, |_| *results.next().unwrap())
        };
        assert_eq!(run(&[Err(Errno::EACCES), Ok(2)]), Ok(2));
        assert_eq!(
            run(&[Err(Errno::EACCES), Err(Errno::ENOENT)]),
            Err(Errno::EACCES)
        );
        assert_eq!(
            run(&[Err(Errno::ENOENT), Err(Errno::ENOENT)]),
            Err(Errno::ENOENT)
        );
        assert_eq!(run(&[Err(Errno::E2BIG)]), Err(Errno::E2BIG));
    }
}
