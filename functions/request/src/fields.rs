//! The fields of a JSON body. Each is taken out when it is read; whatever is left at the end is
//! unknown.

use domain::LinkId;
use serde_json::{Map, Value};
use shared::problem::{Problem, ProblemKind};

/// Fields that have not been read yet.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body that must be a JSON object; `shape` shows the caller the expected shape.
    pub(crate) fn parse(body: &[u8], shape: &str) -> Result<Self, Problem> {
        let invalid = |_| Problem::new(ProblemKind::InvalidBody, shape);
        serde_json::from_slice(body).map(Self).map_err(invalid)
    }

    /// A required text.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, Problem> {
        self.optional(name)?
            .ok_or_else(|| Problem::field(name, format!("{name} is missing")))
    }

    /// An optional text; `null` counts as absent.
    pub(crate) fn optional(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Problem::field(name, format!("{name} must be a string"))),
        }
    }

    /// One of `words`; the first is the default.
    pub(crate) fn one_of(&mut self, name: &str, words: &[&str]) -> Result<String, Problem> {
        let Some(word) = self.optional(name)? else {
            return Ok(words[0].to_owned());
        };
        if words.contains(&word.as_str()) {
            Ok(word)
        } else {
            Err(Problem::field(
                name,
                format!("{name} must be one of {}", words.join(", ")),
            ))
        }
    }

    /// A required object.
    pub(crate) fn object(&mut self, name: &str) -> Result<Self, Problem> {
        match self.0.remove(name) {
            Some(Value::Object(fields)) => Ok(Self(fields)),
            Some(_) => Err(Problem::field(name, format!("{name} must be an object"))),
            None => Err(Problem::field(name, format!("{name} is missing"))),
        }
    }

    /// Whether a field is present. One that is `null` counts as absent, and is then read.
    pub(crate) fn has(&mut self, name: &str) -> bool {
        if self.0.get(name).is_some_and(Value::is_null) {
            self.0.remove(name);
        }
        self.0.contains_key(name)
    }

    /// Refuses fields that were not read: a misspelt one would change the meaning.
    pub(crate) fn end(self, known: &str) -> Result<(), Problem> {
        match self.0.keys().next() {
            Some(unknown) => Err(Problem::field(
                unknown,
                format!("unknown field; the known fields are {known}"),
            )),
            None => Ok(()),
        }
    }
}

/// The id of a link, from a body or a path.
pub(crate) fn link_id(id: &str) -> Result<LinkId, Problem> {
    Problem::named("link", LinkId::parse(id))
}
