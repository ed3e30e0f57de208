//! The file of a suite's result, `<suite>.json`: as it is written, and as it is read again.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::Context;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{arguments::Suite, machine::Run};

/// What a suite measured, and under which conditions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultFile<M> {
    pub(crate) run: Run,
    /// The load average when the suite began.
    pub(crate) load_before: String,
    pub(crate) took_s: u64,
    /// With fewer rounds and smaller windows.
    pub(crate) quick: bool,
    pub(crate) measured: M,
}

impl<M: Serialize> ResultFile<M> {
    /// Writes the file of a suite, with its fields in the order of their names.
    pub(crate) fn write(&self, directory: &Path, suite: Suite) -> anyhow::Result<()> {
        let file = directory.join(format!("{}.json", suite.name()?));
        let value = serde_json::to_value(self)?;
        Ok(fs::write(file, format!("{value:#}\n"))?)
    }
}

impl<M: DeserializeOwned> ResultFile<M> {
    /// Reads the file of a suite; `None` if the suite has not run. A field that is missing or
    /// unknown is an error.
    pub(crate) fn read(directory: &Path, suite: Suite) -> anyhow::Result<Option<Self>> {
        let file = directory.join(format!("{}.json", suite.name()?));
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", file.display()))?,
        };
        let result = serde_json::from_str(&text).with_context(|| {
            let file = file.display();
            format!("{file} is not what this version of bench writes: measure again (`make bench`)")
        })?;
        Ok(Some(result))
    }
}
