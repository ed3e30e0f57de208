//! Where, when and with which versions a measurement was made.

use std::{collections::BTreeMap, fs, path::Path, process::Command, thread};

use serde::{Deserialize, Serialize};

use crate::program::Programs;

/// The machine, the day, and the versions of what was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    /// The version of Linux.
    pub(crate) kernel: String,
    pub(crate) measured_at: String,
    pub(crate) versions: BTreeMap<String, String>,
}

impl Run {
    /// A run that begins now, on this machine.
    pub(crate) fn of(programs: &Programs) -> Self {
        Self {
            processor: field("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(0, usize::from),
            memory: field("/proc/meminfo", "MemTotal"),
            kernel: read("/proc/sys/kernel/osrelease"),
            measured_at: time::OffsetDateTime::now_utc().date().to_string(),
            versions: versions(programs),
        }
    }
}

/// The load average of the last minute, in running processes.
pub(crate) fn load() -> String {
    let average = read("/proc/loadavg");
    average
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn read(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().to_owned()
}

/// The value of the first line that starts with a name.
fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let line = text
        .lines()
        .find(|line| line.starts_with(name))
        .unwrap_or_default();
    line.split_once(':').unwrap_or_default().1.trim().to_owned()
}

fn versions(programs: &Programs) -> BTreeMap<String, String> {
    let python = programs.python_program();
    let node = programs.node_program();
    let commands = [
        ("belvo-ingest", commit(programs.checkout())),
        ("rustc", version(Path::new("rustc"))),
        ("python", version(&python)),
        ("python packages", python_packages(&python)),
        ("node", version(&node)),
        ("node packages", node_packages(&node, programs.checkout())),
    ];

    let version_of = |(name, command): (&str, Command)| (name.to_owned(), output(command));
    let mut versions: BTreeMap<_, _> = commands.map(version_of).into();
    let crates = output(rust_packages(programs.checkout()));
    versions.insert("rust packages".to_owned(), listed(&crates));
    versions
}

fn commit(checkout: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(checkout);
    git.args(["describe", "--always", "--dirty"]);
    git
}

fn version(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--version");
    command
}

/// Prints what the peer in plain Rust uses, one package a line, the peer itself first.
fn rust_packages(checkout: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(["tree", "--locked", "--offline", "--depth=1"]);
    cargo.args(["--edges=normal", "--prefix=none", "--manifest-path"]);
    cargo.arg(checkout.join("bench/peers/rust/Cargo.toml"));
    cargo
}

/// The packages of `cargo tree` without the first, as `name 1.2.3, …`.
fn listed(tree: &str) -> String {
    let packages = tree.lines().skip(1);
    let packages: Vec<_> = packages.map(|line| line.replacen(" v", " ", 1)).collect();
    packages.join(", ")
}

/// Prints the installed versions of the peers' packages.
fn python_packages(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg("-c").arg(
        "from importlib.metadata import version; \
         names = ['awslambdaric', 'aws-lambda-powertools', 'boto3', 'requests']; \
         print(', '.join(f'{name} {version(name)}' for name in names))",
    );
    command
}

/// Prints the versions that the peers' package.json pins.
fn node_packages(node: &Path, checkout: &Path) -> Command {
    let package = checkout.join("bench/peers/node/package.json");
    let mut command = Command::new(node);
    command.arg("-p").arg(format!(
        "const p = require('{}'); Object.entries({{...p.dependencies, ...p.devDependencies}}) \
         .map((pin) => pin.join(' ')).join(', ')",
        package.display()
    ));
    command
}

/// What a command prints, or why it cannot run.
fn output(mut command: Command) -> String {
    match command.output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) => format!("{}: {error}", command.get_program().display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_of_the_plain_peer_are_listed_without_itself() {
        let tree = "peers v0.1.0 (/checkout/bench/peers/rust)\nhex v0.4.3\nreqwest v0.13.5\n";
        assert_eq!(listed(tree), "hex 0.4.3, reqwest 0.13.5");
    }
}
