//! How long DynamoDB keeps items with a time to live.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;

use super::item::number;

pub(super) const DAY_S: i64 = 24 * 60 * 60;

/// Archived webhooks, if nothing else is configured.
pub(super) const WEBHOOK_DAYS: u32 = 90;
/// Intents, for callers who repeat a request.
pub(super) const INTENT_DAYS: i64 = 7;
/// Answers by `Idempotency-Key`.
pub(super) const IDEMPOTENCY_KEY_DAYS: i64 = 1;
/// Retrievals of links that nobody here has asked for.
pub(super) const UNKNOWN_REQUEST_DAYS: i64 = 90;
/// Retrievals of a link whose rows were erased, if nothing else is configured.
pub(super) const ERASED_REQUEST_DAYS: u32 = 90;
/// Entries of the change log, if nothing else is configured.
pub(super) const CHANGES_DAYS: u32 = 90;
/// Counters of retrievals, after their month.
pub(super) const QUOTA_DAYS: i64 = 90;

/// The value of `expires_at`: `days` after an instant.
pub(super) fn expires_at(since: Timestamp, days: i64) -> AttributeValue {
    number(since.plus_seconds(days * DAY_S).unix_seconds())
}
