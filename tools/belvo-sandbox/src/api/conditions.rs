//! The filters of a listing, which say in their names what they compare: `amount__gt`,
//! `account__balance__current__range`, `created_at__gte`. Which of them a listing has is up to
//! Belvo's OpenAPI document, by which every request has been checked.

use std::cmp::Ordering;

use serde_json::Value;
use uuid::Uuid;

use super::query::Query;

/// Parameters that are no filters.
const OTHERS: [&str; 4] = ["page", "page_size", "fields", "omit"];
/// As long as `2026-06-30`.
const DAY: usize = 10;

/// Conditions that all have to hold.
pub(crate) struct Conditions(Vec<Condition>);

struct Condition {
    /// The names that lead to a value, separated by `__`.
    path: String,
    comparison: Comparison,
    wanted: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Greater,
    AtLeast,
    Less,
    AtMost,
    Range,
    In,
    NotIn,
    Contains,
    AllIn,
}

impl Conditions {
    /// The conditions of a query, without those that `is_handled` elsewhere.
    pub(crate) fn of(query: &Query, is_handled: impl Fn(&str) -> bool) -> Self {
        let filters = query
            .pairs()
            .filter(|(name, _)| !OTHERS.contains(name) && !is_handled(name));
        Self(
            filters
                .map(|(name, value)| Condition::new(name, value))
                .collect(),
        )
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they hold for an object as Belvo shows it.
    pub(crate) fn hold(&self, object: &Value) -> bool {
        self.0.iter().all(|condition| condition.holds(object))
    }
}

impl Condition {
    fn new(name: &str, value: &str) -> Self {
        let ending = name.rsplit_once("__");
        let ending = ending.and_then(|(path, end)| Some((path, Comparison::named(end)?)));
        let (path, comparison) = ending.unwrap_or((name, Comparison::Equal));
        let wanted = match comparison {
            Comparison::Range | Comparison::In | Comparison::NotIn | Comparison::AllIn => {
                value.split(',').map(str::to_owned).collect()
            }
            _ => vec![value.to_owned()],
        };
        Self {
            path: path.to_owned(),
            comparison,
            wanted,
        }
    }

    fn holds(&self, object: &Value) -> bool {
        let actual = value_at(object, &self.path);
        let mut wanted = self.wanted.iter().map(String::as_str);
        match self.comparison {
            Comparison::In => wanted.any(|wanted| equals(actual, wanted)),
            Comparison::NotIn => !wanted.any(|wanted| equals(actual, wanted)),
            Comparison::AllIn => wanted.all(|wanted| equals(actual, wanted)),
            Comparison::Range => {
                let (first, last) = (wanted.next(), wanted.next());
                let is_from =
                    first.is_some_and(|first| compare(actual, first) >= Some(Ordering::Equal));
                is_from && last.is_some_and(|last| is_at_most(compare(actual, last)))
            }
            _ => wanted.all(|wanted| self.comparison.holds(actual, wanted)),
        }
    }
}

impl Comparison {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gt" => Self::Greater,
            "gte" => Self::AtLeast,
            "lt" => Self::Less,
            "lte" => Self::AtMost,
            "range" => Self::Range,
            "in" => Self::In,
            "not_in" => Self::NotIn,
            "icontains" => Self::Contains,
            "allin" => Self::AllIn,
            _ => return None,
        })
    }

    /// A comparison with one value.
    fn holds(self, actual: &Value, wanted: &str) -> bool {
        let order = compare(actual, wanted);
        match self {
            Self::Greater => order == Some(Ordering::Greater),
            Self::AtLeast => order >= Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::AtMost => is_at_most(order),
            Self::Contains => contains(actual, wanted),
            _ => equals(actual, wanted),
        }
    }
}

fn is_at_most(order: Option<Ordering>) -> bool {
    matches!(order, Some(Ordering::Less | Ordering::Equal))
}

/// The value that a path leads to. An object stands for its id, or for its name.
fn value_at<'a>(object: &'a Value, path: &str) -> &'a Value {
    let path = match path {
        "account_type" => "account__type",
        "country_code" => "country_codes",
        path => path,
    };
    let found = path.split("__").fold(object, |value, name| &value[name]);
    let identity = found.get("id").or_else(|| found.get("name"));
    identity.unwrap_or(found)
}

fn equals(actual: &Value, wanted: &str) -> bool {
    match actual {
        Value::Null => wanted == "null",
        Value::Array(values) => values.iter().any(|value| equals(value, wanted)),
        _ => compare(actual, wanted) == Some(Ordering::Equal),
    }
}

fn contains(actual: &Value, wanted: &str) -> bool {
    let text = actual.as_str().unwrap_or_default().to_lowercase();
    text.contains(&wanted.to_lowercase())
}

/// How a value compares with the one that a filter has; a day with the day of a timestamp.
fn compare(actual: &Value, wanted: &str) -> Option<Ordering> {
    if let Some(number) = actual.as_f64() {
        return number.partial_cmp(&wanted.parse().ok()?);
    }
    let actual = actual.as_str()?;
    let ids = (Uuid::try_parse(actual), Uuid::try_parse(wanted));
    if let (Ok(actual), Ok(wanted)) = ids {
        return Some(actual.cmp(&wanted));
    }
    let is_moment = wanted.len() == DAY && actual.as_bytes().get(DAY) == Some(&b'T');
    let actual = if is_moment {
        actual.get(..DAY)?
    } else {
        actual
    };
    Some(actual.cmp(wanted))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(name: &str, value: &str) -> bool {
        let row = json!({
            "amount": 54.9,
            "created_at": "2026-06-30T12:00:00Z",
            "value_date": "2026-06-30",
            "account": {"id": "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e", "balance": {"current": 7}},
            "institution": {"name": "bank"},
            "display_name": "John Doe",
            "resources": ["ACCOUNTS", "OWNERS"],
            "refresh_rate": null,
        });
        Condition::new(name, value).holds(&row)
    }

    #[test]
    fn a_filter_compares_as_its_name_says() {
        for (name, value) in [
            ("amount__gt", "54.89"),
            ("amount", "54.90"),
            ("amount__range", "50,54.9"),
            ("created_at__gte", "2026-06-30"),
            ("created_at", "2026-06-30"),
            ("created_at__lt", "2026-07-01"),
            ("value_date__range", "2026-06-01,2026-06-30"),
            ("account", "1C83F1F5-4B59-4C0B-A1A5-3A9D1A6A5B0E"),
            ("account__balance__current__lte", "7"),
            ("institution__in", "other,bank"),
            ("institution__not_in", "other"),
            ("display_name__icontains", "doe"),
            ("resources__allin", "OWNERS,ACCOUNTS"),
            ("refresh_rate", "null"),
        ] {
            assert!(holds(name, value), "{name}={value}");
        }
    }

    #[test]
    fn a_filter_leaves_out_what_does_not_match() {
        for (name, value) in [
            ("amount__gt", "54.9"),
            ("amount__range", "55,60"),
            ("created_at__gt", "2026-06-30"),
            ("created_at__lte", "2026-06-29"),
            ("institution", "other"),
            ("resources__allin", "OWNERS,BILLS"),
            ("refresh_rate", "7d"),
            ("refresh_rate__gte", "7d"),
            ("reference", "anything"),
        ] {
            assert!(!holds(name, value), "{name}={value}");
        }
    }
}
