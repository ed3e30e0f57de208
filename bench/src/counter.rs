//! What counts the instructions of a program: callgrind those of this machine's, and QEMU's
//! emulation of user mode those of arm64.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use function_processes::{Function, Program};

/// The libraries of arm64's programs, as Debian has them for others to link with.
const ARM64_LIBRARIES: &str = "/usr/aarch64-linux-gnu";
const EMULATOR: &str = "qemu-aarch64";
const PLUGIN: &str = "bench/arm64/count.c";

pub(crate) enum Counter {
    Callgrind {
        /// The file that it writes when the program ends.
        output: PathBuf,
    },
    Qemu {
        plugin: PathBuf,
        /// The file that has the count at any time.
        count: PathBuf,
    },
}

impl Counter {
    /// `None` where valgrind is not installed.
    pub(crate) fn callgrind(directory: &Path) -> Option<Self> {
        if Command::new("valgrind").arg("--version").output().is_err() {
            eprintln!(
                "  no instructions: valgrind is not installed (Debian: apt install valgrind)"
            );
            return None;
        }
        Some(Self::Callgrind {
            output: directory.join("callgrind.out"),
        })
    }

    /// Compiles what counts in QEMU.
    pub(crate) fn qemu(checkout: &Path, directory: &Path) -> anyhow::Result<Self> {
        let emulator = Command::new(EMULATOR).arg("--version").output();
        ensure!(
            emulator.is_ok() && Path::new(ARM64_LIBRARIES).exists(),
            "{EMULATOR} and {ARM64_LIBRARIES} are needed (Debian 12, with QEMU 7.2: apt install \
             qemu-user libc6-arm64-cross)"
        );
        let plugin = directory.join("count.so");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-shared", "-fPIC", "-o"]);
        let status = cc.arg(&plugin).arg(checkout.join(PLUGIN)).status();
        let status = status.context("a C compiler is needed")?;
        ensure!(status.success(), "{PLUGIN} cannot be compiled");
        Ok(Self::Qemu {
            plugin,
            count: directory.join("count"),
        })
    }

    /// Starts a program whose instructions are counted from its first one on.
    pub(crate) async fn start(
        &self,
        program: &Program,
        environment: &[(&str, String)],
    ) -> anyhow::Result<Function> {
        let counted = match self {
            Self::Callgrind { output } => {
                let options = [
                    "--tool=callgrind".to_owned(),
                    format!("--callgrind-out-file={}", output.display()),
                    "--quiet".to_owned(),
                ];
                program.wrapped("valgrind", options)
            }
            Self::Qemu { plugin, count } => {
                fs::write(count, 0_u64.to_ne_bytes())?;
                let options = [
                    "-L".to_owned(),
                    ARM64_LIBRARIES.to_owned(),
                    "-plugin".to_owned(),
                    format!("{},to={}", plugin.display(), count.display()),
                ];
                program.wrapped(EMULATOR, options)
            }
        };
        Function::start(&counted, environment).await
    }

    /// Ends a program and returns how many instructions it has executed.
    pub(crate) async fn end(&self, function: Function) -> anyhow::Result<u64> {
        function.end().await?;
        match self {
            Self::Callgrind { output } => total(&fs::read_to_string(output)?),
            Self::Qemu { count, .. } => {
                let bytes = fs::read(count)?;
                let bytes = bytes.as_slice().try_into();
                Ok(u64::from_ne_bytes(bytes.context("the count is broken")?))
            }
        }
    }
}

/// The first count of the line `totals:` (callgrind's output format).
fn total(output: &str) -> anyhow::Result<u64> {
    let totals = output
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))
        .context("callgrind wrote no totals")?;
    let instructions = totals
        .split_whitespace()
        .next()
        .context("callgrind's totals are empty")?;
    Ok(instructions.parse()?)
}
