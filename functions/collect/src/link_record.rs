//! The record of a link: updated from webhooks and from Belvo, until the link ends.

use domain::{BlockReason, LinkEvent, LinkId, LinkRecord, Resource, Timestamp, UnknownLinks};
use lambda_runtime::tracing;
use shared::{
    belvo::{BelvoError, Client, LinkDeletion},
    queue::Delivery,
    store::{Intents, Links, TransactionsTable},
    telemetry::Event,
};

use crate::{App, CollectError};

/// Whether rows of a link should be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Belvo has the link, as far as is known, and somebody here stands behind it.
    Known,
    /// Belvo has it, and nobody here has asked for it.
    Unknown,
    /// The same, and its webhooks are to be kept apart.
    Held,
    /// Belvo no longer has it.
    Gone,
}

impl Presence {
    fn of(known: Option<&LinkRecord>) -> Self {
        if known.is_some_and(LinkRecord::is_known) {
            Self::Known
        } else {
            Self::Unknown
        }
    }
}

/// Everything needed to update a link's record.
#[derive(Clone, Copy)]
pub(crate) struct LinkKeeper<'a> {
    belvo: &'a Client,
    links: &'a Links,
    intents: &'a Intents,
    transactions: &'a TransactionsTable,
    unknown_links: UnknownLinks,
}

impl<'a> From<&'a App> for LinkKeeper<'a> {
    fn from(app: &'a App) -> Self {
        Self {
            belvo: &app.belvo,
            links: &app.control.links,
            intents: &app.control.intents,
            transactions: &app.transactions,
            unknown_links: app.unknown_links,
        }
    }
}

