//! Which fields the rows of a resource have, by name: so that a field that Belvo has never sent,
//! and one that it no longer sends, are noticed. Values are never looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::Date;

use crate::parse_date;

/// Days on which rows were seen before a field counts as new: most fields of a row are not in every
/// row, so that the first rows do not show them all.
const LEARNING_DAYS: u32 = 7;
/// Days on which rows were looked at, and none had the field, after which it counts as gone.
const GONE_AFTER_DAYS: u32 = 30;
/// The deepest field, the longest name and the most names that are kept: what is beyond is data in
/// the place of a name, such as a map by id.
const DEEPEST: usize = 5;
const LONGEST: usize = 120;
const MOST: usize = 500;

/// The names of the fields of rows, such as `merchant.logo`; an element of a list is `[]`.
pub type FieldNames = BTreeSet<String>;

/// The fields that rows of a resource are known to have: none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFields {
    /// The latest day on which rows were seen, and how many such days there were.
    day: String,
    days: u32,
    /// Each field with the count of such days when it was last seen.
    fields: BTreeMap<String, u32>,
}

/// How the fields of today's rows differ from those that were known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldChanges {
    /// Fields that were never seen before. Empty while the fields are being learned.
    pub new: Vec<String>,
    /// Fields that no row looked at has had on thirty days.
    pub gone: Vec<String>,
}

impl KnownFields {
    /// What is known after rows of today, and how it differs. Rows of a day that has passed count
    /// as rows of the latest one.
    #[must_use]
    pub fn after(&self, names: &FieldNames, today: Date) -> (Self, FieldChanges) {
        let is_new_day = parse_date(&self.day).is_none_or(|day| day < today);
        let days = self.days.saturating_add(u32::from(is_new_day));
        let day = if is_new_day {
            today.to_string()
        } else {
            self.day.clone()
        };
        let mut after = Self {
            day,
            days,
            fields: self.fields.clone(),
        };

        let mut changes = FieldChanges::default();
        for name in names {
            let is_known = after.fields.contains_key(name);
            if !is_known && after.fields.len() >= MOST {
                continue;
            }
            after.fields.insert(name.clone(), days);
            if !is_known && days > LEARNING_DAYS {
                changes.new.push(name.clone());
            }
        }
        after.fields.retain(|name, seen| {
            let is_gone = days.saturating_sub(*seen) >= GONE_AFTER_DAYS;
            if is_gone {
                changes.gone.push(name.clone());
            }
            !is_gone
        });
        (after, changes)
    }
}

/// Adds the names of a row's fields. A row that is no JSON object has none.
pub fn add_names(row: &str, names: &mut FieldNames) {
    if let Ok(fields) = serde_json::from_str(row) {
        add(names, "", 1, &fields);
    }
}

fn add(names: &mut FieldNames, parent: &str, depth: usize, fields: &Map<String, Value>) {
    for (name, value) in fields {
        if !is_name(name) {
            continue;
        }
        let name = format!("{parent}{name}");
        if name.len() > LONGEST || names.len() >= MOST {
            continue;
        }
        add_below(names, &name, depth, value);
        names.insert(name);
    }
}

/// Whether this is a name that somebody has given to a field, and no data in its place: a document
/// number, an account, or somebody's own name.
fn is_name(name: &str) -> bool {
    let starts_like_one = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let has_number = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    starts_like_one && name.chars().all(is_plain) && !name.as_bytes().windows(4).any(has_number)
}

