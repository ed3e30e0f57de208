//! A webhook about accounts: Belvo has read them from the institution.

use domain::{LinkRecord, Observation, Timestamp};
use shared::{belvo::LINK_DELETED, queue::Delivery};

use super::other_webhook;
use crate::{
    App, CollectError,
    account_listing::AccountListing,
    accounts::Accounts,
    link_record::{LinkKeeper, Standing},
};

/// Reads the link's accounts, unless the webhook reports a failure or is held, or Belvo no longer
/// has the link, and logs the webhook. A request that it names is Belvo's own, or is ended by the
/// webhook about its rows.
pub(super) async fn plan(app: &App, delivery: &Delivery) -> Result<(), CollectError> {
    let webhook = &delivery.webhook;
    let links = LinkKeeper::from(app);
    let announces = webhook.failure().is_none() && webhook.code != LINK_DELETED;
    let is_read = async || {
        let standing = links.standing_for_accounts(delivery).await?;
        Ok::<_, CollectError>(matches!(standing, Standing::Known | Standing::Unknown))
    };
    if announces && is_read().await? {
        let store = app.transactions.accounts();
        let mut accounts = Accounts::of(&store, &webhook.link).await?;
        let listing = AccountListing {
            belvo: &app.belvo,
            store: &store,
            link: &webhook.link,
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
        links.announce(&webhook.link, kept).await?;
    }
    other_webhook::plan(links, &app.control.webhook_log, delivery).await
}
