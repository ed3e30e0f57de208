//! What it costs to read rows back by day, and to store the rows of one day: requests and units of
//! the store alone, without a function around it.

use std::collections::HashMap;

use anyhow::Context;
use domain::{
    Comparison, Days, Filter, KnownVersion, LinkId, Observation, Resource, RowId, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    aws::{CallBudget, sdk_config},
    store::{Rows, TransactionsTable},
};
use test_harness::days_ago;

use crate::world::World;

/// Rows of a page of Belvo's, after each of which the store writes.
const PAGE: usize = 1_000;
/// Rows of a listing's page, unless a caller asks for another number.
const LIMIT: u16 = 100;
/// Rows that change after the first collection.
const AMENDED: usize = 10;

type Known = HashMap<RowId, KnownVersion>;

/// What one use of the store asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Use {
    /// The link's rows, and over how many days they are spread.
    rows: usize,
    days: usize,
    what: String,
    returned: usize,
    requests: u64,
    read_units: f64,
    write_units: f64,
}

/// A link of which this many rows are stored.
struct Stored<'a> {
    world: &'a World,
    rows: Rows,
    link: LinkId,
    sent: Vec<Value>,
    days: usize,
    uses: Vec<Use>,
}

/// Stores and lists links of these sizes.
pub(crate) async fn measure(world: &World, quick: bool) -> anyhow::Result<Vec<Use>> {
    let links: &[(usize, usize)] = if quick {
        &[(1_000, 365), (2_000, 1)]
    } else {
        &[(1_000, 365), (20_000, 365), (20_000, 1)]
    };
    let mut uses = Vec::new();
    for (rows, days) in links {
        eprintln!("  listings of {rows} rows of {days} days");
        let mut stored = Stored::new(world, *rows, *days).await?;
        stored.write().await?;
        stored.list().await?;
        uses.extend(stored.uses);
    }
    Ok(uses)
}

impl<'a> Stored<'a> {
    async fn new(world: &'a World, rows: usize, days: usize) -> anyhow::Result<Self> {
        let aws = sdk_config(CallBudget::PATIENT)?;
        let aws = aws.into_builder().endpoint_url(world.aws.url()).build();
        let table = TransactionsTable::open(&aws, world.aws.transactions_table.clone());
        let link = world.belvo.link(rows).await?;
        let mut sent = world.belvo.control.rows(&link).await?;
        for (number, row) in sent.iter_mut().enumerate() {
            row["value_date"] = days_ago(i64::try_from(number * days / rows)?).into();
        }
        Ok(Self {
            world,
            rows: table.rows(Resource::TRANSACTIONS),
            link: LinkId::parse(&link)?,
            sent,
            days,
            uses: Vec::new(),
        })
    }

    /// Stores all rows, and then some again that have changed.
    async fn write(&mut self) -> anyhow::Result<()> {
        self.world.aws.take_asked();
        for page in self.sent.chunks(PAGE) {
            let nothing = Known::default();
            self.store(page, nothing, "2026-03-01T00:00:00Z").await?;
        }
        self.count("first collection", self.sent.len());

        let every = self.sent.len() / AMENDED;
        let mut amended: Vec<_> = self.sent.iter().step_by(every).cloned().collect();
        for row in &mut amended {
            row["description"] = "amended".into();
        }
        let known = self.rows.known(&self.link, Days::ALL, None).await?;
        self.count("digests of all rows", 0);
        self.store(&amended, known, "2026-03-02T00:00:00Z").await?;
        self.count("ten amended rows", amended.len());
        Ok(())
    }

    /// Compares a page with what is stored, as `collect` does, and writes the difference.
    async fn store(&self, page: &[Value], known: Known, at: &str) -> anyhow::Result<()> {
        let page = page
            .iter()
            .map(|row| test_harness::taken_apart(row).0)
            .collect();
        let changes = Comparison::new(known).changes(page);
        let seen = Observation {
            at: Timestamp::parse(at).context("a timestamp")?,
            request: None,
        };
        self.rows.put(&self.link, &changes, &seen).await?;
        Ok(())
    }

    async fn list(&mut self) -> anyhow::Result<()> {
        for (what, filter) in self.filters() {
            let (rows, _) = self.rows.list(&self.link, &filter, None, LIMIT).await?;
            self.count(what, rows.len());
        }

        let instant = Timestamp::parse("2026-03-01T12:00:00Z").context("a timestamp")?;
        let (rows, all) = (&self.rows, Filter::default());
        let (rows, _) = rows
            .list_as_of(&self.link, &all, instant, None, LIMIT)
            .await?;
        self.count("listing as of an instant", rows.len());
        Ok(())
    }

    fn filters(&self) -> [(&'static str, Filter); 5] {
        let account = self.sent[0]["account"]["id"].as_str().map(str::to_owned);
        let month = (self.days > 30).then(|| (days_ago(60), days_ago(30)));
        let (date_from, date_to) = month.unzip();
        let all = Filter::default;
        let text = |text: &str| Some(text.to_owned());
        [
            ("listing", all()),
            (
                "listing of a month",
                Filter {
                    date_from,
                    date_to,
                    ..all()
                },
            ),
            ("listing of an account", Filter { account, ..all() }),
            (
                "listing by type",
                Filter {
                    kind: text("INFLOW"),
                    ..all()
                },
            ),
            (
                "listing by status",
                Filter {
                    status: text("PENDING"),
                    ..all()
                },
            ),
        ]
    }

    /// Notes what was asked for since the last time.
    fn count(&mut self, what: &'static str, returned: usize) {
        let asked = self.world.aws.take_asked();
        self.uses.push(Use {
            rows: self.sent.len(),
            days: self.days,
            what: what.to_owned(),
            returned,
            requests: asked.requests.values().sum(),
            read_units: asked.read(),
            write_units: asked
                .write_units
                .values()
                .fold(0.0, |sum, units| sum + units),
        });
    }
}
