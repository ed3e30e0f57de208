//! What a long command remembers in case it is interrupted: a file of lines, each written before
//! the next step is taken.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use crate::{CliError, environment::state_directory, error::OrFail};

const CAN_IT_BE_WRITTEN: &str = "Can that folder be written? XDG_STATE_HOME names another.";

/// The steps of a command that were taken.
pub(crate) struct Journal<T> {
    path: PathBuf,
    file: File,
    /// When it was begun: told apart from every other run of the same command.
    pub(crate) run: String,
    /// By the name of the step.
    pub(crate) steps: BTreeMap<String, T>,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    run: String,
}

#[derive(Serialize, Deserialize)]
struct Step<T> {
    step: String,
    result: T,
}

impl<T: Serialize + DeserializeOwned + Clone> Journal<T> {
    /// Begins, or goes on with what was interrupted. `what` is everything that the command was
    /// asked to do, and where: another command has another file.
    pub(crate) fn open(what: &str, resume: bool) -> Result<Self, CliError> {
        let folder = state_directory().ok_or_else(|| {
            CliError::usage(
                "there is nowhere to remember what was done",
                "Set HOME or XDG_STATE_HOME.",
            )
        })?;
        fs::create_dir_all(&folder).or_fail("make a folder", CAN_IT_BE_WRITTEN)?;
        let name = hex::encode(&Sha256::digest(what)[..8]);
        let path = folder.join(format!("{name}.jsonl"));
        if resume {
            Self::read(path)
        } else {
            Self::begin(path)
        }
    }

    fn begin(path: PathBuf) -> Result<Self, CliError> {
        let header = Header {
            run: format!("{}-{}", domain::Timestamp::now(), std::process::id()),
        };
        // It names links, which are nobody else's business on a shared machine.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .or_fail(writing(&path), CAN_IT_BE_WRITTEN)?;
        let mut journal = Self {
            path,
            file,
            run: header.run.clone(),
            steps: BTreeMap::new(),
        };
        journal.write(&header)?;
        Ok(journal)
    }

    fn read(path: PathBuf) -> Result<Self, CliError> {
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(nothing_to_resume()),
            read => read.or_fail(format!("read {}", path.display()), ""),
        }?;
        let mut lines = text.lines();
        let header = lines
            .next()
            .and_then(|line| serde_json::from_str::<Header>(line).ok());
        let header = header.ok_or_else(nothing_to_resume)?;
        // A line that was cut off by the interruption is a step that was not recorded.
        let steps = lines.filter_map(|line| serde_json::from_str::<Step<T>>(line).ok());
        let steps = steps.map(|step| (step.step, step.result)).collect();
        let file = OpenOptions::new().append(true).open(&path);
        let mut file = file.or_fail(writing(&path), CAN_IT_BE_WRITTEN)?;
        if !text.ends_with('\n') {
            writeln!(file).or_fail(writing(&path), CAN_IT_BE_WRITTEN)?;
        }
        Ok(Self {
            path,
            file,
            run: header.run,
            steps,
        })
    }

    /// Remembers that a step was taken.
    pub(crate) fn record(&mut self, step: &str, result: T) -> Result<(), CliError> {
        self.write(&Step {
            step: step.to_owned(),
            result: result.clone(),
        })?;
        self.steps.insert(step.to_owned(), result);
        Ok(())
    }

    /// Forgets everything: the command has ended.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        fs::remove_file(&self.path).or_fail(format!("remove {}", self.path.display()), "")
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), CliError> {
        let line = serde_json::to_string(line).or_fail("write down a step", "")?;
        let written = writeln!(self.file, "{line}");
        written.or_fail(writing(&self.path), CAN_IT_BE_WRITTEN)
    }
}

fn writing(path: &Path) -> String {
    format!("write {}", path.display())
}

fn nothing_to_resume() -> CliError {
    CliError::usage(
        "nothing was interrupted with these arguments",
        "Begin without --resume.",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let name = format!("belvo-ingest-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder.join("journal.jsonl")
    }

    #[test]
    fn nobody_else_may_read_a_journal() {
        let path = folder("private");
        Journal::<String>::begin(path.clone()).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_was_done_is_known_after_an_interruption() {
        let path = folder("resumed");
        let mut journal = Journal::<String>::begin(path.clone()).unwrap();
        journal.record("a", "1".to_owned()).unwrap();
        let run = journal.run.clone();
        drop(journal);
        // Interrupted in the middle of a line.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        write!(file, "{{\"step\": \"b\", \"resu").unwrap();

        let mut journal = Journal::<String>::read(path.clone()).unwrap();
        assert_eq!(journal.run, run);
        assert_eq!(journal.steps.keys().collect::<Vec<_>>(), ["a"]);
        journal.record("c", "3".to_owned()).unwrap();
        drop(journal);
        let journal = Journal::<String>::read(path.clone()).unwrap();
        assert_eq!(journal.steps.keys().collect::<Vec<_>>(), ["a", "c"]);

        journal.finish().unwrap();
        let error = Journal::<String>::read(path).err().unwrap();
        assert_eq!(error.exit_code(), 2);
    }
}
