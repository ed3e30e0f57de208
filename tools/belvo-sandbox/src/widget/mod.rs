//! A stand-in for the Connect Widget: a page on which a user chooses a bank and then connects,
//! cancels or fails, and the script that shows the page in a frame. It needs an access token and no
//! keys.

mod connect;
mod page;
mod words;

use std::{collections::BTreeMap, sync::Arc};

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

pub(crate) use self::page::BANKS;
use self::{
    page::{Notice, Parameters},
    words::Words,
};
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
/// The only step in Belvo's example of an exit.
const STEP: &str = "abandon-survey";

/// The routes of the widget and of the script.
pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/widget/", get(show))
        .route("/widget/connect", post(submit))
        .route("/belvo-widget-1-stable.js", get(sdk))
        .with_state(Arc::clone(app))
}

async fn sdk() -> impl IntoResponse {
    let content_type = "text/javascript; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], SDK)
}

/// The link that a token makes valid again.
struct Update {
    institution: String,
    is_single: bool,
}

/// How the user left the widget.
struct Ending<'a> {
    /// The callback to redirect to, if the token names one.
    callback: Option<&'a str>,
    /// What is appended to the callback.
    parameters: Vec<(&'a str, &'a str)>,
    /// The name of the text that is shown where there is no redirect.
    text: &'a str,
    /// What a page in a frame posts to its parent.
    message: Value,
}

/// The page for a token that opens the widget.
async fn show(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let mut parameters = parameters(&fields(query.unwrap_or_default().as_bytes()));
    let Some((session, update)) = open(&app, &parameters.access_token) else {
        return bad_token(&app, &parameters);
    };
    if let Some(update) = &update {
        parameters.is_single = update.is_single;
    }
    let bank = update.as_ref().map(|update| update.institution.as_str());
    page::form(&parameters, &session, bank)
}

/// Carries out what the user decided, and sends the user back to the application.
async fn submit(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let fields = fields(&body);
    let parameters = parameters(&fields);
    let Some((session, update)) = open(&app, &parameters.access_token) else {
        return bad_token(&app, &parameters);
    };

    let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let institution = match &update {
        Some(update) => update.institution.as_str(),
        None => text("institution"),
    };
    let is_known = update.is_some() || page::is_bank(institution);
    match text("action") {
        "connect" if is_known => succeed(&app, &parameters, institution).await,
        "cancel" => leave(&parameters, &session, institution, None),
        "fail" => leave(&parameters, &session, institution, Some(LOGIN_ERROR)),
        _ => bad_form(&parameters),
    }
}

/// The session of a token that opens the widget, and the link that it updates.
fn open(app: &App, token: &str) -> Option<(Session, Option<Update>)> {
    let state = app.state();
    let session = state.session(token)?.clone();
    let Some(link) = &session.link else {
        return Some((session, None));
    };

    let object = &state.link(link)?.object;
    let institution = object["institution"].as_str();
    let update = Update {
        institution: institution.unwrap_or_default().to_owned(),
        is_single: object["access_mode"] == "single",
    };
    Some((session, Some(update)))
}

async fn succeed(app: &Arc<App>, parameters: &Parameters, institution: &str) -> Response {
    let Some(connected) = connect::connect(app, parameters, institution) else {
        return bad_token(app, parameters);
    };
    let (link, institution) = (&*connected.link, &*connected.institution);
    tracing::info!(link.id = link, "user connected");
    connect::send(app, connected.webhooks).await;

    let ending = Ending {
        callback: connected.session.success.as_deref(),
        parameters: vec![("link", link), ("institution", institution)],
        text: "done",
        message: json!({ "type": "success", "link": link, "institution": institution }),
    };
    back(parameters, ending)
}

fn leave(
    parameters: &Parameters,
    session: &Session,
    institution: &str,
    error: Option<(&str, &str)>,
) -> Response {
    let mut appended = Vec::new();
    let mut data = json!({ "meta_data": { "institution_name": institution, "step": STEP } });
    if let Some((code, message)) = error {
        appended.push(("last_encountered_error_code", code));
        appended.push(("last_encountered_error_message", message));
        data["last_encountered_error"] = json!({ "code": code, "message": message });
    }
    appended.push(("meta_data_institution_name", institution));
    appended.push(("meta_data_step", STEP));

    let ending = Ending {
        callback: session.exit.as_deref(),
        parameters: appended,
        text: "left",
        message: json!({ "type": "exit", "data": data }),
    };
    back(parameters, ending)
}

/// Sends the user back to the application: by a message from a frame, otherwise by a redirect. A
/// token without a callback ends on a page.
fn back(parameters: &Parameters, ending: Ending<'_>) -> Response {
    if let Some(url) = ending.callback
        && !parameters.is_embedded
    {
        return Redirect::to(&callback(url, &ending.parameters)).into_response();
    }
    let notice = Notice {
        status: StatusCode::OK,
        heading: "title",
        text: ending.text,
        back: None,
        message: ending.message,
    };
    page::notice(parameters, &notice)
}

fn bad_form(parameters: &Parameters) -> Response {
    let notice = Notice {
        status: StatusCode::BAD_REQUEST,
        heading: "refused",
        text: "bad_form",
        back: None,
        message: Value::Null,
    };
    page::notice(parameters, &notice)
}

/// The page for a token that does not open the widget. It still leads to the exit if the token was
/// valid once.
fn bad_token(app: &App, parameters: &Parameters) -> Response {
    let (code, message) = BAD_TOKEN;
    let state = app.state();
    let session = state.widgets.get(&parameters.access_token);
    let exit = session.and_then(|session| session.exit.as_deref());
    let exit = exit.filter(|_| !parameters.is_embedded);
    let back = exit.map(|url| callback(url, &[("error", code), ("error_message", message)]));

    let meta_data = json!({ "error_code": code, "error_message": message });
    let data = json!({ "eventName": "ERROR", "meta_data": meta_data });
    let notice = Notice {
        status: StatusCode::BAD_REQUEST,
        heading: "refused",
        text: "bad_token",
        back: back.as_deref(),
        message: json!({ "type": "event", "data": data }),
    };
    page::notice(parameters, &notice)
}

/// A callback with parameters appended to its own, and spaces as `%20` as in Belvo's examples.
fn callback(url: &str, parameters: &[(&str, &str)]) -> String {
    let (url, fragment) = match url.find('#') {
        Some(at) => url.split_at(at),
        None => (url, ""),
    };
    let mut appended = form_urlencoded::Serializer::new(String::new());
    appended.extend_pairs(parameters);
    let appended = appended.finish().replace('+', "%20");
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{appended}{fragment}")
}

fn fields(encoded: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

fn parameters(fields: &BTreeMap<String, String>) -> Parameters {
    let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let institutions = text("institutions");
    let institutions = institutions.split(',').map(|code| code.trim().to_owned());
    Parameters {
        access_token: text("access_token"),
        external_id: text("external_id"),
        is_single: text("access_mode") == "single",
        institutions: institutions.collect(),
        words: Words::of(&text("locale")),
        is_embedded: text("embedded") == "1",
    }
}
