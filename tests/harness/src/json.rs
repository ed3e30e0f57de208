//! Comparing JSON by value: `10.50` is `10.5`.

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

/// The first place in which two documents differ, or `None` if they are equal.
#[must_use]
pub fn difference(one: &Value, other: &Value) -> Option<String> {
    match (canonical(one), canonical(other)) {
        (one, other) if one == other => None,
        (Value::Object(one), Value::Object(other)) => one
            .keys()
            .chain(other.keys())
            .find(|name| one.get(*name) != other.get(*name))
            .map(|name| format!("{name}: {:?} against {:?}", one.get(name), other.get(name))),
        (one, other) => Some(format!("{one} against {other}")),
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

    fn equal(one: &str, other: &str) -> bool {
        difference(
            &serde_json::from_str(one).unwrap(),
            &serde_json::from_str(other).unwrap(),
        )
        .is_none()
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
}
