//! What did we spend?

use clap::Args;
use domain::{LinkId, QuotaMonth, Timestamp};
use serde::{Deserialize, Serialize};

use super::Context;
use crate::{
    CliError, Outcome,
    api::{Api, ClassQuota},
    output::{Page, Report, Style, Table, counted},
};

/// Show what was spent of a month's retrievals, by customer
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest spend
  belvo-ingest spend --month 2026-02
  belvo-ingest spend --json | jq '[.customers[].retrievals[] | .used] | add'")]
pub(crate) struct SpendArgs {
    /// The month; this one by default. UTC
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<String>,
}

/// What was spent of a month, the customer with the most first.
#[derive(Debug, Serialize)]
pub(crate) struct SpendReport {
    pub(crate) month: String,
    pub(crate) long: u32,
    pub(crate) short: u32,
    pub(crate) customers: Vec<Spent>,
    #[serde(skip)]
    pub(crate) is_over: bool,
}

/// What was spent for one customer, or for a link that is not registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) counted_for: String,
    pub(crate) links: Vec<SpendingLink>,
    pub(crate) retrievals: Vec<ClassQuota>,
}

/// A link for which retrievals were counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SpendingLink {
    pub(crate) link: LinkId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) institution: Option<String>,
}

pub(crate) async fn run(args: SpendArgs, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    context.output.show(&read(&stack.api, args.month).await?)
}

/// What was spent of a month, or of this one.
pub(crate) async fn read(api: &Api, month: Option<String>) -> Result<SpendReport, CliError> {
    let this_month = QuotaMonth::of(Timestamp::now()).text();
    let month = month.unwrap_or_else(|| this_month.clone());
    let query = [("month", month.as_str())];
    let customers = api.all("/quotas", &query, "quotas").await?;
    let is_over = month < this_month;
    Ok(SpendReport::of(month, customers, is_over))
}

impl SpendReport {
    fn of(month: String, mut customers: Vec<Spent>, is_over: bool) -> Self {
        customers.sort_by_key(|one| std::cmp::Reverse((one.used("long"), one.used("short"))));
        let sum = |class: &str| customers.iter().map(|one| one.used(class)).sum();
        Self {
            month,
            long: sum("long"),
            short: sum("short"),
            customers,
            is_over,
        }
    }

    /// Those that have none of a class left in a month that is not over.
    pub(crate) fn exhausted(&self) -> usize {
        let exhausted = self.customers.iter().filter(|one| one.has_none_left());
        if self.is_over { 0 } else { exhausted.count() }
    }
}

impl Spent {
    fn of_class(&self, class: &str) -> Option<&ClassQuota> {
        self.retrievals.iter().find(|quota| quota.class == class)
    }

    fn used(&self, class: &str) -> u32 {
        self.of_class(class).map_or(0, |quota| quota.used)
    }

    fn has_none_left(&self) -> bool {
        self.retrievals.iter().any(|quota| quota.left == 0)
    }

    fn show(&self, class: &str) -> String {
        let quota = self.of_class(class);
        quota.map_or_else(String::new, |quota| {
            format!("{} of {}", quota.used, quota.limit)
        })
    }

    /// What the caller calls the customer, else the links.
    fn name(&self) -> String {
        let names = self.links.iter().map(|link| {
            let id = link.external_id.as_deref();
            id.unwrap_or(link.link.as_str()).to_owned()
        });
        let mut names: Vec<_> = names.collect();
        names.dedup();
        names.join(", ")
    }

    fn institution(&self) -> String {
        let institution = self.links.iter().find_map(|link| link.institution.clone());
        institution.unwrap_or_default()
    }
}

impl Report for SpendReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        page.title(format_args!(
            "{}: {} long and {} short retrievals, for {}",
            self.month,
            self.long,
            self.short,
            counted(self.customers.len(), "customer")
        ));
        if self.customers.is_empty() {
            return page;
        }
        let mut table = Table::new(["customer", "bank", "links", "long", "short", "left"]);
        for one in &self.customers {
            table.row([
                one.name(),
                one.institution(),
                one.links.len().to_string(),
                one.show("long"),
                one.show("short"),
                if one.has_none_left() {
                    "none of a class"
                } else {
                    ""
                }
                .to_owned(),
            ]);
        }
        page.table(&table);
        if self.exhausted() > 0 {
            page.line(Style::Attention.of("Nothing is sent for those that have none left."));
        }
        page
    }

    fn outcome(&self) -> Outcome {
        Outcome::attention_if(self.exhausted() > 0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spent(external_id: Option<&str>, long: u32) -> Spent {
        serde_json::from_value(json!({"counted_for": "customer",
            "links": [{"link": "16f68516-bcbc-4cf7-b815-c500d4204e28",
                "external_id": external_id, "institution": "bank"}],
            "retrievals": [
                {"class": "long", "limit": 8, "used": long, "left": 8 - long},
                {"class": "short", "limit": 240, "used": 2, "left": 238}]}))
        .unwrap()
    }

    #[test]
    fn a_month_is_summed_and_whoever_spent_most_comes_first() {
        let customers = vec![spent(Some("few"), 1), spent(None, 5)];
        let report = SpendReport::of("2026-03".to_owned(), customers, false);
        assert_eq!((report.long, report.short), (6, 4));
        let page = report.page().to_string();
        assert!(
            page.contains("2026-03: 6 long and 4 short retrievals, for 2 customers"),
            "{page}"
        );
        let (most, few) = (page.find("16f68516").unwrap(), page.find("few").unwrap());
        assert!(most < few, "{page}");
        assert_eq!(report.outcome(), Outcome::Fine);
    }

    #[test]
    fn a_customer_without_any_left_needs_attention_unless_the_month_is_over() {
        let report =
            |is_over| SpendReport::of("2026-03".to_owned(), vec![spent(Some("all"), 8)], is_over);
        assert_eq!(report(false).outcome(), Outcome::NeedsAttention);
        assert_eq!(report(true).outcome(), Outcome::Fine);
    }
}
