//! The links of the documents, in the source tree and as they are installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::util::{Cmd, TempDir, cmd, need};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn links(directory: &Path) -> Cmd {
    cmd(["sh"])
        .arg(root().join("tests/links.sh"))
        .arg(directory)
}

#[test]
fn links_of_the_tree_lead_to_files() {
    assert_eq!(links(root()).run().out(), "");
}

#[test]
fn links_of_the_installed_documents_lead_to_files() {
    if !need(&["make"]) {
        return;
    }
    let place = TempDir::new();
    let documents = |target: &str| {
        // Nothing is built for this, so the target does not matter.
        cmd(["make", "-s", target, "TARGET=none", "PREFIX=/usr"])
            .arg(format!("DESTDIR={}", place.path().display()))
            .cwd(root())
            .run()
            .success();
    };
    documents("install-documents");
    let directory = place.join("usr/share/doc/s6-tls");
    assert_eq!(links(&directory).run().success().out(), "");
    // A page that is missing is noticed.
    fs::remove_file(directory.join("security.md")).unwrap();
    let dead = links(&directory).run().code(1).out();
    assert!(dead.contains("./README.md: security.md\n"), "{dead}");
    documents("uninstall");
    assert!(!directory.exists());
}

/// The pages below the root and in doc.
fn pages() -> Vec<PathBuf> {
    let directories = [root().to_owned(), root().join("doc")];
    let entries = directories
        .iter()
        .flat_map(|dir| fs::read_dir(dir).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn links_to_sections_lead_to_headings() {
    let mut seen = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        for link in page.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            let Some((file, anchor)) = target.split_once('#') else {
                continue;
            };
            if file.contains(':') {
                continue;
            }
            let other = match file {
                "" => path.clone(),
                _ => path.parent().unwrap().join(file),
            };
            let found = anchors(&fs::read_to_string(other).unwrap());
            assert!(found.contains(anchor), "{}: {target}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}
