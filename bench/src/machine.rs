//! Where, when and with what a measurement was made.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::program::Programs;

/// The machine, the day, and the versions of what was measured.
pub(crate) fn describe(programs: &Programs) -> Value {
    let versions: serde_json::Map<_, _> = programs
        .versions()
        .into_iter()
        .map(|(name, command)| (name.to_owned(), json!(first_line(&command))))
        .collect();
    json!({
        "processor": field("/proc/cpuinfo", "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease"),
        "measured_at": time::OffsetDateTime::now_utc().date().to_string(),
        "versions": versions,
    })
}

/// The load average of the last minute, in running processes.
pub(crate) fn load() -> String {
    read("/proc/loadavg")
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
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

/// What a command says first, or why it says nothing.
fn first_line(command: &[String]) -> String {
    let Some((program, arguments)) = command.split_first() else {
        return String::new();
    };
    match Command::new(program).args(arguments).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) => format!("{program}: {error}"),
    }
}