fn add_below(names: &mut FieldNames, name: &str, depth: usize, value: &Value) {
    match value {
        Value::Object(fields) if depth < DEEPEST => {
            add(names, &format!("{name}."), depth + 1, fields);
        }
        Value::Array(elements) => {
            for element in elements {
                add_below(names, &format!("{name}[]"), depth, element);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const FIRST: Date = date!(2026 - 01 - 01);

    fn names(row: &str) -> FieldNames {
        let mut names = FieldNames::new();
        add_names(row, &mut names);
        names
    }

    fn seen(names: &[&str]) -> FieldNames {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// What is known after so many days of the same rows.
    fn learned(of: &[&str], days: i64) -> KnownFields {
        let (mut known, _) = KnownFields::default().after(&seen(of), FIRST);
        for day in 1..days {
            let (after, changes) = known.after(&seen(of), FIRST + time::Duration::days(day));
            assert_eq!(changes, FieldChanges::default());
            known = after;
        }
        known
    }

    #[test]
    fn a_row_shows_its_names_and_none_of_its_values() {
        let row = r#"{"id": "x", "merchant": {"logo": null}, "items": [{"price": 1}, {"tax": []}],
            "by-id": {"a b": 1, "Ângela": 2, "52998224725": 3, "acc-0001234": 4, "line1": 5}}"#;
        let expected = [
            "by-id",
            "by-id.line1",
            "id",
            "items",
            "items[].price",
            "items[].tax",
        ];
        let expected = [&expected[..], &["merchant", "merchant.logo"]].concat();
        assert_eq!(names(row), seen(&expected));
        assert_eq!(names("[1]"), FieldNames::new());
        assert_eq!(names("\"text\""), FieldNames::new());
    }

    #[test]
    fn a_field_that_was_never_seen_is_new_once_the_others_are_known() {
        let known = learned(&["id", "amount"], 7);
        let today = FIRST + time::Duration::days(7);
        let (known, changes) = known.after(&seen(&["id", "pix_key"]), today);
        assert_eq!(
            (changes.new, changes.gone),
            (vec!["pix_key".to_owned()], vec![])
        );

        let (_, changes) = known.after(&seen(&["id", "pix_key"]), today);
        assert_eq!(changes, FieldChanges::default(), "said once");
    }

    #[test]
    fn fields_of_the_first_days_are_only_learned() {
        let known = learned(&["id"], 6);
        let (known, changes) =
            known.after(&seen(&["id", "merchant"]), FIRST + time::Duration::days(6));
        assert_eq!(changes, FieldChanges::default());
        let later = FIRST + time::Duration::days(7);
        assert_eq!(
            known.after(&seen(&["merchant"]), later).1,
            FieldChanges::default()
        );
    }

    #[test]
    fn a_field_is_gone_once_no_row_has_had_it_for_a_month_of_rows() {
        let mut known = learned(&["id", "amount"], 7);
        for day in 7..36 {
            let (after, changes) = known.after(&seen(&["id"]), FIRST + time::Duration::days(day));
            assert_eq!(changes, FieldChanges::default(), "day {day}");
            known = after;
        }
        let (after, changes) = known.after(&seen(&["id"]), FIRST + time::Duration::days(36));
        assert_eq!(changes.gone, ["amount"]);
        let next = FIRST + time::Duration::days(37);
        assert_eq!(
            after.after(&seen(&["id"]), next).1,
            FieldChanges::default(),
            "said once"
        );
    }

    #[test]
    fn days_without_rows_do_not_count() {
        let known = learned(&["id", "amount"], 7);
        let a_year_later = FIRST + time::Duration::days(365);
        assert_eq!(
            known.after(&seen(&["id"]), a_year_later).1,
            FieldChanges::default()
        );
    }

    #[test]
    fn a_name_begins_with_a_letter_or_an_underscore() {
        let row = r#"{"_a": 1, "a": 1, "1a": 1, "-a": 1, "á": 1}"#;
        assert_eq!(names(row), seen(&["_a", "a"]));
    }

    #[test]
    fn however_often_rows_are_seen_on_a_day_it_is_one_day() {
        let mut known = KnownFields::default();
        for _ in 0..9 {
            (known, _) = known.after(&seen(&["id"]), FIRST);
        }
        let (_, changes) = known.after(&seen(&["id", "pix_key"]), FIRST);
        assert_eq!(changes, FieldChanges::default(), "still learning");
    }

    #[test]
    fn the_names_of_one_row_are_bounded_too() {
        let fields: Map<String, Value> = (0..600)
            .map(|n| (format!("f{}_{}", n / 100, n % 100), Value::Null))
            .collect();
        assert_eq!(names(&Value::Object(fields).to_string()).len(), MOST);
        let longest = "x".repeat(LONGEST);
        assert_eq!(names(&format!(r#"{{"{longest}": 1}}"#)), seen(&[&longest]));
    }

    #[test]
    fn what_is_known_has_a_bounded_size() {
        let many: FieldNames = (0..2_000).map(|n| format!("field-{n}")).collect();
        let (first, _) = KnownFields::default().after(&many, FIRST);
        assert_eq!(first.fields.len(), MOST);
        let (after, _) = learned(&["id"], 8).after(&many, FIRST + time::Duration::days(8));
        assert_eq!(after.fields.len(), MOST);
        let long = format!(r#"{{"{}": 1}}"#, "x".repeat(LONGEST + 1));
        assert_eq!(names(&long), FieldNames::new());
        let deep = r#"{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}"#;
        assert_eq!(names(deep).len(), DEEPEST);
    }
}
