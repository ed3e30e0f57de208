//! Who may call: programs of this machine, and no page of a browser. A page can send requests to
//! 127.0.0.1 and can point a name of its own there, and the control API has no keys.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::error::ControlError;
use crate::state::App;

/// Answers 403 to what a page of a browser may have sent.
pub(super) async fn only_programs(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(request.headers(), &app.url) {
        Some(reason) => ControlError::forbidden(reason).into_response(),
        None => next.run(request).await,
    }
}

fn refusal(headers: &HeaderMap, url: &str) -> Option<&'static str> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    if !host.is_some_and(|host| is_own(host, url)) {
        return Some("this is not the address of the sandbox");
    }

    // Browsers send `none` for an address that somebody typed.
    let site = headers
        .get("sec-fetch-site")
        .is_none_or(|site| site == "none");
    (headers.contains_key(header::ORIGIN) || !site)
        .then_some("the control API answers no page of a browser")
}

/// `url` is `http://127.0.0.1:port`.
fn is_own(host: &str, url: &str) -> bool {
    let own = url.trim_start_matches("http://");
    host == own || host.replacen("localhost", "127.0.0.1", 1) == own
}
