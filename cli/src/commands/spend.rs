//! What did we spend?

use std::cmp::Reverse;

use clap::Args;
use domain::{LinkId, QuotaMonth, Timestamp};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use super::Context;
use crate::{
    CliError, Outcome,
    api::{Api, ClassQuota},
    output::{Page, Report, Style, Table, counted},
};

/// Above it, an amount is a slip of the keyboard.
const HIGHEST_PRICE: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// Show what was spent of a month's retrievals, by customer
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest spend
  belvo-ingest spend --month 2026-02 --long-price 0.45 --short-price 0.05
  belvo-ingest spend --json | jq '[.customers[].retrievals[] | .used] | add'")]
pub(crate) struct SpendArgs {
    /// The month; this one by default. UTC
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<String>,
    #[command(flatten)]
    prices: Option<Prices>,
}

/// What Belvo charges, by your contract with it: its prices are not public.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Prices {
    /// What a long retrieval costs by your contract with Belvo, in its currency
    #[arg(long, value_name = "AMOUNT", value_parser = price, env = "BELVO_LONG_PRICE")]
    #[arg(required = false, requires = "short_price")]
    long_price: Decimal,
    /// What a short one costs
    #[arg(long, value_name = "AMOUNT", value_parser = price, env = "BELVO_SHORT_PRICE")]
    #[arg(required = false, requires = "long_price")]
    short_price: Decimal,
}

/// What was spent of a month, the customer with the most first; those with as much, by their names.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SpendReport {
    pub(crate) month: String,
    pub(crate) long: u32,
    pub(crate) short: u32,
    /// At the prices that were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<Decimal>,
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
    /// At the prices that were given.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<Decimal>,
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
    let spent = read(&stack.api, args.month).await?;
    context.output.show(&spent.at(args.prices))
}

/// An amount of the command line.
fn price(text: &str) -> Result<Decimal, &'static str> {
    let amount = text.parse::<Decimal>().ok();
    let amount = amount.filter(|amount| (Decimal::ZERO..=HIGHEST_PRICE).contains(amount));
    amount.ok_or("must be an amount such as 0.45, and a million at most")
}

impl Prices {
    fn of(self, long: u32, short: u32) -> Decimal {
        self.long_price * Decimal::from(long) + self.short_price * Decimal::from(short)
    }
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
        customers.sort_by_cached_key(|one| {
            let used = Reverse((one.used("long"), one.used("short")));
            (used, one.name())
        });
        let sum = |class: &str| customers.iter().map(|one| one.used(class)).sum();
        Self {
            month,
            long: sum("long"),
            short: sum("short"),
            cost: None,
            customers,
            is_over,
        }
    }

    /// With what it costs.
    fn at(mut self, prices: Option<Prices>) -> Self {
        for one in &mut self.customers {
            one.cost = prices.map(|prices| prices.of(one.used("long"), one.used("short")));
        }
        self.cost = prices.map(|prices| prices.of(self.long, self.short));
        self
    }

    fn table(&self) -> Table {
        let columns = ["customer", "bank", "links", "long", "short", "cost", "left"];
        let mut table = Table::new(columns);
        for one in &self.customers {
            let left = one.has_none_left().then_some("none of a class");
            table.row([
                one.name(),
                one.institution(),
                one.links.len().to_string(),
                one.show("long"),
                one.show("short"),
                one.cost.map(money).unwrap_or_default(),
                left.unwrap_or_default().to_owned(),
            ]);
        }
        table
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
        let cost = self
            .cost
            .map(|cost| format!(", at a cost of {}", money(cost)));
        page.title(format_args!(
            "{}: {} long and {} short retrievals, for {}{}",
            self.month,
            self.long,
            self.short,
            counted(self.customers.len(), "customer"),
            cost.unwrap_or_default()
        ));
        if self.customers.is_empty() {
            return page;
        }
        page.table(&self.table());
        if self.cost.is_none() {
            page.line("With --long-price and --short-price, what it costs is shown.");
        }
        if self.exhausted() > 0 {
            page.line(Style::Attention.of("Nothing is sent for those that have none left."));
        }
        page
    }

    fn outcome(&self) -> Outcome {
        Outcome::attention_if(self.exhausted() > 0)
    }
}

/// An amount in hundredths.
fn money(amount: Decimal) -> String {
    let rounded = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    format!("{rounded:.2}")
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
    fn those_who_spent_as_much_are_in_the_order_of_their_names() {
        let names = |order: [&str; 3]| {
            let customers = order.map(|name| spent(Some(name), 1)).into();
            let report = SpendReport::of("2026-03".to_owned(), customers, false);
            report.customers.iter().map(Spent::name).collect::<Vec<_>>()
        };
        assert_eq!(names(["b", "c", "a"]), ["a", "b", "c"]);
    }

    #[test]
    fn what_was_spent_costs_what_the_contract_says_and_nothing_is_known_without_one() {
        let customers = vec![spent(Some("few"), 1), spent(Some("most"), 5)];
        let report = SpendReport::of("2026-03".to_owned(), customers, false);
        assert_eq!(report.clone().at(None).cost, None);
        let (long_price, short_price) = (price("0.455").unwrap(), price("0.05").unwrap());
        let report = report.at(Some(Prices {
            long_price,
            short_price,
        }));
        let page = report.page().to_string();
        assert!(
            page.contains("for 2 customers, at a cost of 2.93"),
            "{page}"
        );
        assert!(page.contains("2.38") && page.contains("0.56"), "{page}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["cost"], "2.930");
        assert_eq!(json["customers"][0]["cost"], "2.375");
    }

    #[test]
    fn a_price_is_an_amount() {
        assert_eq!(price("0.45"), Ok(Decimal::new(45, 2)));
        assert!(
            ["-1", "much", "", "1,5", "1000001"]
                .iter()
                .all(|text| price(text).is_err())
        );
    }

    #[test]
    fn a_customer_without_any_left_needs_attention_unless_the_month_is_over() {
        let report =
            |is_over| SpendReport::of("2026-03".to_owned(), vec![spent(Some("all"), 8)], is_over);
        assert_eq!(report(false).outcome(), Outcome::NeedsAttention);
        assert_eq!(report(true).outcome(), Outcome::Fine);
    }
}
