//! `POST /api/token/`: an access token for the Connect Widget. The keys are in the body, not in a
//! header.

use std::{sync::Arc, time::Instant};

use axum::{Json, body::Bytes, extract::State};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{errors::ApiError, session::Session, state::App};

/// Answers with two tokens that look like Belvo's. The first opens the widget, the second nothing.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let body: Value = serde_json::from_slice(&body).map_err(|_| ApiError::new("parse_error"))?;
    let missing = ["id", "password", "scopes"]
        .into_iter()
        .filter(|field| body[*field].is_null());
    if let Some(error) = ApiError::all(missing.map(|field| ApiError::field("required", field))) {
        return Err(error);
    }
    if body["id"] != app.config.secret_id.as_str()
        || body["password"] != app.config.secret_password.as_str()
    {
        return Err(ApiError::new("authentication_failed"));
    }
    let session = Session::parse(&body, Instant::now())?;
    let mut state = app.state();
    if let Some(link) = session
        .link
        .as_deref()
        .filter(|link| state.link(link).is_none())
    {
        let message = format!("Object with id={link} does not exist.");
        return Err(ApiError::field("does_not_exist", "link_id").with("message", &message));
    }
    let access = token("access");
    state.widgets.insert(access.clone(), session);
    Ok(Json(
        json!({ "access": access, "refresh": token("refresh") }),
    ))
}

fn token(kind: &str) -> String {
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({ "typ": "JWT", "alg": "none" }));
    let claims = part(json!({ "token_type": kind, "jti": Uuid::new_v4().simple().to_string() }));
    format!("{header}.{claims}.c2FuZGJveA")
}
