//! Shell completions.

use clap::Args;
use clap_complete::Shell;

use super::Context;
use crate::{CliError, Outcome, output::print};

/// Print shell completions
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest completions bash > ~/.local/share/bash-completion/completions/belvo-ingest
  belvo-ingest completions zsh > ~/.zfunc/_belvo-ingest
  belvo-ingest completions fish > ~/.config/fish/completions/belvo-ingest.fish")]
pub(crate) struct CompletionsArgs {
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, context: &Context) -> Result<Outcome, CliError> {
    let mut script = Vec::new();
    let mut grammar = (context.grammar)();
    clap_complete::generate(args.shell, &mut grammar, "belvo-ingest", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Fine)
}
