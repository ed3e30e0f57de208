//! The manual page.

use clap::Args;

use super::Context;
use crate::{CliError, Outcome, error::OrFail, output::print};

/// Print the manual page
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest man | man -l -
  belvo-ingest man > ~/.local/share/man/man1/belvo-ingest.1")]
pub(crate) struct ManArgs {}

pub(crate) fn run(_args: &ManArgs, context: &Context) -> Result<Outcome, CliError> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new((context.grammar)()).render(&mut page);
    rendered.or_fail("write the manual page", "")?;
    print(&String::from_utf8_lossy(&page))?;
    Ok(Outcome::Fine)
}
