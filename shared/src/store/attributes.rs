//! Attributes in the JSON in which DynamoDB is sent them ("DynamoDB low-level API", developer
//! guide): what the client would write of a map of values, without the map. Belvo's texts and
//! numbers are copied as they are; reading them into values, and writing those, took more time than
//! all else that a new row needs (docs/decisions/0047).

use std::borrow::Cow;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
    ser::Error as _,
};
use serde_json::{Value, value::RawValue};

use super::item::{DEEPEST, Item, USUAL_FIELDS, is_exact};

/// What becomes of a document's field.
pub(super) enum Choice {
    Kept,
    LeftOut,
    /// With it, the document cannot be kept as attributes.
    Refused,
}

/// Appends the fields of a JSON object as attributes, each with a comma before it, and shows them
/// to `see`. `None` if DynamoDB would not keep one of them exactly, or if two have the same name.
pub(super) fn append_document<'a>(
    to: &mut String,
    object: &'a str,
    see: impl FnMut(&str, &'a RawValue) -> Choice,
) -> Option<()> {
    append_fields(to, 0, object, see)
}

fn append_fields<'a>(
    to: &mut String,
    depth: usize,
    object: &'a str,
    see: impl FnMut(&str, &'a RawValue) -> Choice,
) -> Option<()> {
    let mut json = serde_json::Deserializer::from_str(object);
    json.deserialize_map(Fields { to, depth, see }).ok()
}

fn append(to: &mut String, depth: usize, json: &str) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match json.as_bytes().first()? {
        b'n' => to.push_str(r#"{"NULL":true}"#),
        b't' | b'f' => append_typed(to, r#""BOOL":"#, json),
        b'"' if is_unicode(json) => append_typed(to, r#""S":"#, json),
        b'[' => {
            to.push_str(r#"{"L":["#);
            let mut json = serde_json::Deserializer::from_str(json);
            json.deserialize_seq(Elements { to, depth }).ok()?;
            to.push_str("]}");
        }
        b'{' => {
            to.push_str(r#"{"M":{"#);
            append_fields(to, depth + 1, json, |_, _| Choice::Kept)?;
            to.push_str("}}");
        }
        b'-' | b'0'..=b'9' if is_exact(json) => {
            to.push_str(r#"{"N":""#);
            to.push_str(json);
            to.push_str(r#""}"#);
        }
        _ => return None,
    }
    Some(())
}

fn append_typed(to: &mut String, name: &str, json: &str) {
    to.push('{');
    to.push_str(name);
    to.push_str(json);
    to.push('}');
}

/// Whether a JSON text is one in Unicode: an escape can name half of a surrogate pair.
fn is_unicode(text: &str) -> bool {
    !text.contains('\\') || serde_json::from_str::<String>(text).is_ok()
}

/// Appends the fields of an object while they are read.
struct Fields<'w, F> {
    to: &'w mut String,
    depth: usize,
    see: F,
}

/// A name, borrowed unless it has escapes.
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, F: FnMut(&str, &'de RawValue) -> Choice> Visitor<'de> for Fields<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("fields that DynamoDB keeps")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        let mut names: Vec<Name<'de>> = Vec::with_capacity(USUAL_FIELDS);
        while let Some((name, value)) = fields.next_entry::<Name<'de>, &RawValue>()? {
            match (self.see)(&name.0, value) {
                Choice::Kept => {}
                Choice::LeftOut => continue,
                Choice::Refused => return Err(A::Error::custom("refused")),
            }
            if self.depth == 0 || !names.is_empty() {
                self.to.push(',');
            }
            append_name(self.to, &name);
            let kept = append(self.to, self.depth, value.get());
            kept.ok_or_else(|| A::Error::custom("a value that is not kept"))?;
            names.push(name);
        }
        names.sort_unstable();
        let is_twice = names.windows(2).any(|pair| pair[0] == pair[1]);
        if is_twice || names.first().is_some_and(|name| name.0.is_empty()) {
            return Err(A::Error::custom("a name that is not kept"));
        }
        Ok(())
    }
}

fn append_name(to: &mut String, Name(name): &Name<'_>) {
    match name {
        Cow::Borrowed(name) => to.extend(["\"", name, "\""]),
        Cow::Owned(name) => to.push_str(&Value::from(name.as_str()).to_string()),
    }
    to.push(':');
}

/// Appends the elements of a list while they are read.
struct Elements<'w> {
    to: &'w mut String,
    depth: usize,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("elements that DynamoDB keeps")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut is_first = true;
        while let Some(element) = elements.next_element::<&RawValue>()? {
            if !is_first {
                self.to.push(',');
            }
            is_first = false;
            let kept = append(self.to, self.depth + 1, element.get());
            kept.ok_or_else(|| A::Error::custom("an element that is not kept"))?;
        }
        Ok(())
    }
}

/// An item, or a key, as it is sent.
pub(super) struct Sent<'a>(pub(super) &'a Item);

