//! Shell completions of our programs, as bash, fish and zsh produce them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::util::{TempDir, cmd, need};

/// Lines with the last word in parts: what is typed, and what the shell adds.
const LINES: [(&str, &str); 12] = [
    ("s6-tlsserver --gro", "ups="),
    ("s6-tlsserver -SK 1 --mandatory-s", "ni"),
    ("s6-tlsserver -SK1 --mandatory-s", "ni"),
    // The value of -K.
    ("s6-tlsserver -SK --mandatory-s", ""),
    ("s6-tlsserver -- --mandatory-s", ""),
    ("s6-tlsserver 0 --mandatory-s", ""),
    ("s6-tlsserver 0 443 basenam", "e"),
    (
        "s6-tlsserver -K 1 -- 0 443 s6-tlsd -v 2 --mandatory-s",
        "ni",
    ),
    ("s6-tlsserver 0 443 cat --mandatory-s", ""),
    ("s6-tcpserver-access -i rule", "s"),
    ("s6-tcpserver-access basenam", "e"),
    ("s6-tlsd-io basenam", ""),
];

fn completions(shell: &str) -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    all.join(shell)
}

/// Runs `script` in `shell` for each line, in a directory with a file and a directory. `added`
/// computes what the shell adds, from its output and the word.
fn ask(shell: &[&str], script: &str, added: impl Fn(&str, &str) -> String) {
    if !need(&shell[..1]) {
        return;
    }
    let dir = TempDir::new();
    std::fs::create_dir(dir.path().join("rules")).unwrap();
    std::fs::write(dir.path().join("rule"), "").unwrap();
    let file = dir.path().join("script");
    std::fs::write(&file, script).unwrap();
    for (line, expected) in LINES {
        let output = cmd(shell)
            .arg(&file)
            .args(line.split(' '))
            .env("COMPLETIONS", completions(shell[0]))
            .env("HOME", dir.path())
            .env("TERM", "dumb")
            .cwd(dir.path())
            .run();
        let word = line.split(' ').next_back().unwrap();
        let found = added(&output.out(), word);
        assert_eq!(
            found.trim_end_matches(['/', ' ']),
            expected,
            "{line}: {output:?}"
        );
    }
}

/// What follows `word` in the lines of `list`, which must all be equal.
fn only(list: &str, word: &str) -> String {
    let lines: BTreeSet<&str> = list.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() <= 1, "{lines:?}");
    let line = lines.first().copied().unwrap_or(word);
    line.strip_prefix(word).unwrap_or(line).to_owned()
}

#[test]
fn completion_files_parse_in_their_shells() {
    for shell in ["bash", "fish", "zsh"] {
        if !need(&[shell]) {
            continue;
        }
        for entry in std::fs::read_dir(completions(shell)).unwrap() {
            let output = cmd([shell, "-n"]).arg(entry.unwrap().path()).run().code(0);
            assert_eq!(output.err(), "");
        }
    }
}

#[test]
fn bash_completes() {
    let script = r#"
        . /usr/share/bash-completion/bash_completion
        for file in "$COMPLETIONS"/*; do . "$file"; done
        compopt() { :; }
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE=$* COMP_POINT=${#COMP_LINE}
        [ "$(complete -p "$1")" = "complete -F _$1 $1" ] || exit
        "_$1"
        printf '%s\n' "${COMPREPLY[@]}""#;
    ask(&["bash", "--norc"], script, only);
}

#[test]
fn fish_completes() {
    let script = "
        set -p fish_complete_path $COMPLETIONS
        complete -C (string join ' ' -- $argv) | string replace -r '\\t.*' ''";
    ask(&["fish", "--no-config"], script, only);
}

/// zsh completes only in its line editor: a widget ends the line and prints it.
#[test]
fn zsh_completes() {
    let script = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "unsetopt zle_bracketed_paste beep; PS1='READY''>'; fpath=($COMPLETIONS \$fpath)"
        zpty -w shell 'autoload -U compinit; compinit -u -d ~/dump'
        zpty -w shell 'ended() { print -r -- "<<$BUFFER>>"; exit }; zle -N ended; bindkey "^X" ended'
        zpty -w shell 'bindkey "^I" complete-word; print STARTED'
        zpty -r shell output $'*\nSTARTED*READY>*'
        zpty -w -n shell "$*"$'\t\x18'
        zpty -r shell output '*<<*>>*'
        line=${${output##*<<}%%>>*}
        print -r -- ${${line%% }##* }"#;
    ask(&["zsh", "-f"], script, only);
}