impl LinkKeeper<'_> {
    /// Records a webhook of type `LINK` or `CONSENT`. Safe to repeat. A deletion is confirmed with
    /// Belvo first, because rows may be erased.
    pub(crate) async fn apply_event(&self, delivery: &Delivery) -> Result<(), CollectError> {
        let webhook = &delivery.webhook;
        let event = LinkEvent {
            webhook_type: webhook.subject.webhook_type().to_owned(),
            code: webhook.code.clone(),
            at: delivery.received_at,
        };
        let consent = webhook.consent();
        let change = |known: LinkRecord| known.apply_event(event.clone(), consent.clone());
        self.apply(&webhook.link, &webhook.code, change).await
    }

    /// Applies what a webhook with this code says about a link. That the user has to log in again
    /// is believed until Belvo is asked; that the consent has ended only once Belvo was asked and
    /// does not call the link valid.
    async fn apply(
        &self,
        link: &LinkId,
        code: &str,
        change: impl Fn(LinkRecord) -> LinkRecord,
    ) -> Result<(), CollectError> {
        if BlockReason::of_code(code) != Some(BlockReason::ConsentExpired) {
            self.links.change(link, change).await?;
            return Ok(());
        }
        let Some(connection) = self.belvo.link(link).await? else {
            return self.end(link).await;
        };
        let now = Timestamp::now();
        let asked = |known: LinkRecord| change(known).refreshed(connection.clone(), now);
        self.links.change(link, asked).await?;
        Ok(())
    }

    /// Ends a link if Belvo no longer has it.
    pub(crate) async fn end_if_gone(&self, link: &LinkId) -> Result<(), CollectError> {
        if self.belvo.link(link).await?.is_none() {
            self.end(link).await?;
        }
        Ok(())
    }

    /// Whether a link is still there. One that was found deleted without a request from here may
    /// reappear, so that Belvo is asked again.
    pub(crate) async fn presence(&self, link: &LinkId) -> Result<Presence, CollectError> {
        match self.links.get(link).await? {
            Some(known) => self.presence_of(&known).await,
            None => Ok(Presence::Unknown),
        }
    }

    /// The same for a webhook, which is held if nobody here has asked for the link and that is
    /// configured.
    pub(crate) async fn presence_for_webhook(
        &self,
        link: &LinkId,
    ) -> Result<Presence, CollectError> {
        let known = self.links.get(link).await?;
        match known {
            known if self.holds(link, known.as_ref()).await? => Ok(Presence::Held),
            Some(known) => self.presence_of(&known).await,
            None => Ok(Presence::Unknown),
        }
    }

    /// Records that a webhook about a link's rows was received. If the link is blocked, asks Belvo
    /// whether it still is.
    pub(crate) async fn seen(
        &self,
        delivery: &Delivery,
        resource: Resource,
    ) -> Result<Presence, CollectError> {
        let (link, at) = (&delivery.webhook.link, delivery.received_at);
        let known = self.links.get(link).await?;
        if self.holds(link, known.as_ref()).await? {
            if delivery.webhook.failure().is_none() {
                let held = |known: LinkRecord| known.held(resource, at);
                self.links.change(link, held).await?;
            }
            return Ok(Presence::Held);
        }
        if let Some(known) = known.as_ref().filter(|known| known.is_deleted()) {
            return self.presence_of(known).await;
        }
        if let Some(failure) = delivery.webhook.failure() {
            let blocked = |known: LinkRecord| known.apply_code(&failure.code, at);
            self.apply(link, &failure.code, blocked).await?;
            return Ok(Presence::of(known.as_ref()));
        }
        let Some(known) = known else {
            return Ok(Presence::Unknown);
        };

        if known.awaits_user() && self.is_gone(link).await? {
            return Ok(Presence::Gone);
        }
        if known.clone().seen(at) != known {
            self.links.change(link, |known| known.seen(at)).await?;
        }
        Ok(Presence::of(Some(&known)))
    }

    /// Updates the record of a link from Belvo and returns it; `None` if Belvo no longer has the
    /// link, which is then ended.
    pub(crate) async fn refresh(&self, link: &LinkId) -> Result<Option<LinkRecord>, CollectError> {
        let Some(connection) = self.belvo.link(link).await? else {
            self.end(link).await?;
            return Ok(None);
        };
        let now = Timestamp::now();
        let refreshed = |known: LinkRecord| known.refreshed(connection.clone(), now);
        Ok(Some(self.links.change(link, refreshed).await?))
    }

    /// What is known about a link, updated from Belvo if it is registered; `None` if Belvo no
    /// longer has it.
    pub(crate) async fn check(&self, link: &LinkId) -> Result<Option<LinkRecord>, CollectError> {
        let known = self.links.get(link).await?;
        match known {
            Some(known) if known.registered_at.is_none() && known.deletion.is_none() => {
                Ok(Some(known))
            }
            _ => self.refresh(link).await,
        }
    }

    /// Asks Belvo again to delete a link: the first request may never have reached it.
    pub(crate) async fn delete_again(&self, link: &LinkId) -> Result<(), CollectError> {
        tracing::warn!(
            event = Event::DeletionUnconfirmed.name(),
            link.id = link.as_str(),
            "the deletion was not confirmed; asking Belvo again"
        );
        match self.belvo.delete_link(link).await? {
            LinkDeletion::Accepted(id) => {
                let accepted = |known: LinkRecord| known.deletion_accepted(&id);
                self.links.change(link, accepted).await?;
                Ok(())
            }
            LinkDeletion::Done => self.end(link).await,
        }
    }

    async fn presence_of(&self, known: &LinkRecord) -> Result<Presence, CollectError> {
        let is_gone = known.is_deleted()
            && (known.is_deleted_for_good() || self.refresh(&known.id).await?.is_none());
        Ok(if is_gone {
            Presence::Gone
        } else {
            Presence::of(Some(known))
        })
    }

    /// Whether a webhook about a link is held. A retrieval that is being sent, or whose answer was
    /// lost, makes the link known, too.
    async fn holds(&self, link: &LinkId, known: Option<&LinkRecord>) -> Result<bool, CollectError> {
        let is_collected = self.unknown_links == UnknownLinks::Collect;
        if is_collected || known.is_some_and(LinkRecord::is_known) {
            return Ok(false);
        }
        Ok(self.intents.unconfirmed(link).await?.is_empty())
    }

    async fn is_gone(&self, link: &LinkId) -> Result<bool, CollectError> {
        match self.refresh(link).await {
            // It is unknown whether the block is over; the rows are fetched in any case.
            Err(CollectError::Belvo(BelvoError::Rejected { .. })) | Ok(Some(_)) => Ok(false),
            Ok(None) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Ends a link that Belvo no longer has. Its rows stay, or are erased if `DELETE /links/{link}`
    /// asked for that. Safe to repeat: it resumes where it was interrupted.
    async fn end(&self, link: &LinkId) -> Result<(), CollectError> {
        let now = Timestamp::now();
        let record = self.links.change(link, |known| known.deleted(now)).await?;

        let mut erased = None;
        if record.awaits_erasure() {
            erased = Some(self.transactions.erase(link).await?);
            let erased_at = Timestamp::now();
            self.links
                .change(link, |known| known.erased(erased_at))
                .await?;
        }
        tracing::info!(
            event = Event::LinkDeleted.name(),
            link.id = link.as_str(),
            erased,
            "link deleted"
        );
        Ok(())
    }
}
