//! The archive of webhooks.

use domain::{LinkId, Timestamp, WebhookId, WebhookOutcome};
use serde_json::json;
use shared::store::{ArchivedWebhook, Cursor, ProcessedWebhook};

use crate::databases::{Tables, both, listed};

fn at(second: u32) -> Timestamp {
    Timestamp::parse(&format!("2026-03-01T00:00:{second:02}Z")).unwrap()
}

/// An id that no other test has.
pub(crate) fn id() -> WebhookId {
    let random = || uuid::Uuid::new_v4().simple().to_string();
    WebhookId::of(&format!("{}{}", random(), random()))
}

/// A link that no other test has.
pub(crate) fn link() -> LinkId {
    LinkId::parse(&uuid::Uuid::new_v4().to_string()).unwrap()
}

fn body(tables: &Tables) -> String {
    let link = &tables.link;
    json!({"webhook_type": "LINK", "webhook_code": "c", "link_id": link}).to_string()
}

/// Archives a webhook that was received at this second.
pub(crate) async fn archive(tables: &Tables, id: &WebhookId, second: u32) {
    processed(tables, id, second, None, &WebhookOutcome::Noted).await;
}

async fn processed(
    tables: &Tables,
    id: &WebhookId,
    second: u32,
    replayed_at: Option<Timestamp>,
    outcome: &WebhookOutcome,
) {
    let webhook = ProcessedWebhook {
        id: id.clone(),
        link: &tables.link,
        body: &body(tables),
        received_at: at(second),
        replayed_at,
        ended_at: at(second + 1),
        outcome,
    };
    let webhooks = &tables.control.webhooks;
    webhooks.processed(&webhook).await.unwrap();
}

async fn stored(tables: &Tables, id: &WebhookId) -> ArchivedWebhook {
    let webhooks = &tables.control.webhooks;
    webhooks.get(id).await.unwrap().expect("a webhook")
}

#[tokio::test]
async fn a_delivery_is_counted_once_however_often_it_is_processed() {
    for tables in both().await {
        let id = id();
        for _ in 0..2 {
            processed(&tables, &id, 1, None, &WebhookOutcome::Held).await;
        }
        let deliveries = async || stored(&tables, &id).await.deliveries;
        assert_eq!(deliveries().await, 1, "{}", tables.name);

        for _ in 0..2 {
            processed(&tables, &id, 5, None, &WebhookOutcome::Noted).await;
        }
        assert_eq!(deliveries().await, 2, "{}", tables.name);
        for _ in 0..2 {
            let webhooks = &tables.control.webhooks;
            webhooks.redelivered(&id, at(9)).await.unwrap();
        }
        let webhook = stored(&tables, &id).await;
        assert_eq!(webhook.deliveries, 3, "{}", tables.name);
        assert_eq!(
            (webhook.received_at, webhook.last_received_at),
            (at(1), at(9))
        );
        assert_eq!(
            (webhook.outcome, webhook.ended_at),
            (WebhookOutcome::Noted, at(6))
        );
    }
}

#[tokio::test]
async fn a_replay_is_no_delivery_and_may_outlive_the_archive() {
    for tables in both().await {
        let (id, expired) = (id(), id());
        archive(&tables, &id, 1).await;
        for id in [&id, &expired] {
            processed(&tables, id, 1, Some(at(30)), &WebhookOutcome::Held).await;
            let webhook = stored(&tables, id).await;
            assert_eq!(webhook.deliveries, 1, "{}", tables.name);
            assert_eq!(
                (webhook.received_at, webhook.last_received_at),
                (at(1), at(1))
            );
            assert_eq!(
                (webhook.outcome, webhook.replayed_at),
                (WebhookOutcome::Held, Some(at(30)))
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_noted_of_a_webhook_that_is_no_longer_archived() {
    for tables in both().await {
        let (id, webhooks) = (id(), &tables.control.webhooks);
        webhooks.redelivered(&id, at(1)).await.unwrap();
        assert_eq!(webhooks.get(&id).await.unwrap(), None, "{}", tables.name);
    }
}

#[tokio::test]
async fn the_webhooks_of_a_link_are_listed_newest_first() {
    for tables in both().await {
        let ids = [id(), id(), id()];
        for (second, id) in (1..).zip(&ids) {
            archive(&tables, id, second).await;
        }
        // Its place is that of the first delivery.
        processed(&tables, &ids[0], 9, None, &WebhookOutcome::Noted).await;

        let webhooks = &tables.control.webhooks;
        let page =
            async |after: Option<Cursor>| webhooks.of_link(&tables.link, after.as_ref(), 2).await;
        let listed = listed(page).await.into_iter().map(|webhook| webhook.id);
        assert_eq!(listed.rev().collect::<Vec<_>>(), ids, "{}", tables.name);
    }
}

#[tokio::test]
async fn a_webhook_expires_as_long_after_it_was_first_received_as_is_configured() {
    for mut tables in both().await {
        tables.control = tables.control.keeping_webhooks_for(7);
        let id = id();
        archive(&tables, &id, 1).await;
        processed(&tables, &id, 9, None, &WebhookOutcome::Noted).await;
        let item = tables.control_item(&format!("webhook#{id}")).await;
        let expires_at: i64 = item["expires_at"].as_n().unwrap().parse().unwrap();
        let expected = at(1).plus_seconds(7 * 86_400).unix_seconds();
        assert_eq!(expires_at, expected, "{}", tables.name);
    }
}
