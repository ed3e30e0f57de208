//! Path and query parameters of the read routes.

use domain::{
    AccountId, Blocked, Filter, LinkFilter, LinkId, QuotaMonth, RESOURCES, RequestId, Resource,
    RowId, Status, Timestamp, WebhookId, parse_date,
};
use lambda_http::Request;
use serde::de::DeserializeOwned;
use shared::{
    http::{path_parameter, query_parameter},
    problem::Problem,
    store::{Cursor, read_opaque},
};

/// Before any row's day, and after that of rows without one.
const FIRST_DAY: &str = "0001-01-01";
const DEFAULT_LIMIT: u16 = 100;
/// The most rows of an answer. Of large rows there may be fewer.
const MAX_LIMIT: u16 = 500;

pub(crate) fn request_id(request: &Request) -> Result<RequestId, Problem> {
    Problem::named("id", RequestId::parse(&path_parameter(request, "id")))
}

pub(crate) fn webhook_id(request: &Request) -> Result<WebhookId, Problem> {
    Problem::named("id", WebhookId::parse(&path_parameter(request, "id")))
}

pub(crate) fn row_id(request: &Request) -> Result<RowId, Problem> {
    Problem::named("id", RowId::parse(&path_parameter(request, "id")))
}

pub(crate) fn account_id(request: &Request) -> Result<AccountId, Problem> {
    let account = path_parameter(request, "account");
    Problem::named("account", AccountId::parse(&account))
}

pub(crate) fn link(request: &Request) -> Result<LinkId, Problem> {
    Problem::named("link", LinkId::parse(&path_parameter(request, "link")))
}

/// A resource by its name. Transactions, which have accounts and marks, have their own routes.
pub(crate) fn resource(request: &Request) -> Result<Resource, Problem> {
    let is_other = |resource: &Resource| !resource.has_accounts();
    let found = Resource::by_name(&path_parameter(request, "resource")).filter(is_other);
    found.ok_or_else(|| {
        let others = RESOURCES.iter().copied().filter(is_other);
        let known: Vec<_> = others.map(Resource::name).collect();
        let known = known.join(", ");
        Problem::not_found(format!(
            "Unknown resource. The known resources are {known}."
        ))
    })
}

/// The cursor, which must be of a listing of this kind.
pub(crate) fn cursor(
    request: &Request,
    is_of_this_kind: fn(&Cursor) -> bool,
) -> Result<Option<Cursor>, Problem> {
    let Some(text) = query_parameter(request, "cursor") else {
        return Ok(None);
    };
    let cursor = Cursor::parse(&text).and_then(|cursor| cursor.of(is_of_this_kind));
    Problem::named("cursor", cursor).map(Some)
}

/// Where somebody is who follows what changes, as the cursor says; at the beginning without one.
pub(crate) fn place<T: DeserializeOwned + Default>(request: &Request) -> Result<T, Problem> {
    match query_parameter(request, "cursor") {
        Some(text) => Problem::named("cursor", read_opaque(&text)),
        None => Ok(T::default()),
    }
}

pub(crate) fn limit(request: &Request) -> Result<u16, Problem> {
    let Some(text) = query_parameter(request, "limit") else {
        return Ok(DEFAULT_LIMIT);
    };
    match text.parse() {
        Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => {
            let detail = format!("limit must be a number from 1 to {MAX_LIMIT}");
            Err(Problem::field("limit", detail))
        }
    }
}

pub(crate) fn month(request: &Request) -> Result<Option<QuotaMonth>, Problem> {
    let Some(text) = query_parameter(request, "month") else {
        return Ok(None);
    };
    let detail = "month must be a calendar month written YYYY-MM";
    let month = QuotaMonth::parse(&text);
    month
        .map(Some)
        .ok_or_else(|| Problem::field("month", detail))
}

