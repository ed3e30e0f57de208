//! Why is this transaction missing?

mod cause;
mod facts;
mod read;
#[cfg(test)]
mod tests;

use clap::{ArgGroup, Args};
use domain::{LinkId, RowId, parse_date};
use serde::Serialize;
use time::Date;

use self::cause::{Answer, Cause, answer};
use super::Context;
use crate::{
    CliError, Outcome,
    output::{Page, Report, Style},
};

/// Say why a transaction is missing, with the evidence and the next step
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest why-missing $LINK --day 2026-03-01
  belvo-ingest why-missing $LINK --id 0d3ffb69-f83b-456e-ad8e-208d0998d71d
  belvo-ingest why-missing $LINK --day 2026-03-01 --json | jq -r .cause

It exits with 0 if the transaction is there after all, and with 3 otherwise. By its day alone,
it is never said to be there: whether it is among the rows of that day, only its id tells.")]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["day", "id"])))]
pub(crate) struct WhyMissingArgs {
    /// Belvo's id of the link
    #[arg(value_parser = LinkId::parse)]
    link: LinkId,
    /// The day of the transaction, by its value date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    day: Option<Date>,
    /// Belvo's id of the transaction
    #[arg(long, value_name = "ROW", value_parser = RowId::parse)]
    id: Option<RowId>,
}

/// Why a transaction is missing.
#[derive(Debug, Serialize)]
pub(crate) struct WhyMissingReport {
    pub(crate) link: LinkId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<RowId>,
    #[serde(flatten)]
    pub(crate) answer: Answer,
}

/// A day of the command line.
pub(crate) fn day(text: &str) -> Result<Date, &'static str> {
    parse_date(text).ok_or("must be a calendar day written YYYY-MM-DD")
}

pub(crate) async fn run(args: WhyMissingArgs, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    let facts = read::facts(&stack.api, args.link, args.day, args.id).await?;
    context.output.show(&WhyMissingReport {
        answer: answer(&facts),
        day: facts.day.map(|day| day.to_string()),
        link: facts.link,
        id: facts.id,
    })
}

impl Report for WhyMissingReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        let id = self.id.as_ref().map(|id| format!(", transaction {id}"));
        let day = self.day.as_ref().map(|day| format!(", {day}"));
        page.line(format_args!(
            "Link {}{}{}",
            self.link,
            id.unwrap_or_default(),
            day.unwrap_or_default()
        ));
        let style = if self.answer.cause == Cause::ThereAfterAll {
            Style::Good
        } else {
            Style::Bad
        };
        page.blank();
        page.line(style.of(self.answer.cause.title()));
        for evidence in &self.answer.evidence {
            page.line(format_args!("  {evidence}"));
        }
        for next in &self.answer.next {
            page.next(next);
        }
        page
    }

    fn outcome(&self) -> Outcome {
        Outcome::attention_if(self.answer.cause != Cause::ThereAfterAll)
    }
}
