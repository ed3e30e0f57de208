//! `DELETE /api/links/{id}/`: at once, or asynchronously with a webhook when the link is gone.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::mode::Mode;
use crate::{
    errors::ApiError,
    sender,
    state::App,
    webhooks::{
        Planned,
        envelope::{self, fields},
        plan,
    },
};

/// Deletes a link with its accounts and rows.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    mode: Mode,
) -> Result<Response, ApiError> {
    let id = id.to_lowercase();
    let mut state = app.state();
    let link = state.link(&id).ok_or_else(|| ApiError::new("not_found"))?;
    if mode == Mode::Synchronous {
        state.delete(&id);
        return Ok(StatusCode::NO_CONTENT.into_response());
    }

    let request = Uuid::new_v4().hyphenated().to_string();
    let given = fields([
        ("webhook_type", json!("LINK")),
        ("webhook_code", json!("link_deleted")),
        ("process_type", Value::Null),
        ("request_id", json!(request)),
    ]);
    let body = envelope::event(link, &given);
    let webhook = plan(&mut state.rules, &app.config, &id, body);
    tokio::spawn(delete_and_notify(Arc::clone(&app), id, webhook));

    let accepted = Json(json!({ "request_id": request }));
    Ok((StatusCode::ACCEPTED, accepted).into_response())
}

/// Deletes the link when its webhook is due: the receiver of the webhook already finds it gone. If
/// a rule drops the webhook, the deletion takes as long as usual.
async fn delete_and_notify(app: Arc<App>, id: String, webhook: Option<Planned>) {
    let usual = app.config.webhook_delay_ms;
    let delay_ms = webhook.as_ref().map_or(usual, |webhook| webhook.delay_ms);
    tokio::time::sleep(Duration::from_millis(delay_ms)).await;

    app.state().delete(&id);
    if let Some(mut webhook) = webhook {
        webhook.delay_ms = 0;
        drop(sender::submit(&app, webhook));
    }
}
