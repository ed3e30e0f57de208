//! The Connect Widget's stand-in: a page on which a user chooses a bank and connects, cancels or
//! fails, and the script that shows the page in a frame. Needs an access token and no keys.

mod connect;
mod page;
mod words;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use url::form_urlencoded;

use self::{connect::Choice, page::Asked, words::Words};
use crate::{session::Session, state::App};

const SDK: &str = include_str!("sdk.js");
const LOGIN_ERROR: (&str, &str) = (
    "login_error",
    "Invalid credentials provided to login to the institution",
);
const BAD_TOKEN: (&str, &str) = (
    "ACCESS_TOKEN_NOT_VALID",
    "The access token was not provided or is not valid",
);
/// The only step that Belvo's example of an exit names.
const STEP: &str = "abandon-survey";

/// The routes of the widget and of the script.
pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/widget/", get(show))
        .route("/widget/connect", post(act))
        .route("/belvo-widget-1-stable.js", get(sdk))
        .with_state(Arc::clone(app))
}

async fn sdk() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        SDK,
    )
}

/// The link that a token is to make valid again.
struct Update {
    institution: String,
    is_single: bool,
}

/// The page for a token that opens the widget.
async fn show(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let mut asked = asked(&fields(query.unwrap_or_default().as_bytes()));
    let Some((session, update)) = open(&app, &asked.access_token) else {
        return bad_token(&app, &asked);
    };
    asked.is_single = update
        .as_ref()
        .map_or(asked.is_single, |update| update.is_single);
    page::form(
        &asked,
        &session,
        update.as_ref().map(|update| update.institution.as_str()),
    )
}

/// Carries out what the user decided, and sends the user back.
async fn act(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let fields = fields(&body);
    let asked = asked(&fields);
    let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let Some((session, update)) = open(&app, &asked.access_token) else {
        return bad_token(&app, &asked);
    };
    let institution = update
        .as_ref()
        .map_or(text("institution"), |update| update.institution.as_str());
    let is_known = update.is_some() || page::is_bank(institution);
    match text("action") {
        "connect" if is_known => {
            let choice = Choice {
                access_token: &asked.access_token,
                external_id: &asked.external_id,
                is_single: asked.is_single,
                institution,
            };
            succeed(&app, &asked, &choice).await
        }
        "cancel" => leave(&asked, &session, institution, None),
        "fail" => leave(&asked, &session, institution, Some(LOGIN_ERROR)),
        _ => page::notice(
            StatusCode::BAD_REQUEST,
            &asked,
            ("refused", "bad_form"),
            None,
            &Value::Null,
        ),
    }
}

/// What an open token was minted for, and what it updates.
fn open(app: &App, token: &str) -> Option<(Session, Option<Update>)> {
    let state = app.state();
    let session = state
        .widgets
        .get(token)
        .filter(|session| session.is_open(Instant::now()))?;
    let Some(link) = &session.link else {
        return Some((session.clone(), None));
    };
    let object = &state.link(link)?.object;
    let institution = object["institution"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let update = Update {
        institution,
        is_single: object["access_mode"] == "single",
    };
    Some((session.clone(), Some(update)))
}

async fn succeed(app: &Arc<App>, asked: &Asked, choice: &Choice<'_>) -> Response {
    let Some(connected) = connect::connect(app, choice) else {
        return bad_token(app, asked);
    };
    let (link, institution) = (connected.link.as_str(), connected.institution.as_str());
    tracing::info!(link.id = link, "user connected");
    connect::send(app, connected.webhooks).await;
    let parameters = [("link", link), ("institution", institution)];
    let message = json!({ "type": "success", "link": link, "institution": institution });
    back(
        asked,
        connected.session.success.as_deref(),
        &parameters,
        "done",
        &message,
    )
}

fn leave(
    asked: &Asked,
    session: &Session,
    institution: &str,
    error: Option<(&str, &str)>,
) -> Response {
    let mut parameters = Vec::new();
    let mut data = json!({ "meta_data": { "institution_name": institution, "step": STEP } });
    if let Some((code, message)) = error {
        parameters.extend([
            ("last_encountered_error_code", code),
            ("last_encountered_error_message", message),
        ]);
        data["last_encountered_error"] = json!({ "code": code, "message": message });
    }
    parameters.extend([
        ("meta_data_institution_name", institution),
        ("meta_data_step", STEP),
    ]);
    back(
        asked,
        session.exit.as_deref(),
        &parameters,
        "left",
        &json!({ "type": "exit", "data": data }),
    )
}

/// Back to the application: a message from a frame, otherwise a redirect, or a page if the token
/// names no callback.
fn back(
    asked: &Asked,
    url: Option<&str>,
    parameters: &[(&str, &str)],
    text: &str,
    message: &Value,
) -> Response {
    match url {
        Some(url) if !asked.is_embedded => Redirect::to(&callback(url, parameters)).into_response(),
        _ => page::notice(StatusCode::OK, asked, ("title", text), None, message),
    }
}

fn bad_token(app: &App, asked: &Asked) -> Response {
    let exit = app
        .state()
        .widgets
        .get(&asked.access_token)
        .and_then(|session| session.exit.clone());
    let (code, message) = BAD_TOKEN;
    let exit = exit.filter(|_| !asked.is_embedded);
    let exit = exit.map(|url| callback(&url, &[("error", code), ("error_message", message)]));
    let data = json!({ "eventName": "ERROR", "meta_data": { "error_code": code, "error_message": message } });
    let message = json!({ "type": "event", "data": data });
    page::notice(
        StatusCode::BAD_REQUEST,
        asked,
        ("refused", "bad_token"),
        exit.as_deref(),
        &message,
    )
}

/// The callback with the parameters behind those it has, spaces as `%20` like in Belvo's examples.
fn callback(url: &str, parameters: &[(&str, &str)]) -> String {
    let added = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish()
        .replace('+', "%20");
    let (url, fragment) = url
        .split_once('#')
        .map_or((url, None), |(url, fragment)| (url, Some(fragment)));
    let sign = if url.contains('?') { '&' } else { '?' };
    let fragment = fragment
        .map(|fragment| format!("#{fragment}"))
        .unwrap_or_default();
    format!("{url}{sign}{added}{fragment}")
}

fn fields(encoded: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

fn asked(fields: &BTreeMap<String, String>) -> Asked {
    let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
    Asked {
        access_token: text("access_token"),
        external_id: text("external_id"),
        is_single: text("access_mode") == "single",
        institutions: text("institutions")
            .split(',')
            .map(|code| code.trim().to_owned())
            .collect(),
        words: Words::of(&text("locale")),
        is_embedded: text("embedded") == "1",
    }
}
