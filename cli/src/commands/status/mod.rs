//! How is it, and how far behind are we? What is wrong comes first.

mod facts;
mod findings;
mod read;

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use self::facts::{Facts, LastHour, Spent};
pub(crate) use self::findings::{Finding, findings};
use super::Context;
use crate::{
    CliError, Outcome,
    output::{Page, Report, Style, Table, age, counted, instant, spinner},
};

/// Show what is wrong, how far behind the stack is, and the last hour
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest status
  belvo-ingest status --stack belvo-ingest-prod --profile prod
  belvo-ingest status --json | jq .findings")]
pub(crate) struct StatusArgs {}

/// How a stack is.
#[derive(Debug, Serialize)]
pub(crate) struct StatusReport {
    pub(crate) findings: Vec<Finding>,
    pub(crate) facts: Facts,
}

pub(crate) async fn run(_args: StatusArgs, context: &Context) -> Result<Outcome, CliError> {
    let progress = spinner("Reading the last hour");
    let stack = context.stack().await?;
    let facts = read::facts(&stack).await?;
    progress.finish_and_clear();
    context.output.show(&StatusReport {
        findings: findings(&facts),
        facts,
    })
}

impl Report for StatusReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        let facts = &self.facts;
        if self.findings.is_empty() {
            page.line(Style::Good.of("Nothing is wrong."));
        }
        for finding in &self.findings {
            page.line(format_args!("{} {}", Style::Bad.of("!"), finding.what));
            page.next(&finding.next);
        }
        page.title(format_args!(
            "Stack {} at {}",
            facts.stack,
            instant(facts.at)
        ));
        queues(&mut page, facts);
        links(&mut page, facts);
        page.field("Stuck", counted(facts.stuck.len(), "request"));
        page.field("Spent", spent(&facts.spent));
        if let Some(hour) = &facts.last_hour {
            last_hour(&mut page, hour);
        }
        page
    }

    fn outcome(&self) -> Outcome {
        Outcome::attention_if(!self.findings.is_empty())
    }
}

fn spent(spent: &Spent) -> String {
    let customers = counted(spent.customers, "customer");
    let Spent {
        month, long, short, ..
    } = spent;
    format!("{long} long and {short} short retrievals in {month}, for {customers}")
}

fn queues(page: &mut Page, facts: &Facts) {
    if let Some(queue) = facts.queue {
        let oldest = queue
            .oldest_s
            .map(|oldest| format!("; the oldest for {}", age(oldest)));
        page.field(
            "Queue",
            format_args!(
                "{} messages wait, {} are being processed{}",
                queue.waiting,
                queue.in_flight,
                oldest.unwrap_or_default()
            ),
        );
    }
    if let Some(count) = facts.dead_letters {
        page.field("Dead letters", count);
    }
}

fn links(page: &mut Page, facts: &Facts) {
    page.field("Blocked links", counts(&facts.links.blocked));
    page.field("Stale links", facts.links.stale.len());
}

fn last_hour(page: &mut Page, hour: &LastHour) {
    page.title("In the last hour");
    let refused = counts(&hour.webhooks_refused);
    page.field(
        "Webhooks",
        format_args!("{} accepted; refused: {refused}", hour.webhooks_accepted),
    );
    page.field("Collections", counts(&hour.collections));
    if let Some(delay) = hour.stored_after_ms {
        page.field(
            "Stored after",
            format_args!(
                "{} ms in the median, {} ms for 95 %, {} ms at most since the webhook",
                delay.median, delay.p95, delay.longest
            ),
        );
    }
    if hour.belvo.is_empty() {
        page.field("Belvo", "no call");
    } else {
        page.blank();
        page.table(&belvo(hour));
    }
}

fn belvo(hour: &LastHour) -> Table {
    let mut table = Table::new([
        "belvo's answers",
        "ok",
        "refused",
        "rate limited",
        "server errors",
        "unanswered",
    ]);
    for (institution, answers) in &hour.belvo {
        table.row([
            institution.clone(),
            answers.ok.to_string(),
            answers.refused.to_string(),
            answers.rate_limited.to_string(),
            answers.server_errors.to_string(),
            answers.unanswered.to_string(),
        ]);
    }
    table
}

/// A sum, and what it is made of.
fn counts<N: Copy + Into<Count>>(by: &BTreeMap<String, N>) -> String {
    let counts = by.iter().map(|(name, count)| (name, (*count).into().0));
    let sum: u64 = counts.clone().map(|(_, count)| count).sum();
    let parts: Vec<_> = counts
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    if parts.is_empty() {
        sum.to_string()
    } else {
        format!("{sum} ({})", parts.join(", "))
    }
}

struct Count(u64);

impl From<u64> for Count {
    fn from(count: u64) -> Self {
        Self(count)
    }
}

impl From<usize> for Count {
    fn from(count: usize) -> Self {
        Self(u64::try_from(count).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use findings::tests::healthy;

    fn report(facts: Facts) -> StatusReport {
        StatusReport {
            findings: findings(&facts),
            facts,
        }
    }

    #[test]
    fn what_is_wrong_comes_in_the_first_lines_with_the_next_step() {
        let report = report(Facts {
            dead_letters: Some(2),
            ..healthy()
        });
        let page = anstream::adapter::strip_str(&report.page().to_string()).to_string();
        let first: Vec<_> = page.lines().take(2).collect();
        assert_eq!(
            first,
            [
                "! dead letters: 2",
                "  next: belvo-ingest dead-letters list"
            ]
        );
        assert_eq!(report.outcome(), Outcome::NeedsAttention);
    }

    #[test]
    fn a_healthy_stack_says_so_and_exits_with_nothing() {
        let report = report(healthy());
        assert!(report.page().to_string().contains("Nothing is wrong."));
        assert_eq!(report.outcome(), Outcome::Fine);
    }

    #[test]
    fn counts_are_summed_and_told_apart() {
        let by = BTreeMap::from([("deleted".to_owned(), 2_u64), ("invalid".to_owned(), 3)]);
        assert_eq!(counts(&by), "5 (2 deleted, 3 invalid)");
        assert_eq!(counts::<u64>(&BTreeMap::new()), "0");
    }
}
