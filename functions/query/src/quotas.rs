//! What was spent of a month's retrievals, by customer.

use std::collections::BTreeMap;

use domain::{Connection, LinkId, Quota, QuotaMonth, Timestamp};
use lambda_http::{Body, Request, Response, http::StatusCode};
use serde::Serialize;
use serde_json::json;
use shared::{
    http,
    problem::Problem,
    store::{Counters, Cursor},
};

use crate::{App, parameters, unavailable};

/// The retrievals of one customer, or of a link that is not registered.
#[derive(Serialize)]
struct SpentView<'a> {
    counted_for: &'static str,
    links: Vec<SpendingLink<'a>>,
    retrievals: Vec<Quota>,
}

/// A link for which retrievals were counted, as the caller knows it.
#[derive(Serialize)]
struct SpendingLink<'a> {
    link: &'a LinkId,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    institution: Option<&'a String>,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let now = Timestamp::now();
    let month = parameters::month(request)?.unwrap_or_else(|| QuotaMonth::of(now));
    let (after, limit) = (
        parameters::cursor(request, Cursor::is_of_an_instant)?,
        parameters::limit(request)?,
    );
    if !after.as_ref().is_none_or(|cursor| is_of(cursor, month)) {
        let detail = "cursor belongs to a listing of another month";
        return Err(Problem::field("cursor", detail));
    }

    let listed = app.control.quotas.of_month(month, after.as_ref(), limit);
    let (counters, next) = listed.await.map_err(unavailable)?;
    let connections = connections(app, &counters).await?;
    let spent = counters.iter().map(|counters| SpentView {
        counted_for: counters.counted_for(),
        links: links(counters, &connections),
        retrievals: counters.left(app.limits, now),
    });
    let answer = json!({
        "month": month.text(),
        "quotas": spent.collect::<Vec<_>>(),
        "next_cursor": next.map(|cursor| cursor.encode()),
    });
    Ok(http::json(StatusCode::OK, &answer))
}

fn is_of(cursor: &Cursor, month: QuotaMonth) -> bool {
    let end = month.ends_at().map(|at| at.to_string());
    cursor.is_within(Some(&month.text()), end.as_deref())
}

/// What Belvo says about the links of a page, as far as they are known.
async fn connections(
    app: &App,
    counters: &[Counters],
) -> Result<BTreeMap<LinkId, Connection>, Problem> {
    let ids = counters.iter().flat_map(|one| one.links.iter().cloned());
    let records = app.control.links.all(ids.collect()).await;
    let records = records.map_err(unavailable)?.into_iter();
    Ok(records
        .map(|record| (record.id, record.connection))
        .collect())
}

fn links<'a>(
    counters: &'a Counters,
    connections: &'a BTreeMap<LinkId, Connection>,
) -> Vec<SpendingLink<'a>> {
    let view = |link: &'a LinkId| {
        let known = connections.get(link);
        SpendingLink {
            link,
            external_id: known.and_then(|known| known.external_id.as_ref()),
            institution: known.and_then(|known| known.institution.as_ref()),
        }
    };
    counters.links.iter().map(view).collect()
}
