//! The first steps of README.md and doc/start.md, typed into a shell as they are printed.

use std::fs;
use std::path::Path;

use crate::util::{Running, TempDir, bin_dir, cmd, free_port, need};

const PAGES: [&str; 2] = ["README.md", "doc/start.md"];

/// The texts of the page's blocks of this kind.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let begin = format!("```sh {kind}\n");
    let blocks = page.split(&begin).skip(1);
    let texts = blocks.map(|block| block.split_once("```").unwrap().0.to_owned());
    texts.collect()
}

/// A shell in an empty directory. The programs are installed below its home, where the page's
/// own line puts them into PATH.
struct Shell {
    dir: TempDir,
    shell: Running,
    port: String,
}

impl Shell {
    fn new() -> Self {
        let dir = TempDir::new();
        fs::create_dir_all(dir.join("home/.local")).unwrap();
        std::os::unix::fs::symlink(bin_dir(), dir.join("home/.local/bin")).unwrap();
        let shell = cmd(["sh"])
            .cwd(dir.path())
            .env("HOME", dir.join("home"))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .input_pipe()
            .start();
        let mut shell = Self {
            dir,
            shell,
            port: free_port().to_string(),
        };
        let install = blocks("README.md", "install").concat();
        let [.., path] = install.lines().collect::<Vec<_>>()[..] else {
            panic!("{install}");
        };
        assert!(path.starts_with("export PATH="), "{path}");
        shell.type_in(path);
        shell
    }

    /// Types lines, with the test's port, all at once as someone who pastes them.
    fn type_in(&mut self, lines: &str) {
        let lines = lines.replace("4433", &self.port);
        self.shell.write(format!("{}\n", lines.trim_end()));
    }

    /// Types a line that starts a server in the background. The server is ready when it prints
    /// its port.
    fn serve(&mut self, line: &str) {
        assert!(line.ends_with(" &"), "{line}");
        self.type_in(line);
        self.shell.wait_out(&self.port);
    }

    /// Ends the input, and gives all that was printed but the port.
    fn finish(self) -> String {
        let output = self.shell.finish().success();
        let printed = output.out();
        printed.replace(&format!("{}\n", self.port), "")
    }
}

const PAGE: &str = "<p>Hello 127.0.0.1, with TLSv1.3 and TLS_AES_256_GCM_SHA384.</p>\n";

#[test]
fn the_first_steps_show_the_page_to_each_client() {
    if !need(&["curl"]) {
        return;
    }
    for page in PAGES {
        let mut shell = Shell::new();
        for block in blocks(page, "start") {
            shell.type_in(&block);
        }
        shell.type_in("kill $! 2>/dev/null; wait");
        let printed = shell.finish();
        // s6-tlsclient also shows the header, which curl does not.
        let clients = printed.matches(PAGE).count();
        assert_eq!(
            clients,
            if page == "README.md" { 2 } else { 3 },
            "{printed}"
        );
        let headers = printed.matches("HTTP/1.0 200 OK\r\n").count();
        assert_eq!(headers, clients - 1, "{printed}");
        assert!(printed.starts_with(PAGE), "{printed}");
    }
}

/// The program answers when the client has ended its direction, and is heard completely.
#[test]
fn two_processes_join_the_client_with_a_terminal() {
    let mut shell = Shell::new();
    let steps = blocks("README.md", "start");
    shell.type_in(steps[0].replace("echo \"<p>", "cat; echo \"<p>").as_str());
    shell.serve(steps[1].lines().next().unwrap());
    let client = blocks("doc/start.md", "joined").concat();
    shell.type_in(&format!("echo a request | ( {} )", client.trim_end()));
    shell.type_in("kill $!; wait");
    let printed = shell.finish();
    let answer = format!("a request\n{PAGE}");
    assert!(printed.ends_with(&answer), "{printed}");
}

#[test]
fn busybox_serves_files_over_tls() {
    if !need(&["curl", "busybox"]) {
        return;
    }
    let mut shell = Shell::new();
    for block in blocks("doc/start.md", "start").iter().take(2) {
        shell.type_in(block);
    }
    for block in blocks("doc/start.md", "busybox") {
        shell.type_in(&block);
    }
    assert_eq!(shell.finish(), "<p>A file.</p>\n");
}

#[test]
fn a_browser_shows_the_page_of_the_first_steps() {
    if !need(&["chromium-headless-shell"]) {
        return;
    }
    let mut shell = Shell::new();
    let steps = blocks("README.md", "start");
    shell.type_in(&steps[0]);
    shell.serve(steps[1].lines().next().unwrap());
    let home = shell.dir.join("home");
    let browser = cmd(["chromium-headless-shell", "--no-sandbox", "--disable-gpu"])
        .args([
            "--ignore-certificate-errors",
            "--dump-dom",
            "--no-first-run",
        ])
        .arg(format!("--user-data-dir={}", home.display()))
        .arg(format!("https://localhost:{}/", shell.port))
        .env("HOME", &home)
        .start();
    browser.wait_out("Hello 127.0.0.1, with TLSv1.3");
    shell.type_in("kill $!; wait");
    shell.finish();
}
