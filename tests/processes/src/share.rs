//! A share of a core, as Lambda gives it to a function with less memory than a whole core comes
//! with, by the kernel's control groups.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use anyhow::Context;

/// The memory, in MB, with which a function has a whole core; with less, it has as much less of one
/// ("Configure Lambda function memory", AWS Lambda developer guide).
pub const MEMORY_OF_A_CORE: u32 = 1_769;
/// How often a share is given anew, in microseconds. AWS documents none. With a longer one, short
/// work is done before its share is used up, and costs less than is measured here.
const PERIOD: u32 = 20_000;
/// Where distributions mount control groups.
const ROOT: &str = "/sys/fs/cgroup";

/// A control group whose processes have a share of a core.
pub struct Share {
    directory: PathBuf,
}

impl Share {
    /// The share of a function with so much memory; an error where this process may not limit
    /// others, for which it usually has to be root.
    pub fn of(memory_mb: u32) -> anyhow::Result<Self> {
        Self::below(Path::new(ROOT), memory_mb)
    }

    /// The same where control groups are mounted elsewhere.
    pub fn below(root: &Path, memory_mb: u32) -> anyhow::Result<Self> {
        let quota = PERIOD * memory_mb / MEMORY_OF_A_CORE;
        let controllers = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        let is_unified = controllers.split_whitespace().any(|name| name == "cpu");
        let (parent, limits) = if is_unified {
            let limit = format!("{quota} {PERIOD}");
            (root.to_owned(), vec![("cpu.max", limit)])
        } else {
            let period = ("cpu.cfs_period_us", PERIOD.to_string());
            let limit = ("cpu.cfs_quota_us", quota.to_string());
            (root.join("cpu"), vec![period, limit])
        };

        let directory = parent.join(format!("bench-{}-{memory_mb}", process::id()));
        fs::create_dir(&directory)
            .with_context(|| format!("cannot make the control group {}", directory.display()))?;
        let share = Self { directory };
        for (file, limit) in limits {
            let file = share.directory.join(file);
            fs::write(&file, limit).with_context(|| format!("cannot set {}", file.display()))?;
        }
        Ok(share)
    }

    /// How long processes had used up this share so far, by the kernel's count: in nanoseconds in
    /// the first version of control groups and in microseconds in the second.
    pub fn throttled(&self) -> Duration {
        let text = fs::read_to_string(self.directory.join("cpu.stat")).unwrap_or_default();
        let value = |name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        let first = value("throttled_time").map(Duration::from_nanos);
        let second = value("throttled_usec").map(Duration::from_micros);
        first.or(second).unwrap_or_default()
    }

    /// Gives a process this share, and all that it starts.
    pub fn admit(&self, process: u32) -> io::Result<()> {
        fs::write(self.directory.join("cgroup.procs"), process.to_string())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // The kernel removes the files of a group with it, once its processes have ended.
        let _ = fs::remove_dir(&self.directory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written into a control group below this directory.
    fn written(root: &Path, parent: &Path) -> Vec<(String, String)> {
        let share = Share::below(root, 512).unwrap();
        share.admit(4_711).unwrap();
        let group = parent.join(format!("bench-{}-512", process::id()));
        let mut files: Vec<_> = fs::read_dir(&group)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn file(name: &str, content: &str) -> (String, String) {
        (name.to_owned(), content.to_owned())
    }

    #[test]
    fn a_share_is_in_proportion_to_the_memory_in_either_version_of_control_groups() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (directory.path().join("1"), directory.path().join("2"));
        fs::create_dir_all(first.join("cpu")).unwrap();
        let expected = [
            file("cgroup.procs", "4711"),
            file("cpu.cfs_period_us", "20000"),
            file("cpu.cfs_quota_us", "5788"),
        ];
        assert_eq!(written(&first, &first.join("cpu")), expected);

        fs::create_dir_all(&second).unwrap();
        fs::write(second.join("cgroup.controllers"), "cpuset cpu io\n").unwrap();
        let expected = [file("cgroup.procs", "4711"), file("cpu.max", "5788 20000")];
        assert_eq!(written(&second, &second), expected);
    }

    #[test]
    fn the_time_without_a_share_is_read_in_either_version() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("cpu")).unwrap();
        let share = Share::below(directory.path(), 256).unwrap();
        assert_eq!(share.throttled(), Duration::ZERO);
        for statistics in [
            "nr_throttled 6\nthrottled_time 6167000\n",
            "throttled_usec 6167\n",
        ] {
            fs::write(share.directory.join("cpu.stat"), statistics).unwrap();
            assert_eq!(share.throttled(), Duration::from_micros(6_167));
        }
    }

    #[test]
    fn where_no_group_can_be_made_the_error_says_which() {
        let directory = tempfile::tempdir().unwrap();
        let error = Share::below(directory.path(), 256).err().unwrap();
        assert!(error.to_string().contains("cpu/bench-"), "{error}");
    }
}
