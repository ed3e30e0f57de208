//! Changes an input. Bytes that are changed at random seldom stay JSON, and hardly ever become
//! another JSON that a reader takes: where an input has JSON, a value in it is changed.

use fastrand::Rng;
use serde_json::{Map, Value};

/// What the readers of this pipeline look for, and what they must look at closely.
const TOKENS: [&str; 46] = [
    r#""id""#,
    r#""account""#,
    r#""collected_at""#,
    r#""value_date""#,
    r#""_json""#,
    r#""request_id""#,
    r#""\u0069d""#,
    r#""\ud83d""#,
    r#""\ud83d\ude00""#,
    r#""\u0000""#,
    "\u{fffe}",
    "é",
    "\u{1f600}",
    r"\u0061",
    "null",
    "true",
    "-0",
    "0.10",
    "1e400",
    "18446744073709551616",
    "123456789012345678901234567890123456789",
    "0.0000000000000000000000000000000000000000000001",
    "{}",
    "[]",
    r#"{"":1}"#,
    r#"{"id":"1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e"}"#,
    "2026-02-30",
    "2024-02-29",
    "0000-00-00",
    "9999-12-31",
    "2026-03-01T12:00:00.125Z",
    "2026-03-01T23:59:60+14:00",
    "57A2FBE184AC4EBD98937DD181A3CAEC",
    "57a2fbe1-84ac-4ebd-9893-7dd181a3caec",
    "{57a2fbe1-84ac-4ebd-9893-7dd181a3caec}",
    "urn:uuid:57a2fbe1-84ac-4ebd-9893-7dd181a3caec",
    "%00",
    "%23",
    "%F0%9F%98%80",
    "&cursor=",
    "&limit=",
    "&date_from=",
    "#",
    " ",
    "\n",
    "\"",
];

/// Half of the greatest nesting, and a little more than what is kept.
const DEEP: [usize; 3] = [30, 31, 127];

/// The input with one to four changes, always the same ones of the same seed.
#[must_use]
pub fn mutated(input: &[u8], seed: u64) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    let mut changed = input.to_vec();
    for _ in 0..rng.usize(1..=4) {
        changed = changed_once(changed, &mut rng);
    }
    changed
}

fn changed_once(input: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    if rng.bool()
        && let Some((start, mut value)) = json_in(&input)
    {
        change(&mut value, rng);
        return [&input[..start], value.to_string().as_bytes()].concat();
    }
    changed_bytes(input, rng)
}

/// The JSON with which an input ends, and where that begins: with the input, or with a line.
fn json_in(input: &[u8]) -> Option<(usize, Value)> {
    let breaks = input.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let lines = breaks.map(|(place, _)| place + 1);
    let mut starts = std::iter::once(0).chain(lines).take(6);
    starts.find_map(|start| Some((start, serde_json::from_slice(&input[start..]).ok()?)))
}

/// Changes one of the values in a value, or which fields and elements it has.
fn change(value: &mut Value, rng: &mut Rng) {
    let nodes = count(value);
    let Some(node) = nth(value, &mut rng.usize(0..nodes)) else {
        return;
    };
    match node {
        Value::Object(fields) if rng.u8(0..4) > 0 => change_fields(fields, rng),
        Value::Array(elements) if !elements.is_empty() && rng.bool() => {
            let place = rng.usize(0..elements.len());
            if rng.bool() {
                elements.remove(place);
            } else {
                elements.insert(place, elements[place].clone());
            }
        }
        node => *node = any_value(node, rng),
    }
}

fn change_fields(fields: &mut Map<String, Value>, rng: &mut Rng) {
    let names: Vec<_> = fields.keys().cloned().collect();
    let name = rng.choice(&names).cloned().unwrap_or_default();
    match rng.u8(0..3) {
        0 => {
            fields.remove(&name);
        }
        1 => {
            let value = fields.remove(&name).unwrap_or_default();
            fields.insert(any_text(rng), value);
        }
        _ => {
            let value = fields.get(&name).cloned().unwrap_or_default();
            fields.insert(any_text(rng), any_value(&value, rng));
        }
    }
}

/// A value in the place of another.
fn any_value(old: &Value, rng: &mut Rng) -> Value {
    match rng.u8(0..8) {
        0 => Value::Null,
        1 => Value::Bool(rng.bool()),
        2 => Value::from(any_text(rng)),
        3 => Value::from(rng.i64(..)),
        4 => Value::Array(vec![old.clone()]),
        5 => Value::Object(Map::from_iter([(any_text(rng), old.clone())])),
        6 => (0..DEEP[rng.usize(0..DEEP.len())])
            .fold(old.clone(), |inner, _| Value::Array(vec![inner])),
        _ => {
            let token = TOKENS[rng.usize(0..TOKENS.len())];
            serde_json::from_str(token).unwrap_or_else(|_| Value::from(token))
        }
    }
}

fn any_text(rng: &mut Rng) -> String {
    let token = TOKENS[rng.usize(0..TOKENS.len())];
    match rng.u8(0..4) {
        0 => token.repeat(rng.usize(1..40)),
        1 => format!("{token}{}", rng.char(..)),
        _ => serde_json::from_str(token).unwrap_or_else(|_| token.to_owned()),
    }
}

fn count(value: &Value) -> usize {
    let inside: usize = match value {
        Value::Array(elements) => elements.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    };
    1 + inside
}

/// The value after so many others, counted from outside.
fn nth<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(elements) => elements.iter_mut().find_map(|element| nth(element, left)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth(field, left)),
        _ => None,
    }
}

fn changed_bytes(mut input: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    let at = rng.usize(0..=input.len());
    let end = input.len().min(at + rng.usize(0..12));
    match rng.u8(0..6) {
        0 if at < input.len() => input[at] ^= 1 << rng.u8(0..8),
        1 => drop(input.drain(at..end)),
        2 => input.insert(at, rng.u8(..)),
        3 => {
            let copied = input[at..end].to_vec();
            input.splice(at..at, copied);
        }
        4 => input.truncate(at),
        _ => {
            let token = TOKENS[rng.usize(0..TOKENS.len())];
            input.splice(at..end, token.bytes());
        }
    }
    input
}
