//! Reads back what the pipeline stored: links, requests, accounts, transactions, rows of other
//! resources.

mod history;
mod parameters;

use std::time::Duration;

use lambda_http::{Body, Request, Response, http::StatusCode, tracing};
use serde::Serialize;
use serde_json::{Map, Value, json};
use shared::{
    cause::chain,
    domain::{
        AccountId, Check, Limits, LinkId, LinkView, QuotaMonth, RequestId, RequestRecord, Resource,
        Status, Timestamp, Verdict,
    },
    http,
    problem::Problem,
    store::{Balance, Cursor, Listed, Requests, StoreError, Transactions, Unconfirmed},
};
use tokio::time::timeout;

/// Kept below the ten seconds that template.yaml gives the function.
const TIME_TO_ANSWER: Duration = Duration::from_secs(9);

/// What the function needs to do its work.
pub struct Query {
    /// The Requests table.
    pub requests: Requests,
    /// The Transactions table.
    pub transactions: Transactions,
    /// Retrievals of a link in a month.
    pub limits: Limits,
}

/// A request as it is shown: its facts, and what follows from them.
#[derive(Serialize)]
struct RequestView<'a> {
    #[serde(flatten)]
    record: &'a RequestRecord,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// What the verdict rests on; the worst of it is the verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compared: Vec<Check>,
}

/// A retrieval as it is shown that is no request yet, and may never be one.
#[derive(Serialize)]
struct UnconfirmedView<'a> {
    #[serde(flatten)]
    unconfirmed: &'a Unconfirmed,
    status: Status,
    /// When Belvo is surely no longer at it; from then on an equal one can be sent.
    until: Timestamp,
}

/// Answers the read routes of the API.
pub async fn handle(query: &Query, request: Request) -> Response<Body> {
    let gateway_request_id = http::gateway_request_id(&request);
    let late =
        || Err(Problem::unavailable("the store did not answer in time; try again").retry_after(1));
    let outcome = timeout(TIME_TO_ANSWER, answer(query, &request))
        .await
        .unwrap_or_else(|_| late());
    outcome.unwrap_or_else(|problem| problem.at_gateway(&gateway_request_id).into_response())
}

async fn answer(query: &Query, request: &Request) -> Result<Response<Body>, Problem> {
    match http::route_key(request).as_deref() {
        Some("GET /requests/{id}") => show_request(query, request).await,
        Some("GET /links") => list_links(query, request).await,
        Some("GET /links/{link}") => show_link(query, request).await,
        Some("GET /links/{link}/requests") => list_requests(query, request).await,
        Some("GET /links/{link}/quota") => show_quota(query, request).await,
        Some("GET /links/{link}/accounts") => list_accounts(query, request).await,
        Some("GET /links/{link}/accounts/{account}/balances") => {
            list_balances(query, request).await
        }
        Some("GET /links/{link}/transactions") => list_transactions(query, request).await,
        Some("GET /links/{link}/transactions/{id}/history") => {
            show_history(query, request, Resource::TRANSACTIONS).await
        }
        Some("GET /links/{link}/resources/{resource}") => list_rows(query, request).await,
        Some("GET /links/{link}/resources/{resource}/{id}/history") => {
            show_history(query, request, parameters::resource(request)?).await
        }
        _ => Err(Problem::not_found("no such route")),
    }
}

async fn show_request(query: &Query, request: &Request) -> Result<Response<Body>, Problem> {
    let id = parameters::request_id(request)?;
    let record = query.requests.get(&id).await.map_err(unavailable)?;
    let record = record
        .ok_or_else(|| Problem::not_found("no request with this id").for_request(Some(id)))?;
    Ok(http::json(StatusCode::OK, &view(&record)))
}

