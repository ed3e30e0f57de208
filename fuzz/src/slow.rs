//! JSON, read in the plainest way there is: what the product's readers are compared with.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The fields of a JSON object in the order in which they were sent, with those that are there
/// twice.
pub(crate) struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// `None` unless the text is a JSON object whose names are Unicode.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The text of a field's value; of two fields with the name, that of the last one.
    pub(crate) fn last(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().rfind(|(one, _)| one == name)?;
        Some(value.get())
    }

    /// What a field holds, if it is a text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.last(name)?).ok()
    }

    /// Whether a field with one of these names is there twice.
    pub(crate) fn has_twice(&self, names: &[&str]) -> bool {
        let times = |name| self.0.iter().filter(|(one, _)| one == name).count();
        names.iter().any(|name| times(name) > 1)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}
