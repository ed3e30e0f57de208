//! What a function is as a program.

use std::path::PathBuf;

/// How to start a program.
#[derive(Debug, Clone)]
pub struct Program {
    /// Of the function, as `AWS_LAMBDA_FUNCTION_NAME` says it.
    pub name: String,
    /// The executable.
    pub command: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables that it needs beside those of its function.
    pub environment: Vec<(&'static str, String)>,
    /// Where it runs; `None` for the directory of this process.
    pub directory: Option<PathBuf>,
}

impl Program {
    /// A program without arguments, variables and a directory of its own.
    #[must_use]
    pub fn plain(name: &str, command: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            command,
            arguments: vec![],
            environment: vec![],
            directory: None,
        }
    }

    /// The same program, started by another that observes it.
    #[must_use]
    pub fn wrapped<const N: usize>(&self, observer: &str, options: [String; N]) -> Self {
        let mut arguments = Vec::from(options);
        arguments.push(self.command.display().to_string());
        arguments.extend(self.arguments.iter().cloned());
        Self {
            command: observer.into(),
            arguments,
            ..self.clone()
        }
    }
}
