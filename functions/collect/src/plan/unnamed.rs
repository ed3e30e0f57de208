//! A webhook that names no request may be the answer to one all the same. Since it may as well be
//! about a refresh that Belvo started by itself, it fetches what it would fetch in any case, and
//! the rows of the request beside that. What it declares is not about the days of the request, and
//! a failure that it reports is no verdict on it.

use domain::{Candidate, RequestRecord, Resource, UnnamedWebhook};
use shared::{queue::Delivery, store::Notified};

use crate::{App, CollectError};

/// Whether a webhook may be the answer to a retrieval that is being sent or was not answered.
async fn may_answer_another(
    app: &App,
    delivery: &Delivery,
    resource: Resource,
) -> Result<bool, CollectError> {
    let intents = &app.control.intents;
    let unconfirmed = intents.unconfirmed(&delivery.webhook.link).await?;
    let at = delivery.received_at;
    Ok(unconfirmed
        .iter()
        .any(|one| one.may_be_answered(resource, at)))
}

/// Records on the request that the webhook answers, if there is one, that its rows are announced.
/// Safe to repeat: it answers the same request each time.
pub(super) async fn answer(
    app: &App,
    delivery: &Delivery,
    resource: Resource,
) -> Result<Option<RequestRecord>, CollectError> {
    let (webhook, received_at) = (&delivery.webhook, delivery.received_at);
    let (requests, deadlines) = (&app.control.requests, app.deadlines);
    // No request is open for longer.
    let since = received_at.plus_seconds(-2 * i64::from(deadlines.expires_s));
    let latest = requests.of_link_since(&webhook.link, since).await?;

    let unnamed = UnnamedWebhook {
        resource,
        delivery_id: &delivery.id,
        received_at,
    };
    let Some(answered) = unnamed.answered(&latest, Candidate::from) else {
        return Ok(None);
    };
    // It may be about a retrieval whose answer we do not have.
    let is_first = answered.facts().notified_at.is_none();
    if is_first && may_answer_another(app, delivery, resource).await? {
        return Ok(None);
    }
    let notified = Notified {
        id: answered.id.clone(),
        link: webhook.link.clone(),
        resource,
        code: webhook.code.clone(),
        answered_by: Some(delivery.id.clone()),
        declared: None,
        at: received_at,
        due_at: received_at.plus_seconds(deadlines.due_s.into()),
        is_known: true,
    };
    Ok(requests.notified(&notified).await?)
}
