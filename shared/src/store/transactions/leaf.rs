//! A leaf of the index: what is known about some rows of one week without reading them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use domain::{Digest, KnownVersion, NO_DATE, RowId, Timestamp, parse_date};
use serde::{Deserialize, Serialize};
use time::{Date, Duration, macros::date};

const FIRST_DAY: Date = date!(0000 - 01 - 01);
/// With so many entries a leaf of usual rows stays below the 1,024 bytes of one write unit.
pub(super) const MOST_ENTRIES: usize = 24;
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
    pub(super) account: Option<Arc<str>>,
    pub(super) status: Option<Arc<str>>,
    /// Belvo's `type`.
    pub(super) kind: Option<Arc<str>>,
    pub(super) state: State,
}

/// What became of a row on the day of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Live,
    Deleted,
    /// It is stored under another day now. Kept for `as_of`.
    Moved,
    /// Belvo no longer lists anything as old. It is shown as before, and not compared.
    Unlisted,
}

impl Entry {
    /// An entry as usual rows have it.
    #[cfg(test)]
    pub(super) fn usual(id: &str, day: &str) -> Self {
        Self {
            id: RowId::parse(id).expect("an id"),
            day: day.to_owned(),
            digest: Digest::from_bytes(b"twelve bytes").expect("twelve bytes"),
            collected_at: Timestamp::parse("2026-01-16T08:45:50.406Z"),
            account: Some("1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e".into()),
            status: None,
            kind: Some("OUTFLOW".into()),
            state: State::Live,
        }
    }

    pub(super) fn known(&self) -> KnownVersion {
        KnownVersion {
            digest: self.digest,
            collected_at: self.collected_at,
            deleted: self.state == State::Deleted,
        }
    }

    /// Whether listings show the row.
    pub(super) fn is_shown(&self) -> bool {
        matches!(self.state, State::Live | State::Unlisted)
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

    pub(super) fn of_day(day: &str, number: usize) -> Self {
        Self(format!("{day}#{number:05}"))
    }

    /// The key of a stored leaf.
    pub(super) fn parse(key: &str) -> Self {
        Self(key.to_owned())
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

    /// Whether a row has an entry under its day that its writing has not left behind.
    pub(super) fn know(&self, entry: &Entry) -> bool {
        let places = self.places_of(&entry.id);
        let mut entries = places
            .iter()
            .map(|(key, place)| &self.by_key[key].entries[*place]);
        entries.any(|known| known.day == entry.day && known.digest != Digest::NONE)
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

    fn uuid(number: usize) -> String {
        uuid::Uuid::from_u128(number as u128).to_string()
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
    fn a_week_has_one_leaf_until_it_is_full_and_then_one_for_each_day() {
        let mut leaves = Leaves::default();
        let rows = |from: usize, day: &'static str| {
            (from..from + MOST_ENTRIES)
                .map(move |row| Entry::usual(&uuid(row), day))
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
        record(&mut leaves, vec![Entry::usual("row", "2026-01-15")]);
        let written = record(&mut leaves, vec![Entry::usual("row", "2026-01-25")]);
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
