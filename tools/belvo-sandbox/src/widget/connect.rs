//! What connecting does: a link, or a valid one again, and the webhooks of the data that Belvo
//! fetches on its own.

use std::{sync::Arc, time::Instant};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    sender,
    session::Session,
    state::{App, NewLink, State},
    webhooks::{Planned, envelope, plan},
};

/// What the user chose.
pub(crate) struct Choice<'a> {
    pub(crate) access_token: &'a str,
    pub(crate) external_id: &'a str,
    pub(crate) is_single: bool,
    pub(crate) institution: &'a str,
}

/// A link that was just connected.
pub(crate) struct Connected {
    pub(crate) link: String,
    pub(crate) institution: String,
    pub(crate) session: Session,
    /// Webhooks to be sent one after the other.
    pub(crate) webhooks: Vec<Planned>,
}

/// Connects a user, which invalidates the token; `None` if the token opens nothing, and then
/// nothing happens.
pub(crate) fn connect(app: &App, choice: &Choice<'_>) -> Option<Connected> {
    let mut state = app.state();
    let session = state
        .widgets
        .get(choice.access_token)
        .filter(|session| session.is_open(Instant::now()))
        .cloned()?;
    let id = match &session.link {
        Some(link) => state.link(link)?.id.clone(),
        None => create(app, &mut state, choice),
    };
    if let Some(session) = state.widgets.get_mut(choice.access_token) {
        session.is_used = true;
    }
    let link = state.link_mut(&id)?;
    link.object["status"] = json!("valid");
    if let Some(stale_in) = &session.stale_in {
        link.object["stale_in"] = json!(stale_in);
    }
    // A token for an update need not repeat what the link fetches.
    if session.fetch_resources.is_some() || session.link.is_none() {
        link.object["fetch_resources"] =
            json!(session.fetch_resources.as_deref().unwrap_or_default());
    }
    let institution = link.object["institution"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let has_transactions = link.object["fetch_resources"]
        .as_array()
        .is_some_and(|names| names.contains(&json!("TRANSACTIONS")));
    let is_fetched = session.link.is_none() || link.object["access_mode"] == "recurrent";
    let webhooks = if has_transactions && is_fetched {
        first_data(app, &mut state, &id)
    } else {
        Vec::new()
    };
    Some(Connected {
        link: id,
        institution,
        session,
        webhooks,
    })
}

fn create(app: &App, state: &mut State, choice: &Choice<'_>) -> String {
    let new = NewLink {
        recurrent: !choice.is_single,
        external_id: (!choice.external_id.is_empty()).then(|| choice.external_id.to_owned()),
        institution: Some(choice.institution.to_owned()),
        ..NewLink::with_defaults(app.config.seed)
    };
    state.create(new).id.clone()
}

/// Accounts, then transactions, under one request id that no call was answered with.
fn first_data(app: &App, state: &mut State, id: &str) -> Vec<Planned> {
    let request = Uuid::new_v4().hyphenated().to_string();
    let mut planned = Vec::new();
    for kind in ["ACCOUNTS", "TRANSACTIONS"] {
        let Some(link) = state.link(id) else { break };
        let given = Map::from_iter([
            ("webhook_type".to_owned(), Value::from(kind)),
            ("webhook_code".to_owned(), Value::from("historical_update")),
            ("request_id".to_owned(), Value::from(request.as_str())),
        ]);
        let body = envelope::event(link, &given);
        planned.extend(plan(&mut state.rules, &app.config, id, body));
    }
    planned
}

/// Sends each webhook after the first attempt of the one before. Returns at once, unless a rule
/// wants one of them delivered early: then the user goes back to the application after all of them.
pub(crate) async fn send(app: &Arc<App>, webhooks: Vec<Planned>) {
    let is_early = webhooks.iter().any(|webhook| webhook.early);
    let owned = Arc::clone(app);
    let sending = tokio::spawn(async move {
        for webhook in webhooks {
            tokio::select! {
                // Fails only if the webhook is held, and then the next one sets it free.
                _ = sender::submit(&owned, webhook) => {}
                () = owned.closed() => break,
            }
        }
    });
    if is_early {
        // Fails only if the sandbox ends.
        let _ = sending.await;
    }
}
