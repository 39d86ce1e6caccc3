//! The machine of the measurement.

use std::fs;
use std::process::Command;

use crate::account::Account;

/// One line each, for a list.
pub fn describe() -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name", ':');
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = field("/etc/os-release", "PRETTY_NAME", '=');
    vec![
        format!("Date: {}", output("date", &["-u", "+%F"])),
        format!("CPU: {model}, {cores} cores, {}", std::env::consts::ARCH),
        format!(
            "Kernel: Linux {}; system: {}",
            kernel.trim(),
            system.trim_matches('"')
        ),
        format!("Built with: {}", output("rustc", &["--version"])),
        format!("Library of the peers: {}", output("openssl", &["version"])),
        format!("CPU counted by: {}", Account::open().method()),
        format!("Load when it began: {}", load()),
    ]
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn field(file: &str, name: &str, separator: char) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let fields = text.lines().filter_map(|line| line.split_once(separator));
    let value = fields.into_iter().find(|(key, _)| key.trim() == name);
    value
        .map_or("unknown", |(_, value)| value.trim())
        .to_owned()
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let printed = output.map_or_else(|_| Vec::new(), |output| output.stdout);
    String::from_utf8_lossy(&printed).trim().to_owned()
}
