//! The field `event` of log lines: what happened, for metric filters, the console and tests. The
//! message beside it is for people and may change; these names may not.

pub const ANSWER_NOT_RECORDED: &str = "answer_not_recorded";
pub const BELVO_CALL_FAILED: &str = "belvo_call_failed";
pub const BELVO_UNUSABLE: &str = "belvo_unusable";
pub const COLLECTION_CONTINUED: &str = "collection_continued";
pub const DATA_READY_NOT_QUEUED: &str = "data_ready_not_queued";
pub const DELETION_NOT_RECORDED: &str = "deletion_not_recorded";
pub const DELETION_NOT_REVERTED: &str = "deletion_not_reverted";
pub const DELETION_UNCONFIRMED: &str = "deletion_unconfirmed";
pub const DUPLICATES_MARKED: &str = "duplicates_marked";
pub const INTENT_NOT_WITHDRAWN: &str = "intent_not_withdrawn";
pub const LINK_DELETED: &str = "link_deleted";
pub const LINK_DELETION_REQUESTED: &str = "link_deletion_requested";
pub const LINK_GONE_NOT_QUEUED: &str = "link_gone_not_queued";
pub const LINK_REGISTERED: &str = "link_registered";
pub const LINK_STALE: &str = "link_stale";
pub const MESSAGE_DEAD_LETTERED: &str = "message_dead_lettered";
pub const MESSAGE_NOT_DEAD_LETTERED: &str = "message_not_dead_lettered";
pub const MESSAGE_NEEDS_OPERATOR: &str = "message_needs_operator";
pub const MESSAGE_RETRIED: &str = "message_retried";
pub const OVERDUE_REQUESTS: &str = "overdue_requests";
pub const OVERDUE_UNREADABLE: &str = "overdue_unreadable";
pub const QUOTA_NOT_CORRECTED: &str = "quota_not_corrected";
pub const QUOTA_NOT_COUNTED: &str = "quota_not_counted";
pub const REFUSAL_NOT_RECORDED: &str = "refusal_not_recorded";
pub const REQUEST_NEVER_CHECKED: &str = "request_never_checked";
pub const REQUEST_NOT_FAILED: &str = "request_not_failed";
pub const REQUEST_NOT_PROCESSED: &str = "request_not_processed";
pub const REQUEST_NOT_SHOWN_COLLECTING: &str = "request_not_shown_collecting";
pub const REQUEST_OF_ANOTHER_LINK: &str = "request_of_another_link";
pub const REQUEST_UNANSWERED: &str = "request_unanswered";
pub const RETRIEVAL_FAILED: &str = "retrieval_failed";
pub const RETRIEVAL_ISSUED: &str = "retrieval_issued";
pub const RETRIEVAL_NOT_RECORDED: &str = "retrieval_not_recorded";
pub const RETRY_DELAY_NOT_SET: &str = "retry_delay_not_set";
pub const ROW_LEFT_OUT: &str = "row_left_out";
pub const ROWS_COLLECTED: &str = "rows_collected";
pub const SECRET_UNREADABLE: &str = "secret_unreadable";
pub const STALE_UNREADABLE: &str = "stale_unreadable";
pub const STORE_UNREADABLE: &str = "store_unreadable";
pub const WEBHOOK_LOGGED: &str = "webhook_logged";
pub const WEBHOOK_NOT_QUEUED: &str = "webhook_not_queued";
pub const WEBHOOK_QUEUED: &str = "webhook_queued";
pub const WEBHOOK_REFUSED: &str = "webhook_refused";
pub const WIDGET_TOKEN_MINTED: &str = "widget_token_minted";

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that template.yaml makes metrics of.
    const METERED: [&str; 2] = [ROWS_COLLECTED, OVERDUE_REQUESTS];

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
