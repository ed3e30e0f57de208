//! The control API: creates links and data, sends webhooks, sets rules, shows what happened. It has
//! no keys: every program of this machine may call it, and no page of a browser.

mod client;
mod error;
mod events;
mod firewall;
mod guard;
mod input;
mod journal;
mod links;
mod rows;
mod rules;
mod webhooks;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{delete, get, patch, post, put},
};

use self::error::ControlError;
use crate::state::App;

pub use self::client::Control;

/// Every route under `/_control`.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let rules = get(rules::list).post(rules::add).delete(rules::clear);
    let webhook = get(webhooks::registered).put(webhooks::register);
    let rate = get(firewall::rate).put(firewall::limit);
    let violations = get(journal::violations).delete(journal::forgive);
    Router::new()
        .merge(link_routes())
        .merge(row_routes())
        .route("/webhook", webhook)
        .route("/deliver", post(webhooks::deliver))
        .route("/redeliver", post(webhooks::redeliver))
        .route("/limits", put(events::limit))
        .route("/rate", rate)
        .route("/rules", rules)
        .route("/rules/{id}", delete(rules::remove))
        .route("/log", get(journal::report).delete(journal::clear))
        .route("/counters", get(journal::counters))
        .route("/violations", violations)
        .fallback(|| async { ControlError::unknown("control call") })
        .layer(middleware::from_fn_with_state(
            Arc::clone(app),
            guard::only_programs,
        ))
        .with_state(Arc::clone(app))
}

/// Links, their accounts, and what happens to them.
fn link_routes() -> Router<Arc<App>> {
    let accounts = get(links::accounts).post(links::open_accounts);
    let account = patch(links::patch_account);
    Router::new()
        .route("/links", post(links::create))
        .route("/links/{id}", patch(links::change))
        .route("/links/{id}/reconnect", post(links::reconnect))
        .route("/links/{id}/accounts", accounts)
        .route("/links/{id}/accounts/{account}", account)
        .route("/links/{id}/event", post(events::trigger))
        .route("/links/{id}/refresh", post(events::refresh))
        .route("/links/{id}/notify", post(webhooks::notify))
}

/// The rows of a link, of transactions and of the other resources.
fn row_routes() -> Router<Arc<App>> {
    let all = get(rows::truth).post(rows::add);
    let one = patch(rows::patch)
        .put(rows::put)
        .delete(rows::delete)
        .post(rows::restore);
    Router::new()
        .route("/links/{id}/transactions", all.clone())
        .route("/links/{id}/transactions/{row}", one.clone())
        .route("/links/{id}/resources/{resource}", all)
        .route("/links/{id}/resources/{resource}/{row}", one)
        .route("/links/{id}/settle", post(rows::settle))
}
