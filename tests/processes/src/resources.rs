//! The resources that a running process has used, by the kernel's count.

use std::{fs, time::Duration};

use anyhow::Context;
use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// User and system time of all threads of a process so far, to the nanosecond
/// (`clock_getcpuclockid(3)`).
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid.try_into()?))?;
    Ok(clock_gettime(clock)?.into())
}

/// How long the threads of a process so far were ready to run and had no core, or no share of one
/// left (`run_delay`, the second field of `schedstat`: "Scheduler Statistics", Linux kernel
/// documentation).
pub(crate) fn run_delay(pid: u32) -> anyhow::Result<Duration> {
    let mut delay = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended by now.
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        let nanoseconds = text.split_whitespace().nth(1);
        let nanoseconds = nanoseconds.and_then(|number| number.parse().ok());
        delay += Duration::from_nanos(nanoseconds.unwrap_or(0));
    }
    Ok(delay)
}

/// The peak resident memory of a process, in KiB (`VmHWM` of `proc_pid_status(5)`).
pub(crate) fn peak_memory_kib(pid: u32) -> anyhow::Result<u64> {
    status_kib(pid, "VmHWM:")
}

/// Its resident memory, in KiB (`VmRSS`).
pub(crate) fn memory_kib(pid: u32) -> anyhow::Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// How many file descriptors it has open (`proc_pid_fd(5)`).
pub(crate) fn open_files(pid: u32) -> anyhow::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

fn status_kib(pid: u32, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let line = line.with_context(|| format!("the kernel reports no {name}"))?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
