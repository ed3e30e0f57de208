//! DynamoDB's stream of the requests table, in dynoxide.

use dynoxide::{Database, storage::Storage};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{REQUESTS_TABLE, tables_of_template};

/// The most records that are delivered at once (template.yaml).
pub const RECORDS: usize = 100;

/// What dynoxide looks for in a stream at every write, and reads all of it for: the last number.
const INDEX: &str = "CREATE INDEX load_of_streams \
    ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";

/// A database with both tables, empty, and the position before anything in the stream of requests.
#[must_use]
pub fn database() -> (Database, String) {
    with_tables(Database::memory().expect("a database"))
}

/// The same for more writes than some ten thousand, each of which takes longer otherwise.
#[must_use]
pub fn large_database() -> (Database, String) {
    // Shared within the process, and there as long as it is open.
    let path = format!("file:{}?mode=memory&cache=shared", Uuid::new_v4());
    let indexed = Storage::new(&path).expect("a database");
    indexed.conn().execute_batch(INDEX).expect("an index");
    with_tables(Database::new(&path).expect("the same database"))
}

fn with_tables(database: Database) -> (Database, String) {
    for mut table in tables_of_template() {
        if table["TableName"] == REQUESTS_TABLE {
            // In the template, it depends on whether there is a bus.
            table["StreamSpecification"] =
                json!({"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"});
        }
        database.create_table(from(table)).expect("a new table");
    }
    let start = start_of_stream(&database);
    (database, start)
}

fn start_of_stream(database: &Database) -> String {
    let streams = database.list_streams(from(json!({}))).expect("streams");
    let arn = json!(streams)["Streams"][0]["StreamArn"].take();
    let described = database.describe_stream(from(json!({ "StreamArn": arn })));
    let described = json!(described.expect("a stream"));
    let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
    let start = json!({
        "StreamArn": arn,
        "ShardId": shard,
        "ShardIteratorType": "TRIM_HORIZON",
    });
    let start = database
        .get_shard_iterator(from(start))
        .expect("a position");
    start.shard_iterator.expect("a position")
}

fn from<T: for<'de> Deserialize<'de>>(request: Value) -> T {
    serde_json::from_value(request).expect("a request")
}

/// The next records of the stream, with the position after them.
#[must_use]
pub fn records(database: &Database, position: &str) -> (Vec<Value>, String) {
    let request = json!({"ShardIterator": position, "Limit": RECORDS});
    let answer = database.get_records(from(request)).expect("records");
    let records = answer.records.iter().map(|record| json!(record)).collect();
    let next = answer.next_shard_iterator.expect("an open shard");
    (records, next)
}

/// The filter of template.yaml: what `publish` is given.
#[must_use]
pub fn is_wanted(record: &Value) -> bool {
    let key = record["dynamodb"]["Keys"]["pk"]["S"].as_str();
    let key = key.unwrap_or_default();
    record["eventName"] != "REMOVE" && (key.starts_with("link#") || key.starts_with("request#"))
}
