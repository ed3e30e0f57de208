//! What happened, as log lines name it in their field `event`: for metric filters, the console and
//! tests. The message beside it is for people and may change; these names may not.

/// The event of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    AnswerNotRecorded,
    BelvoCallFailed,
    BelvoUnusable,
    CollectionContinued,
    DataReadyNotQueued,
    DeletionNotRecorded,
    DeletionNotReverted,
    DeletionUnconfirmed,
    DuplicatesMarked,
    IntentNotWithdrawn,
    LinkDeleted,
    LinkDeletionRequested,
    LinkGoneNotQueued,
    LinkRegistered,
    LinkStale,
    MessageDeadLettered,
    MessageNotDeadLettered,
    MessageNeedsOperator,
    MessageRetried,
    OverdueRequests,
    OverdueUnreadable,
    QuotaNotCorrected,
    QuotaNotCounted,
    RefusalNotRecorded,
    RequestNeverChecked,
    RequestNotFailed,
    RequestNotProcessed,
    RequestNotShownCollecting,
    RequestOfAnotherLink,
    RequestUnanswered,
    RetrievalFailed,
    RetrievalIssued,
    RetrievalNotRecorded,
    RetryDelayNotSet,
    RowLeftOut,
    RowsCollected,
    SecretUnreadable,
    StaleUnreadable,
    StoreUnreadable,
    WebhookLogged,
    WebhookNotQueued,
    WebhookQueued,
    WebhookRefused,
    WidgetTokenMinted,
}

impl Event {
    /// The value of the field `event`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnswerNotRecorded => "answer_not_recorded",
            Self::BelvoCallFailed => "belvo_call_failed",
            Self::BelvoUnusable => "belvo_unusable",
            Self::CollectionContinued => "collection_continued",
            Self::DataReadyNotQueued => "data_ready_not_queued",
            Self::DeletionNotRecorded => "deletion_not_recorded",
            Self::DeletionNotReverted => "deletion_not_reverted",
            Self::DeletionUnconfirmed => "deletion_unconfirmed",
            Self::DuplicatesMarked => "duplicates_marked",
            Self::IntentNotWithdrawn => "intent_not_withdrawn",
            Self::LinkDeleted => "link_deleted",
            Self::LinkDeletionRequested => "link_deletion_requested",
            Self::LinkGoneNotQueued => "link_gone_not_queued",
            Self::LinkRegistered => "link_registered",
            Self::LinkStale => "link_stale",
            Self::MessageDeadLettered => "message_dead_lettered",
            Self::MessageNotDeadLettered => "message_not_dead_lettered",
            Self::MessageNeedsOperator => "message_needs_operator",
            Self::MessageRetried => "message_retried",
            Self::OverdueRequests => "overdue_requests",
            Self::OverdueUnreadable => "overdue_unreadable",
            Self::QuotaNotCorrected => "quota_not_corrected",
            Self::QuotaNotCounted => "quota_not_counted",
            Self::RefusalNotRecorded => "refusal_not_recorded",
            Self::RequestNeverChecked => "request_never_checked",
            Self::RequestNotFailed => "request_not_failed",
            Self::RequestNotProcessed => "request_not_processed",
            Self::RequestNotShownCollecting => "request_not_shown_collecting",
            Self::RequestOfAnotherLink => "request_of_another_link",
            Self::RequestUnanswered => "request_unanswered",
            Self::RetrievalFailed => "retrieval_failed",
            Self::RetrievalIssued => "retrieval_issued",
            Self::RetrievalNotRecorded => "retrieval_not_recorded",
            Self::RetryDelayNotSet => "retry_delay_not_set",
            Self::RowLeftOut => "row_left_out",
            Self::RowsCollected => "rows_collected",
            Self::SecretUnreadable => "secret_unreadable",
            Self::StaleUnreadable => "stale_unreadable",
            Self::StoreUnreadable => "store_unreadable",
            Self::WebhookLogged => "webhook_logged",
            Self::WebhookNotQueued => "webhook_not_queued",
            Self::WebhookQueued => "webhook_queued",
            Self::WebhookRefused => "webhook_refused",
            Self::WidgetTokenMinted => "widget_token_minted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that template.yaml makes metrics of.
    const METERED: [&str; 2] = [Event::RowsCollected.name(), Event::OverdueRequests.name()];

    #[test]
    fn the_metric_filters_look_for_these_events() {
        let template = include_str!("../../../template.yaml");
        let filtered: Vec<_> = template
            .lines()
            .filter_map(|line| line.split_once("$.fields.event = \"")?.1.split_once('"'))
            .map(|(name, _)| name)
            .collect();
        assert!(!filtered.is_empty());
        assert!(
            filtered.iter().all(|name| METERED.contains(name)),
            "{filtered:?}"
        );
        assert!(
            METERED.iter().all(|name| filtered.contains(name)),
            "{filtered:?}"
        );
        assert!(
            !template.contains("$.fields.message"),
            "English is no interface"
        );
    }
}
