//! A leaf of the index: what is known about some rows of one week without reading them, and how
//! that is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::{Digest, KnownVersion, NO_DATE, RowId, Timestamp, parse_date};
use serde::{Deserialize, Serialize};
use time::{Date, Duration, macros::date};
use uuid::Uuid;

use crate::store::item::{Item, number};

const FIRST_DAY: Date = date!(0000 - 01 - 01);
/// With so many entries a leaf of usual rows stays below the 1,024 bytes of one write unit.
const MOST_ENTRIES: usize = 24;
/// The number of a day's last leaf that the width of the key allows.
const LARGEST_NUMBER: usize = 99_999;
/// The kind of a leaf's key.
pub(super) const KIND: &str = "I#";

/// What the index holds of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: RowId,
    /// `YYYY-MM-DD`.
    pub(super) day: String,
    pub(super) digest: Digest,
    pub(super) collected_at: Option<Timestamp>,
    pub(super) account: Option<String>,
    pub(super) status: Option<String>,
    /// Belvo's `type`.
    pub(super) kind: Option<String>,
    pub(super) state: State,
}

/// What became of a row on the day of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Live,
    Deleted,
    /// It is stored under another day now. Kept for `as_of`.
    Moved,
}

impl Entry {
    pub(super) fn known(&self) -> KnownVersion {
        KnownVersion {
            digest: self.digest,
            collected_at: self.collected_at,
            deleted: self.state == State::Deleted,
        }
    }

    /// The order of listings.
    pub(super) fn place(&self) -> (&str, &str) {
        (&self.day, self.id.as_str())
    }
}

/// The key of a leaf without its kind: a Monday for the first leaf of a week, which takes rows of
/// any of its days, and then `<day>#<number>`. Rows without a date are a week of their own. The
/// first leaf of a week sorts before the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LeafKey(String);

impl LeafKey {
    /// The first leaf of the week of a day.
    pub(super) fn of_week(day: &str) -> Self {
        Self(monday(day).map_or_else(|| NO_DATE.to_owned(), |monday| monday.to_string()))
    }

