//! The commands, one file each.

mod backfill;
mod changes;
mod collect;
mod completions;
mod dead_letters;
mod erase;
mod link;
mod man;
mod request;
mod secrets;
mod selection;
mod spend;
mod status;
mod stuck;
mod tail;
mod webhooks;
mod why_missing;

use clap::Subcommand;

use crate::{CliError, Outcome, output::Output, place::PlaceArgs, stack::Stack};

/// What a command is run with.
pub(crate) struct Context {
    pub(crate) place: PlaceArgs,
    pub(crate) output: Output,
    /// The grammar of the command line.
    pub(crate) grammar: fn() -> clap::Command,
}

impl Context {
    /// The stack that the command line means.
    pub(crate) async fn stack(&self) -> Result<Stack, CliError> {
        Stack::find(&self.place).await
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(status::StatusArgs),
    Stuck(stuck::StuckArgs),
    Link(link::LinkArgs),
    Request(request::RequestArgs),
    WhyMissing(why_missing::WhyMissingArgs),
    Tail(tail::TailArgs),
    Changes(changes::ChangesArgs),
    Spend(spend::SpendArgs),
    Collect(collect::CollectArgs),
    Backfill(backfill::BackfillArgs),
    DeadLetters(dead_letters::DeadLettersArgs),
    Webhooks(webhooks::WebhooksArgs),
    Secrets(secrets::SecretsArgs),
    Erase(erase::EraseArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Runs a command.
pub(crate) async fn run(command: Command, context: &Context) -> Result<Outcome, CliError> {
    match command {
        Command::Status(args) => status::run(args, context).await,
        Command::Stuck(args) => stuck::run(args, context).await,
        Command::Link(args) => link::run(args, context).await,
        Command::Request(args) => request::run(args, context).await,
        Command::WhyMissing(args) => why_missing::run(args, context).await,
        Command::Tail(args) => tail::run(args, context).await,
        Command::Changes(args) => changes::run(args, context).await,
        Command::Spend(args) => spend::run(args, context).await,
        Command::Collect(args) => collect::run(args, context).await,
        Command::Backfill(args) => backfill::run(args, context).await,
        Command::DeadLetters(args) => dead_letters::run(args, context).await,
        Command::Webhooks(args) => webhooks::run(args, context).await,
        Command::Secrets(args) => secrets::run(args, context).await,
        Command::Erase(args) => erase::run(args, context).await,
        Command::Completions(args) => completions::run(&args, context),
        Command::Man(args) => man::run(&args, context),
    }
}
