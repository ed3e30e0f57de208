//! A consent ends a link only after Belvo was asked, and opens it again.

use domain::BlockReason;
use serde_json::{Value, json};

use crate::{
    service::{Service, event},
    worker::{AMPLE, webhook},
};

/// The codes by which Belvo says that a consent has ended.
const ENDED: [&str; 2] = ["consent_expired", "openfinance_consent_expired"];

impl Service {
    async fn is_usable(&self, link: &str) -> bool {
        self.record(link).await.block().is_none()
    }

    async fn belvo_calls_it(&self, link: &str, status: &str) {
        let here = &self.worker.here;
        here.sandbox
            .patch_link(link, json!({ "status": status }))
            .await
            .unwrap();
    }

    /// A link whose consent has ended.
    async fn ended(&self) -> String {
        let link = self.registered().await;
        self.belvo_calls_it(&link, "invalid").await;
        self.process(event(&link, "CONSENT", ENDED[0])).await;
        assert!(!self.is_usable(&link).await);
        link
    }
}

/// The webhook of a retrieval that failed because the consent has ended.
fn failure(link: &str) -> Value {
    let mut failed = webhook(link, "historical_update", None);
    failed["data"] = json!({"errors": [{"code": "consent_expired", "message": "m"}]});
    failed
}

#[tokio::test]
async fn a_consent_that_has_ended_blocks_its_link_and_names_the_remedy() {
    let service = Service::new().await;
    for code in ENDED {
        let link = service.registered().await;
        service.belvo_calls_it(&link, "invalid").await;
        service.process(event(&link, "CONSENT", code)).await;

        let (status, problem) = service.retrieve(&link).await;
        let reason = &problem["blocked"]["reason"];
        assert_eq!((status, reason), (409, &json!("consent_expired")));
        let remedy = problem["blocked"]["remedy"].as_str().unwrap();
        assert!(remedy.contains("/connect/token"), "{problem}");
    }
    assert_eq!(service.posts().await, 0);
}

#[tokio::test]
async fn a_webhook_that_says_so_of_a_link_that_belvo_calls_valid_blocks_nothing() {
    let service = Service::new().await;
    for code in ENDED {
        let link = service.registered().await;
        service.process(event(&link, "CONSENT", code)).await;
        service.process(failure(&link)).await;
        let record = service.record(&link).await;
        assert_eq!((record.block(), record.consent.ended_at), (None, None));
        assert_eq!(record.last_event.unwrap().code, code);
    }
}

#[tokio::test]
async fn a_failed_retrieval_ends_the_consent_only_if_belvo_does_not_call_the_link_valid() {
    let service = Service::new().await;
    let link = service.registered().await;
    service.belvo_calls_it(&link, "invalid").await;
    service.process(failure(&link)).await;
    let block = service.record(&link).await.block().unwrap();
    assert_eq!(block.reason, BlockReason::ConsentExpired);
}

#[tokio::test]
async fn nothing_is_believed_while_belvo_cannot_be_asked() {
    let service = Service::new().await;
    let link = service.registered().await;
    let outage = json!({"on": "links", "action": {"status": 503}});
    let worker = &service.worker;
    worker.here.sandbox.rule(outage).await.unwrap();
    worker.enqueue(&event(&link, "CONSENT", ENDED[0])).await;
    let failed = worker.invoke(worker.waiting().await, AMPLE).await;
    assert_eq!(failed.len(), 1, "it is retried");
    assert!(service.is_usable(&link).await);
}

#[tokio::test]
async fn a_webhook_does_not_open_what_belvos_refusal_has_ended() {
    let service = Service::new().await;
    let link = service.registered().await;
    let refusal = json!({
        "on": "post",
        "times": 1,
        "action": {"error": {"code": "consent_without_accounts"}},
    });
    service.worker.here.sandbox.rule(refusal).await.unwrap();
    assert_eq!(service.retrieve(&link).await.0, 422);
    assert!(!service.is_usable(&link).await);
    service.process(event(&link, "CONSENT", ENDED[0])).await;
    assert!(!service.is_usable(&link).await);
}

#[tokio::test]
async fn rows_open_a_consent_that_had_ended_once_belvo_calls_the_link_valid() {
    let service = Service::new().await;
    let link = service.ended().await;
    let rows = webhook(&link, "historical_update", None);
    service.process(rows.clone()).await;
    assert!(!service.is_usable(&link).await, "Belvo calls it invalid");

    service.belvo_calls_it(&link, "valid").await;
    service.process(rows).await;
    assert!(service.is_usable(&link).await);
    assert_eq!(service.retrieve(&link).await.0, 202);
}

#[tokio::test]
async fn an_expiring_consent_is_shown_and_blocks_nothing() {
    let service = Service::new().await;
    let link = service.registered().await;
    let mut about_to_expire = event(&link, "CONSENT", "openfinance_consent_about_to_expire");
    about_to_expire["data"] =
        json!({"consent_id": "c-1", "consent_due_date": "2026-12-26T10:45:58.000Z"});
    service.process(about_to_expire).await;
    let record = service.record(&link).await;
    assert_eq!(
        record.consent.due_date.as_deref(),
        Some("2026-12-26T10:45:58.000Z")
    );
    assert_eq!(
        record.last_event.unwrap().code,
        "openfinance_consent_about_to_expire"
    );
    assert_eq!(service.retrieve(&link).await.0, 202);
}
