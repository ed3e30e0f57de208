//! Rows as Belvo's OpenAPI document describes them.

use std::collections::HashMap;

use belvo_sandbox::Schemas;
use jsonschema::Validator;
use proptest::{
    strategy::{Strategy, ValueTree},
    string::string_regex,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

const DOCUMENT: &str = include_str!("../../../tools/belvo-sandbox/tests/belvo-openapi-subset.json");
/// Longer texts, and more elements, than the document asks for.
const LONGEST: u64 = 40;
/// The most elements of an array.
const MOST: usize = 3;

/// The document's schemas, and what tells whether something is of one of them.
pub(crate) struct Specification {
    schemas: Value,
    validators: HashMap<&'static str, Validator>,
}

impl Specification {
    /// One that makes examples of these schemas.
    pub(crate) fn of(names: impl IntoIterator<Item = &'static str>) -> Self {
        let mut document: Value = serde_json::from_str(DOCUMENT).expect("the document is JSON");
        let schemas = document["components"]["schemas"].clone();
        let translated = Schemas::new(document["components"].take());
        let validators = names.into_iter().map(|name| {
            let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
            (name, translated.validator(&schema))
        });
        Self {
            schemas,
            validators: validators.collect(),
        }
    }

    /// Something of a schema; what need not be there is there or not.
    pub(crate) fn example(&self, name: &str, dice: &mut ChaCha8Rng) -> Value {
        let seed: [u8; 32] = dice.random();
        let texts = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut maker = Maker {
            schemas: &self.schemas,
            texts: TestRunner::new_with_rng(Config::default(), texts),
            dice,
        };
        let example = maker.make(&json!({ "$ref": format!("/{name}") }));
        self.assert_allows(name, &example);
        example
    }

    fn assert_allows(&self, name: &str, example: &Value) {
        let errors = self.validators[name].iter_errors(example);
        let errors = errors.map(|error| format!("{}: {error}", error.instance_path()));
        let errors: Vec<_> = errors.collect();
        assert!(errors.is_empty(), "no {name}: {errors:#?}");
    }
}

/// Makes values of schemas.
struct Maker<'a> {
    schemas: &'a Value,
    texts: TestRunner,
    dice: &'a mut ChaCha8Rng,
}

impl Maker<'_> {
    fn make(&mut self, schema: &Value) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let (_, name) = reference.rsplit_once('/').expect("a path");
            let schemas = self.schemas;
            return self.make(&schemas[name]);
        }
        if schema["nullable"] == true && self.dice.random_ratio(1, 5) {
            return Value::Null;
        }
        if let Some(values) = schema["enum"].as_array() {
            return values.choose(self.dice).cloned().expect("a value");
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema),
            Some("array") => self.array(schema),
            Some("string") => json!(self.text(schema)),
            Some("number") => self.number(schema),
            Some("integer") => json!(self.dice.random_range(bounds(schema))),
            Some("boolean") => json!(self.dice.random::<bool>()),
            other => panic!("a value of the type {other:?}"),
        }
    }

    fn object(&mut self, schema: &Value) -> Value {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut fields = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let is_required = required.iter().any(|required| required == name);
            if is_required || self.dice.random_ratio(3, 4) {
                fields.insert(name.clone(), self.make(property));
            }
        }
        Value::Object(fields)
    }

    fn array(&mut self, schema: &Value) -> Value {
        let fewest = schema["minItems"].as_u64().unwrap_or_default();
        let fewest = usize::try_from(fewest).expect("a number of elements");
        let count = self.dice.random_range(fewest..=fewest.max(MOST));
        (0..count).map(|_| self.make(&schema["items"])).collect()
    }

    /// A decimal number in one of its spellings: as it is, it has to come back by value.
    fn number(&mut self, schema: &Value) -> Value {
        let is_bounded = ["minimum", "maximum"].map(|bound| schema[bound].is_number());
        if is_bounded.contains(&true) {
            return json!(self.dice.random_range(bounds(schema)));
        }
        let spelling = self.matching("-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,4})?");
        serde_json::from_str(&spelling).expect("a number")
    }

    fn text(&mut self, schema: &Value) -> String {
        let at = OffsetDateTime::UNIX_EPOCH
            + Duration::milliseconds(self.dice.random_range(0..2_000_000_000_000));
        match schema["format"].as_str() {
            Some("uuid") => Uuid::from_u128(self.dice.random()).to_string(),
            Some("date") => at.date().to_string(),
            // With three digits behind the point, as one of the patterns has it.
            Some("date-time") => {
                let at = at.replace_millisecond(123).expect("milliseconds");
                at.format(&Rfc3339).expect("a timestamp")
            }
            Some("email") => self.matching("[a-z]{1,12}@[a-z]{1,12}\\.example"),
            Some("uri") => self.matching("https://[a-z]{1,12}\\.example/[a-z0-9]{0,12}"),
            _ => self.matching_text(schema),
        }
    }

    fn matching_text(&mut self, schema: &Value) -> String {
        let length = |bound: &str| schema[bound].as_u64();
        let (fewest, most) = (length("minLength").unwrap_or(0), length("maxLength"));
        let most = most.unwrap_or(LONGEST).min(LONGEST).max(fewest);
        match schema["pattern"].as_str() {
            // Anything at all, as it is written in the document.
            Some(pattern) if !pattern.contains(r"[\w\W\s]") => loop {
                let text = self.matching(&unanchored(pattern));
                if u64::try_from(text.chars().count()).expect("a length") >= fewest {
                    return text;
                }
            },
            _ => self.matching(&format!("(?s).{{{fewest},{most}}}")),
        }
    }

    fn matching(&mut self, pattern: &str) -> String {
        let texts = string_regex(pattern).expect("a pattern");
        let tree = texts.new_tree(&mut self.texts).expect("a text");
        // White space in ECMA 262, and none in Rust.
        tree.current().replace('\u{feff}', "_")
    }
}

/// The whole numbers between the bounds of a schema.
fn bounds(schema: &Value) -> std::ops::RangeInclusive<i64> {
    let minimum = schema["minimum"].as_f64().map_or(0, whole);
    let maximum = schema["maximum"].as_f64().map_or(minimum + 1_000, whole);
    minimum..=maximum
}

#[expect(clippy::cast_possible_truncation, reason = "a bound of a few digits")]
fn whole(bound: f64) -> i64 {
    bound as i64
}

/// A pattern as JSON Schema has it, whole, and with the digits of ECMA 262.
fn unanchored(pattern: &str) -> String {
    let inner = pattern.replace("(^", "(").replace("$)", ")");
    let inner = inner.trim_start_matches('^').trim_end_matches('$');
    inner.replace(r"\d", "[0-9]").replace(r"\/", "/")
}
