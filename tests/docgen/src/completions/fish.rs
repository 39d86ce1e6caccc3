//! Completion for fish.

use cli::{OptionSpec, Program};

use super::{letters, long, operands, quoted};

/// The file `vendor_completions.d/NAME.fish`.
pub fn file(program: &Program) -> String {
    let name = program.name;
    let (before, runs) = operands(program);
    let mut text = format!(
        "# fish completion for {name}, from the tables in crates/cli by `make docs`\n\n{}\n\
         complete -c {name} -f\n",
        rest(program)
    );
    for row in program.option_specs() {
        text.push_str(&option(program, row));
    }
    if runs {
        text.push_str(&command(name, before.len()));
    }
    text
}

/// Two shell functions: one prints the words after the options and before the cursor, and fails
/// if the cursor is in a value; the other one says whether an option may be at the cursor.
fn rest(program: &Program) -> String {
    let with_value = letters(program, true);
    let value = if with_value.is_empty() {
        String::new()
    } else {
        format!(
            "                if string match -qr '^-[^{with_value}]*[{with_value}]$' -- $words[1]\n\
             \x20                   set -e words[1]\n\
             \x20                   set -q words[1]; or return 1\n\
             \x20               end\n"
        )
    };
    format!(
        "function __{name}_rest\n\
         \x20   set -l words (commandline -opc)\n\
         \x20   set -e words[1]\n\
         \x20   while set -q words[1]\n\
         \x20       switch $words[1]\n\
         \x20           case --\n\
         \x20               set -e words[1]\n\
         \x20               break\n\
         \x20           case '--*'\n\
         \x20           case '-?*'\n{value}\
         \x20           case '*'\n\
         \x20               break\n\
         \x20       end\n\
         \x20       set -e words[1]\n\
         \x20   end\n\
         \x20   string join \\n -- $words\n\
         \x20   return 0\n\
         end\n\n\
         function __{name}_options\n\
         \x20   set -l words (__{name}_rest); and not set -q words[1]\n\
         end\n",
        name = program.name
    )
}

fn option(program: &Program, row: &OptionSpec) -> String {
    let name = program.name;
    let condition = format!("complete -c {name} -n __{name}_options");
    let description = format!("-d {}\n", quoted(row.help, "\\'"));
    let short = row
        .short
        .map_or(String::new(), |letter| format!(" -s {letter}"));
    let Some(value) = row.value_name() else {
        let long = long(program, row).map_or(String::new(), |long| format!(" -l {long}"));
        return format!("{condition}{short}{long} {description}");
    };
    let value = match value {
        "dir" => " -xa '(__fish_complete_directories)'",
        "file" => " -rF",
        _ => " -x",
    };
    let mut lines = String::new();
    if !short.is_empty() {
        // It is asked for the value, too.
        lines.push_str(&format!(
            "complete -c {name} -n 'test -z \"$(__{name}_rest)\"'{short}{value} {description}"
        ));
    }
    // fish would let the value be the next argument.
    if let Some(long) = long(program, row) {
        lines.push_str(&format!("{condition} -a --{long}= {description}"));
    }
    lines
}

/// Completes the command that follows this many operands.
fn command(name: &str, operands: usize) -> String {
    let first = operands + 1;
    format!(
        "\nfunction __{name}_command\n\
         \x20   set -l words (__{name}_rest); or return\n\
         \x20   test (count $words) -ge {operands}; or return\n\
         \x20   complete -C (string join ' ' -- (string escape -- $words[{first}..]) (commandline -ct))\n\
         end\n\
         complete -c {name} -xa '(__{name}_command)'\n"
    )
}
