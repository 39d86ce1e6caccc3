//! The manual pages, as mandoc and groff read them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::util::{cmd, need};

fn pages() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/man");
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_program_has_a_page_and_the_suite_one_more() {
    let mut names: Vec<OsString> = cli::tables::PROGRAMS
        .iter()
        .map(|program| format!("{}.8", program.name).into())
        .collect();
    names.push("s6-tls.7".into());
    names.sort();
    let pages = pages();
    let mut found: Vec<_> = pages.iter().flat_map(|page| page.file_name()).collect();
    found.sort();
    assert_eq!(found, names);
}

#[test]
fn mandoc_accepts_every_page() {
    if !need(&["mandoc"]) {
        return;
    }
    let output = cmd(["mandoc", "-T", "lint"]).args(pages()).run();
    let text = output.out();
    let complaints: Vec<&str> = text
        .lines()
        // The pages that ours refer to may not be installed.
        .filter(|line| !line.contains("STYLE: referenced manual not found"))
        // mandoc says this of all pages outside the base systems of NetBSD and OpenBSD.
        .filter(|line| !line.contains("STYLE: operating system explicitly specified: Os s6-tls "))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn no_line_of_a_page_is_longer_than_80_columns() {
    if !need(&["mandoc"]) {
        return;
    }
    let mut long = Vec::new();
    for page in pages() {
        let output = cmd(["mandoc", "-T", "ascii", "-O", "width=80"])
            .arg(&page)
            .run();
        let text = without_overstrikes(&output.success().out());
        long.extend(
            text.lines()
                .filter(|line| line.len() > 80)
                .map(str::to_owned),
        );
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// The text as a terminal shows it: a backspace takes back the character before it.
fn without_overstrikes(text: &str) -> String {
    text.chars().fold(String::new(), |mut shown, character| {
        if character == '\u{8}' {
            shown.pop();
        } else {
            shown.push(character);
        }
        shown
    })
}

/// A code behind another one's text would seem to belong to that.
#[test]
fn each_exit_code_begins_an_item_of_its_own() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let Some((_, section)) = text.split_once(".Sh EXIT STATUS\n") else {
            continue;
        };
        let section = section.split("\n.Sh ").next().unwrap().replace('\n', " ");
        for rest in section.split("; ").skip(1) {
            let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let is_code = after.len() < rest.len() && after.starts_with([':', ',', '.']);
            assert!(!is_code, "{}: {rest}", page.display());
        }
    }
}

#[test]
fn pages_have_the_sections_of_mdoc_that_apply_to_them() {
    for (page, lines) in [
        (
            "s6-tlsserver.8",
            &[".It Ev CERTFILE", ".Sh FILES", ".Sh SIGNALS"][..],
        ),
        (
            "s6-tlsclient.8",
            &[".It Ev CAFILE", ".It Pa /etc/hosts", ".Sh SIGNALS"],
        ),
        ("s6-tcpserverd.8", &[".Sh SIGNALS", ".It Dv SIGTERM"]),
        ("s6-getservbyname.8", &[".Sh FILES", ".It Pa /etc/services"]),
    ] {
        let path = pages().into_iter().find(|path| path.ends_with(page));
        let text = std::fs::read_to_string(path.unwrap()).unwrap();
        let package = concat!(".Os \"s6-tls ", env!("CARGO_PKG_VERSION"), "\"");
        for line in lines.iter().chain([&package]) {
            assert!(text.lines().any(|found| found == *line), "{page}: {line}");
        }
    }
}

#[test]
fn a_page_shows_options_in_its_synopsis_and_its_list() {
    if !need(&["mandoc"]) {
        return;
    }
    let page = pages().into_iter().find(|page| page.ends_with("s6-tlsd.8"));
    let output = cmd(["mandoc", "-T", "ascii", "-O", "width=200"])
        .args(page)
        .run();
    let mut text = output.out();
    // A bold letter is itself, a step back, itself.
    while let Some(at) = text.find('\u{8}') {
        text.replace_range(at - 1..=at, "");
    }
    for line in [
        "s6-tlsd [-v n] [-S | -s] ",
        "-K ms, --handshake-timeout=ms\n",
        " s6-tlsd-io(8): time limit for the handshake (default: none).\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
