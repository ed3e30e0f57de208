//! Webhooks about links that nobody here has asked for.

use domain::{LinkId, RequestId, Resource, Status, Timestamp, UnknownLinks};
use serde_json::{Value, json};

use crate::{
    archive::outcomes,
    service::Service,
    worker::{AMPLE, id, webhook},
};

impl Service {
    async fn that_holds() -> Self {
        let mut service = Self::new().await;
        service.worker.app.unknown_links = UnknownLinks::Hold;
        service
    }

    /// Whether the record of the control table under this key expires, in about ninety days.
    async fn expires(&self, key: &str) -> bool {
        let client = aws_sdk_dynamodb::Client::new(&self.worker.aws);
        let record = client
            .get_item()
            .table_name(&self.worker.here.stack.requests_table)
            .key(
                "pk",
                aws_sdk_dynamodb::types::AttributeValue::S(key.to_owned()),
            )
            .send();
        let record = record.await.unwrap().item.expect("a record");
        let Some(expires_at) = record.get("expires_at") else {
            return false;
        };
        let expires_at: i64 = expires_at.as_n().unwrap().parse().unwrap();
        let in_ninety_days = Timestamp::now().unix_seconds() + 90 * 86_400;
        assert!((in_ninety_days - expires_at).abs() < 3_600, "{expires_at}");
        true
    }

    /// How often Belvo was asked for rows and for accounts.
    async fn gets(&self) -> (Value, Value) {
        let counters = self.worker.here.sandbox.counters().await.unwrap();
        (counters["gets"].clone(), counters["account_gets"].clone())
    }
}

fn about_accounts(link: &str) -> Value {
    json!({
        "webhook_type": "ACCOUNTS",
        "webhook_code": "historical_update",
        "link_id": link,
        "data": {},
    })
}

#[tokio::test]
async fn their_rows_are_collected_and_what_is_recorded_of_them_expires() {
    let service = Service::new().await;
    let (link, id) = (service.connect("mine").await, id());
    service
        .process(webhook(&link, "historical_update", Some(&id)))
        .await;
    assert_eq!(service.rows(&link).await, 40);
    let (of_link, of_request) = (format!("link#{link}"), format!("request#{id}"));
    assert!(service.expires(&of_link).await);
    assert!(service.expires(&of_request).await);

    assert_eq!(service.register(&link, "mine").await.0, 201);
    assert!(!service.expires(&of_link).await);
    assert!(!service.expires(&of_request).await);
    let later = self::id();
    service
        .process(webhook(&link, "historical_update", Some(&later)))
        .await;
    assert!(!service.expires(&format!("request#{later}")).await);
}

#[tokio::test]
async fn a_request_makes_a_link_known() {
    let service = Service::new().await;
    let link = service.connect("mine").await;
    let (status, accepted) = service.retrieve(&link).await;
    assert_eq!(status, 202);
    let id = RequestId::parse(accepted["request_id"].as_str().unwrap()).unwrap();
    assert!(!service.expires(&format!("link#{link}")).await);
    assert!(!service.expires(&format!("request#{id}")).await);

    let refused = service.connect("mine").await;
    let refusal = json!({"on": "post", "times": 1, "action": {"error": {"code": "invalid_link"}}});
    service.worker.here.sandbox.rule(refusal).await.unwrap();
    assert_eq!(service.retrieve(&refused).await.0, 422);
    assert!(service.expires(&format!("link#{refused}")).await);
}

#[tokio::test]
async fn a_record_that_was_made_by_a_webhook_before_the_202_does_not_expire() {
    let service = Service::new().await;
    let (link, id) = (service.worker.link(20).await, id());
    service
        .process(webhook(&link, "historical_update", Some(&id)))
        .await;
    assert!(service.expires(&format!("request#{id}")).await);
    service.worker.issue(&link, &id, 0).await;
    assert!(!service.expires(&format!("request#{id}")).await);
}

#[tokio::test]
async fn held_webhooks_are_kept_apart_and_processed_on_registration() {
    let service = Service::that_holds().await;
    let (link, id) = (service.connect("mine").await, id());
    service
        .process(webhook(&link, "historical_update", Some(&id)))
        .await;
    service.process(about_accounts(&link)).await;
    assert_eq!(service.rows(&link).await, 0);
    assert_eq!(service.gets().await, (json!(0), json!(0)));
    let worker = &service.worker;
    assert_eq!(outcomes(worker, &link).await, ["held"; 2]);
    assert!(service.expires(&format!("link#{link}")).await);

    assert_eq!(service.register(&link, "mine").await.0, 201);
    service.worker.process_everything().await;
    assert_eq!(service.rows(&link).await, 40);
    assert_eq!(service.record(&link).await.held_resources().count(), 0);

    let later = self::id();
    service
        .process(webhook(&link, "historical_update", Some(&later)))
        .await;
    assert_eq!(
        service.worker.record(&later).await.status(),
        Status::Collected
    );
}

