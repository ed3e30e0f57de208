//! Comparing JSON by value: `10.50` is `10.5`.

use std::{collections::BTreeSet, fmt};

use serde_json::{Number, Value};

/// The value with every number in one spelling. A database may write a decimal in another way than
/// it was sent; it is equal when every digit that counts is.
#[must_use]
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(canonical_number(number)),
        Value::Array(elements) => elements.iter().map(canonical).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), canonical(field)))
            .collect(),
        other => other.clone(),
    }
}

/// A place in which two documents differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Such as `counterparty.name` or `tags[2]`; empty if nothing is alike.
    pub path: String,
    /// What the one has there. `None` is a field that is not there, which `null` is not.
    pub one: Option<Value>,
    /// What the other has there.
    pub other: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, other) = (shown(self.one.as_ref()), shown(self.other.as_ref()));
        write!(formatter, "{}: {one} against {other}", self.path)
    }
}

/// A value as JSON, or that it is absent.
#[must_use]
pub fn shown(value: Option<&Value>) -> String {
    value.map_or("absent".to_owned(), Value::to_string)
}

/// Every place in which two documents differ. Arrays of different lengths differ as a whole.
#[must_use]
pub fn differences(one: &Value, other: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(one), Some(other), &mut found);
    found
}

/// The first place in which two documents differ, or `None` if they are equal.
#[must_use]
pub fn difference(one: &Value, other: &Value) -> Option<String> {
    differences(one, other).first().map(Difference::to_string)
}

fn compare(path: String, one: Option<&Value>, other: Option<&Value>, found: &mut Vec<Difference>) {
    match (one, other) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
            for name in names {
                let dot = if path.is_empty() { "" } else { "." };
                let inner = format!("{path}{dot}{name}");
                compare(inner, one.get(name), other.get(name), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(format!("{path}[{index}]"), Some(one), Some(other), found);
            }
        }
        (one, other) if one.map(canonical) == other.map(canonical) => {}
        (one, other) => found.push(Difference {
            path,
            one: one.cloned(),
            other: other.cloned(),
        }),
    }
}

/// `<digits>e<exponent>`, without zeros at either end of the digits.
fn canonical_number(number: &Number) -> Number {
    let text = number.to_string();
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Number::from(0);
    }
    let trailing_zeros = digits.len() - digits.trim_end_matches('0').len();
    let exponent = exponent.parse::<i64>().unwrap_or_default() - length(fraction)
        + length(&digits[..trailing_zeros]);
    format!("{sign}{significant}e{exponent}")
        .parse()
        .unwrap_or_else(|_| number.clone())
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn equal(one: &str, other: &str) -> bool {
        difference(&read(one), &read(other)).is_none()
    }

    /// The differences as text, joined.
    fn differ(one: &str, other: &str) -> String {
        let found = differences(&read(one), &read(other));
        let found: Vec<_> = found.iter().map(Difference::to_string).collect();
        found.join(", ")
    }

    #[test]
    fn numbers_are_equal_by_value() {
        assert!(
            equal("10.50", "10.5")
                && equal("1e2", "100")
                && equal("0.00", "0")
                && equal("-0.10", "-1e-1")
        );
        assert!(equal(
            "123456789012345678901234567890.12",
            "123456789012345678901234567890.120"
        ));
        assert!(
            !equal("10.5", "10.51")
                && !equal("1", "-1")
                && !equal("1", "\"1\"")
                && !equal("0", "null")
        );
        assert!(!equal(
            "123456789012345678901234567890.12",
            "123456789012345678901234567890.13"
        ));
    }

    #[test]
    fn absent_is_not_null() {
        assert!(!equal(r#"{"a": null}"#, "{}"));
        assert!(equal(r#"{"a": [1.0], "b": 2}"#, r#"{"b": 2.0, "a": [1]}"#));
    }

    #[test]
    fn null_is_not_absent_and_the_other_way_round() {
        assert_eq!(differ(r#"{"a": null}"#, "{}"), "a: null against absent");
        assert_eq!(differ("{}", r#"{"a": null}"#), "a: absent against null");
    }

    #[test]
    fn a_truth_value_is_no_number_and_a_number_no_text() {
        assert_eq!(differ(r#"{"a": true}"#, r#"{"a": 1}"#), "a: true against 1");
        assert!(equal(r#"{"a": false}"#, r#"{"a": false}"#));
        assert_eq!(differ("1", r#""1""#), r#": 1 against "1""#);
    }

    #[test]
    fn each_difference_has_its_place() {
        let found = differ(
            r#"{"account": {"balance": {"current": 1.5}}, "tags": ["a", "b"]}"#,
            r#"{"account": {"balance": {"current": 1.6}}, "tags": ["a", "c"]}"#,
        );
        assert_eq!(
            found,
            r#"account.balance.current: 1.5 against 1.6, tags[1]: "b" against "c""#
        );
    }

    #[test]
    fn arrays_of_different_lengths_differ_as_a_whole() {
        let found = differ(r#"{"tags": [1]}"#, r#"{"tags": [1, 2]}"#);
        assert_eq!(found, "tags: [1] against [1,2]");
    }
}
