//! The functions as processes of this machine, and a delivery to them.

use std::{env, fs};

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::{
    arguments::{Amount, Processes},
    surroundings::Surroundings,
    trouble::Trouble,
};

/// Runs this program once more as the one that delivers, in front of the functions.
pub(crate) async fn run(arguments: &Processes) -> anyhow::Result<()> {
    let functions = fs::canonicalize(&arguments.functions)
        .with_context(|| format!("there is no {}", arguments.functions.display()))?;
    let trouble = Trouble::seeded(arguments.amount.seed, arguments.rates());
    let surroundings = Surroundings::start(&functions, trouble).await?;
    let mut triggers = surroundings.trigger();

    let delivered = Command::new(env::current_exe()?)
        .arg("deliver")
        .args(amount(&arguments.amount))
        .args(["--peace", &surroundings.peace_url()])
        .envs(surroundings.described())
        .kill_on_drop(true)
        .status()
        .await?;
    triggers.shutdown().await;
    surroundings.lambda.end().await?;

    let failed: Vec<_> = surroundings
        .lambda
        .counts()
        .into_iter()
        .filter(|(_, counts)| counts.failed > 0)
        .collect();
    ensure!(
        failed.is_empty(),
        "functions failed by themselves: {failed:?}"
    );
    ensure!(
        delivered.success(),
        "once more with --seed {} --webhooks {} --links {}",
        arguments.amount.seed,
        arguments.amount.webhooks,
        arguments.amount.links
    );
    Ok(())
}

/// The same amount on another command line.
fn amount(amount: &Amount) -> Vec<String> {
    let mut all = Vec::new();
    for (name, value) in [
        ("--seed", amount.seed),
        ("--links", amount.links as u64),
        ("--webhooks", amount.webhooks),
        ("--at-once", amount.at_once as u64),
        ("--seconds", amount.seconds),
    ] {
        all.extend([name.to_owned(), value.to_string()]);
    }
    if let Some(path) = &amount.results {
        all.extend(["--results".to_owned(), path.display().to_string()]);
    }
    all
}