    fn of_day(day: &str, number: usize) -> Self {
        Self(format!("{day}#{number:05}"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its day, which is the Monday for the first leaf of a week.
    pub(super) fn day(&self) -> &str {
        self.0.split('#').next().unwrap_or_default()
    }

    fn number(&self) -> usize {
        let number = self
            .0
            .split_once('#')
            .and_then(|(_, number)| number.parse().ok());
        number.unwrap_or(0)
    }

    pub(super) fn is_of_week(&self) -> bool {
        !self.0.contains('#')
    }
}

fn monday(day: &str) -> Option<Date> {
    let day = parse_date(day)?;
    let since_monday = day.weekday().number_days_from_monday();
    let monday = day.checked_sub(Duration::days(since_monday.into()))?;
    // A year before 0 would sort after all others.
    Some(monday.max(FIRST_DAY))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) key: LeafKey,
    pub(super) entries: Vec<Entry>,
}

impl Leaf {
    /// The attributes of its item, beside the key.
    pub(super) fn attributes(&self) -> Option<Item> {
        let bytes = postcard::to_allocvec(&Packed::of(self)).ok()?;
        let entries = AttributeValue::B(Blob::new(bytes));
        let count = u32::try_from(self.entries.len()).ok()?;
        Some(Item::from([
            ("_entries".to_owned(), entries),
            ("_rows".to_owned(), number(count)),
        ]))
    }

    pub(super) fn of_item(item: &Item) -> Option<Self> {
        let key = item.get("_item")?.as_s().ok()?.strip_prefix(KIND)?;
        let key = LeafKey(key.to_owned());
        let packed: Packed =
            postcard::from_bytes(item.get("_entries")?.as_b().ok()?.as_ref()).ok()?;
        let entries = packed.unpack(&key)?;
        Some(Self { key, entries })
    }
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
enum PackedText {
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
        for entry in &leaf.entries {
            let group = packed.group(entry);
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

    fn word(&mut self, word: Option<&String>) -> Option<u32> {
        word.map(|word| position_or_push(&mut self.words, &PackedText::of(word)))
    }

    fn unpack(self, key: &LeafKey) -> Option<Vec<Entry>> {
        let first = parse_date(key.day());
        let word = |index: Option<u32>| match index {
            Some(index) => self
                .words
                .get(index as usize)
                .map(|word| Some(word.unpack())),
            None => Some(None),
        };
        self.entries
            .iter()
            .map(|entry| {
                let group = self.groups.get(entry.group as usize)?;
                let day = match first {
                    Some(first) => Some(first.checked_add(Duration::days(entry.day.into()))?),
                    None => None,
                };
                Some(Entry {
                    id: RowId::parse(&entry.id.unpack()).ok()?,
                    day: day.map_or_else(|| NO_DATE.to_owned(), |day| day.to_string()),
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

impl PackedText {
    fn of(text: &str) -> Self {
        match Uuid::try_parse(text) {
            Ok(uuid) if uuid.to_string() == text => Self::Uuid(uuid.into_bytes()),
            _ => Self::Other(text.to_owned()),
        }
    }

    fn unpack(&self) -> String {
        match self {
            Self::Uuid(bytes) => Uuid::from_bytes(*bytes).to_string(),
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

/// The leaves of some whole weeks, to be changed and written again.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    by_key: BTreeMap<LeafKey, Leaf>,
    /// Where the entries of a row are: several only if it has moved.
    places: HashMap<RowId, Vec<(LeafKey, usize)>>,
    changed: BTreeSet<LeafKey>,
}

impl Leaves {
    pub(super) fn of(leaves: Vec<Leaf>) -> Self {
        let mut places: HashMap<_, Vec<_>> = HashMap::new();
        for leaf in &leaves {
            for (place, entry) in leaf.entries.iter().enumerate() {
                let known = places.entry(entry.id.clone()).or_default();
                known.push((leaf.key.clone(), place));
            }
        }
        Self {
            by_key: leaves
                .into_iter()
                .map(|leaf| (leaf.key.clone(), leaf))
                .collect(),
            places,
            changed: BTreeSet::new(),
        }
    }

    /// Records what is now known of a row. Its entries under other days count as moved.
    pub(super) fn record(&mut self, entry: Entry) {
        for (key, place) in self.places_of(&entry.id) {
            self.change(&key, place, |known| {
                if known.day != entry.day {
                    known.state = State::Moved;
                }
            });
        }
        self.announce(entry);
    }

    /// Records what is known of a row under its day, whatever other days say.
    pub(super) fn announce(&mut self, entry: Entry) {
        let mut places = self.places_of(&entry.id).into_iter();
        let of_day = places.find(|(key, place)| self.by_key[key].entries[*place].day == entry.day);
        match of_day {
            Some((key, place)) => self.change(&key, place, |known| *known = entry),
            None => self.add(entry),
        }
    }

    /// The leaves that have changed since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<Leaf> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .iter()
            .filter_map(|key| self.by_key.get(key).cloned())
            .collect()
    }

    /// Where the entries of a row are.
    fn places_of(&self, id: &RowId) -> Vec<(LeafKey, usize)> {
        self.places.get(id).cloned().unwrap_or_default()
    }

    fn change(&mut self, key: &LeafKey, place: usize, change: impl FnOnce(&mut Entry)) {
        let leaf = self.by_key.get_mut(key);
        let Some(known) = leaf.and_then(|leaf| leaf.entries.get_mut(place)) else {
            return;
        };
        let before = known.clone();
        change(known);
        if *known != before {
            self.changed.insert(key.clone());
        }
    }

    fn add(&mut self, entry: Entry) {
        let key = self.key_with_room(&entry.day);
        let leaf = self.by_key.entry(key.clone()).or_insert_with(|| Leaf {
            key: key.clone(),
            entries: Vec::new(),
        });
        let known = self.places.entry(entry.id.clone()).or_default();
        known.push((key.clone(), leaf.entries.len()));
        leaf.entries.push(entry);
        self.changed.insert(key);
    }

    /// The week's first leaf, or else the last one of the day, or a new one.
    fn key_with_room(&self, day: &str) -> LeafKey {
        let has_room =
            |leaf: Option<&Leaf>| leaf.is_none_or(|leaf| leaf.entries.len() < MOST_ENTRIES);
        let week = LeafKey::of_week(day);
        if has_room(self.by_key.get(&week)) {
            return week;
        }
        let of_day = LeafKey::of_day(day, 0)..=LeafKey::of_day(day, LARGEST_NUMBER);
        match self.by_key.range(of_day).next_back() {
            None => LeafKey::of_day(day, 0),
            Some((key, leaf)) if has_room(Some(leaf)) => key.clone(),
            Some((key, _)) => LeafKey::of_day(day, key.number() + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, day: &str) -> Entry {
        Entry {
            id: RowId::parse(id).unwrap(),
            day: day.to_owned(),
            digest: Digest::from_bytes(b"twelve bytes").unwrap(),
            collected_at: Timestamp::parse("2026-01-16T08:45:50.406Z"),
            account: Some("1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e".to_owned()),
            status: None,
            kind: Some("OUTFLOW".to_owned()),
            state: State::Live,
        }
    }

    fn uuid(number: usize) -> String {
        Uuid::from_u128(number as u128).to_string()
    }

    /// Records entries and returns the keys of the leaves that then have to be written.
    fn record(leaves: &mut Leaves, entries: Vec<Entry>) -> Vec<String> {
        for entry in entries {
            leaves.record(entry);
        }
        let changed = std::mem::take(&mut leaves.changed);
        changed.iter().map(|key| key.as_str().to_owned()).collect()
    }

    #[test]
    fn a_leaf_is_read_as_it_was_written() {
        let odd = Entry {
            collected_at: None,
            account: None,
            kind: None,
            status: Some(String::new()),
            state: State::Moved,
            ..entry("no-uuid", "2026-01-18")
        };
        let upper = entry("0D3FFB69-F83B-456E-AD8E-208D0998D71D", "2026-01-12");
        for (day, entries) in [
            (
                "2026-01-12",
                vec![entry(&uuid(7), "2026-01-15"), odd, upper],
            ),
            (NO_DATE, vec![entry("undated", NO_DATE)]),
        ] {
            let key = LeafKey::of_week(day);
            let leaf = Leaf { key, entries };
            let mut item = leaf.attributes().unwrap();
            let sort_key = format!("{KIND}{}", leaf.key.as_str());
            item.insert("_item".to_owned(), AttributeValue::S(sort_key));
            assert_eq!(Leaf::of_item(&item), Some(leaf));
        }
    }

    #[test]
    fn a_full_leaf_of_usual_rows_costs_one_write_unit() {
        let entries = (0..MOST_ENTRIES).map(|row| entry(&uuid(row), "2026-01-15"));
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

    #[test]
    fn a_week_has_one_leaf_until_it_is_full_and_then_one_for_each_day() {
        let mut leaves = Leaves::default();
        let rows = |from: usize, day: &'static str| {
            (from..from + MOST_ENTRIES)
                .map(move |row| entry(&uuid(row), day))
                .collect()
        };
        assert_eq!(record(&mut leaves, rows(0, "2026-01-15")), ["2026-01-12"]);
        assert_eq!(
            record(&mut leaves, rows(100, "2026-01-15")),
            ["2026-01-15#00000"]
        );
        assert_eq!(
            record(&mut leaves, rows(200, "2026-01-15")),
            ["2026-01-15#00001"]
        );
        assert_eq!(
            record(&mut leaves, rows(300, "2026-01-18")),
            ["2026-01-18#00000"]
        );
        assert_eq!(record(&mut leaves, rows(400, NO_DATE)), [NO_DATE]);
        assert_eq!(record(&mut leaves, rows(100, "2026-01-15")), [""; 0]);
    }

    #[test]
    fn a_row_that_changes_its_day_stays_in_the_leaf_of_the_old_one_as_moved() {
        let mut leaves = Leaves::default();
        record(&mut leaves, vec![entry("row", "2026-01-15")]);
        let written = record(&mut leaves, vec![entry("row", "2026-01-25")]);
        assert_eq!(written, ["2026-01-12", "2026-01-19"]);
        let states = |leaves: Leaves| {
            let entries = leaves.by_key.into_values().flat_map(|leaf| leaf.entries);
            entries
                .map(|entry| (entry.day, entry.state))
                .collect::<Vec<_>>()
        };
        let (old, new) = ("2026-01-15".to_owned(), "2026-01-25".to_owned());
        assert_eq!(states(leaves), [(old, State::Moved), (new, State::Live)]);
    }
}