/// Attributes beside those of a document, by name.
pub(super) type Ours = Vec<(&'static str, AttributeValue)>;

/// Appends attributes, each with a comma before it. `None` for those of a type that is never
/// written.
pub(super) fn append_ours(to: &mut String, ours: &Ours) -> Option<()> {
    for (name, value) in ours {
        to.extend([",\"", name, "\":"]);
        to.push_str(&serde_json::to_string(&SentValue(value)).ok()?);
    }
    Some(())
}

/// An attribute as it is sent: its type, and its value.
#[derive(Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Typed<'a> {
    Null(bool),
    Bool(bool),
    S(&'a str),
    N(&'a str),
    /// In Base64.
    B(String),
    L(Vec<SentValue<'a>>),
    M(Sent<'a>),
}

struct SentValue<'a>(&'a AttributeValue);

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, SentValue(value))))
    }
}

impl Serialize for SentValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let typed = match self.0 {
            AttributeValue::Null(truth) => Typed::Null(*truth),
            AttributeValue::Bool(truth) => Typed::Bool(*truth),
            AttributeValue::S(text) => Typed::S(text),
            AttributeValue::N(digits) => Typed::N(digits),
            AttributeValue::B(bytes) => Typed::B(STANDARD.encode(bytes)),
            AttributeValue::L(elements) => Typed::L(elements.iter().map(SentValue).collect()),
            AttributeValue::M(fields) => Typed::M(Sent(fields)),
            _ => return Err(S::Error::custom("a type that this pipeline never writes")),
        };
        typed.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_dynamodb::primitives::Blob;
    use serde_json::json;

    use super::*;

    /// The attributes of a document, if DynamoDB keeps it.
    fn attributes(document: &str) -> Option<Value> {
        let mut members = String::new();
        append_document(&mut members, document, |_, _| Choice::Kept)?;
        Some(serde_json::from_str(&format!("{{{}}}", &members[1..])).unwrap())
    }

    fn kept(value: &str) -> bool {
        attributes(&format!(r#"{{"value": {value}}}"#)).is_some()
    }

    #[test]
    fn every_value_is_sent_as_its_type() {
        let document = r#"{"null": null, "empty": "", "no": false, "amount": -123456789012345.1200,
            "list": [1, {"deep": [true, []]}], "accents": "S\u00e3o João", "\u0061": {}}"#;
        let expected = json!({
            "null": {"NULL": true},
            "empty": {"S": ""},
            "no": {"BOOL": false},
            "amount": {"N": "-123456789012345.1200"},
            "list": {"L": [{"N": "1"}, {"M": {"deep": {"L": [{"BOOL": true}, {"L": []}]}}}]},
            "accents": {"S": "São João"},
            "a": {"M": {}},
        });
        assert_eq!(attributes(document), Some(expected));
    }

    #[test]
    fn an_item_is_sent_as_the_same_types() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let item = HashMap::from([
            ("null".to_owned(), AttributeValue::Null(true)),
            ("bytes".to_owned(), AttributeValue::B(Blob::new([0, 255]))),
            ("list".to_owned(), AttributeValue::L(vec![text("\"")])),
            (
                "map".to_owned(),
                AttributeValue::M(HashMap::from([(
                    "n".to_owned(),
                    AttributeValue::N("1".to_owned()),
                )])),
            ),
        ]);
        let expected = json!({
            "null": {"NULL": true},
            "bytes": {"B": "AP8="},
            "list": {"L": [{"S": "\""}]},
            "map": {"M": {"n": {"N": "1"}}},
        });
        assert_eq!(json!(Sent(&item)), expected);
        let set = HashMap::from([("set".to_owned(), AttributeValue::Ss(vec![]))]);
        assert!(serde_json::to_string(&Sent(&set)).is_err());
    }

    #[test]
    fn what_dynamodb_would_change_is_not_sent() {
        assert!(kept("12345678901234567890123456789012345678"));
        assert!(!kept("123456789012345678901234567890123456789"));
        assert!(!kept("1e2") && !kept(r#"{"": 1}"#));
        assert!(!kept(r#""\ud800""#) && !kept(r#"["\ud800"]"#));
        assert!(
            !kept(r#"{"n": 1, "\u006e": 2}"#),
            "it would keep one of them"
        );
    }

    #[test]
    fn nesting_beyond_dynamodbs_is_not_sent() {
        let nest = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(kept(&nest(DEEPEST).to_string()));
        assert!(!kept(&nest(DEEPEST + 1).to_string()));
    }

    #[test]
    fn fields_are_left_out_and_refused() {
        let append = |fate: fn(&str) -> Choice| {
            let mut members = String::new();
            append_document(&mut members, r#"{"a": 1, "b": 2}"#, |name, _| fate(name))
                .map(|()| members)
        };
        let without_a = append(|name| {
            if name == "a" {
                Choice::LeftOut
            } else {
                Choice::Kept
            }
        });
        assert_eq!(without_a.as_deref(), Some(r#","b":{"N":"2"}"#));
        assert_eq!(append(|_| Choice::Refused), None);
    }
}
