//! The only reader of this process's environment.

use std::path::PathBuf;

/// A variable; an empty one is missing.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where a user's programs keep what they have to remember ("XDG Base Directory Specification").
pub(crate) fn state_directory() -> Option<PathBuf> {
    let base = variable("XDG_STATE_HOME").map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")))?;
    Some(base.join("belvo-ingest"))
}
