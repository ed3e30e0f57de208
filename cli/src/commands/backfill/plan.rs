//! What a backfill would spend.

use std::collections::BTreeMap;

use domain::{LinkId, Timestamp};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use time::{Date, Duration};

use crate::{
    CliError,
    api::{Api, Link, Quota},
    output::{Page, Table, counted, counter},
};

/// The most days that `date_from` may be before `date_to` (docs/API.md, `POST /requests`).
const LONGEST_DAYS: i64 = 365;
/// A retrieval that reaches back fewer days than this is a short one (docs/API.md, "quota").
const SHORT_DAYS: i64 = 6;
/// How many links are looked at at the same time.
const AT_ONCE: usize = 8;
/// More than this many links are not listed one by one, but for those that are skipped.
const LISTED: usize = 20;

/// The retrievals of a backfill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Plan {
    pub(crate) links: Vec<Planned>,
}

/// What would be sent for a link.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Planned {
    pub(crate) link: LinkId,
    pub(crate) long: u32,
    pub(crate) short: u32,
    pub(crate) long_left: u32,
    pub(crate) short_left: u32,
    /// Why nothing would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<String>,
    #[serde(skip)]
    pub(crate) windows: Vec<(Date, Date)>,
}

/// The name of a retrieval in the journal.
pub(super) fn step(link: &LinkId, from: Date, to: Date) -> String {
    format!("{link} {from} {to}")
}

/// Reads what each link has left, and plans. `is_sent` says which retrievals were sent before an
/// interruption.
pub(super) async fn read(
    api: &Api,
    links: Vec<LinkId>,
    days: (Date, Date),
    is_sent: &dyn Fn(&str) -> bool,
) -> Result<Plan, CliError> {
    let progress = counter("Looking at quotas", links.len());
    let planned = links.into_iter().map(|link| {
        let progress = &progress;
        async move {
            let record: Option<Link> = api.find(&format!("/links/{link}"), &[]).await?;
            let quota: Quota = api.get(&format!("/links/{link}/quota"), &[]).await?;
            progress.inc(1);
            let customer = Customer::of(record.as_ref(), &quota);
            let planned = Planned::of(link, record.as_ref(), &quota, days, is_sent);
            Ok::<_, CliError>((planned, customer))
        }
    });
    let links: Vec<_> = stream::iter(planned)
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    progress.finish_and_clear();
    Ok(Plan::of(links))
}

/// Whose retrievals are counted together, as far as can be seen from here: what the caller calls
/// the person, and the bank. The API counts by Belvo's id of the person, and refuses what was
/// planned beyond what is left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Customer {
    external_id: String,
    institution: Option<String>,
}

impl Customer {
    /// `None` for a link whose retrievals are counted alone, as far as is known.
    fn of(record: Option<&Link>, quota: &Quota) -> Option<Self> {
        let record = record.filter(|_| quota.counted_for == "customer")?;
        Some(Self {
            external_id: record.external_id.clone()?,
            institution: record.institution.clone(),
        })
    }
}

impl Plan {
    /// Nothing is sent for a link where some of it would be refused. A customer's links share what
    /// is left: a link is skipped for which those before it take too much.
    fn of(links: Vec<(Planned, Option<Customer>)>) -> Self {
        let mut left: BTreeMap<Customer, (u32, u32)> = BTreeMap::new();
        let links = links.into_iter().map(|(mut link, customer)| {
            let mut alone = (link.long_left, link.short_left);
            let left = customer.map_or(&mut alone, |customer| {
                left.entry(customer)
                    .or_insert((link.long_left, link.short_left))
            });
            link.take_from(left);
            link
        });
        Self {
            links: links.collect(),
        }
    }

    /// How many retrievals would be sent.
    pub(crate) fn retrievals(&self) -> usize {
        let sent = self.links.iter().filter(|one| one.skipped.is_none());
        let sent = sent.map(|one| one.long + one.short).sum::<u32>();
        usize::try_from(sent).unwrap_or(usize::MAX)
    }

    /// What would be spent.
    pub(crate) fn words(&self) -> String {
        let sent: Vec<_> = self
            .links
            .iter()
            .filter(|one| one.skipped.is_none())
            .collect();
        let long: u32 = sent.iter().map(|one| one.long).sum();
        let short: u32 = sent.iter().map(|one| one.short).sum();
        let links = counted(sent.len(), "link");
        format!("{long} long and {short} short retrievals, of {links}")
    }

    pub(crate) fn page(&self) -> Page {
        let mut page = Page::new();
        page.title(format_args!("This would spend {}", self.words()));
        let is_long = self.links.len() > LISTED;
        let mut table = Table::new(["link", "long", "of", "short", "of", "skipped because"]);
        for one in self
            .links
            .iter()
            .filter(|one| !is_long || one.skipped.is_some())
        {
            table.row([
                one.link.to_string(),
                one.long.to_string(),
                one.long_left.to_string(),
                one.short.to_string(),
                one.short_left.to_string(),
                one.skipped.clone().unwrap_or_default(),
            ]);
        }
        if !table.is_empty() {
            page.table(&table);
        }
        page
    }
}

