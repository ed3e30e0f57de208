//! The item of a leaf. Its entries are packed: with names and repeated values they would be three
//! times as long (docs/decisions/0018).

use std::sync::Arc;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::{Digest, NO_DATE, RowId, Timestamp, parse_date};
use serde::{Deserialize, Serialize};
use time::{Date, Duration};
use uuid::Uuid;

use super::leaf::{Entry, KIND, Leaf, LeafKey, State};
use crate::store::item::{Item, number};

/// The attributes of a leaf's item, beside the key.
pub(super) fn leaf_attributes(leaf: &Leaf) -> Option<Item> {
    let bytes = postcard::to_allocvec(&Packed::of(leaf)).ok()?;
    let entries = AttributeValue::B(Blob::new(bytes));
    let count = u32::try_from(leaf.entries.len()).ok()?;
    Some(Item::from([
        ("_entries".to_owned(), entries),
        ("_rows".to_owned(), number(count)),
    ]))
}

pub(super) fn leaf(item: &Item) -> Option<Leaf> {
    let key = item.get("_item")?.as_s().ok()?.strip_prefix(KIND)?;
    let key = LeafKey::parse(key);
    let packed: Packed = postcard::from_bytes(item.get("_entries")?.as_b().ok()?.as_ref()).ok()?;
    let entries = packed.unpack(&key)?;
    Some(Leaf { key, entries })
}

