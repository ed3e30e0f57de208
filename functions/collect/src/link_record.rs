//! The record of a link: updated from webhooks and from Belvo, until the link ends.

use domain::{
    BlockReason, Erased, Failure, LinkEvent, LinkId, LinkRecord, Resource, Timestamp, Unconfirmed,
    UnknownLinks,
};
use lambda_runtime::tracing;
use shared::{
    belvo::{BelvoError, Client, LinkDeletion},
    queue::Delivery,
    store::{Intents, Links, Requests, TransactionsTable, WebhookArchive},
    telemetry::Event,
};

use crate::{App, CollectError};

/// What becomes of rows of a link that are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They are stored: somebody here stands behind the link.
    Known,
    /// They are stored, although nobody here has asked for the link.
    Unknown,
    /// For the same reason, their webhook is kept apart.
    Held,
    /// They are not stored: Belvo no longer has the link.
    Gone,
}

impl Standing {
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
    requests: &'a Requests,
    webhooks: &'a WebhookArchive,
    transactions: &'a TransactionsTable,
    unknown_links: UnknownLinks,
}

impl<'a> From<&'a App> for LinkKeeper<'a> {
    fn from(app: &'a App) -> Self {
        Self {
            belvo: &app.belvo,
            links: &app.control.links,
            intents: &app.control.intents,
            requests: &app.control.requests,
            webhooks: &app.control.webhooks,
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
        let reported = (webhook.code.as_str(), delivery.received_at);
        self.apply_confirmed(&webhook.link, reported, change).await
    }

    /// Applies what a webhook with this code says about a link. That the user has to log in again
    /// is believed until Belvo is asked; that the consent has ended only once Belvo was asked and
    /// does not call the link valid. If Belvo refuses to say, it is not believed.
    async fn apply_confirmed(
        &self,
        link: &LinkId,
        (code, at): (&str, Timestamp),
        change: impl Fn(LinkRecord) -> LinkRecord,
    ) -> Result<(), CollectError> {
        let mut unusable = None;
        if BlockReason::of_code(code) == Some(BlockReason::ConsentExpired) {
            match self.belvo.link(link).await {
                Ok(None) => return self.end(link).await,
                Ok(Some(connection)) => unusable = Some(connection).filter(|it| !it.is_valid()),
                Err(BelvoError::Rejected { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let now = Timestamp::now();
        let confirmed = |known: LinkRecord| match &unusable {
            Some(connection) => change(known)
                .refreshed(connection.clone(), now)
                .consent_ended(at),
            None => change(known),
        };
        self.links.change(link, confirmed).await?;
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
    pub(crate) async fn standing(&self, link: &LinkId) -> Result<Standing, CollectError> {
        match self.links.get(link).await? {
            Some(known) => self.standing_of(&known).await,
            None => Ok(Standing::Unknown),
        }
    }

    /// Whether the accounts that a webhook announces are read.
    pub(crate) async fn standing_for_accounts(
        &self,
        delivery: &Delivery,
    ) -> Result<Standing, CollectError> {
        let known = self.links.get(&delivery.webhook.link).await?;
        // They are read with the link's transactions.
        if self
            .is_held(delivery, Resource::TRANSACTIONS, known.as_ref())
            .await?
        {
            return Ok(Standing::Held);
        }
        match known {
            Some(known) => self.standing_of(&known).await,
            None => Ok(Standing::Unknown),
        }
    }

    /// Takes note of a webhook about a link's rows. If the link is blocked, asks Belvo whether it
    /// still is.
    pub(crate) async fn seen(
        &self,
        delivery: &Delivery,
        resource: Resource,
    ) -> Result<Standing, CollectError> {
        let (link, at) = (&delivery.webhook.link, delivery.received_at);
        let known = self.links.get(link).await?;
        if self.is_held(delivery, resource, known.as_ref()).await? {
            return Ok(Standing::Held);
        }
        if let Some(known) = known.as_ref().filter(|known| known.is_deleted()) {
            return self.standing_of(known).await;
        }
        if let Some(Failure { code, .. }) = delivery.webhook.failure() {
            let blocked = |known: LinkRecord| known.reported(&code, at);
            self.apply_confirmed(link, (&code, at), blocked).await?;
            return Ok(Standing::of(known.as_ref()));
        }
        if known.as_ref().is_some_and(LinkRecord::awaits_user) && self.is_gone(link).await? {
            return Ok(Standing::Gone);
        }
        Ok(Standing::of(known.as_ref()))
    }

    /// Whether a webhook is held: `UnknownLinks` says so, and nobody here has asked for its link.
    /// Then notes on the link that rows of the resource were announced, unless the webhook reports
    /// a failure.
    async fn is_held(
        &self,
        delivery: &Delivery,
        resource: Resource,
        known: Option<&LinkRecord>,
    ) -> Result<bool, CollectError> {
        let webhook = &delivery.webhook;
        let is_known = known.is_some_and(LinkRecord::is_known);
        if self.unknown_links == UnknownLinks::Collect || is_known || self.expects(delivery).await?
        {
            return Ok(false);
        }
        if webhook.failure().is_none() {
            let held = |known: LinkRecord| known.held(resource, delivery.received_at);
            let record = self.links.change(&webhook.link, held).await?;
            // It may have been registered since it was read.
            if record.is_known() {
                return Ok(false);
            }
        }
        tracing::info!(
            event = Event::WebhookHeld.name(),
            correlation.id = delivery.correlation_id,
            link.id = webhook.link.as_str(),
            "webhook of an unknown link held"
        );
        Ok(true)
    }

    /// Whether a webhook may be about a retrieval that was requested here: one whose record there
    /// is, or of a link for which one is being sent or was not answered.
    async fn expects(&self, delivery: &Delivery) -> Result<bool, CollectError> {
        let webhook = &delivery.webhook;
        if let Some(id) = &webhook.request_id
            && self.requests.get(id).await?.is_some()
        {
            return Ok(true);
        }
        let unconfirmed = self.intents.unconfirmed(&webhook.link).await?;
        let may_be_answered = |one: &Unconfirmed| one.intent().may_be_claimed(delivery.received_at);
        Ok(unconfirmed.iter().any(may_be_answered))
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

    /// Changes the record of a link, and lets its followers know if they can read more than before.
    pub(crate) async fn announce(
        &self,
        link: &LinkId,
        change: impl Fn(LinkRecord) -> LinkRecord,
    ) -> Result<(), CollectError> {
        let readable = self.transactions.readable(link).await?;
        let change = |known| change(known).readable(&readable);
        self.links.change(link, change).await?;
        Ok(())
    }

    async fn standing_of(&self, known: &LinkRecord) -> Result<Standing, CollectError> {
        let is_gone = known.is_deleted()
            && (known.is_deleted_for_good() || self.refresh(&known.id).await?.is_none());
        Ok(if is_gone {
            Standing::Gone
        } else {
            Standing::of(Some(known))
        })
    }

    async fn is_gone(&self, link: &LinkId) -> Result<bool, CollectError> {
        match self.refresh(link).await {
            // It is unknown whether the block is over; the rows are fetched in any case.
            Err(CollectError::Belvo(BelvoError::Rejected { .. })) | Ok(Some(_)) => Ok(false),
            Ok(None) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// What is stored about a link.
    async fn stored(&self, link: &LinkId) -> Result<Erased, CollectError> {
        let (rows, accounts) = self.transactions.holdings(link).await?;
        Ok(Erased {
            rows,
            accounts,
            webhooks: self.webhooks.count(link).await?,
            requests: self.requests.count(link).await?,
        })
    }

    /// Erases what is stored about a link, and returns the number of items of its rows. The link's
    /// record says that it is done only in the end: until then, this is repeated.
    async fn erase(&self, link: &LinkId, at: Timestamp) -> Result<u64, CollectError> {
        self.requests.erase(link, at).await?;
        self.webhooks.erase(link).await?;
        let erased = self.transactions.erase(link).await?;
        let erased_at = Timestamp::now();
        self.announce(link, |known| known.erased(erased_at)).await?;
        Ok(erased)
    }

    /// Ends a link that Belvo no longer has. Its rows stay, or are erased if `DELETE /links/{link}`
    /// asked for that. Safe to repeat: it resumes where it was interrupted.
    async fn end(&self, link: &LinkId) -> Result<(), CollectError> {
        let (now, known) = (Timestamp::now(), self.links.get(link).await?);
        let mut to_erase = None;
        if known.as_ref().is_some_and(LinkRecord::is_uncounted) {
            to_erase = Some(self.stored(link).await?);
        }
        let deleted = |known: LinkRecord| match to_erase {
            Some(to_erase) => known.deleted(now).erasing(to_erase),
            None => known.deleted(now),
        };
        let record = self.links.change(link, deleted).await?;

        let mut erased = None;
        if record.awaits_erasure() {
            erased = Some(self.erase(link, now).await?);
        } else {
            // No other collection will: what its rows are now may be read.
            self.transactions.settle_log(link).await?;
            self.announce(link, |known| known).await?;
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
