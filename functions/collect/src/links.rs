//! What webhooks tell of a link itself, and what becomes of a link that is silent, shut or gone.

use lambda_runtime::tracing;
use shared::{
    belvo::{BelvoError, LINK_DELETED, LinkDeletion, Scope},
    domain::{LinkEvent, LinkId, LinkRecord, Resource, Timestamp},
    queue::Delivery,
};

use crate::{
    Collect, CollectError,
    announcement::choose_days,
    job::{Claim, Job},
};

/// Records a webhook of type `LINK` or `CONSENT` on its link. May be repeated. It is believed where
/// it only keeps us from sending something; that a link is gone is asked of Belvo, because then
/// rows may be erased.
pub(crate) async fn note(
    collect: &Collect,
    delivery: &Delivery,
    webhook_type: &str,
) -> Result<(), CollectError> {
    let (link, code) = (&delivery.notification.link, &delivery.notification.code);
    // Of which type `link_deleted` is, Belvo's pages do not show.
    if !["LINK", "CONSENT"].contains(&webhook_type) && code != LINK_DELETED {
        return Ok(());
    }
    let event = LinkEvent {
        webhook_type: webhook_type.to_owned(),
        code: code.clone(),
        at: delivery.received_at,
    };
    let told = delivery.notification.consent();
    collect
        .requests
        .change_link(link, |known| Some(known.noted(event.clone(), told.clone())))
        .await?;
    if code == LINK_DELETED && collect.belvo.link(link).await?.is_none() {
        end(collect, link).await?;
    }
    Ok(())
}

/// Takes note that a webhook about rows came, and says whether its link is still there. One of a
/// link that was shut is a reason to ask Belvo whether it is open again.
pub(crate) async fn hear(collect: &Collect, delivery: &Delivery) -> Result<bool, CollectError> {
    let (link, at) = (&delivery.notification.link, delivery.received_at);
    let known = collect.requests.link(link).await?;
    if let Some(known) = known.as_ref().filter(|known| known.is_deleted()) {
        // Rows of a link that was found gone, by nobody's wish, are a reason to ask again.
        return Ok(!known.is_deleted_for_good() && read_again(collect, link).await?.is_some());
    }
    if delivery.unfinished.is_some() || delivery.overdue.is_some() {
        return Ok(true);
    }
    if let Some(failure) = delivery.notification.failure() {
        collect
            .requests
            .change_link(link, |known| known.refused(&failure.code, at))
            .await?;
        return Ok(true);
    }
    let Some(known) = known else { return Ok(true) };
    if known.shut_out.is_some() {
        match read_again(collect, link).await {
            // Whether it is open again is not known; its rows are fetched in any case.
            Err(CollectError::Belvo(BelvoError::Rejected { .. })) | Ok(Some(_)) => {}
            Ok(None) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    if known.heard(at).is_some() {
        collect
            .requests
            .change_link(link, |known| known.heard(at))
            .await?;
    }
    Ok(true)
}

/// Asks Belvo about a link that was silent, and looks for its latest rows, unless it is being
/// deleted.
pub(crate) async fn look_after(
    collect: &Collect,
    delivery: Delivery,
    resource: Resource,
) -> Result<Option<Job>, CollectError> {
    let link = delivery.notification.link.clone();
    let Some(known) = read_again(collect, &link).await? else {
        return Ok(None);
    };
    if known.deletion.is_some() {
        delete_again(collect, &link).await?;
        return Ok(None);
    }
    let (days, counts_after) = choose_days(collect, &delivery, resource, None).await?;
    let scope = Scope {
        resource,
        link,
        days,
        account: None,
    };
    Ok(Some(Job {
        scope,
        counts_after,
        progress: None,
        claims: vec![Claim {
            delivery,
            record: None,
        }],
    }))
}

/// Asks Belvo once more to delete a link: the first time may never have reached it.
async fn delete_again(collect: &Collect, link: &LinkId) -> Result<(), CollectError> {
    tracing::warn!(link.id = link.as_str(), "deletion not confirmed");
    match collect.belvo.delete_link(link).await? {
        LinkDeletion::Accepted(id) => {
            collect
                .requests
                .change_link(link, |known| Some(known.deletion_accepted(&id)))
                .await?;
            Ok(())
        }
        LinkDeletion::Done => end(collect, link).await,
    }
}

/// Whether a link is gone, so that nothing is to be stored of it.
pub(crate) async fn is_gone(collect: &Collect, link: &LinkId) -> Result<bool, CollectError> {
    Ok(collect
        .requests
        .link(link)
        .await?
        .is_some_and(|known| known.is_deleted()))
}

/// Brings the record of a link up to what Belvo says, and returns it; none if Belvo no longer has
/// the link.
async fn read_again(collect: &Collect, link: &LinkId) -> Result<Option<LinkRecord>, CollectError> {
    let Some(connection) = collect.belvo.link(link).await? else {
        end(collect, link).await?;
        return Ok(None);
    };
    let now = Timestamp::now();
    let read = |known: LinkRecord| Some(known.read(connection.clone(), now));
    Ok(Some(collect.requests.change_link(link, read).await?))
}

/// Ends a link that Belvo no longer has. Its rows stay, or go if that was asked for with `DELETE
/// /links/{link}`. May be repeated, and goes on where it was broken off.
async fn end(collect: &Collect, link: &LinkId) -> Result<(), CollectError> {
    let now = Timestamp::now();
    let record = collect
        .requests
        .change_link(link, |known| Some(known.deleted(now)))
        .await?;
    let erased = if record.awaits_erasure() {
        Some(collect.transactions.erase(link).await?)
    } else {
        None
    };
    if erased.is_some() {
        collect
            .requests
            .change_link(link, |known| Some(known.erased(Timestamp::now())))
            .await?;
    }
    tracing::info!(link.id = link.as_str(), erased, "link deleted");
    Ok(())
}
