//! A webhook about accounts: Belvo has read them from the institution.

use domain::{LinkRecord, Observation, Timestamp, WebhookOutcome};
use shared::{belvo::LINK_DELETED, queue::Delivery};

use super::other_webhook;
use crate::{
    App, CollectError,
    account_listing::AccountListing,
    accounts::Accounts,
    ending,
    link_record::{LinkKeeper, Standing},
};

/// Reads the link's accounts, unless the webhook reports a failure or is held, or Belvo no longer
/// has the link. A request that it names is Belvo's own, or is ended by the webhook about its rows.
pub(super) async fn process(
    app: &App,
    delivery: &Delivery,
) -> Result<WebhookOutcome, CollectError> {
    let (links, webhook) = (LinkKeeper::from(app), &delivery.webhook);
    let outcome = if webhook.code == LINK_DELETED {
        WebhookOutcome::Noted
    } else if let Some(failure) = webhook.failure() {
        ending::failed(&failure)
    } else {
        match links.standing_for_accounts(delivery).await? {
            Standing::Held => WebhookOutcome::Held,
            Standing::Gone => ending::failed(&ending::link_gone()),
            Standing::Known | Standing::Unknown => {
                read_accounts(app, links, delivery).await?;
                WebhookOutcome::Noted
            }
        }
    };
    other_webhook::process(links, delivery).await?;
    Ok(outcome)
}

async fn read_accounts(
    app: &App,
    links: LinkKeeper<'_>,
    delivery: &Delivery,
) -> Result<(), CollectError> {
    let (store, link) = (app.transactions.accounts(), &delivery.webhook.link);
    let mut accounts = Accounts::of(&store, link).await?;
    let listing = AccountListing {
        belvo: &app.belvo,
        store: &store,
        link,
        seen: Observation {
            at: Timestamp::now(),
            request: None,
        },
    };
    listing.read(&mut accounts).await?;
    // It says nothing of the link's rows, which may be overdue.
    let kept = |known: LinkRecord| {
        if known.is_known() {
            known
        } else {
            known.seen(delivery.received_at)
        }
    };
    links.announce(link, kept).await
}
