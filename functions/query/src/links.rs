//! Links, and how much of their quota is left.

use domain::{QuotaMonth, Timestamp};
use lambda_http::{Body, Request, Response, http::StatusCode};
use serde_json::json;
use shared::{api::LinkView, http, problem::Problem, store::Cursor};

use crate::{App, parameters, unavailable};

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let (after, limit) = (
        parameters::cursor(request, Cursor::is_of_an_instant)?,
        parameters::limit(request)?,
    );
    let filter = parameters::link_filter(request)?;
    let links = &app.control.links;
    let listed = links.registered(&filter, after.as_ref(), limit).await;
    let (records, next) = listed.map_err(unavailable)?;

    let listing = json!({
        "links": records.iter().map(LinkView::from).collect::<Vec<_>>(),
        "next_cursor": next.map(|cursor| cursor.encode()),
    });
    Ok(http::json(StatusCode::OK, &listing))
}

pub(crate) async fn show(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    match app.control.links.get(&link).await.map_err(unavailable)? {
        Some(record) => Ok(http::json(StatusCode::OK, &LinkView::from(&record))),
        None => Err(Problem::not_found("Unknown link.")),
    }
}

pub(crate) async fn show_quota(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let now = Timestamp::now();
    let holder = app.control.links.quota_holder(&link).await;
    let holder = holder.map_err(unavailable)?;
    let left = app.control.quotas.left(&holder, app.limits, now).await;

    let answer = json!({
        "month": QuotaMonth::of(now).text(),
        "counted_for": holder.kind(),
        "retrievals": left.map_err(unavailable)?,
    });
    Ok(http::json(StatusCode::OK, &answer))
}
