//! What happened, as log lines name it in their field `event`: for metric filters, the console and
//! tests. The message beside it is for people and may change; these names may not.

macro_rules! events {
    ($($event:ident => $name:literal,)*) => {
        /// The event of a log line.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Event {
            $($event,)*
        }

        impl Event {
            /// The value of the field `event`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$event => $name,)*
                }
            }
        }
    };
}

events! {
    AccountLeftOut => "account_left_out",
    AccountsListed => "accounts_listed",
    AccountsRefused => "accounts_refused",
    AnswerNotRecorded => "answer_not_recorded",
    BelvoAnswers => "belvo_answers",
    BelvoCallFailed => "belvo_call_failed",
    BelvoUnusable => "belvo_unusable",
    CallAnswered => "call_answered",
    CollectionAsked => "collection_asked",
    CollectionContinued => "collection_continued",
    CollectionNotQueued => "collection_not_queued",
    DataReadyNotQueued => "data_ready_not_queued",
    DeletionNotRecorded => "deletion_not_recorded",
    DeletionNotReverted => "deletion_not_reverted",
    DeletionUnconfirmed => "deletion_unconfirmed",
    DueUnreadable => "due_unreadable",
    DuplicatesMarked => "duplicates_marked",
    EventsPublished => "events_published",
    FieldChanged => "field_changed",
    FieldsNotCompared => "fields_not_compared",
    HeldNotQueued => "held_not_queued",
    IntentNotWithdrawn => "intent_not_withdrawn",
    LinkDeleted => "link_deleted",
    LinkDeletionRequested => "link_deletion_requested",
    LinkGoneNotQueued => "link_gone_not_queued",
    LinkNotChecked => "link_not_checked",
    LinkRegistered => "link_registered",
    LinkStale => "link_stale",
    LinksCounted => "links_counted",
    LinksNotCounted => "links_not_counted",
    MessageDeadLettered => "message_dead_lettered",
    MessageNotDeadLettered => "message_not_dead_lettered",
    MessageNeedsOperator => "message_needs_operator",
    MessageRetried => "message_retried",
    NewsNotAnnounced => "news_not_announced",
    OverdueRequests => "overdue_requests",
    OverdueUnreadable => "overdue_unreadable",
    QueueNotRead => "queue_not_read",
    QuotaNotCorrected => "quota_not_corrected",
    QuotaNotCounted => "quota_not_counted",
    ReadingsDue => "readings_due",
    RecordUnreadable => "record_unreadable",
    RecordsNotKept => "records_not_kept",
    RefusalNotRecorded => "refusal_not_recorded",
    ReplayNotQueued => "replay_not_queued",
    RequestExpired => "request_expired",
    RequestIncomplete => "request_incomplete",
    RequestNeverChecked => "request_never_checked",
    RequestNotFailed => "request_not_failed",
    RequestNotProcessed => "request_not_processed",
    RequestNotShownCollecting => "request_not_shown_collecting",
    RequestOfAnotherLink => "request_of_another_link",
    RequestUnanswered => "request_unanswered",
    RetrievalFailed => "retrieval_failed",
    RetrievalIssued => "retrieval_issued",
    RetrievalNotRecorded => "retrieval_not_recorded",
    RetryDelayNotSet => "retry_delay_not_set",
    RowLeftOut => "row_left_out",
    RowUnanswered => "row_unanswered",
    RowsCollected => "rows_collected",
    RowsNoLongerListed => "rows_no_longer_listed",
    SecretUnreadable => "secret_unreadable",
    StoreUnreadable => "store_unreadable",
    UnansweredNotRecorded => "unanswered_not_recorded",
    WebhookArchived => "webhook_archived",
    WebhookHeld => "webhook_held",
    WebhookNotArchived => "webhook_not_archived",
    WebhookNotQueued => "webhook_not_queued",
    WebhookQueued => "webhook_queued",
    WebhookRedelivered => "webhook_redelivered",
    WebhookRefused => "webhook_refused",
    WebhookReplayed => "webhook_replayed",
    WebhookWithoutContent => "webhook_without_content",
    WidgetTokenMinted => "widget_token_minted",
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events that template.yaml turns into metrics.
    const METERED: [&str; 11] = [
        Event::BelvoAnswers.name(),
        Event::FieldChanged.name(),
        Event::LinksCounted.name(),
        Event::OverdueRequests.name(),
        Event::ReadingsDue.name(),
        Event::RequestExpired.name(),
        Event::RequestIncomplete.name(),
        Event::RetrievalIssued.name(),
        Event::RowsCollected.name(),
        Event::WebhookQueued.name(),
        Event::WebhookRefused.name(),
    ];

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
            "the English text is not an interface"
        );
    }
}
