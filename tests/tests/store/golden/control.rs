//! The small items of the control table: counters, idempotency keys, webhooks, fields of rows.

use std::time::Duration;

use domain::{
    FieldNames, KnownFields, Limits, QuotaHolder, Resource, RetrievalClass, Spacing, WebhookId,
    WebhookOutcome,
};
use shared::store::{Admission, ArchivedWebhook, KeyState, ProcessedWebhook};
use time::macros::date;

use super::{Store, at, link, request};

const KEY: &str = "a key of the caller";

fn customer() -> QuotaHolder {
    QuotaHolder::customer("a user of a bank", link())
}

#[tokio::test]
async fn counters_of_retrievals_are_stored_as_before() {
    let store = Store::empty().await;
    let (quotas, customer) = (&store.control.quotas, customer());
    for class in [
        RetrievalClass::Long,
        RetrievalClass::Short,
        RetrievalClass::Short,
    ] {
        quotas.reserve(&customer, class, 9, at(0)).await.unwrap();
    }
    let refused = quotas.refused(&customer, RetrievalClass::Long, at(1)).await;
    refused.unwrap();
    store.assert_holds(&["quota"]);
}

#[tokio::test]
async fn stored_counters_of_retrievals_are_read() {
    let store = Store::holding(&["quota"]).await;
    let limits = Limits { long: 8, short: 20 };
    let left = store.control.quotas.left(&customer(), limits, at(2)).await;
    let left: Vec<_> = left
        .unwrap()
        .iter()
        .map(|quota| (quota.class, quota.used, quota.left))
        .collect();
    let expected = [(RetrievalClass::Long, 1, 0), (RetrievalClass::Short, 2, 18)];
    assert_eq!(left, expected);
}

fn fields(names: &[&str]) -> FieldNames {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn the_fields_that_rows_have_are_stored_as_before() {
    let store = Store::empty().await;
    let seen = fields(&["amount", "merchant", "merchant.logo"]);
    let (known, _) = KnownFields::default().after(&seen, date!(2026 - 03 - 01));
    let stored = &store.control.fields;
    let put = stored.put(Resource::TRANSACTIONS, known, None).await;
    assert!(put.unwrap().is_some());
    store.assert_holds(&["fields"]);
}

#[tokio::test]
async fn the_stored_fields_that_rows_have_are_read_and_written_over() {
    let store = Store::holding(&["fields"]).await;
    let stored = &store.control.fields;
    let before = stored.of(Resource::TRANSACTIONS).await.unwrap().unwrap();
    let seen = fields(&["amount", "merchant", "merchant.logo"]);
    let (first, _) = KnownFields::default().after(&seen, date!(2026 - 03 - 01));
    assert_eq!(before.known, first);

    let (after, _) = before.known.after(&seen, date!(2026 - 03 - 02));
    let put = |known| stored.put(Resource::TRANSACTIONS, known, Some(&before));
    assert!(put(after.clone()).await.unwrap().is_some());
    let late = put(after).await.unwrap();
    assert!(
        late.is_none(),
        "what somebody else has written is not written over"
    );
}

#[tokio::test]
async fn the_pace_of_calls_is_stored_as_before() {
    let store = Store::empty().await;
    let (pace, spacing) = (&store.control.pace, Spacing::per_30_s(20));
    let admission = pace.admit(spacing, Duration::ZERO, at(0)).await.unwrap();
    assert_eq!(admission, Admission::After(Duration::ZERO));
    store.assert_holds(&["pace"]);
}

#[tokio::test]
async fn a_stored_pace_of_calls_is_kept() {
    let store = Store::holding(&["pace"]).await;
    let (pace, spacing) = (&store.control.pace, Spacing::per_30_s(3));
    let admission = pace.admit(spacing, Duration::ZERO, at(0)).await.unwrap();
    let retry_after = Duration::from_millis(2_143);
    assert_eq!(admission, Admission::Refused { retry_after });
}

#[tokio::test]
async fn an_idempotency_key_is_stored_as_before() {
    let store = Store::empty().await;
    let keys = &store.control.idempotency_keys;
    keys.begin(KEY, "a fingerprint", at(0)).await.unwrap();
    keys.answered(KEY, &request()).await.unwrap();
    store.assert_holds(&["idempotency-key"]);
}

#[tokio::test]
async fn a_stored_idempotency_key_is_answered() {
    let store = Store::holding(&["idempotency-key"]).await;
    let keys = &store.control.idempotency_keys;
    let same = keys.begin(KEY, "a fingerprint", at(9)).await.unwrap();
    assert_eq!(same, KeyState::Answered(request()));
    let other = keys.begin(KEY, "another", at(9)).await.unwrap();
    assert_eq!(other, KeyState::Reused);
}

/// A webhook of a request whose rows were collected.
fn webhook() -> ArchivedWebhook {
    ArchivedWebhook {
        id: WebhookId::of("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        link: link(),
        received_at: at(0),
        last_received_at: at(9),
        deliveries: 2,
        replayed_at: Some(at(20)),
        ended_at: at(21),
        outcome: WebhookOutcome::Collected {
            rows: 120,
            written: 3,
            deleted: 1,
            missing: 0,
            verdict: "complete".to_owned(),
        },
        body: r#"{"webhook_type": "TRANSACTIONS"}"#.to_owned(),
    }
}

#[tokio::test]
async fn an_archived_webhook_is_stored_as_before() {
    let store = Store::empty().await;
    let (webhooks, webhook) = (&store.control.webhooks, webhook());
    let mut processed = ProcessedWebhook {
        id: webhook.id.clone(),
        link: &webhook.link,
        body: &webhook.body,
        received_at: webhook.received_at,
        replayed_at: None,
        ended_at: at(1),
        outcome: &WebhookOutcome::Held,
    };
    webhooks.processed(&processed).await.unwrap();
    webhooks.redelivered(&webhook.id, at(9)).await.unwrap();
    processed.replayed_at = webhook.replayed_at;
    (processed.ended_at, processed.outcome) = (webhook.ended_at, &webhook.outcome);
    webhooks.processed(&processed).await.unwrap();
    store.assert_holds(&["archived-webhook"]);
}

#[tokio::test]
async fn a_stored_webhook_is_read() {
    let store = Store::holding(&["archived-webhook"]).await;
    let read = store.control.webhooks.get(&webhook().id).await.unwrap();
    assert_eq!(read, Some(webhook()));
}
