//! Rows of every resource, as Belvo's document describes them and beyond, through everything that
//! is done with them: collected, listed, followed and erased. They are equal at each.

use std::collections::BTreeMap;

use domain::{Dates, RESOURCES, Resource};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use test_harness::{Follower, Link, assert_same_rows, by_id, days_ago};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    faults::Faults,
    oddity::{CANARY, make_odd},
    run::{End, Outcome, begin, simulate},
    settling::{DELETED_IN, is_deleted},
    specification::Specification,
    users::Users,
};

/// Of each resource. Every second one is odd.
const ROWS: usize = 16;
/// Over so many days.
const DAYS: i64 = 364;
const ACCOUNT: &str = "AccountOpenFinanceBrazil";
/// What has to be as it is for Belvo to list a row, and for us to know it again.
const KEPT: [&str; 4] = ["id", "link", "account", "collected_at"];

/// What Belvo has: rows by resource and id, as they were put there.
type Bank = BTreeMap<&'static str, BTreeMap<String, Value>>;

/// Makes rows that follow from a seed.
struct Maker {
    specification: Specification,
    dice: ChaCha8Rng,
    /// The ids of the link's accounts.
    accounts: Vec<String>,
}

/// Takes rows of a seed through the pipeline, while nothing goes wrong.
pub(crate) fn run(seed: u64) -> Outcome {
    simulate(seed, async move |listener, log| {
        let (world, stack) = begin(seed, Faults::default(), listener);
        world.calm();
        let users = Users::new(world, &stack);
        users.register_webhook().await;
        scenario(&users, seed).await;
        assert!(!log.text().contains(CANARY), "I7: a row was logged");
        End::of(&users.world)
    })
}

async fn scenario(users: &Users<'_>, seed: u64) {
    let link = users.stack.recurrent_link(0).await;
    let mut maker = Maker::of(users, &link, seed).await;
    let mut bank = Bank::new();
    for resource in RESOURCES {
        let rows = (0..ROWS).map(|number| maker.row(*resource, &link, number));
        bank.insert(resource.name(), by_id(&rows.collect::<Vec<_>>()));
    }
    let mut follower = Follower::of([&link]);
    comes_out_equal(users, &link, &bank, &mut follower).await;

    for resource in RESOURCES {
        let rows = bank.get_mut(resource.name()).expect("every resource");
        let gone = newest(*resource, rows);
        rows.remove(&gone);
        link.delete(&gone).await;
        for (number, (id, row)) in rows.iter_mut().enumerate() {
            let mut other = maker.row(*resource, &link, number);
            other["id"] = json!(id);
            // One that was collected earlier would be taken for an earlier version.
            other["collected_at"] = row["collected_at"].take();
            *row = other;
        }
    }
    comes_out_equal(users, &link, &bank, &mut follower).await;

    let path = format!("/links/{}?rows=erase", link.id);
    users.stack.delete(&path).await;
    sleep(DELETED_IN).await;
    is_deleted(users, &link).await;
    follower.follow_all(users.stack).await;
    for resource in RESOURCES {
        let left = follower.rows(&link, resource.name());
        assert!(left.is_empty(), "not erased: {left:?}");
    }
}

impl Maker {
    /// One whose rows are of a link, of which it changes the accounts.
    async fn of(users: &Users<'_>, link: &Link<'_>, seed: u64) -> Self {
        let sandbox = &users.stack.sandbox;
        let accounts = by_id(&sandbox.accounts(&link.id).await.expect("accounts"));
        let schemas = RESOURCES.iter().map(|resource| schema_of(*resource));
        let schemas = schemas.chain([ACCOUNT]);
        let mut maker = Self {
            specification: Specification::of(schemas),
            dice: ChaCha8Rng::seed_from_u64(seed),
            accounts: accounts.into_keys().collect(),
        };
        for (number, id) in maker.accounts.clone().iter().enumerate() {
            let mut fields = maker.specification.example(ACCOUNT, &mut maker.dice);
            if number > 0 && fields.is_object() {
                make_odd(&mut fields, &KEPT, &mut maker.dice);
            }
            if let Some(fields) = fields.as_object_mut() {
                fields.retain(|name, _| !KEPT.contains(&name.as_str()));
                let changed = sandbox.patch_account(&link.id, id, json!(fields));
                changed.await.expect("an account of the link");
            }
        }
        maker
    }

