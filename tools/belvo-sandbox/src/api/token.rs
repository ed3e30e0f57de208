//! `POST /api/token/`: an access token for the Connect Widget. The keys are in the body instead of
//! the `Authorization` header.

use std::{sync::Arc, time::Instant};

use axum::{Json, body::Bytes, extract::State};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use super::body;
use crate::{config::Config, errors::ApiError, session::Session, state::App};

/// Answers with two tokens that look like Belvo's. The first opens the widget; the second is never
/// accepted anywhere.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let body = body::parse(&body)?;
    body::require(&body, &["id", "password", "scopes"])?;
    if !has_keys(&body, &app.config) {
        return Err(ApiError::new("authentication_failed"));
    }

    let session = Session::parse(&body, Instant::now())?;
    let mut state = app.state();
    if let Some(link) = &session.link
        && state.link(link).is_none()
    {
        return Err(ApiError::does_not_exist("link_id", link));
    }

    let access = token("access");
    state.widgets.insert(access.clone(), session);
    let tokens = json!({ "access": access, "refresh": token("refresh") });
    Ok(Json(tokens))
}

fn has_keys(body: &Value, config: &Config) -> bool {
    body["id"] == config.secret_id.as_str() && body["password"] == config.secret_password.as_str()
}

/// A JWT in form, without a signature that anyone could verify.
fn token(kind: &str) -> String {
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({ "typ": "JWT", "alg": "none" }));
    let claims = part(json!({ "token_type": kind, "jti": Uuid::new_v4().simple().to_string() }));
    format!("{header}.{claims}.c2FuZGJveA")
}
