//! A webhook about something other than rows: a link, a consent, accounts once they are read, or a
//! type unknown to this pipeline.

use shared::{
    belvo::{LINK_DELETED, Subject},
    queue::Delivery,
};

use crate::{CollectError, link_record::LinkKeeper};

/// Records what it says about its link, as far as it says anything.
pub(super) async fn process(
    links: LinkKeeper<'_>,
    delivery: &Delivery,
) -> Result<(), CollectError> {
    let webhook = &delivery.webhook;
    // Belvo's pages do not show the type of `link_deleted`.
    let is_deletion = webhook.code == LINK_DELETED;
    let is_about_link = matches!(webhook.subject, Subject::Link | Subject::Consent);

    if is_about_link || is_deletion {
        links.apply_event(delivery).await?;
    }
    if is_deletion {
        links.end_if_gone(&webhook.link).await?;
    }
    Ok(())
}
