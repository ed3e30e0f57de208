//! Pagination as Django REST framework does it, which is what Belvo's looks like: page numbers,
//! and absolute links that keep the other parameters.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{
        header::{self, HeaderMap},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{conditions::Conditions, query::Query};
use crate::{config::Config, errors::ApiError, state::App};

/// A request for a list, before its query is parsed.
pub(crate) struct ListRequest {
    address: String,
    query: Option<String>,
}

/// A request for a list with its query.
pub(crate) struct Listing {
    /// Origin and path, as the client used them.
    address: String,
    pub(crate) query: Query,
}

/// One page of a list: which rows it holds and where its neighbours are.
pub(crate) struct Page {
    pub(crate) number: usize,
    pub(crate) size: usize,
    pub(crate) count: usize,
    pub(crate) next: Option<String>,
    previous: Option<String>,
}

impl FromRequestParts<Arc<App>> for ListRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self {
            address: format!("{}{}", origin(app, &parts.headers), parts.uri.path()),
            query: parts.uri.query().map(str::to_owned),
        })
    }
}

impl ListRequest {
    pub(crate) fn parse(self) -> Listing {
        Listing {
            query: Query::parse(self.query.as_deref()),
            address: self.address,
        }
    }
}

impl Listing {
    /// The requested page of those of these objects that meet the conditions of the query.
    pub(crate) fn answer<'a>(
        &self,
        config: &Config,
        objects: impl Iterator<Item = &'a Value>,
    ) -> Result<Response, ApiError> {
        let conditions = Conditions::of(&self.query, |_| false);
        let found: Vec<_> = objects.filter(|object| conditions.hold(object)).collect();
        Ok(self.page(config, found.len())?.answer(&found))
    }

    /// The address of a page of this list.
    pub(crate) fn address_of(&self, page: usize) -> String {
        format!("{}?{}", self.address, self.query.for_page(page))
    }

    /// The requested page of a list of `count` rows.
    pub(crate) fn page(&self, config: &Config, count: usize) -> Result<Page, ApiError> {
        let size = page_size(config, self.query.get("page_size"));
        let last = count.div_ceil(size).max(1);
        let number = match self.query.get("page") {
            None => 1,
            Some("last") => last,
            Some(page) => page.parse().unwrap_or(0),
        };
        if number < 1 || number > last {
            return Err(ApiError::new("not_found").with("message", "Invalid page."));
        }

        Ok(Page {
            number,
            size,
            count,
            next: (number < last).then(|| self.address_of(number + 1)),
            previous: (number > 1).then(|| self.address_of(number - 1)),
        })
    }
}

impl Page {
    /// How many rows come before this page.
    pub(crate) fn offset(&self) -> usize {
        (self.number - 1) * self.size
    }

    /// Those of `values` that are on this page.
    pub(crate) fn cut<'a, T>(&self, values: &[&'a T]) -> Vec<&'a T> {
        let rest = values.iter().skip(self.offset());
        rest.take(self.size).copied().collect()
    }

    /// The answer with those of `values` that are on this page.
    pub(crate) fn answer(&self, values: &[&Value]) -> Response {
        let results = json!(self.cut(values));
        json_response(self.envelope(&results.to_string()))
    }

    /// The whole body; `results` is a JSON array.
    pub(crate) fn envelope(&self, results: &str) -> String {
        let (count, next, previous) = (self.count, json!(self.next), json!(self.previous));
        format!(r#"{{"count":{count},"next":{next},"previous":{previous},"results":{results}}}"#)
    }
}

/// The page size that applies: the requested one up to the maximum, or the default if it is missing
/// or not a positive number.
pub(crate) fn page_size(config: &Config, requested: Option<&str>) -> usize {
    let requested = requested.and_then(|size| size.parse().ok());
    let size = requested.filter(|size| *size > 0);
    size.unwrap_or(config.page_size).min(config.max_page_size)
}

/// A JSON answer from text that is JSON already.
pub(crate) fn json_response(body: String) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, Body::from(body)).into_response()
}

/// The origin that the client used, which need not be the one this server knows itself by.
fn origin(app: &App, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST);
    host.and_then(|host| host.to_str().ok()).map_or_else(
        || app.url.clone(),
        |host| format!("{}://{host}", app.config.scheme),
    )
}
