//! `GET /api/transactions/` and its like: what a collector reads, page by page, and the ways a walk
//! over pages goes wrong.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use time::{Date, macros::format_description};

use super::{
    Effects,
    pages::{Page, Query, address, json},
};
use crate::{
    errors::ApiError,
    link::Link,
    resource::Resource,
    row::{Filter, Row, array},
    rules::Action,
    state::App,
};

/// One page of a link's rows.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Extension(effects): Extension<Effects>,
    Extension(resource): Extension<&'static Resource>,
) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref(), &resource.parameters())?;
    let link = query
        .uuid("link")?
        .ok_or_else(|| ApiError::field("required", "link"))?;
    let filter = filter(resource, &query)?;
    let mut state = app.state();
    // A link that is not there has no rows: Belvo filters, it does not look the link up.
    let known = state
        .link(&link)
        .filter(|_| !effects.has(|action| matches!(action, Action::Empty(_))));
    let rows: Vec<&Row> = known.iter().flat_map(|link| link.rows(&filter)).collect();
    let mut page = Page::new(&app, &headers, resource.path, &query, rows.len())?;
    let mut results: Vec<&Row> = rows
        .iter()
        .skip(page.offset())
        .take(page.size)
        .copied()
        .collect();
    if effects.has(|action| matches!(action, Action::DuplicateRows(_))) && page.number > 1 {
        results.insert(0, rows[page.offset() - 1]);
    }
    if effects.has(|action| matches!(action, Action::RepeatRows(_))) {
        results.extend(results.first().copied());
    }
    let newest = results.first().map(|row| row.day.clone());
    for effect in effects.0.iter() {
        match &effect.action {
            Action::DropPage(_) => {
                let beyond = page.number + 2;
                let exists = (beyond - 1) * page.size < page.count;
                page.next = exists.then(|| address(&app, &headers, resource.path, &query, beyond));
            }
            Action::ForeignNext(origin) => page.next = page.next.map(|next| moved(&next, origin)),
            _ => {}
        }
    }
    let mut body = page.envelope(&array(results, known.map_or(&[], |link| &link.accounts)));
    if effects.has(|action| matches!(action, Action::TornPage(_))) {
        tear(&mut body);
    }
    drift(&effects, resource, state.link_mut(&link), newest.as_deref());
    Ok(json(body))
}

/// One row.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(resource): Extension<&'static Resource>,
) -> Result<Response, ApiError> {
    let state = app.state();
    let found = state
        .links
        .iter()
        .find_map(|link| Some((link, link.row(&id)?)));
    let found = found.filter(|(_, row)| std::ptr::eq(row.resource, resource));
    let (link, row) = found.ok_or_else(|| ApiError::new("not_found"))?;
    let mut text = String::new();
    row.write(&link.accounts, &mut text);
    Ok(json(text))
}

fn filter(resource: &'static Resource, query: &Query) -> Result<Filter, ApiError> {
    let accounts = match query.uuid("account")? {
        Some(account) => Some(vec![account]),
        None => query.uuids("account__in")?,
    };
    let (from, to) = days(resource, query)?;
    let either = |one: &str, several: &str| query.list(one).or_else(|| query.list(several));
    Ok(Filter {
        resource,
        from,
        to,
        accounts,
        statuses: either("status", "status__in"),
        flows: either("type", "type__in"),
    })
}

/// The first and last day that the parameters by date together allow.
fn days(resource: &Resource, query: &Query) -> Result<(Option<String>, Option<String>), ApiError> {
    let (mut from, mut to): (Option<Date>, Option<Date>) = (None, None);
    let mut bound = |first: Option<Date>, last: Option<Date>| {
        from = from.max(first);
        to = [to, last].into_iter().flatten().min();
    };
    for name in &resource.date_parameters() {
        let Some(values) = query.list(name) else {
            continue;
        };
        let dates: Vec<Date> = values
            .iter()
            .map(|value| date(name, value))
            .collect::<Result<_, _>>()?;
        let side = name.trim_start_matches(resource.date_field.unwrap_or_default());
        match (side, dates.as_slice()) {
            ("", [day]) => bound(Some(*day), Some(*day)),
            ("__gte", [day]) => bound(Some(*day), None),
            ("__gt", [day]) => bound(day.next_day(), None),
            ("__lte", [day]) => bound(None, Some(*day)),
            ("__lt", [day]) => bound(None, day.previous_day()),
            ("__range", [first, last]) => bound(Some(*first), Some(*last)),
            _ => return Err(ApiError::field("invalid", name)),
        }
    }
    Ok((
        from.map(|day| day.to_string()),
        to.map(|day| day.to_string()),
    ))
}

/// `value` as a day, or Belvo's complaint about `field`.
pub(crate) fn date(field: &str, value: &str) -> Result<Date, ApiError> {
    Date::parse(value, format_description!("[year]-[month]-[day]")).map_err(|_| {
        let message = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
        ApiError::field("invalid", field).with("message", message)
    })
}

/// `next` at another origin.
fn moved(next: &str, origin: &str) -> String {
    let path = next.find("/api/").map_or("", |at| &next[at..]);
    format!("{}{path}", origin.trim_end_matches('/'))
}

/// Cuts a body in the middle of its rows.
fn tear(body: &mut String) {
    let mut middle = body.len() / 2;
    while !body.is_char_boundary(middle) {
        middle -= 1;
    }
    body.truncate(middle);
}

/// New rows on the newest day of the page just made, so that what follows shifts.
fn drift(
    effects: &Effects,
    resource: &'static Resource,
    link: Option<&mut Link>,
    newest: Option<&str>,
) {
    let insert = effects.0.iter().find_map(|effect| match effect.action {
        Action::Drift { insert } => Some(insert),
        _ => None,
    });
    if let (Some(insert), Some(link)) = (insert, link) {
        let day = newest
            .and_then(|day| date("day", day).ok())
            .unwrap_or(link.today());
        link.add(resource, insert, Some(day));
    }
}

impl Effects {
    pub(crate) fn has(&self, is: impl Fn(&Action) -> bool) -> bool {
        self.0.iter().any(|effect| is(&effect.action))
    }
}
