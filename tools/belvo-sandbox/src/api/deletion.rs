//! `DELETE /api/links/{id}/`: at once, or asynchronously with a webhook once the link is gone.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Effects;
use crate::{
    errors::ApiError,
    rules::Action,
    sender,
    state::App,
    webhooks::{envelope, plan},
};

/// Deletes a link and all of it. In the asynchronous mode it is gone when the webhook is sent.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(effects): Extension<Effects>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = id.to_lowercase();
    let wants_async = headers
        .get("x-belvo-request-mode")
        .is_some_and(|mode| mode == "async");
    let ignored = effects.has(|action| matches!(action, Action::IgnoreAsync(_)));
    let mut state = app.state();
    let link = state.link(&id).ok_or_else(|| ApiError::new("not_found"))?;
    if !wants_async || ignored {
        state.delete(&id);
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let request = Uuid::new_v4().hyphenated().to_string();
    let given = json!({ "webhook_type": "LINK", "webhook_code": "link_deleted", "process_type": null, "request_id": request });
    let body = envelope::event(link, given.as_object().unwrap_or(&serde_json::Map::new()));
    let planned = plan(&mut state.rules, &app.config, &id, body);
    drop(state);
    let server = Arc::clone(&app);
    tokio::spawn(async move {
        let wait = planned
            .as_ref()
            .map_or(server.config.webhook_delay_ms, |planned| planned.delay_ms);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        server.state().delete(&id);
        if let Some(mut planned) = planned {
            planned.delay_ms = 0;
            drop(sender::submit(&server, planned));
        }
    });
    Ok((
        StatusCode::ACCEPTED,
        Json(json!({ "request_id": Value::String(request) })),
    )
        .into_response())
}
