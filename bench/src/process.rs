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

/// The peak resident memory of a process, in KiB (`VmHWM` of `proc_pid_status(5)`).
pub(crate) fn peak_memory_kib(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("the kernel reports no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
