//! One message that a fetch answers, and the request that it is for.

use domain::{
    Collection, Deadlines, Declared, FetchResult, Outcome, RequestId, RequestRecord, Timestamp,
    Verdict,
};
use lambda_runtime::tracing;
use shared::{
    cause::chain,
    queue::{Delivery, Trigger},
    store::{Requests, Short, StoreError},
    telemetry::Event,
};

use crate::ending;

pub(crate) struct Waiter {
    pub(crate) trigger: Trigger,
    pub(crate) record: Option<RequestRecord>,
    correlation_id: String,
}

impl Waiter {
    /// `correlation_id` is that of the message, used if there is no request.
    pub(crate) fn new(
        trigger: Trigger,
        correlation_id: &str,
        record: Option<RequestRecord>,
    ) -> Self {
        Self {
            trigger,
            record,
            correlation_id: correlation_id.to_owned(),
        }
    }

    pub(crate) fn request(&self) -> Option<&RequestId> {
        self.record.as_ref().map(|record| &record.id)
    }

    pub(crate) fn correlation_id(&self) -> &str {
        self.request()
            .map_or(&self.correlation_id, RequestId::as_str)
    }

    /// The webhook that it waits for, if Belvo announced the rows.
    pub(crate) fn delivery(&self) -> Option<&Delivery> {
        self.trigger.delivery()
    }

    /// Whether somebody asked for that webhook to be processed again.
    pub(crate) fn is_replayed(&self) -> bool {
        let delivery = self.delivery();
        delivery.is_some_and(|delivery| delivery.replayed_at.is_some())
    }

    /// Whether the fetch was made although Belvo announced nothing.
    pub(crate) fn is_check(&self) -> bool {
        matches!(self.trigger, Trigger::Check)
    }

    /// Whether no other message shares the fetch: one that Belvo announced nothing for.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_check() || self.trigger.asked_at().is_some()
    }

    /// Whether the fetch reads a link as a whole, whatever Belvo announced.
    pub(crate) fn is_scrub(&self) -> bool {
        self.is_check() && self.record.is_none()
    }

    /// When Belvo announced the rows, if it did.
    pub(crate) fn announced_at(&self) -> Option<Timestamp> {
        let known = self
            .record
            .as_ref()
            .and_then(|record| record.facts().announced_at());
        known.or(match &self.trigger {
            Trigger::Webhook(delivery) => Some(delivery.received_at),
            Trigger::DataReady { at } => Some(*at),
            Trigger::Asked { .. } | Trigger::Check => None,
        })
    }

    /// What led to the fetch, for the log: `sweep` where the webhook of a request is missing.
    pub(crate) fn answered_by(&self) -> &'static str {
        match (&self.trigger, &self.record) {
            (Trigger::Webhook(_), _) => "webhook",
            (Trigger::DataReady { .. }, _) => "data_ready",
            (Trigger::Asked { .. }, _) => "asked",
            (Trigger::Check, None) => "scrub",
            (Trigger::Check, Some(record)) if record.facts().announced_at().is_none() => "sweep",
            (Trigger::Check, Some(_)) => "check",
        }
    }

    /// What Belvo declared, in this webhook or in an earlier one of the same request.
    pub(crate) fn declared(&self) -> Option<Declared> {
        match &self.record {
            Some(record) => record.declared.clone(),
            None => self.trigger.delivery()?.webhook.declared(),
        }
    }

    /// Whether everything that Belvo says there is, is stored. For a request that had all that was
    /// declared, the declaration is the past: since then rows may have gone.
    pub(crate) fn verdict(&self, found: &Collection) -> Verdict {
        let had_all = self.record.as_ref().is_some_and(|record| {
            record.facts().collected_at.is_some()
                && record
                    .verdict()
                    .is_some_and(|verdict| verdict.missing() == 0)
        });
        let declared = self.declared().filter(|_| !had_all);
        found.verdict(declared.as_ref())
    }

    /// What a fetch that found this, and after which this many rows are missing, means for the
    /// request, if there is one.
    pub(crate) fn outcome(
        &self,
        found: &Collection,
        missing: u64,
        deadlines: Deadlines,
    ) -> Outcome {
        let Some(record) = &self.record else {
            return Outcome::Collected;
        };
        let result = FetchResult {
            rows: found.tally.rows,
            changed: found.tally.written(),
            missing,
            unstored: found.tally.unstored,
        };
        let facts = record.facts();
        facts.outcome(result, self.is_check(), Timestamp::now(), deadlines)
    }

    /// Records on the request what a fetch means for it.
    pub(crate) async fn record(
        &self,
        requests: &Requests,
        outcome: Outcome,
        found: &Collection,
    ) -> Result<(), StoreError> {
        let Some(record) = &self.record else {
            return Ok(());
        };
        match outcome {
            Outcome::Collected => requests.collected(&record.id, found).await,
            Outcome::Short { next, is_first } => {
                let short = Short {
                    due_at: next,
                    is_first,
                };
                requests.short(&record.id, found, short).await
            }
            Outcome::Incomplete => {
                requests.incomplete(&record.id, found).await?;
                ending::log_incomplete(record);
                Ok(())
            }
            Outcome::Wait { next } => wait(requests, record, next).await,
            Outcome::Expired => ending::expire(requests, record).await,
        }
    }

    /// Records that another invocation fetches the rest of the rows, unless Belvo may turn out not
    /// to be done. Failing to record this is harmless: the fact is only shown.
    pub(crate) async fn show_collecting(
        &self,
        requests: &Requests,
        so_far: &Collection,
        deadlines: Deadlines,
    ) {
        let is_shown = |record: &RequestRecord| record.facts().collecting_at.is_some();
        let Some(record) = self.record.as_ref().filter(|record| !is_shown(record)) else {
            return;
        };
        if self.outcome(so_far, 0, deadlines) != Outcome::Collected {
            return;
        }
        if let Err(error) = requests.continued(&record.id, Timestamp::now()).await {
            tracing::warn!(
                event = Event::RequestNotShownCollecting.name(),
                correlation.id = record.id.as_str(),
                cause = %chain(&error),
                "could not record that the collection continues"
            );
        }
    }
}

/// The webhooks of messages, each delivery once: one that names no request waits for its own rows
/// and for those of the request that it answers.
pub(crate) fn deliveries<'a>(waiters: impl IntoIterator<Item = &'a Waiter>) -> Vec<&'a Delivery> {
    let mut distinct: Vec<&Delivery> = Vec::new();
    for delivery in waiters.into_iter().filter_map(Waiter::delivery) {
        if !distinct.iter().any(|known| known.is_same(delivery)) {
            distinct.push(delivery);
        }
    }
    distinct
}

/// Records that Belvo does not have the rows yet: the request is checked again at `next`.
async fn wait(
    requests: &Requests,
    record: &RequestRecord,
    next: Timestamp,
) -> Result<(), StoreError> {
    requests.postpone(&record.id, next).await?;
    tracing::warn!(
        event = Event::RequestUnanswered.name(),
        correlation.id = record.id.as_str(),
        link.id = record.retrieval.link.as_str(),
        age_s = record.facts().age_s(Timestamp::now()),
        "Belvo has no rows for the request yet"
    );
    Ok(())
}
