//! Counts what functions ask of AWS.

use std::collections::BTreeMap;

use dynoxide::types::ConsumedCapacity;
use serde::Serialize;
use test_harness::Consumed;

/// Requests to AWS, and the capacity that DynamoDB consumed for them.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Asked {
    /// Requests by operation.
    pub(crate) requests: BTreeMap<String, u64>,
    /// Those of them that a partition's limit refused or left something of undone.
    pub(crate) throttled: BTreeMap<String, u64>,
    /// Read units by table or index.
    pub(crate) read_units: BTreeMap<String, f64>,
    /// Write units by table or index (`<table>/<index>`).
    pub(crate) write_units: BTreeMap<String, f64>,
    /// Those of them for change logs.
    #[serde(skip)]
    pub(crate) write_units_of_logs: f64,
}

impl Asked {
    /// Write units of the tables and indexes whose names contain a word.
    pub(crate) fn written(&self, word: &str) -> f64 {
        self.write_units
            .iter()
            .filter(|(name, _)| name.contains(word))
            .map(|(_, units)| units)
            .sum()
    }

    /// All read units.
    pub(crate) fn read(&self) -> f64 {
        self.read_units.values().sum()
    }

    /// The share of batches to write that a partition's limit refused or left something of undone.
    pub(crate) fn wasted(&self) -> f64 {
        let of_batches = |counts: &BTreeMap<String, u64>| {
            let count = counts.get("BatchWriteItem").copied().unwrap_or_default();
            u32::try_from(count).map_or(f64::NAN, f64::from)
        };
        of_batches(&self.throttled) / of_batches(&self.requests)
    }

    /// How often an operation was requested.
    pub(crate) fn requests(&self, operation: &str) -> u64 {
        self.requests.get(operation).copied().unwrap_or_default()
    }

    pub(super) fn count_request(&mut self, operation: &str) {
        *self.requests.entry(operation.to_owned()).or_default() += 1;
    }

    pub(super) fn count_throttled(&mut self, operation: &str) {
        *self.throttled.entry(operation.to_owned()).or_default() += 1;
    }

    /// Counts what a request consumed. A change log's items are written by requests of their own.
    pub(super) fn count_consumed(&mut self, consumed: Consumed, is_of_log: bool) {
        let (units, tables) = match consumed {
            Consumed::Read(tables) => (&mut self.read_units, tables),
            Consumed::Written(tables) => (&mut self.write_units, tables),
        };
        for table in tables {
            if is_of_log {
                self.write_units_of_logs += table.capacity_units;
            }
            add(units, table);
        }
    }
}

/// Adds the units of a table and of each of its indexes.
fn add(units: &mut BTreeMap<String, f64>, table: ConsumedCapacity) {
    let name = table.table_name;
    let indexes = table
        .local_secondary_indexes
        .into_iter()
        .chain(table.global_secondary_indexes)
        .flatten();
    for (index, detail) in indexes {
        *units.entry(format!("{name}/{index}")).or_default() += detail.capacity_units;
    }

    // The total includes the indexes; without a breakdown there are none.
    *units.entry(name).or_default() += table
        .table
        .map_or(table.capacity_units, |detail| detail.capacity_units);
}
