//! The fields of a JSON object, each as the text that Belvo sent.

use std::{
    borrow::{Borrow, Cow},
    collections::BTreeMap,
    fmt,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

/// Fields by name. Of two with the same name, the last one counts.
#[derive(Default, Serialize, Deserialize)]
pub struct Fields<'a>(#[serde(borrow)] BTreeMap<Name<'a>, &'a RawValue>);

/// A name, borrowed unless it has escapes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Borrow<str> for Name<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Shows the names only: the values are a person's.
impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<'a> Fields<'a> {
    /// `None` unless the text is a JSON object whose names are Unicode.
    #[must_use]
    pub fn of(object: &'a str) -> Option<Self> {
        serde_json::from_str(object).ok()
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    /// The text of a field that is a string; `None` also where it is not Unicode.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text_of(self.get(name)?.get())
    }

    /// Every field, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (&*name.0, *value))
    }

    /// Puts another value in the place of a field.
    pub(crate) fn replace(&mut self, name: &'static str, value: &'a RawValue) {
        self.0.insert(Name(Cow::Borrowed(name)), value);
    }

    /// The names of the fields whose values differ, sorted. Numbers are compared by what they are
    /// worth, and values that are not Unicode or nest too deep by their text.
    pub(crate) fn differing<'b>(&'b self, other: &'b Self) -> Vec<&'b str> {
        let (fields, others) = (&self.0, &other.0);
        let names = fields.keys().chain(others.keys());
        let mut differing: Vec<_> = names
            .filter(|name| match (fields.get(*name), others.get(*name)) {
                (Some(one), Some(other)) => !is_same_text(one.get(), other.get()),
                _ => true,
            })
            .map(|name| &*name.0)
            .collect();
        differing.sort_unstable();
        differing.dedup();
        differing
    }
}

/// The content of a JSON text that is a string; `None` for any other value, and where it is not
/// Unicode.
#[must_use]
pub fn text_of(value: &str) -> Option<Cow<'_, str>> {
    let text: Name<'_> = serde_json::from_str(value).ok()?;
    Some(text.0)
}

fn is_same_text(one: &str, other: &str) -> bool {
    let value = |text| serde_json::from_str::<Value>(text).ok();
    one == other
        || value(one)
            .zip(value(other))
            .is_some_and(|(one, other)| is_same(&one, &other))
}

/// Whether two values are equal; numbers by what they are worth.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            decimal(one.as_str()) == decimal(other.as_str())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_in_other = |(name, value): (&String, &Value)| {
                other.get(name).is_some_and(|other| is_same(value, other))
            };
            one.len() == other.len() && one.iter().all(is_in_other)
        }
        (one, other) => one == other,
    }
}

/// The digits of a number without those that say nothing: the zeros at the end of a fraction. One
/// with an exponent, which Belvo does not write, stays as it is.
fn decimal(number: &str) -> &str {
    if number == "-0" {
        return "0";
    }
    if !number.contains('.') || number.contains(['e', 'E']) {
        return number;
    }
    match number.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0",
        digits => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_fields_by_their_names() {
        let object =
            r#"{"a": " x\n", "b": [1, {"c": 2.50}], "\u0061b": null, "b": 7, "d": "\ud800"}"#;
        let fields = Fields::of(object).unwrap();
        let values: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name, value.get()))
            .collect();
        let expected = [
            ("a", r#"" x\n""#),
            ("ab", "null"),
            ("b", "7"),
            ("d", r#""\ud800""#),
        ];
        assert_eq!(values, expected);
        let texts = ["a", "ab", "b", "d", "e"].map(|name| fields.text(name));
        assert_eq!(texts, [Some(" x\n".into()), None, None, None, None]);
    }

    #[test]
    fn an_object_shows_its_names() {
        let shown = format!("{:?}", Fields::of(r#"{"name": "Maria Plantada"}"#).unwrap());
        assert!(
            shown.contains("name") && !shown.contains("Maria"),
            "{shown}"
        );
    }

    #[test]
    fn a_list_or_an_object_differs_from_one_that_has_more() {
        for (one, other) in [
            (r#"{"a": [1.0]}"#, r#"{"a": [1, 2]}"#),
            (r#"{"a": {"b": 1.0}}"#, r#"{"a": {"b": 1, "c": 2}}"#),
        ] {
            let (one, other) = (Fields::of(one).unwrap(), Fields::of(other).unwrap());
            assert_eq!(
                (one.differing(&other), other.differing(&one)),
                (vec!["a"], vec!["a"])
            );
        }
    }

    #[test]
    fn anything_else_has_none() {
        for text in ["[]", "null", "\"a\"", "{", r#"{"\ud800": 1}"#] {
            assert!(Fields::of(text).is_none(), "{text}");
        }
    }

    #[test]
    fn fields_differ_by_their_values() {
        let differing = |one: &str, other: &str| {
            let (one, other) = (Fields::of(one).unwrap(), Fields::of(other).unwrap());
            let names = one.differing(&other);
            names.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let same = [
            (r#"{"a": 1, "b": [54.9]}"#, r#"{"b": [54.90], "a": 1.00}"#),
            (r#"{"a": -0.0, "b": "é"}"#, r#"{"a": 0, "b": "\u00e9"}"#),
            (r#"{"a": -0}"#, r#"{"a": 0}"#),
            (
                r#"{"a": 1e2, "b": "\ud800"}"#,
                r#"{"a": 1e2, "b": "\ud800"}"#,
            ),
            (r#"{"a": {"b": 1, "c": 2}}"#, r#"{"a":{"c":2,"b":1}}"#),
        ];
        for (one, other) in same {
            assert!(differing(one, other).is_empty(), "{one} and {other}");
        }
        let different = [
            (r#"{"a": 54.9}"#, r#"{"a": 54.91}"#),
            (r#"{"a": 100}"#, r#"{"a": 1}"#),
            (r#"{"a": 10}"#, r#"{"a": 1.0}"#),
            (r#"{"a": null}"#, "{}"),
            (r#"{"a": "\ud800"}"#, r#"{"a": "\ud801"}"#),
        ];
        for (one, other) in different {
            assert_eq!(differing(one, other), ["a"], "{one} and {other}");
        }
    }
}
