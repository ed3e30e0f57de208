//! What connecting does: it creates a link or makes one valid again, and sends the webhooks of the
//! data that Belvo fetches on its own.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::page::Parameters;
use crate::{
    link::Link,
    sender,
    session::Session,
    state::{App, NewLink, State},
    webhooks::{
        Planned,
        envelope::{self, fields},
        plan,
    },
};

/// A link that was just connected.
pub(crate) struct Connected {
    pub(crate) link: String,
    pub(crate) institution: String,
    pub(crate) session: Session,
    /// Webhooks to be sent one after the other.
    pub(crate) webhooks: Vec<Planned>,
}

/// Connects a user of this bank and invalidates the token. Does nothing and returns `None` if the
/// token does not open the widget.
pub(crate) fn connect(app: &App, parameters: &Parameters, bank: &str) -> Option<Connected> {
    let mut state = app.state();
    let session = state.session(&parameters.access_token)?.clone();
    let id = match &session.link {
        Some(link) => state.link(link)?.id.clone(),
        None => create(app, &mut state, parameters, bank),
    };
    if let Some(session) = state.widgets.get_mut(&parameters.access_token) {
        session.is_used = true;
    }

    let link = state.link_mut(&id)?;
    apply(&session, link);
    let institution = link.object["institution"].as_str();
    let institution = institution.unwrap_or_default().to_owned();
    let webhooks = if is_fetched(&session, link) {
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

fn create(app: &App, state: &mut State, parameters: &Parameters, bank: &str) -> String {
    let external_id = Some(&parameters.external_id).filter(|id| !id.is_empty());
    let new = NewLink {
        recurrent: !parameters.is_single,
        external_id: external_id.cloned(),
        institution: Some(bank.to_owned()),
        ..NewLink::with_defaults(app.config.seed)
    };
    state.create(new).id.clone()
}

/// Gives the link what its token was requested with, and makes it valid.
fn apply(session: &Session, link: &mut Link) {
    link.object["status"] = json!("valid");
    if let Some(stale_in) = &session.stale_in {
        link.object["stale_in"] = json!(stale_in);
    }
    // A token for an update need not repeat what the link fetches.
    if session.fetch_resources.is_some() || session.link.is_none() {
        let resources = session.fetch_resources.as_deref().unwrap_or_default();
        link.object["fetch_resources"] = json!(resources);
    }
}

/// Whether Belvo fetches data after connecting: for every new link, and again for a recurrent one.
fn is_fetched(session: &Session, link: &Link) -> bool {
    let resources = link.object["fetch_resources"].as_array();
    let has_transactions = resources.is_some_and(|names| names.contains(&json!("TRANSACTIONS")));
    let is_recurrent = link.object["access_mode"] == "recurrent";
    has_transactions && (session.link.is_none() || is_recurrent)
}

/// The webhooks of accounts and transactions, under one request id that answered no call.
fn first_data(app: &App, state: &mut State, id: &str) -> Vec<Planned> {
    let request = Uuid::new_v4().hyphenated().to_string();
    let mut webhooks = Vec::new();
    for kind in ["ACCOUNTS", "TRANSACTIONS"] {
        let Some(link) = state.link(id) else { break };
        let body = envelope::event(link, &historical_update(kind, &request));
        webhooks.extend(plan(&mut state.rules, &app.config, id, body));
    }
    webhooks
}

fn historical_update(kind: &str, request: &str) -> Map<String, Value> {
    fields([
        ("webhook_type", json!(kind)),
        ("webhook_code", json!("historical_update")),
        ("request_id", json!(request)),
    ])
}

/// Sends each webhook after the first attempt of the one before. Returns at once, unless a rule
/// makes one of them early: then the user goes back to the application after all of them.
pub(crate) async fn send(app: &Arc<App>, webhooks: Vec<Planned>) {
    let is_early = webhooks.iter().any(|webhook| webhook.early);
    let app = Arc::clone(app);
    let sending = tokio::spawn(async move {
        for webhook in webhooks {
            tokio::select! {
                // Fails only if the webhook is held, and then the next one releases it.
                _ = sender::submit(&app, webhook) => {}
                () = app.closed() => break,
            }
        }
    });
    if is_early {
        // Fails only if the sandbox stops.
        let _ = sending.await;
    }
}
