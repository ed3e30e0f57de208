//! Belvo's API: its routes, and Belvo's answers to calls that have no route.

mod accounts;
mod body;
mod deletion;
mod extensions;
mod gate;
mod links;
mod mode;
pub(crate) mod pages;
mod query;
mod retrievals;
mod rows;
mod token;

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    middleware::from_fn_with_state,
    routing::{any, get, post},
};
use serde_json::json;

use crate::{errors::ApiError, resource::RESOURCES, state::App};

/// Every route of the Belvo API that this server has.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let api = calls()
        .method_not_allowed_fallback(|| async { ApiError::new("method_not_allowed") })
        .layer(from_fn_with_state(Arc::clone(app), gate::pass));

    // The health check stays outside the gate: it needs no keys and is not in the journal.
    let health = get(|| async { Json(json!({ "status": "ok" })) });
    Router::new()
        .route("/_health", health)
        .merge(api)
        .fallback(|| async { ApiError::new("not_found") })
        .with_state(Arc::clone(app))
}

/// The calls that pass the gate.
fn calls() -> Router<Arc<App>> {
    let root = get(|| async { Json(json!({ "api": "belvo-sandbox" })) });
    let link = get(links::show).delete(deletion::delete);
    let mut calls = Router::new()
        .route("/api/", root)
        .route("/api/{*path}", any(|| async { ApiError::new("not_found") }))
        .route("/api/token/", post(token::create))
        .route("/api/links/", get(links::list).post(links::create))
        .route("/api/links/{id}/", link)
        .route("/api/accounts/", get(accounts::list))
        .route("/api/accounts/{id}/", get(accounts::show));

    for resource in &RESOURCES {
        let listing = get(rows::list).post(retrievals::create);
        let row = get(rows::show);
        calls = calls
            .route(resource.path, listing.layer(Extension(resource)))
            .route(
                &format!("{}{{id}}/", resource.path),
                row.layer(Extension(resource)),
            );
    }
    calls
}
