//! Pagination as Django REST framework does it, which is what Belvo's looks like: page numbers,
//! absolute links, the other parameters kept.

use axum::{
    body::Body,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use url::form_urlencoded;
use uuid::Uuid;

use crate::{config::Config, errors::ApiError, state::App};

/// The query of a list, with every parameter known and used.
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the query. A parameter that is not among `known` is refused: Belvo has more filters
    /// than this server, and ignoring one would answer with the wrong rows.
    pub(crate) fn parse(query: Option<&str>, known: &[impl AsRef<str>]) -> Result<Self, ApiError> {
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let unknown = |key: &String| {
            !known.iter().any(|name| name.as_ref() == key) && key != "page" && key != "page_size"
        };
        match pairs.iter().find(|(key, _)| unknown(key)) {
            None => Ok(Self { pairs }),
            Some((key, _)) => {
                let error = ApiError::field("validation_error", key);
                Err(error.with("message", "The sandbox does not have this query parameter."))
            }
        }
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
}

/// `value` as a UUID in lower case with dashes.
pub(crate) fn uuid(field: &str, value: &str) -> Result<String, ApiError> {
    match Uuid::try_parse(value) {
        Ok(uuid) => Ok(uuid.hyphenated().to_string()),
        Err(_) => Err(ApiError::field("invalid", field).with("message", "Must be a valid UUID.")),
    }
}

/// The page size that applies: the one asked for within its limits, the default if it is missing or
/// no number.
pub(crate) fn page_size(config: &Config, asked: Option<&str>) -> usize {
    let asked = asked
        .and_then(|asked| asked.parse().ok())
        .filter(|size| *size > 0);
    asked.unwrap_or(config.page_size).min(config.max_page_size)
}

/// One page of a list: which rows it holds and where its neighbours are.
pub(crate) struct Page {
    pub(crate) number: usize,
    pub(crate) size: usize,
    pub(crate) count: usize,
    pub(crate) next: Option<String>,
    previous: Option<String>,
}

impl Page {
    /// The page that `query` asks for of a list of `count` rows at `path`.
    pub(crate) fn new(
        app: &App,
        headers: &HeaderMap,
        path: &str,
        query: &Query,
        count: usize,
    ) -> Result<Self, ApiError> {
        let size = page_size(&app.config, query.get("page_size"));
        let last = count.div_ceil(size).max(1);
        let number = match query.get("page") {
            None => 1,
            Some("last") => last,
            Some(page) => page.parse().unwrap_or(0),
        };
        if number < 1 || number > last {
            return Err(ApiError::new("not_found").with("message", "Invalid page."));
        }
        let mut page = Self {
            number,
            size,
            count,
            next: None,
            previous: None,
        };
        let address = |number| address(app, headers, path, query, number);
        page.next = (number < last).then(|| address(number + 1));
        page.previous = (number > 1).then(|| address(number - 1));
        Ok(page)
    }

    /// Rows before the page.
    pub(crate) fn offset(&self) -> usize {
        (self.number - 1) * self.size
    }

    /// The answer with those of `values` that are on this page.
    pub(crate) fn of(&self, values: &[&Value]) -> Response {
        let results: Vec<&Value> = values
            .iter()
            .skip(self.offset())
            .take(self.size)
            .copied()
            .collect();
        json(self.envelope(&serde_json::json!(results).to_string()))
    }

    /// The whole answer; `results` is a JSON array.
    pub(crate) fn envelope(&self, results: &str) -> String {
        let (next, previous) = (
            quoted(self.next.as_deref()),
            quoted(self.previous.as_deref()),
        );
        format!(
            r#"{{"count":{},"next":{next},"previous":{previous},"results":{results}}}"#,
            self.count
        )
    }
}

/// The address of another page of the same list. The origin is the one the client used; page 1 has
/// no number.
pub(crate) fn address(
    app: &App,
    headers: &HeaderMap,
    path: &str,
    query: &Query,
    page: usize,
) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let origin = host.map_or_else(
        || app.url.clone(),
        |host| format!("{}://{host}", app.config.scheme),
    );
    let mut parameters = form_urlencoded::Serializer::new(String::new());
    parameters.extend_pairs(query.pairs.iter().filter(|(key, _)| key != "page"));
    if page > 1 {
        parameters.append_pair("page", &page.to_string());
    }
    format!("{origin}{path}?{}", parameters.finish())
}

/// A JSON answer from text that is JSON already.
pub(crate) fn json(body: String) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        Body::from(body),
    )
        .into_response()
}

fn quoted(text: Option<&str>) -> String {
    serde_json::json!(text).to_string()
}
