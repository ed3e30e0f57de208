//! `GET /api/transactions/` and its counterparts for the other resources: what a collector reads
//! page by page, and the ways in which the pages can mislead it.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Extension,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use time::Date;

use super::{
    conditions::Conditions,
    extensions::Effects,
    pages::{ListRequest, Listing, Page, json_response},
    query::{Query, date},
};
use crate::{
    data::accounts::Account,
    errors::ApiError,
    link::Link,
    resource::Resource,
    row::{Filter, Row, array},
    rules::Action,
    state::App,
};

/// In a row, stands for half of a surrogate pair, which no [`serde_json::Value`] holds.
const HALF: char = '\u{e000}';

/// One page of rows, mostly of one link.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    request: ListRequest,
    Extension(effects): Extension<Effects>,
    Extension(resource): Extension<&'static Resource>,
) -> Result<Response, ApiError> {
    let listing = request.parse();
    let filter = filter(resource, &listing.query)?;
    let conditions = Conditions::of(&listing.query, |name| resource.filters_by(name));

    let mut state = app.state();
    let is_empty = effects.has(|action| matches!(action, Action::Empty(_)));
    let links = state.links.iter().filter(|_| !is_empty);
    let chosen = Chosen::of(links, &listing.query)?;
    let rows = chosen.rows(&filter, &conditions);

    let mut page = listing.page(&app.config, rows.len())?;
    mislead(&mut page, &listing, &effects);
    let results = results(&page, &rows, &effects);
    let newest = results.first().map(|row| row.day.clone());
    let swapped = swapped(&results, &effects);

    let earlier = earlier(&results, &effects);
    let mut body = with_halves(page.envelope(&text(&results, &earlier, &chosen.accounts)));
    if effects.has(|action| matches!(action, Action::TornPage(_))) {
        tear(&mut body);
    }
    let link = listing.query.uuid("link")?;
    if let Some(link) = link.and_then(|link| state.link_mut(&link)) {
        link.lists_earlier(&earlier);
        drift(link, resource, newest.as_deref(), &effects);
        for (id, day) in swapped {
            link.delete(&id);
            link.add(resource, 1, date("day", &day).ok());
        }
    }
    Ok(json_response(body))
}

/// The links whose rows are listed, and the accounts of those rows. An unknown link has no rows:
/// Belvo filters by the link and does not look it up.
struct Chosen<'a> {
    links: Vec<&'a Link>,
    accounts: Cow<'a, [Account]>,
}

impl<'a> Chosen<'a> {
    fn of(links: impl Iterator<Item = &'a Link>, query: &Query) -> Result<Self, ApiError> {
        let (one, several) = (query.uuid("link")?, query.uuids("link__in")?);
        let is_chosen = |link: &&Link| {
            one.as_ref().is_none_or(|one| *one == link.id)
                && several.as_ref().is_none_or(|ids| ids.contains(&link.id))
        };
        let links: Vec<&Link> = links.filter(is_chosen).collect();
        let accounts = match links.as_slice() {
            [link] => Cow::Borrowed(link.accounts.as_slice()),
            links => links
                .iter()
                .flat_map(|link| link.accounts.clone())
                .collect(),
        };
        Ok(Self { links, accounts })
    }

    /// Matching rows, in the order in which they are paged.
    fn rows(&self, filter: &'a Filter, conditions: &Conditions) -> Vec<&'a Row> {
        let rows = self.links.iter().flat_map(|link| link.rows(filter));
        let holds =
            |row: &&Row| conditions.is_empty() || conditions.hold(&row.shown(&self.accounts));
        let mut rows: Vec<&Row> = rows.filter(holds).collect();
        if self.links.len() > 1 {
            rows.sort_by(|one, other| one.sort_key().cmp(&other.sort_key()));
        }
        rows
    }
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(resource): Extension<&'static Resource>,
) -> Result<Response, ApiError> {
    let id = id.to_lowercase();
    let state = app.state();
    let mut links = state.links.iter();
    let (link, row) = links
        .find_map(|link| Some((link, link.row(&id)?)))
        .filter(|(_, row)| std::ptr::eq(row.resource, resource))
        .ok_or_else(|| ApiError::new("not_found"))?;

    let mut text = String::new();
    row.write(&link.accounts, &mut text);
    Ok(json_response(with_halves(text)))
}

/// Deletes a row at Belvo.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(resource): Extension<&'static Resource>,
) -> Result<StatusCode, ApiError> {
    let id = id.to_lowercase();
    let mut state = app.state();
    let is_its = |link: &&mut Link| {
        let row = link.row(&id);
        row.is_some_and(|row| std::ptr::eq(row.resource, resource))
    };
    let link = state.links.iter_mut().find(is_its);
    let link = link.ok_or_else(|| ApiError::new("not_found"))?;
    link.delete(&id);
    Ok(StatusCode::NO_CONTENT)
}

/// The JSON as it is sent.
fn with_halves(json: String) -> String {
    if json.contains(HALF) {
        json.replace(HALF, r"\ud800")
    } else {
        json
    }
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
        from: from.map(|day| day.to_string()),
        to: to.map(|day| day.to_string()),
        accounts,
        statuses: either("status", "status__in"),
        flows: either("type", "type__in"),
    })
}