    /// A row of a resource; every second one is odd.
    fn row(&mut self, resource: Resource, link: &Link<'_>, number: usize) -> Value {
        let schema = schema_of(resource);
        let mut row = self.specification.example(schema, &mut self.dice);
        // Of some, the document does not say that they have one.
        row["id"] = json!(Uuid::from_u128(self.dice.random()).to_string());
        let date_field = resource.date_field();
        if number % 2 == 1 {
            let kept: Vec<_> = KEPT.into_iter().chain(date_field).collect();
            make_odd(&mut row, &kept, &mut self.dice);
        }
        if let Some(date_field) = date_field {
            row[date_field] = json!(days_ago(self.dice.random_range(0..DAYS)));
        }
        if row.get("link").is_some() {
            row["link"] = json!(link.id);
        }
        if resource.has_accounts() {
            let account = self.accounts.choose(&mut self.dice);
            row["account"] = json!({ "id": account });
        }
        row
    }
}

/// The id of the newest row. One that is older than all that Belvo lists would be taken for one
/// that Belvo keeps no longer.
fn newest(resource: Resource, rows: &BTreeMap<String, Value>) -> String {
    let day = |row: &Value| {
        let field = resource.date_field()?;
        row[field].as_str().map(str::to_owned)
    };
    let newest = rows.iter().max_by_key(|(_, row)| day(row));
    newest.expect("a row").0.clone()
}

/// The document's name for what a resource has.
fn schema_of(resource: Resource) -> &'static str {
    match resource.name() {
        "transactions" => "TransactionOpenFinanceBrazil",
        "invoices" => "InvoiceWithIdSat",
        "employments" => "EmploymentBrazil",
        "employment-records" => "EmploymentRecord",
        "financial-statements" => "FinancialStatement",
        other => panic!("no rows of {other}"),
    }
}

/// Puts rows at the bank, collects them, and compares them with what is listed and followed.
async fn comes_out_equal(users: &Users<'_>, link: &Link<'_>, bank: &Bank, follower: &mut Follower) {
    let sandbox = &users.stack.sandbox;
    for (resource, rows) in bank {
        for row in rows.values() {
            let put = sandbox.put_row(&link.id, resource, row.clone());
            put.await.expect("a row of the link");
        }
    }
    for resource in RESOURCES {
        let asked = body_of(*resource, link);
        link.collect_resource(resource.name(), asked).await;
    }
    follower.follow_all(users.stack).await;

    let accounts = by_id(&sandbox.accounts(&link.id).await.expect("accounts"));
    for (resource, rows) in bank {
        let listed = match *resource {
            "transactions" => link.stored().await,
            other => link.stored_of(other).await,
        };
        assert_same_rows(&with_accounts(rows, |id| accounts[id].clone()), &listed);
        let copy = follower.rows(link, resource);
        assert_same_rows(&with_accounts(rows, |id| json!(id)), &copy);
    }
}

/// The rows, each with what stands for its account, if it has one.
fn with_accounts(
    rows: &BTreeMap<String, Value>,
    account: impl Fn(&str) -> Value,
) -> BTreeMap<String, Value> {
    let mut rows = rows.clone();
    for row in rows.values_mut() {
        let id = row
            .get("account")
            .and_then(|account| account["id"].as_str());
        if let Some(account) = id.map(&account) {
            row["account"] = account;
        }
    }
    rows
}

/// What `POST /requests` has for a resource besides its name.
fn body_of(resource: Resource, link: &Link<'_>) -> Value {
    let mut body = match resource.dates() {
        Dates::Required => link.days(DAYS, 0),
        Dates::Optional | Dates::None => json!({}),
    };
    if resource.has_type() {
        body["type"] = json!("INFLOW");
    }
    body
}
