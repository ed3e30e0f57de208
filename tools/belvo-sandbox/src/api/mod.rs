//! The API itself: its routes, and Belvo's answers to what has no route.

mod accounts;
mod deletion;
mod gate;
mod links;
mod pages;
mod retrievals;
mod rows;
mod token;

use std::sync::Arc;

use axum::{
    Extension, Router,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use serde_json::json;

use crate::{errors::ApiError, resource::RESOURCES, rules::Effect, state::App};

pub(crate) use self::pages::json as json_text;

/// What the rules do to the call, for the handler to carry out.
#[derive(Clone, Default)]
pub(crate) struct Effects(Arc<Vec<Effect>>);

/// The request id that a call issued, for the journal.
#[derive(Clone)]
pub(crate) struct Issued(String);

/// Every route of the Belvo API that this server has.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut api = Router::new()
        .route(
            "/api/",
            get(|| async { axum::Json(json!({ "api": "belvo-sandbox" })) }),
        )
        .route("/api/token/", post(token::create))
        .route("/api/links/", get(links::list).post(links::create))
        .route(
            "/api/links/{id}/",
            get(links::show).delete(deletion::delete),
        )
        .route("/api/accounts/", get(accounts::list))
        .route("/api/accounts/{id}/", get(accounts::show));
    for resource in &RESOURCES {
        let listing = get(rows::list)
            .post(retrievals::create)
            .layer(Extension(resource));
        api = api.route(resource.path, listing).route(
            &format!("{}{{id}}/", resource.path),
            get(rows::show).layer(Extension(resource)),
        );
    }
    let api = api
        .method_not_allowed_fallback(|| async { ApiError::new("method_not_allowed") })
        .layer(from_fn_with_state(Arc::clone(app), gate::pass));
    Router::new()
        .route(
            "/_health",
            get(|| async { axum::Json(json!({ "status": "ok" })) }),
        )
        .merge(api)
        .fallback(|| async { ApiError::new("not_found") })
        .with_state(Arc::clone(app))
}