async fn list_requests(query: &Query, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let (after, limit) = (parameters::cursor(request)?, parameters::limit(request)?);
    let limit = i32::try_from(limit).unwrap_or(i32::MAX);
    let unconfirmed = async {
        // They are few, and the newest of all: the first page shows them.
        if after.is_some() {
            Ok(Vec::new())
        } else {
            query.requests.unconfirmed(&link).await
        }
    };
    let listed = query.requests.of_link(&link, after.as_ref(), limit);
    let ((records, next), unconfirmed) =
        tokio::try_join!(listed, unconfirmed).map_err(unavailable)?;
    let requests: Vec<_> = records.iter().map(view).collect();
    let now = Timestamp::now();
    let unconfirmed: Vec<_> = unconfirmed
        .iter()
        .map(|unconfirmed| unconfirmed_view(unconfirmed, now))
        .collect();
    let next_cursor = next.map(|cursor| cursor.encode());
    let listing =
        json!({ "requests": requests, "unconfirmed": unconfirmed, "next_cursor": next_cursor });
    Ok(http::json(StatusCode::OK, &listing))
}

async fn list_links(query: &Query, request: &Request) -> Result<Response<Body>, Problem> {
    let (after, limit) = (parameters::cursor(request)?, parameters::limit(request)?);
    let limit = i32::try_from(limit).unwrap_or(i32::MAX);
    let (records, next) = query
        .requests
        .links(after.as_ref(), limit)
        .await
        .map_err(unavailable)?;
    let links: Vec<_> = records.iter().map(LinkView::from).collect();
    Ok(http::json(
        StatusCode::OK,
        &json!({ "links": links, "next_cursor": next.map(|cursor| cursor.encode()) }),
    ))
}

async fn show_link(query: &Query, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let record = query.requests.link(&link).await.map_err(unavailable)?;
    let record = record
        .ok_or_else(|| Problem::not_found("no link with this id was registered or spoken of"))?;
    Ok(http::json(StatusCode::OK, &LinkView::from(&record)))
}

async fn show_quota(query: &Query, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let now = Timestamp::now();
    let holder = query
        .requests
        .quota_holder(&link)
        .await
        .map_err(unavailable)?;
    let quotas = query
        .requests
        .quotas(&holder, query.limits, now)
        .await
        .map_err(unavailable)?;
    let month = QuotaMonth::of(now).text();
    let answer = json!({ "month": month, "counted_for": holder.kind(), "retrievals": quotas });
    Ok(http::json(StatusCode::OK, &answer))
}

async fn list_accounts(query: &Query, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let accounts = query
        .transactions
        .accounts(&link)
        .await
        .map_err(unavailable)?;
    let accounts: Vec<_> = accounts
        .iter()
        .map(shared::domain::Account::document)
        .collect();
    Ok(http::json(StatusCode::OK, &json!({ "accounts": accounts })))
}

async fn list_balances(query: &Query, request: &Request) -> Result<Response<Body>, Problem> {
    let (link, account) = (parameters::link(request)?, parameters::account_id(request)?);
    let (after, limit) = (parameters::cursor(request)?, parameters::limit(request)?);
    let balances = query
        .transactions
        .balances(&link, &account, after.as_ref(), limit)
        .await;
    let (balances, next) = balances.map_err(unavailable)?;
    let balances: Vec<_> = balances.iter().map(balance_view).collect();
    Ok(http::json(
        StatusCode::OK,
        &json!({ "balances": balances, "next_cursor": next.map(|cursor| cursor.encode()) }),
    ))
}

