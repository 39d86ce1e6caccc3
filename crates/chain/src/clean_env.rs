//! Hiding what is the engine's alone from the program.

use unix::Env;

/// The variables that name keys, certificates, trust anchors and the
/// engine's identity.
const ENGINE: [&str; 6] = [
    "CADIR", "CAFILE", "CERTFILE", "KEYFILE", "TLS_UID", "TLS_GID",
];

/// The same for a server's names: these and whatever follows them.
const ENGINE_NAMED: [&str; 2] = ["CERTFILE:", "KEYFILE:"];

/// Removes the engine's variables. Names that merely begin like one stay.
pub fn clean(env: &mut Env) {
    env.retain(|name| {
        let ours = ENGINE.iter().any(|ours| ours.as_bytes() == name);
        let named = ENGINE_NAMED
            .iter()
            .any(|prefix| name.starts_with(prefix.as_bytes()));
        !ours && !named
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_engines_variables_go() {
        let mut env = Env::default();
        for name in ENGINE
            .iter()
            .chain(&["KEYFILE:a.b", "CERTFILE:", "KEYFILEX", "CADIRS", "PATH"])
        {
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