/// The filter, and the cursor, which must belong to it.
pub(crate) fn filter(request: &Request) -> Result<(Filter, Option<Cursor>), Problem> {
    let (date_from, date_to) = (date(request, "date_from")?, date(request, "date_to")?);
    if date_from.is_some() && date_to.is_some() && date_from > date_to {
        return Err(Problem::field(
            "date_from",
            "date_from must not be after date_to",
        ));
    }

    let cursor = cursor(request, Cursor::is_of_a_day)?;
    let is_of_these_days =
        |cursor: &Cursor| cursor.is_within(date_from.as_deref(), date_to.as_deref());
    if !cursor.as_ref().is_none_or(is_of_these_days) {
        let detail = "cursor belongs to a listing with other dates";
        return Err(Problem::field("cursor", detail));
    }

    // Rows without a date are listed without a filter by day only.
    let date_from = date_from.or_else(|| date_to.as_ref().map(|_| FIRST_DAY.to_owned()));
    let filter = Filter {
        date_from,
        date_to,
        account: account(request)?,
        status: query_parameter(request, "status"),
        kind: query_parameter(request, "type"),
    };
    Ok((filter, cursor))
}

/// Which links to list.
pub(crate) fn link_filter(request: &Request) -> Result<LinkFilter, Problem> {
    let blocked = query_parameter(request, "blocked").map(|text| {
        let detail = "blocked must be true, false, or the reason of a block";
        Blocked::parse(&text).ok_or_else(|| Problem::field("blocked", detail))
    });
    let stale = query_parameter(request, "stale").map(|text| {
        let detail = "stale must be true or false";
        text.parse().map_err(|_| Problem::field("stale", detail))
    });
    Ok(LinkFilter {
        blocked: blocked.transpose()?,
        stale: stale.transpose()?,
        external_id: query_parameter(request, "external_id"),
        status: query_parameter(request, "status"),
    })
}

/// The status of requests of all links. Those that were collected are the usual ones, and would
/// hide the others.
pub(crate) fn status(request: &Request) -> Result<Status, Problem> {
    const STATUSES: [Status; 7] = [
        Status::Issued,
        Status::Notified,
        Status::Collecting,
        Status::Short,
        Status::Incomplete,
        Status::Failed,
        Status::Expired,
    ];
    let text = query_parameter(request, "status").unwrap_or_default();
    let found = STATUSES.into_iter().find(|status| status.name() == text);
    found.ok_or_else(|| {
        let known = STATUSES.map(Status::name).join(", ");
        Problem::field("status", format!("status must be one of {known}"))
    })
}

/// The instant of `as_of`: an RFC 3339 timestamp, or a day, which means the end of that day.
pub(crate) fn as_of(request: &Request) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = query_parameter(request, "as_of") else {
        return Ok(None);
    };
    let detail = "as_of must be a timestamp such as 2026-03-01T12:00:00Z, or a calendar day \
                  written YYYY-MM-DD";
    instant(&text)
        .map(Some)
        .ok_or_else(|| Problem::field("as_of", detail))
}

/// The parser of instants takes any character between the day and the time.
fn instant(text: &str) -> Option<Timestamp> {
    match text.as_bytes().get(10) {
        Some(b'T' | b't') => Timestamp::parse(text),
        Some(_) => None,
        None => Timestamp::parse(&format!("{text}T23:59:59.999Z")),
    }
}

fn account(request: &Request) -> Result<Option<String>, Problem> {
    let account = query_parameter(request, "account").map(|id| AccountId::parse(&id));
    let account = account
        .map(|id| Problem::named("account", id))
        .transpose()?;
    Ok(account.map(String::from))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_a_timestamp_or_the_end_of_a_day() {
        let written = |text| instant(text).map(|instant| instant.to_string());
        assert_eq!(
            written("2026-03-01T09:00:00-03:00").as_deref(),
            Some("2026-03-01T12:00:00.000Z")
        );
        assert_eq!(
            written("2026-03-01").as_deref(),
            Some("2026-03-01T23:59:59.999Z")
        );
        for other in [
            "2026-03-01P12:00:00Z",
            "2026-03-01 12:00:00Z",
            "2026-3-1",
            "soon",
        ] {
            assert_eq!(instant(other), None, "{other}");
        }
    }
}
