//! Path and query parameters of the read routes.

use lambda_http::Request;
use shared::{
    domain::{
        AccountId, LinkId, RESOURCES, RequestId, Resource, Timestamp, TransactionId, parse_date,
    },
    http::{path_parameter, query_parameter},
    problem::Problem,
    store::{Cursor, Filter},
};

const DEFAULT_LIMIT: usize = 100;
/// A Lambda answers at most 6 MB; 500 of the largest documented rows, accounts included, have 3 MB.
const MAX_LIMIT: usize = 500;

pub(crate) fn request_id(request: &Request) -> Result<RequestId, Problem> {
    RequestId::parse(&path_parameter(request, "id"))
        .map_err(|error| Problem::field("id", format!("id {error}")))
}

pub(crate) fn transaction_id(request: &Request) -> Result<TransactionId, Problem> {
    TransactionId::parse(&path_parameter(request, "id"))
        .map_err(|error| Problem::field("id", format!("id {error}")))
}

/// A resource by its name. Transactions, which have accounts and marks, are read by routes of their
/// own.
pub(crate) fn resource(request: &Request) -> Result<Resource, Problem> {
    let others = || {
        RESOURCES
            .iter()
            .filter(|resource| **resource != Resource::TRANSACTIONS)
    };
    let name = path_parameter(request, "resource");
    others()
        .find(|resource| resource.name() == name)
        .copied()
        .ok_or_else(|| {
            let known: Vec<_> = others().map(|resource| resource.name()).collect();
            Problem::not_found(format!(
                "no such resource here; known are {}",
                known.join(", ")
            ))
        })
}

pub(crate) fn account_id(request: &Request) -> Result<AccountId, Problem> {
    let account = AccountId::parse(&path_parameter(request, "account"));
    account.map_err(|error| Problem::field("account", format!("account {error}")))
}

pub(crate) fn link(request: &Request) -> Result<LinkId, Problem> {
    LinkId::parse(&path_parameter(request, "link"))
        .map_err(|error| Problem::field("link", format!("link {error}")))
}

pub(crate) fn cursor(request: &Request) -> Result<Option<Cursor>, Problem> {
    query_parameter(request, "cursor")
        .map(|text| Cursor::parse(&text))
        .transpose()
        .map_err(|error| Problem::field("cursor", format!("cursor {error}")))
}

pub(crate) fn limit(request: &Request) -> Result<usize, Problem> {
    let Some(text) = query_parameter(request, "limit") else {
        return Ok(DEFAULT_LIMIT);
    };
    match text.parse() {
        Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => Err(Problem::field(
            "limit",
            format!("limit must be a number from 1 to {MAX_LIMIT}"),
        )),
    }
}

/// The filter, and the cursor that has to belong to it.
pub(crate) fn filter(request: &Request) -> Result<(Filter, Option<Cursor>), Problem> {
    let (date_from, date_to) = (date(request, "date_from")?, date(request, "date_to")?);
    if date_from.is_some() && date_to.is_some() && date_from > date_to {
        return Err(Problem::field(
            "date_from",
            "date_from must not be after date_to",
        ));
    }
    let cursor = cursor(request)?;
    if cursor
        .as_ref()
        .is_some_and(|cursor| !cursor.is_within(date_from.as_deref(), date_to.as_deref()))
    {
        return Err(Problem::field(
            "cursor",
            "cursor belongs to a listing with other dates",
        ));
    }
    let filter = Filter {
        date_from,
        date_to,
        account: query_parameter(request, "account"),
        status: query_parameter(request, "status"),
        kind: query_parameter(request, "type"),
    };
    Ok((filter, cursor))
}

/// The instant of `as_of`: an RFC 3339 timestamp, or a day, which stands for its end.
pub(crate) fn as_of(request: &Request) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = query_parameter(request, "as_of") else {
        return Ok(None);
    };
    let instant =
        Timestamp::parse(&text).or_else(|| Timestamp::parse(&format!("{text}T23:59:59.999Z")));
    let detail = "as_of must be a timestamp such as 2026-03-01T12:00:00Z, or a calendar day written YYYY-MM-DD";
    instant
        .map(Some)
        .ok_or_else(|| Problem::field("as_of", detail))
}

fn date(request: &Request, name: &str) -> Result<Option<String>, Problem> {
    match query_parameter(request, name) {
        Some(text) if parse_date(&text).is_none() => Err(Problem::field(
            name,
            format!("{name} must be a calendar day written YYYY-MM-DD"),
        )),
        date => Ok(date),
    }
}
