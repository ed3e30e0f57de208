//! The operator's command. Each command in `commands` reads facts, about which a pure function says
//! what is found, and that is shown to a person or written as JSON.

mod api;
mod args;
mod aws;
mod commands;
mod environment;
mod error;
mod exit;
mod http;
mod logs;
mod output;
mod place;
mod queue_age;
mod signing;
mod stack;
mod state;

use std::process::ExitCode;

use crate::{args::Arguments, commands::Context, output::Output};
pub(crate) use crate::{error::CliError, exit::Outcome};

/// Runs the command of this process's command line, and returns how it ended.
pub async fn run() -> ExitCode {
    let Arguments { global, command } = Arguments::parse();
    let output = Output::new(global.json);
    let context = Context {
        place: global.place,
        output,
        grammar: args::command,
    };
    match commands::run(command, &context).await {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            output.fail(&error);
            error.exit_code().into()
        }
    }
}