/// A link of which invoices were held, and the resource.
async fn with_held_invoices(service: &Service) -> (String, Resource) {
    let link = service.connect("mine").await;
    let mut invoices = webhook(&link, "historical_update", None);
    invoices["webhook_type"] = json!("INVOICES");
    service.process(invoices).await;
    (link, Resource::by_name("invoices").unwrap())
}

#[tokio::test]
async fn what_was_held_is_read_by_a_sweep_if_its_message_is_lost() {
    let service = Service::that_holds().await;
    let (link, invoices) = with_held_invoices(&service).await;
    assert_eq!(service.register(&link, "mine").await.0, 201);
    assert_eq!(service.worker.waiting().await.len(), 1, "it is lost");
    let record = service.record(&link).await;
    let due_at = record.registered_at.unwrap().plus_seconds(1_800);
    assert!(record.to_check(due_at).contains(&invoices));
}

#[tokio::test]
async fn a_request_lets_what_was_held_be_read() {
    let service = Service::that_holds().await;
    let (link, invoices) = with_held_invoices(&service).await;
    assert_eq!(service.retrieve(&link).await.0, 202);
    let record = service.record(&link).await;
    let due_at = record.requested_at.unwrap().plus_seconds(1_800);
    assert_eq!(record.to_check(due_at), [invoices]);
    assert_eq!(record.held_resources().count(), 0);
}

#[tokio::test]
async fn a_webhook_is_not_held_of_a_link_that_has_just_become_known() {
    let service = Service::that_holds().await;
    let link = service.connect("mine").await;
    let id = LinkId::parse(&link).unwrap();
    let links = &service.worker.app.control.links;
    let held = |known: domain::LinkRecord| known.held(Resource::TRANSACTIONS, Timestamp::now());
    assert_eq!(service.register(&link, "mine").await.0, 201);
    let record = links.change(&id, held).await.unwrap();
    assert_eq!(record.held_resources().count(), 0);
}

#[tokio::test]
async fn accounts_that_were_held_are_read_on_registration() {
    let service = Service::that_holds().await;
    let link = service.connect("mine").await;
    service.process(about_accounts(&link)).await;
    assert_eq!(service.register(&link, "mine").await.0, 201);
    service.worker.process_everything().await;
    assert_eq!(service.gets().await.1, json!(1));
}

#[tokio::test]
async fn nothing_is_held_of_a_link_whose_rows_were_requested() {
    let service = Service::that_holds().await;
    let link = service.connect("mine").await;
    let (status, accepted) = service.retrieve(&link).await;
    assert_eq!(status, 202);
    let id = accepted["request_id"].as_str().unwrap();
    service
        .process(webhook(&link, "historical_update", Some(id)))
        .await;
    assert_eq!(service.worker.record(id).await.status(), Status::Collected);
}

#[tokio::test]
async fn nothing_is_held_of_a_link_while_a_request_may_be_at_work() {
    let service = Service::that_holds().await;
    let link = service.connect("mine").await;
    let lost = json!({"on": "post", "times": 1, "action": {"disconnect": true, "after": true}});
    service.worker.here.sandbox.rule(lost).await.unwrap();
    assert_eq!(service.retrieve(&link).await.0, 502);
    let outage = json!({"on": "get", "times": 1, "action": {"status": 503}});
    service.worker.here.sandbox.rule(outage).await.unwrap();
    let (id, worker) = (id(), &service.worker);
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id)))
        .await;
    let failed = worker.invoke(worker.waiting().await, AMPLE).await;
    assert_eq!(failed.len(), 1);
    assert!(worker.invoke(failed, AMPLE).await.is_empty());
    assert_eq!(worker.record(&id).await.status(), Status::Collected);

    let later = self::id();
    service
        .process(webhook(&link, "historical_update", Some(&later)))
        .await;
    assert_eq!(worker.record(&later).await.status(), Status::Collected);
    assert!(!service.expires(&format!("request#{id}")).await);
}

#[tokio::test]
async fn a_failure_is_held_and_leaves_nothing_to_read() {
    let service = Service::that_holds().await;
    let link = service.connect("mine").await;
    let mut failed = webhook(&link, "historical_update", None);
    failed["data"] = json!({"errors": [{"code": "token_required", "message": "m"}]});
    service.process(failed).await;
    assert_eq!(outcomes(&service.worker, &link).await, ["held"]);
    assert_eq!(service.register(&link, "mine").await.0, 201);
    assert!(service.worker.waiting().await.is_empty());
}
