//! What every call passes: the credentials, the rules that replace or delay its answer, and the
//! journal.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::stream;
use serde_json::Value;
use url::form_urlencoded;

use super::{Effects, Issued, pages::page_size};
use crate::{
    config::Config,
    errors::ApiError,
    journal::Call,
    resource::Resource,
    rules::{Action, Effect, On},
    state::App,
};

const BODY_BYTES: usize = 1_048_576;
/// Word for word what Belvo's firewall sends above 80 requests in 30 seconds.
const FIREWALL: &str = "<html><head><title>403 Forbidden</title></head><body>\n\n<center><h1>403 Forbidden</h1></center>\n\n<hr><center>openresty/1.15.8.2</center>\n\n</body></html>\n";

/// Marks an answer that never reaches the client.
#[derive(Clone)]
struct Unsent;

/// The way of a call through the rules.
pub(crate) async fn pass(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES).await else {
        return ApiError::new("parse_error").into_response();
    };
    let call = read(&app, &parts.method, &parts.uri, &body);
    let (link, page) = (call.link.clone(), call.page.unwrap_or(0));
    let on = classify(&parts.method, parts.uri.path());
    let id = app.state().journal.called(call);

    let response = if on != Some(On::Token) && !is_authorized(&app.config, &parts.headers) {
        ApiError::new("authentication_failed").into_response()
    } else {
        let effects = on
            .map(|on| app.state().rules.fire(on, link.as_deref(), page))
            .unwrap_or_default();
        delay(&effects).await;
        match effects
            .iter()
            .find(|effect| effect.action.replaces_answer())
            .cloned()
        {
            Some(instead) if !instead.after => replace(&app, &instead, link.as_deref()).await,
            instead => {
                parts.extensions.insert(Effects(Arc::new(effects)));
                let proper = next.run(Request::from_parts(parts, Body::from(body))).await;
                match instead {
                    None => proper,
                    Some(instead) => {
                        let mut response = replace(&app, &instead, link.as_deref()).await;
                        response
                            .extensions_mut()
                            .extend(proper.extensions().clone());
                        response
                    }
                }
            }
        }
    };
    let status = response
        .extensions()
        .get::<Unsent>()
        .is_none()
        .then(|| response.status().as_u16());
    let request_id = response
        .extensions()
        .get::<Issued>()
        .map(|issued| issued.0.clone());
    tracing::info!(
        call.id = id,
        link.id = link,
        http.status = status,
        "call answered"
    );
    app.state().journal.answered(id, status, request_id);
    response
}

/// What the journal keeps of a call. The body of a token request holds the keys and is left out.
fn read(app: &App, method: &Method, uri: &axum::http::Uri, body: &Bytes) -> Call {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let parameter = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let mut call = Call {
        method: method.to_string(),
        path: path.to_owned(),
        query: query.to_owned(),
        ..Call::default()
    };
    call.link = parameter("link").or_else(|| {
        let id = path.strip_prefix("/api/links/")?.trim_end_matches('/');
        (!id.is_empty()).then(|| id.to_owned())
    });
    let listing = Resource::at(path).is_some_and(|resource| resource.path == path);
    if listing && method == Method::GET {
        call.page = Some(
            parameter("page")
                .and_then(|page| page.parse().ok())
                .unwrap_or(1),
        );
        call.page_size = Some(page_size(&app.config, parameter("page_size").as_deref()));
    }
    if listing && method == Method::POST {
        call.request = serde_json::from_slice(body).ok();
        call.link = call
            .request
            .as_ref()
            .and_then(|request| request["link"].as_str())
            .map(str::to_owned);
        if let Some(request) = call.request.as_mut().and_then(Value::as_object_mut) {
            request.remove("token");
        }
    }
    call.link = call.link.map(|link| link.to_lowercase());
    call
}

fn classify(method: &Method, path: &str) -> Option<On> {
    if Resource::at(path).is_some() {
        return Some(if method == Method::POST {
            On::Post
        } else {
            On::Get
        });
    }
    match path.strip_prefix("/api/")?.split('/').next()? {
        "token" => Some(On::Token),
        "links" => Some(On::Links),
        "accounts" => Some(On::Accounts),
        _ => None,
    }
}

fn is_authorized(config: &Config, headers: &HeaderMap) -> bool {
    let expected =
        BASE64_STANDARD.encode(format!("{}:{}", config.secret_id, config.secret_password));
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .is_some_and(|(scheme, value)| scheme.eq_ignore_ascii_case("basic") && value == expected)
}

async fn delay(effects: &[Effect]) {
    for effect in effects {
        if let Action::DelayMs(milliseconds) = effect.action {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }
}

/// The answer that a rule puts in place of the proper one.
async fn replace(app: &App, effect: &Effect, link: Option<&str>) -> Response {
    match &effect.action {
        Action::Error(spec) => ApiError::from_rule(spec, link).into_response(),
        Action::Html403(_) => (StatusCode::FORBIDDEN, Html(FIREWALL)).into_response(),
        Action::Status {
            status,
            retry_after,
        } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let headers = retry_after.map(|seconds| [(header::RETRY_AFTER, seconds.to_string())]);
            (
                status,
                headers
                    .map(|headers| headers.into_response().headers().clone())
                    .unwrap_or_default(),
            )
                .into_response()
        }
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

/// A response whose body fails before its first byte: nothing has been flushed by then, so that the
/// client sees the connection close without an answer.
fn closed_connection() -> Response {
    let failure =
        stream::once(async { Err::<Bytes, _>(std::io::Error::other("closed on purpose")) });
    let mut response = Body::from_stream(failure).into_response();
    response.extensions_mut().insert(Unsent);
    response
}
