//! What every call passes through: the firewall, the check of its keys, the rules that replace or
//! delay its answer, and the journal.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::stream;
use serde_json::Value;
use url::form_urlencoded;

use super::{
    extensions::{Effects, Issued},
    pages::page_size,
};
use crate::{
    config::Config,
    errors::ApiError,
    firewall,
    journal::Call,
    openapi::{self, Violation},
    resource::Resource,
    rules::{Action, On},
    state::App,
};

const BODY_BYTES: usize = 1_048_576;

/// Marks an answer that never reaches the client.
#[derive(Clone)]
struct Unsent;

/// Takes a call past the firewall, the keys and the rules to its handler, and records it.
pub(crate) async fn pass(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let is_admitted = app.state().firewall.admits(Instant::now());
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES).await else {
        return ApiError::new("parse_error").into_response();
    };

    let call = describe(&app.config, &parts, &body);
    let (link, page) = (call.link.clone(), call.page.unwrap_or(0));
    let link = link.as_deref();
    let id = app.state().journal.called(call);
    if !is_admitted {
        let refusal = firewall::refusal();
        record(&app, (id, link), &refusal);
        return refusal;
    }

    let on = classify(&parts.method, parts.uri.path());
    let is_allowed = on == Some(On::Token) || is_authorized(&app.config, &parts.headers);
    let refusal = violations(&app, &parts, &body);
    let response = if !is_allowed {
        ApiError::new("authentication_failed").into_response()
    } else if let Some(refusal) = refusal {
        refusal.into_response()
    } else {
        let fired = on.map(|on| app.state().rules.fire(on, link, page));
        let effects = Effects::new(fired.unwrap_or_default());
        let mut request = Request::from_parts(parts, Body::from(body));
        request.extensions_mut().insert(effects.clone());
        answer(&app, &effects, link, next.run(request)).await
    };

    record(&app, (id, link), &response);
    response
}

/// Records what Belvo's OpenAPI document does not allow, and returns Belvo's answer to it. A call
/// that has no route gets its answer from the router.
fn violations(app: &App, parts: &Parts, body: &[u8]) -> Option<ApiError> {
    let violations = openapi::check(parts, body);
    for violation in &violations {
        tracing::warn!(%violation, "not allowed by Belvo's OpenAPI");
    }
    let errors = violations.iter().filter(|violation| !violation.is_route());
    let refusal = ApiError::all(errors.map(Violation::error)).err();
    app.state().violations.extend(violations);
    refusal
}

/// The answer of the handler, or the one that a rule puts in its place. The handler runs only if
/// nothing replaces its answer, or if the rule says `after`.
async fn answer(
    app: &App,
    effects: &Effects,
    link: Option<&str>,
    handler: impl Future<Output = Response>,
) -> Response {
    delay(effects).await;
    let Some(replacement) = effects.replacement() else {
        return handler.await;
    };
    if !replacement.after {
        return replace(app, &replacement.action, link).await;
    }

    let proper = handler.await;
    let mut replaced = replace(app, &replacement.action, link).await;
    // The journal shows the request id that the client was not given.
    let extensions = proper.extensions().clone();
    replaced.extensions_mut().extend(extensions);
    replaced
}

/// Records the answer of a call, given its id in the journal and its link.
fn record(app: &App, (id, link): (u64, Option<&str>), response: &Response) {
    let extensions = response.extensions();
    let is_sent = extensions.get::<Unsent>().is_none();
    let status = is_sent.then(|| response.status().as_u16());
    let request_id = extensions.get::<Issued>().map(|issued| issued.0.clone());
    tracing::info!(
        call.id = id,
        link.id = link,
        http.status = status,
        "call answered"
    );
    app.state().journal.answered(id, status, request_id);
}

/// What the journal keeps of a call. The body of a token request is left out, because it holds the
/// keys.
fn describe(config: &Config, parts: &Parts, body: &[u8]) -> Call {
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let mut call = Call {
        method: parts.method.to_string(),
        path: path.to_owned(),
        query: query.to_owned(),
        link: parameter(query, "link").or_else(|| link_in(path)),
        ..Call::default()
    };

    if call.is_page() {
        let page = parameter(query, "page").and_then(|page| page.parse().ok());
        let size = parameter(query, "page_size");
        call.page = Some(page.unwrap_or(1));
        call.page_size = Some(page_size(config, size.as_deref()));
    }
    if call.is_retrieval() {
        call.request = retrieval(body);
        let request = call.request.as_ref();
        let link = request.and_then(|request| request["link"].as_str());
        call.link = link.map(str::to_owned);
    }

    call.link = call.link.map(|link| link.to_lowercase());
    call
}

fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// The link that a path below `/api/links/` is about.
fn link_in(path: &str) -> Option<String> {
    let id = path.strip_prefix("/api/links/")?.trim_end_matches('/');
    (!id.is_empty()).then(|| id.to_owned())
}

/// The body of a retrieval without the user's one-time password.
fn retrieval(body: &[u8]) -> Option<Value> {
    let mut request: Value = serde_json::from_slice(body).ok()?;
    if let Some(fields) = request.as_object_mut() {
        fields.remove("token");
    }
    Some(request)
}

fn classify(method: &Method, path: &str) -> Option<On> {
    if Resource::at(path).is_some() {
        return match *method {
            Method::POST => Some(On::Post),
            Method::GET => Some(On::Get),
            _ => None,
        };
    }
    match path.strip_prefix("/api/")?.split('/').next()? {
        "token" => Some(On::Token),
        "links" => Some(On::Links),
        "accounts" => Some(On::Accounts),
        _ => None,
    }
}

fn is_authorized(config: &Config, headers: &HeaderMap) -> bool {
    let keys = format!("{}:{}", config.secret_id, config.secret_password);
    let expected = BASE64_STANDARD.encode(keys);
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .is_some_and(|(scheme, value)| scheme.eq_ignore_ascii_case("basic") && value == expected)
}

async fn delay(effects: &Effects) {
    for action in effects.actions() {
        if let Action::DelayMs(milliseconds) = action {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
        }
    }
}

/// The answer that a rule puts in place of the proper one.
async fn replace(app: &App, action: &Action, link: Option<&str>) -> Response {
    match action {
        Action::Error(spec) => ApiError::from_rule(spec, link).into_response(),
        Action::Html403(_) => firewall::refusal(),
        Action::Status {
            status,
            retry_after,
        } => bare(*status, *retry_after),
        Action::Redirect(location) => {
            (StatusCode::FOUND, [(header::LOCATION, location.clone())]).into_response()
        }
        Action::Hang(_) => {
            app.closed().await;
            closed_connection()
        }
        _ => closed_connection(),
    }
}

/// A status without a body.
fn bare(status: u16, retry_after: Option<u64>) -> Response {
    let mut response = StatusCode::from_u16(status)
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        .into_response();
    if let Some(seconds) = retry_after {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A response whose body fails before its first byte. Nothing has been flushed by then, so the
/// client sees the connection close without an answer.
fn closed_connection() -> Response {
    let failure =
        stream::once(async { Err::<Bytes, _>(std::io::Error::other("closed on purpose")) });
    let mut response = Body::from_stream(failure).into_response();
    response.extensions_mut().insert(Unsent);
    response
}
