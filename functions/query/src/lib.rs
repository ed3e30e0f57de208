//! Reads back what the pipeline stored: links, requests, webhooks, accounts, transactions, rows of
//! other resources.

mod accounts;
mod changes;
mod config;
mod history;
mod links;
mod news;
mod parameters;
mod quotas;
mod requests;
mod rows;
mod webhooks;

use std::time::Duration;

use domain::{Limits, Resource};
use lambda_http::{Body, Request, Response, tracing};
use shared::{
    aws::{SdkConfig, warm_up},
    cause::chain,
    handler, http,
    problem::Problem,
    store::{Control, StoreError, TransactionsTable},
    telemetry::Event,
};

pub use config::Config;

/// Below the ten seconds that template.yaml gives the function.
const TIME_TO_ANSWER: Duration = Duration::from_secs(9);

/// What the function needs to do its work.
pub struct App {
    pub control: Control,
    pub transactions: TransactionsTable,
    pub limits: Limits,
}

impl App {
    /// Wires the function.
    #[must_use]
    pub fn new(config: Config, aws: &SdkConfig) -> Self {
        Self {
            control: Control::open(aws, config.requests_table),
            transactions: TransactionsTable::open(aws, config.transactions_table),
            limits: config.limits,
        }
    }

    /// Opens the two connections that a listing needs, so that the first query finds them.
    pub async fn warm_up(&self) {
        warm_up(async { tokio::join!(self.control.warm_up(), self.transactions.warm_up()) }).await;
    }
}

/// Answers the read routes of the API.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    let too_late =
        || Problem::unavailable("The store did not answer in time. Try again.").retry_after(1);
    handler::answer(&request, TIME_TO_ANSWER, too_late, route(app, &request)).await
}

async fn route(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    match http::route_key(request) {
        Some("GET /changes") => news::list(app, request).await,
        Some("GET /requests") => requests::list_with_status(app, request).await,
        Some("GET /requests/{id}") => requests::show(app, request).await,
        Some("GET /quotas") => quotas::list(app, request).await,
        Some("GET /links") => links::list(app, request).await,
        Some("GET /links/{link}") => links::show(app, request).await,
        Some("GET /links/{link}/requests") => requests::list_of_link(app, request).await,
        Some("GET /links/{link}/quota") => links::show_quota(app, request).await,
        Some("GET /links/{link}/webhooks") => webhooks::list_of_link(app, request).await,
        Some("GET /webhooks/{id}") => webhooks::show(app, request).await,
        Some("GET /links/{link}/accounts") => accounts::list(app, request).await,
        Some("GET /links/{link}/accounts/{account}/balances") => {
            accounts::list_balances(app, request).await
        }
        Some("GET /links/{link}/changes") => changes::list(app, request).await,
        Some("GET /links/{link}/transactions") => rows::list_transactions(app, request).await,
        Some("GET /links/{link}/transactions/{id}/history") => {
            history::show(app, request, Resource::TRANSACTIONS, "transaction").await
        }
        Some("GET /links/{link}/resources/{resource}") => rows::list(app, request).await,
        Some("GET /links/{link}/resources/{resource}/{id}/history") => {
            history::show(app, request, parameters::resource(request)?, "row").await
        }
        _ => Err(Problem::not_found("There is no such route.")),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "called by `map_err`")]
fn unavailable(error: StoreError) -> Problem {
    tracing::error!(
        event = Event::StoreUnreadable.name(),
        cause = %chain(&error),
        "the store cannot be read"
    );
    Problem::unavailable("The store cannot be read right now. Try again.").retry_after(1)
}
