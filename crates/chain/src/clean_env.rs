//! Removes the engine's variables from the environment of the program.

use cli::variables::VARIABLES;
use unix::Env;

/// Removes the engine's variables. Names that only begin like one stay.
pub fn clean(env: &mut Env) {
    env.retain(|name| !VARIABLES.iter().any(|variable| variable.is(name)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_removes_only_the_engines_variables() {
        let mut env = Env::default();
        for name in [
            "CADIR",
            "CAFILE",
            "CERTFILE",
            "KEYFILE",
            "TLS_UID",
            "TLS_GID",
            "KEYFILE:a.b",
            "CERTFILE:",
            "KEYFILEX",
            "CADIRS",
            "PATH",
        ] {
            env.set(name, "x");
        }
        clean(&mut env);
        let left: Vec<_> = env
            .iter()
            .map(|(name, _)| String::from_utf8_lossy(name))
            .collect();
        assert_eq!(left, ["KEYFILEX", "CADIRS", "PATH"]);
    }
}
