//! Belvo's API: its routes, and Belvo's answers to calls that have no route.

mod accounts;
mod body;
mod conditions;
mod deletion;
mod extensions;
mod gate;
mod institutions;
mod links;
mod mode;
mod owners;
pub(crate) mod pages;
mod projection;
mod query;
mod retrievals;
mod rows;
mod token;

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    middleware::{from_fn, from_fn_with_state},
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
    Router::new()
        .route("/api/", root)
        .route("/api/token/", post(token::create))
        .merge(objects())
        .merge(rows())
        .route("/api/{*path}", any(|| async { ApiError::new("not_found") }))
        .layer(from_fn(projection::apply))
}

/// Institutions, links, and the accounts and owners of links.
fn objects() -> Router<Arc<App>> {
    let links = get(links::list).post(links::create);
    let link = get(links::show).put(links::renew).patch(links::change);
    let accounts = get(accounts::list).post(accounts::retrieve);
    let account = get(accounts::show).delete(accounts::delete);
    let owners = get(owners::list).post(owners::retrieve);
    let owner = get(owners::show).delete(owners::delete);
    Router::new()
        .route("/api/institutions/", get(institutions::list))
        .route("/api/institutions/{id}/", get(institutions::show))
        .route("/api/links/", links.patch(retrievals::resume))
        .route("/api/links/{id}/", link.delete(deletion::delete))
        .route("/api/accounts/", accounts.patch(retrievals::resume))
        .route("/api/accounts/{id}/", account)
        .route("/api/owners/", owners.patch(retrievals::resume))
        .route("/api/owners/{id}/", owner)
}

/// The resources that can be retrieved asynchronously.
fn rows() -> Router<Arc<App>> {
    let mut calls = Router::new();
    for resource in &RESOURCES {
        let mut listing = get(rows::list).post(retrievals::create);
        if resource.has_sessions {
            listing = listing.patch(retrievals::resume);
        }
        let row = get(rows::show).delete(rows::delete);
        calls = calls
            .route(resource.path, listing.layer(Extension(resource)))
            .route(
                &format!("{}{{id}}/", resource.path),
                row.layer(Extension(resource)),
            );
    }
    calls
}
