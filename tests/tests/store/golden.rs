//! Stored items outlive the code that wrote them. `tests/data/items` has one of every kind, as
//! DynamoDB holds it: the store must write exactly these (docs/decisions/0016), and read those of
//! the last release, which are in `tests/data/released`.

mod accounts;
mod changes;
mod control;
mod intents;
mod links;
mod requests;
mod rows;

use std::{fs, path::PathBuf};

use domain::{LinkId, Observation, RequestId, Timestamp, Window};
use dynoxide::Database;
use serde_json::{Map, Value, json};
use shared::store::{Control, TransactionsTable};
use test_harness::Stack;
use time::macros::date;

/// What to do when the store writes another item than the golden one.
const ADVICE: &str = "Stored names and types are data: tables are full of items like the golden \
    one. Give the field its stored name again, with `#[serde(rename)]` if Rust's is to differ. \
    Only if stored items are migrated, or a new field may be absent from them, copy the new item \
    over the golden one. It is in";

/// A database of one test's own, whose items can be seen without the store.
struct Store {
    control: Control,
    transactions: TransactionsTable,
    database: Database,
    control_table: String,
    transactions_table: String,
}

impl Store {
    async fn empty() -> Self {
        let stack = Stack::of_this_run();
        let database = Database::memory().unwrap();
        test_harness::copy_tables(&stack, &database).await;
        let aws = stack.aws_at(&test_harness::serve_dynoxide(database.clone()).await);
        Self {
            control: Control::open(&aws, stack.requests_table.clone()),
            transactions: TransactionsTable::open(&aws, stack.transactions_table.clone()),
            database,
            control_table: stack.requests_table,
            transactions_table: stack.transactions_table,
        }
    }

    /// One that holds the items of these names as the last release wrote them.
    async fn holding(names: &[&str]) -> Self {
        let store = Self::empty().await;
        for name in names {
            let item: Value = serde_json::from_str(&released(name)).unwrap();
            let table = if item.get("pk").is_some() {
                &store.control_table
            } else {
                &store.transactions_table
            };
            let put = json!({ "TableName": table, "Item": item });
            let put = serde_json::from_value(put).unwrap();
            store.database.put_item(put).unwrap();
        }
        store
    }

    /// Asserts that the store holds the golden items of these names, in the order of their keys,
    /// and no others.
    fn assert_holds(&self, names: &[&str]) {
        Self::assert_golden(names, self.items());
    }

    /// The same of all items but those of the change log.
    fn assert_holds_beside_the_log(&self, names: &[&str]) {
        let mut items = self.items();
        items.retain(|item| !item.contains(r#""_item": {"S":"C"#));
        Self::assert_golden(names, items);
    }

    fn assert_golden(names: &[&str], items: Vec<String>) {
        assert_eq!(items.len(), names.len(), "{}", items.join("\n"));

        let mut changes = Vec::new();
        for (name, item) in names.iter().zip(items) {
            let golden = golden(name);
            if golden != item {
                fs::write(new_file(name), &item).unwrap();
                let lines = differing_lines(&golden, &item);
                changes.push(format!("tests/data/items/{name}.json\n{lines}"));
            }
        }
        assert!(
            changes.is_empty(),
            "{}\n{ADVICE} {}.",
            changes.join("\n"),
            env!("CARGO_TARGET_TMPDIR")
        );
    }

    /// Everything that is stored, in the order of the keys.
    fn items(&self) -> Vec<String> {
        let mut items = Vec::new();
        for table in [&self.control_table, &self.transactions_table] {
            let scan = serde_json::from_value(json!({ "TableName": table })).unwrap();
            let scanned = json!(self.database.scan(scan).unwrap());
            items.extend(scanned["Items"].as_array().unwrap().clone());
        }
        let key = |item: &Value| ["pk", "_link", "_item"].map(|name| item[name].to_string());
        items.sort_by_key(key);
        items
            .iter()
            .map(|item| lines(item.as_object().unwrap(), 0) + "\n")
            .collect()
    }
}

/// The text of a golden item; empty if there is none yet.
fn golden(name: &str) -> String {
    let file = format!("{}/data/items/{name}.json", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(file).unwrap_or_default()
}

/// The item as the last release wrote it; the golden one, if it wrote none of this kind.
fn released(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/released/items");
    fs::read_to_string(format!("{folder}/{name}.json")).unwrap_or_else(|_| golden(name))
}

/// Where an item that differs from the golden one is left.
fn new_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"))
}

/// Attributes in the order of their names, one a line, and those of a map likewise.
fn lines(attributes: &Map<String, Value>, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let line = |(name, attribute): (&String, &Value)| {
        let value = match &attribute["M"] {
            Value::Object(fields) if !fields.is_empty() => {
                format!("{{\"M\": {}}}", lines(fields, depth + 1))
            }
            _ => attribute.to_string(),
        };
        format!("{indent}  {}: {value}", json!(name))
    };
    let attributes: Vec<_> = attributes.iter().map(line).collect();
    format!("{{\n{}\n{indent}}}", attributes.join(",\n"))
}

/// The lines that only one of two texts has.
fn differing_lines(golden: &str, stored: &str) -> String {
    let only = |one: &str, other: &str, sign: char| -> Vec<String> {
        one.lines()
            .filter(|line| !other.lines().any(|known| known == *line))
            .map(|line| format!("{sign} {line}"))
            .collect()
    };
    let mut lines = only(golden, stored, '-');
    lines.extend(only(stored, golden, '+'));
    lines.join("\n")
}

fn link() -> LinkId {
    LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap()
}

fn request() -> RequestId {
    RequestId::parse("4363b08b51eb43509c745df5ac92a7f6").unwrap()
}

/// That many minutes after noon.
fn at(minute: i64) -> Timestamp {
    Timestamp::parse("2026-03-01T12:00:00.125Z")
        .unwrap()
        .plus_seconds(minute * 60)
}

fn january() -> Window {
    Window::parse("2026-01-01", "2026-01-31", date!(2026 - 03 - 01)).unwrap()
}

/// Seen at that time, by the retrieval of [`request`].
fn seen(minute: i64) -> Observation {
    Observation {
        at: at(minute),
        request: Some(request()),
    }
}
