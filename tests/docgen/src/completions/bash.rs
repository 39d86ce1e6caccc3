//! Completion for bash. It needs the package bash-completion.

use cli::{OptionSpec, Program};

use super::{letters, long, operands};

/// The file `bash-completion/completions/NAME`.
pub fn file(program: &Program) -> String {
    let name = program.name;
    let (before, runs) = operands(program);
    let mut text = format!(
        "# bash completion for {name}, from the tables in crates/cli by `make docs`\n\n\
         _{name}() {{\n    local cur=${{COMP_WORDS[COMP_CWORD]}} i=1 word='' ended=''\n\
         \x20   COMPREPLY=()\n"
    );
    text.push_str(&skip_options(program));
    text.push_str("    if ((i > COMP_CWORD)); then\n");
    text.push_str(&values(program));
    text.push_str(&format!(
        "    elif ((i == COMP_CWORD)) && [[ ! $ended && $cur == -* ]]; then\n\
         \x20       mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")\n\
         \x20       [[ ${{COMPREPLY[0]}} != *= ]] || compopt -o nospace\n",
        words(program).join(" ")
    ));
    if runs {
        let at = match before.len() {
            0 => "i".to_owned(),
            more => format!("i + {more}"),
        };
        text.push_str(&format!(
            "    elif ((COMP_CWORD >= {at})); then\n        _command_offset $(({at}))\n"
        ));
    }
    text + &format!("    fi\n}}\n\ncomplete -F _{name} {name}\n")
}

/// Moves `i` past the options before the cursor; past the cursor, if the cursor is in the value of
/// `word`.
fn skip_options(program: &Program) -> String {
    let mut arms = "        --)\n            ended=1\n            ((i += 1))\n            break\n\
                    \x20           ;;\n"
        .to_owned();
    if program
        .option_specs()
        .any(|row| long(program, row).is_some())
    {
        // bash makes three words of --name=value.
        arms.push_str(
            "        --*)\n            [[ ${COMP_WORDS[i + 1]} != = ]] || ((i += 2))\n\
             \x20           ((i += 1))\n            ;;\n",
        );
    }
    let with_value = letters(program, true);
    let value = if with_value.is_empty() {
        String::new()
    } else {
        format!("            [[ $word != -*([!{with_value}])[{with_value}] ]] || ((i += 1))\n")
    };
    format!(
        "    while ((i < COMP_CWORD)); do\n        word=${{COMP_WORDS[i]}}\n        case $word in\n{arms}\
         \x20       -?*)\n{value}            ((i += 1))\n            ;;\n        *) break ;;\n        esac\n    done\n"
    )
}

/// Names of files and directories where a value is one.
fn values(program: &Program) -> String {
    let mut arms = String::new();
    for row in program.option_specs() {
        let action = match row.value_name() {
            Some("dir") => "-d",
            Some("file") => "-f",
            _ => continue,
        };
        let short = row
            .short
            .map(|letter| format!("-{letter} | -[!-]*{letter}"));
        let long = long(program, row).map(|name| format!("--{name}"));
        let either: Vec<String> = short.into_iter().chain(long).collect();
        arms.push_str(&format!(
            "        {})\n            compopt -o filenames\n            \
             mapfile -t COMPREPLY < <(compgen {action} -- \"${{cur#=}}\")\n            ;;\n",
            either.join(" | ")
        ));
    }
    if arms.is_empty() {
        return "        return\n".to_owned();
    }
    format!("        case $word in\n{arms}        esac\n")
}

fn words(program: &Program) -> Vec<String> {
    let words = |row: &OptionSpec| {
        let short = row.short.map(|letter| format!("-{letter}"));
        let equals = if row.value_name().is_some() { "=" } else { "" };
        let long = long(program, row).map(|name| format!("--{name}{equals}"));
        short.into_iter().chain(long).collect::<Vec<_>>()
    };
    program.option_specs().flat_map(words).collect()
}
