//! Query parameters, and the values that they and the bodies hold.

use time::{Date, macros::format_description};
use url::form_urlencoded;
use uuid::Uuid;

use crate::errors::ApiError;

/// The query of a call. Its parameters are known: the gate has checked them.
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let query = query.unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self {
            pairs: pairs.into_owned().collect(),
        }
    }

    /// All parameters with their values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.pairs.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A comma-separated value as a list.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<String>> {
        self.get(name)
            .map(|value| value.split(',').map(str::to_owned).collect())
    }

    /// A UUID in lower case with dashes.
    pub(crate) fn uuid(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.get(name).map(|value| uuid(name, value)).transpose()
    }

    /// Several UUIDs, separated by commas.
    pub(crate) fn uuids(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let list = self.list(name);
        list.map(|list| list.iter().map(|value| uuid(name, value)).collect())
            .transpose()
    }

    /// The same query for another page, encoded. Page 1 has no number, as at Belvo.
    pub(crate) fn for_page(&self, number: usize) -> String {
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(self.pairs.iter().filter(|(key, _)| key != "page"));
        if number > 1 {
            encoded.append_pair("page", &number.to_string());
        }
        encoded.finish()
    }
}

/// `value` as a UUID in lower case with dashes, or Belvo's complaint about `field`.
pub(crate) fn uuid(field: &str, value: &str) -> Result<String, ApiError> {
    match Uuid::try_parse(value) {
        Ok(uuid) => Ok(uuid.hyphenated().to_string()),
        Err(_) => Err(ApiError::field("invalid", field).with("message", "Must be a valid UUID.")),
    }
}

/// `value` as a day, or Belvo's complaint about `field`.
pub(crate) fn date(field: &str, value: &str) -> Result<Date, ApiError> {
    Date::parse(value, format_description!("[year]-[month]-[day]")).map_err(|_| {
        let message = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
        ApiError::field("invalid", field).with("message", message)
    })
}