async fn list_transactions(query: &Query, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let accounts = async {
        query
            .transactions
            .accounts(&link)
            .await
            .map_err(unavailable)
    };
    let ((rows, next), accounts) =
        tokio::try_join!(page(&query.transactions, &link, request), accounts)?;
    // Beside the rows and not in them: a row is what Belvo sent. A mark counts only as long as the
    // other row is there.
    let live = query
        .transactions
        .live(
            rows.iter()
                .filter_map(|listed| listed.same_as.clone())
                .collect(),
        )
        .await;
    let live = live.map_err(unavailable)?;
    let marked = |listed: &Listed| {
        let twin = listed.same_as.as_ref().filter(|twin| live.contains(twin))?;
        Some((listed.row.id().to_string(), json!(twin)))
    };
    let same_as: Map<String, Value> = rows.iter().filter_map(marked).collect();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|Listed { row, .. }| {
            let account = row.account_id().and_then(|id| AccountId::parse(id).ok());
            let account =
                account.and_then(|id| accounts.iter().find(|account| *account.id() == id));
            row.into_row(account)
        })
        .collect();
    let next_cursor = next.map(|cursor| cursor.encode());
    let listing = json!({ "transactions": rows, "same_as": same_as, "next_cursor": next_cursor });
    Ok(http::json(StatusCode::OK, &listing))
}

/// The rows of another resource than transactions, as Belvo sent them.
async fn list_rows(query: &Query, request: &Request) -> Result<Response<Body>, Problem> {
    let (link, resource) = (parameters::link(request)?, parameters::resource(request)?);
    let (rows, next) = page(&query.transactions.of(resource), &link, request).await?;
    let rows: Vec<_> = rows
        .into_iter()
        .map(|listed| listed.row.into_row(None))
        .collect();
    let next_cursor = next.map(|cursor| cursor.encode());
    Ok(http::json(
        StatusCode::OK,
        &json!({ "rows": rows, "next_cursor": next_cursor }),
    ))
}

/// The rows that the request's parameters choose, and where the listing goes on.
async fn page(
    rows: &Transactions,
    link: &LinkId,
    request: &Request,
) -> Result<(Vec<Listed>, Option<Cursor>), Problem> {
    let ((filter, after), limit) = (parameters::filter(request)?, parameters::limit(request)?);
    let listed = match parameters::as_of(request)? {
        Some(instant) => {
            rows.list_as_of(link, &filter, instant, after.as_ref(), limit)
                .await
        }
        None => rows.list(link, &filter, after.as_ref(), limit).await,
    };
    listed.map_err(unavailable)
}

async fn show_history(
    query: &Query,
    request: &Request,
    resource: Resource,
) -> Result<Response<Body>, Problem> {
    let (link, id) = (
        parameters::link(request)?,
        parameters::transaction_id(request)?,
    );
    let versions = query
        .transactions
        .of(resource)
        .history(&link, &id)
        .await
        .map_err(unavailable)?;
    if versions.is_empty() {
        return Err(Problem::not_found(
            "no row with this id was ever stored for this link",
        ));
    }
    let same_as = versions.last().and_then(|latest| latest.same_as.as_ref());
    let history =
        json!({ "id": id, "same_as": same_as, "versions": history::view(&versions, resource) });
    Ok(http::json(StatusCode::OK, &history))
}

/// A balance as it is shown; fields that are not known are left out.
#[derive(Serialize)]
struct BalanceView<'a> {
    /// When Belvo read it from the institution, in Belvo's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    collected_at: Option<&'a str>,
    observed_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_by: Option<&'a RequestId>,
    balance: &'a Value,
}

fn balance_view(balance: &Balance) -> BalanceView<'_> {
    BalanceView {
        collected_at: balance.collected_at.as_deref(),
        observed_at: balance.observed_at,
        observed_by: balance.request.as_ref(),
        balance: &balance.balance,
    }
}

fn view(record: &RequestRecord) -> RequestView<'_> {
    RequestView {
        record,
        status: record.status(),
        verdict: record.verdict(),
        compared: record.checks(),
    }
}

fn unconfirmed_view(unconfirmed: &Unconfirmed, now: Timestamp) -> UnconfirmedView<'_> {
    let intent = unconfirmed.intent();
    UnconfirmedView {
        unconfirmed,
        status: intent.status(now),
        until: intent.until(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "called by `map_err`")]
fn unavailable(error: StoreError) -> Problem {
    tracing::error!(cause = %chain(&error), "store not read");
    Problem::unavailable("the store cannot be read now; try again").retry_after(1)
}