impl Planned {
    fn of(
        link: LinkId,
        record: Option<&Link>,
        quota: &Quota,
        (from, to): (Date, Date),
        is_sent: &dyn Fn(&str) -> bool,
    ) -> Self {
        let windows = windows(from, to);
        let today = Timestamp::now().day();
        let (mut long, mut short) = (0, 0);
        for (from, _) in windows
            .iter()
            .filter(|(from, to)| !is_sent(&step(&link, *from, *to)))
        {
            if *from > today - Duration::days(SHORT_DAYS) {
                short += 1;
            } else {
                long += 1;
            }
        }
        let (long_left, short_left) = (quota.left("long"), quota.left("short"));
        let block = record.and_then(|link| link.blocked.as_ref());
        let skipped = block.map(|block| format!("blocked: {}", block.reason));
        Self {
            link,
            long,
            short,
            long_left,
            short_left,
            skipped,
            windows,
        }
    }

    /// Takes its retrievals from what is left of the long and short ones, or is skipped.
    fn take_from(&mut self, left: &mut (u32, u32)) {
        (self.long_left, self.short_left) = *left;
        if self.skipped.is_some() {
            return;
        }
        match (
            left.0.checked_sub(self.long),
            left.1.checked_sub(self.short),
        ) {
            (Some(long), Some(short)) => *left = (long, short),
            _ => self.skipped = Some("quota is used up".to_owned()),
        }
    }
}

/// The span in windows of a year at most, latest first: what is recent matters most.
fn windows(from: Date, to: Date) -> Vec<(Date, Date)> {
    let mut windows = Vec::new();
    let mut last = to;
    while last >= from {
        let first = from.max(last - Duration::days(LONGEST_DAYS));
        windows.push((first, last));
        last = first - Duration::DAY;
    }
    windows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LINK: &str = "16f68516-bcbc-4cf7-b815-c500d4204e28";

    fn days_ago(days: i64) -> Date {
        Timestamp::now().day() - Duration::days(days)
    }

    /// From so many days ago until today, for a link that has so many long retrievals left.
    fn planned(from: i64, long_left: u32, is_sent: &dyn Fn(&str) -> bool) -> Planned {
        planned_for(None, from, long_left, is_sent)
    }

    fn planned_for(
        record: Option<&Link>,
        from: i64,
        long_left: u32,
        is_sent: &dyn Fn(&str) -> bool,
    ) -> Planned {
        let quota = json!({"month": "2026-03", "counted_for": "link", "retrievals": [
            {"class": "long", "limit": 8, "used": 0, "left": long_left},
            {"class": "short", "limit": 240, "used": 0, "left": 240}]});
        let quota = serde_json::from_value(quota).unwrap();
        let link = LinkId::parse(LINK).unwrap();
        let planned = Planned::of(link, record, &quota, (days_ago(from), days_ago(0)), is_sent);
        Plan::of(vec![(planned, None)]).links.remove(0)
    }

    fn none_sent(_step: &str) -> bool {
        false
    }

    #[test]
    fn more_than_a_year_takes_several_retrievals_that_hold_each_day_once() {
        let planned = planned(800, 8, &none_sent);
        assert_eq!((planned.long, planned.short), (3, 0));
        let windows = &planned.windows;
        assert_eq!((windows[0].1, windows[2].0), (days_ago(0), days_ago(800)));
        for pair in windows.windows(2) {
            assert_eq!(pair[1].1.next_day(), Some(pair[0].0));
        }
        assert!(
            windows
                .iter()
                .all(|(from, to)| (*to - *from).whole_days() <= LONGEST_DAYS)
        );
    }

    #[test]
    fn what_reaches_back_less_than_six_days_is_short() {
        assert_eq!(planned(5, 8, &none_sent).short, 1);
        assert_eq!(planned(6, 8, &none_sent).long, 1);
    }

    #[test]
    fn a_link_is_skipped_that_has_too_few_left_or_is_blocked() {
        let few = planned(700, 1, &none_sent);
        assert_eq!(few.skipped.as_deref(), Some("quota is used up"));
        let blocked = json!({"link": LINK, "blocked": {"reason": "token_required",
            "since": "2026-03-01T00:00:00.000Z", "remedy": "r"}});
        let blocked: Link = serde_json::from_value(blocked).unwrap();
        let blocked = planned_for(Some(&blocked), 5, 8, &none_sent);
        assert_eq!(blocked.skipped.as_deref(), Some("blocked: token_required"));
        let plan = Plan {
            links: vec![few, blocked],
        };
        assert_eq!(plan.retrievals(), 0);
        assert_eq!(plan.words(), "0 long and 0 short retrievals, of 0 links");
    }

    #[test]
    fn the_links_of_a_customer_share_what_is_left() {
        let one = |customer: &str| {
            let customer = Customer {
                external_id: customer.to_owned(),
                institution: None,
            };
            (planned(300, 2, &none_sent), Some(customer))
        };
        let plan = Plan::of(vec![one("a"), one("b"), one("a"), one("a")]);
        let skipped: Vec<_> = plan
            .links
            .iter()
            .map(|link| link.skipped.is_some())
            .collect();
        assert_eq!(skipped, [false, false, false, true]);
        assert_eq!(plan.links[2].long_left, 1);
    }

    #[test]
    fn what_was_sent_before_an_interruption_is_not_spent_again() {
        let first = step(&LinkId::parse(LINK).unwrap(), days_ago(365), days_ago(0));
        let planned = planned(700, 1, &|step| step == first);
        assert_eq!((planned.long, planned.skipped), (1, None));
        assert_eq!(planned.windows.len(), 2);
    }
}