/// The stored form of a leaf. Without names: a field added at the end of a struct would break
/// stored leaves, so that another form needs another attribute than `_entries`.
#[derive(Serialize, Deserialize)]
struct Packed {
    /// Values that entries have in common.
    words: Vec<PackedText>,
    /// The earliest `collected_at` in milliseconds since 1970, to which entries add theirs.
    collected_since: i64,
    /// What entries have in common: their account, status, type and state.
    groups: Vec<PackedGroup>,
    entries: Vec<PackedEntry>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct PackedGroup {
    account: Option<u32>,
    status: Option<u32>,
    kind: Option<u32>,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct PackedEntry {
    id: PackedText,
    digest: Digest,
    /// Days since the day of the key.
    day: u8,
    collected_at: Option<u64>,
    group: u32,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PackedText {
    /// A UUID as Belvo writes its ids.
    Uuid([u8; 16]),
    Other(String),
}

impl Packed {
    fn of(leaf: &Leaf) -> Self {
        let collected = leaf.entries.iter().filter_map(|entry| entry.collected_at);
        let mut packed = Self {
            words: Vec::new(),
            collected_since: collected.map(Timestamp::unix_millis).min().unwrap_or(0),
            groups: Vec::new(),
            entries: Vec::with_capacity(leaf.entries.len()),
        };
        let first = parse_date(leaf.key.day());
        let mut before: Option<(&Entry, u32)> = None;
        for entry in &leaf.entries {
            let group = match before {
                Some((before, group)) if is_of_one_group(before, entry) => group,
                _ => packed.group(entry),
            };
            before = Some((entry, group));
            let days = first
                .zip(parse_date(&entry.day))
                .map(|(first, day)| day - first);
            packed.entries.push(PackedEntry {
                id: PackedText::of(entry.id.as_str()),
                digest: entry.digest,
                day: days
                    .and_then(|days| days.whole_days().try_into().ok())
                    .unwrap_or(0),
                collected_at: entry
                    .collected_at
                    .map(|at| at.unix_millis().abs_diff(packed.collected_since)),
                group,
            });
        }
        packed
    }

    fn collected_at(&self, after: u64) -> Option<Timestamp> {
        Timestamp::of_unix_millis(self.collected_since.checked_add_unsigned(after)?)
    }

    fn group(&mut self, entry: &Entry) -> u32 {
        let group = PackedGroup {
            account: self.word(entry.account.as_ref()),
            status: self.word(entry.status.as_ref()),
            kind: self.word(entry.kind.as_ref()),
            state: entry.state,
        };
        position_or_push(&mut self.groups, &group)
    }

    fn word(&mut self, word: Option<&Arc<str>>) -> Option<u32> {
        word.map(|word| position_or_push(&mut self.words, &PackedText::of(word)))
    }

    fn unpack(self, key: &LeafKey) -> Option<Vec<Entry>> {
        let words: Vec<Arc<str>> = self.words.iter().map(|word| word.unpack().into()).collect();
        let word = |index: Option<u32>| match index {
            Some(index) => words.get(index as usize).cloned().map(Some),
            None => Some(None),
        };
        let mut days = Days::of(key);
        self.entries
            .iter()
            .map(|entry| {
                let group = self.groups.get(entry.group as usize)?;
                Some(Entry {
                    id: RowId::parse(&entry.id.unpack()).ok()?,
                    day: days.at(entry.day)?,
                    digest: entry.digest,
                    collected_at: entry
                        .collected_at
                        .and_then(|after| self.collected_at(after)),
                    account: word(group.account)?,
                    status: word(group.status)?,
                    kind: word(group.kind)?,
                    state: group.state,
                })
            })
            .collect()
    }
}

/// Whether entries have in common what a group has.
fn is_of_one_group(one: &Entry, other: &Entry) -> bool {
    one.account == other.account
        && one.status == other.status
        && one.kind == other.kind
        && one.state == other.state
}

/// The days of a leaf's entries, which often have the same one after another.
struct Days {
    /// `None` where no entry has a date.
    first: Option<Date>,
    latest: Option<(u8, String)>,
}

impl Days {
    fn of(key: &LeafKey) -> Self {
        Self {
            first: parse_date(key.day()),
            latest: None,
        }
    }

    /// The day that is so many days after the first.
    fn at(&mut self, days: u8) -> Option<String> {
        if let Some((_, day)) = self.latest.as_ref().filter(|(latest, _)| *latest == days) {
            return Some(day.clone());
        }
        let day = match self.first {
            Some(first) => first.checked_add(Duration::days(days.into()))?.to_string(),
            None => NO_DATE.to_owned(),
        };
        self.latest = Some((days, day.clone()));
        Some(day)
    }
}

impl PackedText {
    pub(super) fn of(text: &str) -> Self {
        let mut spelled = Uuid::encode_buffer();
        match Uuid::try_parse(text) {
            Ok(uuid) if uuid.hyphenated().encode_lower(&mut spelled) == text => {
                Self::Uuid(uuid.into_bytes())
            }
            _ => Self::Other(text.to_owned()),
        }
    }

    pub(super) fn unpack(&self) -> String {
        match self {
            Self::Uuid(bytes) => {
                let uuid = Uuid::from_bytes(*bytes).hyphenated();
                uuid.encode_lower(&mut Uuid::encode_buffer()).to_owned()
            }
            Self::Other(text) => text.clone(),
        }
    }
}

/// The position of a value in a list, to which it is added if it is missing.
fn position_or_push<T: Clone + PartialEq>(values: &mut Vec<T>, value: &T) -> u32 {
    let found = values.iter().position(|known| known == value);
    let position = found.unwrap_or_else(|| {
        values.push(value.clone());
        values.len() - 1
    });
    // A leaf has at most a few dozen values.
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{super::leaf::MOST_ENTRIES, *};

    fn uuid(number: usize) -> String {
        Uuid::from_u128(number as u128).to_string()
    }

    #[test]
    fn a_leaf_is_read_as_it_was_written() {
        let odd = Entry {
            collected_at: None,
            account: None,
            kind: None,
            status: Some("".into()),
            state: State::Moved,
            ..Entry::usual("no-uuid", "2026-01-18")
        };
        let upper = Entry::usual("0D3FFB69-F83B-456E-AD8E-208D0998D71D", "2026-01-12");
        for (day, entries) in [
            (
                "2026-01-12",
                vec![Entry::usual(&uuid(7), "2026-01-15"), odd, upper],
            ),
            (NO_DATE, vec![Entry::usual("undated", NO_DATE)]),
        ] {
            let key = LeafKey::of_week(day);
            let leaf = Leaf { key, entries };
            let mut item = leaf_attributes(&leaf).unwrap();
            let sort_key = format!("{KIND}{}", leaf.key.as_str());
            item.insert("_item".to_owned(), AttributeValue::S(sort_key));
            assert_eq!(super::leaf(&item), Some(leaf));
        }
    }

    #[test]
    fn a_full_leaf_of_usual_rows_costs_one_write_unit() {
        let entries = (0..MOST_ENTRIES).map(|row| Entry::usual(&uuid(row), "2026-01-15"));
        let key = LeafKey::of_day("2026-01-15", 0);
        let leaf = Leaf {
            key,
            entries: entries.collect(),
        };
        let bytes = postcard::to_allocvec(&Packed::of(&leaf)).unwrap().len();
        // The names of the attributes, the key and the number of rows.
        let beside = "_link_item_entries_rows".len() + 36 + "I#2026-01-15#00000".len() + 3;
        assert!(bytes + beside <= 1_024, "{bytes} + {beside}");
    }
}
