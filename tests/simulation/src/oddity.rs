//! Rows as Belvo's OpenAPI document does not forbid them, or as a bank may send them all the same.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// No line that is logged may have it.
pub(crate) const CANARY: &str = "canary";
/// The most that is made odd in a row.
const MOST: usize = 6;
/// Spellings of numbers that no machine type holds, or of which one loses something.
const NUMBERS: [&str; 9] = [
    "-0",
    "0.10",
    "1e400",
    "-1E-400",
    "12345678901234567890.12345678901234567890",
    "9007199254740993",
    "18446744073709551616",
    "0.1000000000000000055511151231257827",
    "1.0E+2",
];
/// Names that mean something to us, to DynamoDB or to programs in other languages.
const NAMES: [&str; 12] = [
    "",
    " ",
    "_link",
    "_item",
    "_row",
    "#",
    "a.b",
    "a[0]",
    "$ref",
    "__proto__",
    "é\u{301}",
    "🪙",
];
const TEXTS: [&str; 10] = [
    CANARY,
    "",
    "\0",
    "\u{1}\u{1f}\u{7f}\u{2028}",
    "\"\\\"\\\\u0041",
    "e\u{301} é 🏦 \u{202e}abc",
    "\u{feff}\u{fffd}\u{10ffff}",
    "null",
    "<script>'; DROP TABLE rows; --",
    " surrounded ",
];

/// Makes some of a row odd, but for these fields of its own: some values are null, of another type,
/// very long or very deep, and there are fields of which the document does not know.
pub(crate) fn make_odd(row: &mut Value, kept: &[&str], dice: &mut ChaCha8Rng) {
    for _ in 0..dice.random_range(1..=MOST) {
        let fields = row.as_object_mut().expect("a row is an object");
        let mut names: Vec<_> = fields.keys().cloned().collect();
        names.retain(|name| !kept.contains(&name.as_str()));
        let changed = names.choose(dice).filter(|_| dice.random_ratio(2, 3));
        if let Some(name) = changed {
            change(&mut fields[name], dice);
            continue;
        }
        let name = unknown_name(dice);
        if !kept.contains(&name.as_str()) {
            fields.insert(name, anything(dice));
        }
    }
}

/// Replaces a value, or one in it.
fn change(value: &mut Value, dice: &mut ChaCha8Rng) {
    let goes_deeper = dice.random_ratio(3, 4);
    match value {
        Value::Object(fields) if goes_deeper && !fields.is_empty() => {
            let names: Vec<_> = fields.keys().cloned().collect();
            match names.choose(dice) {
                Some(name) if dice.random_ratio(4, 5) => change(&mut fields[name], dice),
                _ => {
                    fields.insert(unknown_name(dice), anything(dice));
                }
            }
        }
        Value::Array(elements) if goes_deeper && !elements.is_empty() => {
            let one = dice.random_range(0..elements.len());
            change(&mut elements[one], dice);
        }
        value => *value = anything(dice),
    }
}

fn unknown_name(dice: &mut ChaCha8Rng) -> String {
    let name = NAMES.choose(dice).copied().unwrap_or_default();
    format!("{name}{}", ["", "id", "x"].choose(dice).unwrap_or(&""))
}

fn anything(dice: &mut ChaCha8Rng) -> Value {
    match dice.random_range(0..9) {
        0 | 1 => Value::Null,
        2 => json!(dice.random::<bool>()),
        3 => number(dice),
        4 => json!(TEXTS.choose(dice)),
        5 => json!(
            TEXTS
                .choose(dice)
                .unwrap_or(&"")
                .repeat(dice.random_range(1..2_000))
        ),
        6 => deep(dice),
        7 => (0..dice.random_range(0..4))
            .map(|_| anything(dice))
            .collect(),
        _ => {
            let count = dice.random_range(0..4);
            let fields = (0..count).map(|_| (unknown_name(dice), anything(dice)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}

fn number(dice: &mut ChaCha8Rng) -> Value {
    let spelling = NUMBERS.choose(dice).expect("a number");
    serde_json::from_str(spelling).expect("a number")
}

/// Less deep than what JSON parsers take.
fn deep(dice: &mut ChaCha8Rng) -> Value {
    let mut value = Value::Null;
    for _ in 0..dice.random_range(10..60) {
        value = if dice.random() {
            json!([value])
        } else {
            json!({ "inner": value })
        };
    }
    value
}