/// The first and last day that all parameters by date allow together.
fn days(resource: &Resource, query: &Query) -> Result<(Option<Date>, Option<Date>), ApiError> {
    let field = resource.date_field.unwrap_or_default();
    let (mut from, mut to): (Option<Date>, Option<Date>) = (None, None);
    for name in &resource.date_parameters() {
        let Some(values) = query.list(name) else {
            continue;
        };
        let (first, last) = bounds(name, name.trim_start_matches(field), &values)?;
        from = from.max(first);
        // `None` is less than any day, so `min` alone would lose a bound.
        to = [to, last].into_iter().flatten().min();
    }
    Ok((from, to))
}

/// The first and last day that one parameter allows; `comparison` is the end of its name.
fn bounds(
    name: &str,
    comparison: &str,
    values: &[String],
) -> Result<(Option<Date>, Option<Date>), ApiError> {
    let dates = values.iter().map(|value| date(name, value));
    let dates: Vec<Date> = dates.collect::<Result<_, _>>()?;
    match (comparison, dates.as_slice()) {
        ("", [day]) => Ok((Some(*day), Some(*day))),
        ("__gte", [day]) => Ok((Some(*day), None)),
        ("__gt", [day]) => Ok((day.next_day(), None)),
        ("__lte", [day]) => Ok((None, Some(*day))),
        ("__lt", [day]) => Ok((None, day.previous_day())),
        ("__range", [first, last]) => Ok((Some(*first), Some(*last))),
        _ => Err(ApiError::field("invalid", name)),
    }
}

/// Lets `next` lead past a page or to another origin.
fn mislead(page: &mut Page, listing: &Listing, effects: &Effects) {
    for action in effects.actions() {
        match action {
            Action::DropPage(_) => {
                let after_next = page.number + 2;
                let exists = (after_next - 1) * page.size < page.count;
                page.next = exists.then(|| listing.address_of(after_next));
            }
            Action::ForeignNext(origin) => {
                page.next = page.next.take().map(|next| moved(&next, origin));
            }
            _ => {}
        }
    }
}

/// `address` at another origin.
fn moved(address: &str, origin: &str) -> String {
    let path = address.find("/api/").map_or("", |at| &address[at..]);
    format!("{}{path}", origin.trim_end_matches('/'))
}

/// The rows of a page, without those that a rule makes it lose, and with those that one makes it
/// repeat.
fn results<'a>(page: &Page, rows: &[&'a Row], effects: &Effects) -> Vec<&'a Row> {
    let mut results = page.cut(rows);
    let repeats_last = effects.has(|action| matches!(action, Action::DuplicateRows(_)));
    if repeats_last && page.number > 1 {
        results.insert(0, rows[page.offset() - 1]);
    }
    for action in effects.actions() {
        if let Action::LoseRows(rows) = action {
            results.truncate(results.len().saturating_sub(*rows));
        }
    }
    if effects.has(|action| matches!(action, Action::RepeatRows(_))) {
        results.extend(results.first().copied());
    }
    results
}

/// What is shown in the places of rows that a rule has shown as they were.
fn earlier(results: &[&Row], effects: &Effects) -> Vec<Option<Row>> {
    let is_outdated = effects.has(|action| matches!(action, Action::Outdated(_)));
    let rows = results.iter();
    rows.map(|row| row.earlier().filter(|_| is_outdated))
        .collect()
}

/// The rows as a JSON array; some of them as they were.
fn text(rows: &[&Row], earlier: &[Option<Row>], accounts: &[Account]) -> String {
    let shown = rows.iter().zip(earlier);
    let shown = shown.map(|(row, earlier)| earlier.as_ref().unwrap_or(row));
    array(shown, accounts)
}

/// Ids and days of the rows that are replaced once the page is made.
fn swapped(results: &[&Row], effects: &Effects) -> Vec<(String, String)> {
    let rows = effects.actions().find_map(|action| match action {
        Action::Swap(rows) => Some(*rows),
        _ => None,
    });
    let rows = results.iter().take(rows.unwrap_or(0));
    rows.map(|row| (row.id.clone(), row.day.clone())).collect()
}

/// Cuts a body in the middle.
fn tear(body: &mut String) {
    let mut middle = body.len() / 2;
    while !body.is_char_boundary(middle) {
        middle -= 1;
    }
    body.truncate(middle);
}

/// Inserts rows on `newest`, the day of the first row of the page that was just made. The rows of
/// later pages shift by as many.
fn drift(link: &mut Link, resource: &'static Resource, newest: Option<&str>, effects: &Effects) {
    let insert = effects.actions().find_map(|action| match action {
        Action::Drift { insert } => Some(*insert),
        _ => None,
    });
    if let Some(insert) = insert {
        let newest = newest.and_then(|day| date("day", day).ok());
        let day = newest.unwrap_or(link.today());
        link.add(resource, insert, Some(day));
    }
}
