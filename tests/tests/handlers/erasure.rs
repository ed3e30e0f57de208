//! What is left of a link after its rows were erased, whatever interrupts that.

use collect::App;
use domain::{Erased, LinkId, LinkRecord, RequestId, Timestamp};
use serde_json::{Value, json};
use shared::store::{Control, TransactionsTable};

use crate::{
    archive::archived,
    service::{Service, event},
    worker::{AMPLE, Worker, id, invoke, webhook},
};

/// What Belvo says of a failure, and what the caller calls the link.
const PLANTED: &str = "Maria Plantada";

/// A registered link with rows, three webhooks and a failed request, that Belvo no longer has and
/// whose rows are to be erased; and the id of the request.
async fn to_be_erased(service: &Service) -> (String, String) {
    let (link, request) = (service.registered().await, id());
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    let mut failed = webhook(&link, "historical_update", Some(&request));
    failed["data"] = json!({"errors": [{"code": "login_error", "message": PLANTED}]});
    failed["external_id"] = json!(PLANTED);
    service.process(failed).await;
    service
        .process(event(&link, "OWNERS", "historical_update"))
        .await;

    assert_eq!(service.delete(&link, "rows=erase").await.0, 202);
    service.worker.here.until_gone(&link).await;
    (link, request)
}

/// Belvo's webhook that the link is gone.
fn deleted(link: &str) -> Value {
    let mut deleted = event(link, "LINK", "link_deleted");
    deleted["external_id"] = json!(PLANTED);
    deleted
}

/// The function with tables that take so many more writes.
async fn interrupted_after(worker: &Worker, writes: u32) -> App {
    let (stack, gated) = (&worker.here.stack, worker.gated(writes).await);
    App {
        control: Control::open(&gated, stack.requests_table.clone()),
        transactions: TransactionsTable::open(&gated, stack.transactions_table.clone()),
        ..worker.app.clone()
    }
}

async fn assert_erased(service: &Service, link: &str, request: &str, when: &str) {
    let (worker, record) = (&service.worker, service.record(link).await);
    assert_eq!(service.items_about(link).await, 0, "{when}");
    let deletion = record.deletion.expect("a deletion");
    let receipt = Erased {
        rows: 40,
        accounts: deletion.erased.expect("a receipt").accounts,
        webhooks: 3,
        requests: 1,
    };
    assert_eq!(deletion.erased, Some(receipt), "{when}");
    assert!(
        receipt.accounts > 0 && deletion.erased_at.is_some(),
        "{when}"
    );

    let id = RequestId::parse(request).unwrap();
    let request = worker.app.control.requests.get(&id).await.unwrap();
    let request = request.expect("a request");
    assert!(request.expires_at.is_some(), "{when}");
    let failure = request.failure.expect("a failure");
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("login_error", "")
    );

    let archived = archived(worker, link).await;
    let [last] = archived.as_slice() else {
        panic!("{when}: {archived:?}")
    };
    assert!(last.body.contains("link_deleted"), "{when}");
    assert!(!last.body.contains(PLANTED), "{when}");
}

#[tokio::test]
async fn an_erasure_that_is_interrupted_anywhere_is_finished_and_has_a_whole_receipt() {
    let service = Service::new().await;
    let worker = &service.worker;
    for writes in 0.. {
        let when = format!("after {writes} writes");
        let (link, request) = to_be_erased(&service).await;
        worker.enqueue(&deleted(&link)).await;
        let messages = worker.waiting().await;
        let interrupted = interrupted_after(worker, writes).await;
        let failed = invoke(&interrupted, messages, AMPLE).await;
        let is_interrupted = !failed.is_empty();

        assert!(worker.invoke(failed, AMPLE).await.is_empty(), "{when}");
        assert_erased(&service, &link, &request, &when).await;
        if !is_interrupted {
            assert!(writes > 8, "every write was interrupted");
            return;
        }
    }
}

#[tokio::test]
async fn rows_that_are_kept_have_no_receipt_until_they_are_erased_after_all() {
    let service = Service::new().await;
    let link = service.registered().await;
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    service.delete(&link, "rows=keep").await;
    service.worker.here.until_gone(&link).await;
    service.process(deleted(&link)).await;
    let kept = service.record(&link).await.deletion.unwrap();
    assert_eq!((kept.erased, kept.erased_at), (None, None));
    assert_eq!(archived(&service.worker, &link).await.len(), 2);

    service.delete(&link, "rows=erase").await;
    service.worker.process_everything().await;
    let erased = service
        .record(&link)
        .await
        .deletion
        .unwrap()
        .erased
        .unwrap();
    assert_eq!((erased.rows, erased.webhooks), (40, 2));
    assert!(archived(&service.worker, &link).await.is_empty());
}

#[tokio::test]
async fn what_arrives_after_an_erasure_expires_without_data() {
    let service = Service::new().await;
    let (link, _) = to_be_erased(&service).await;
    service.process(deleted(&link)).await;
    let late = id();
    let mut webhook = webhook(&link, "historical_update", Some(&late));
    webhook["external_id"] = json!(PLANTED);
    service.process(webhook).await;

    let mut consent = event(&link, "CONSENT", "consent_revoked");
    consent["external_id"] = json!(PLANTED);
    service.process(consent).await;

    for webhook_type in ["ACCOUNTS", "OWNERS"] {
        let mut other = event(&link, webhook_type, "historical_update");
        other["data"] = json!({"errors": [{"code": "login_error", "message": PLANTED}]});
        service.process(other).await;
    }

    let archived = archived(&service.worker, &link).await;
    assert!(archived.iter().all(|one| !one.body.contains(PLANTED)));
    let outcomes: Vec<_> = archived.iter().map(|one| one.outcome.name()).collect();
    assert_eq!(
        outcomes,
        ["noted", "failed", "noted", "failed", "noted"],
        "the latest first"
    );
    let record = service.worker.record(&late).await;
    let in_ninety_days = Timestamp::now().plus_seconds(90 * 86_400).unix_seconds();
    let expires_at = record.expires_at.expect("it expires");
    assert!((in_ninety_days - expires_at).abs() < 3_600, "{expires_at}");
}

/// An erasure that was begun by a version that did not count.
#[tokio::test]
async fn an_erasure_without_a_count_is_counted_when_it_goes_on() {
    let service = Service::new().await;
    let (link, request) = to_be_erased(&service).await;
    let begun = |known: LinkRecord| known.deleted(Timestamp::now());
    let id = LinkId::parse(&link).unwrap();
    let links = &service.request.control.links;
    links.change(&id, begun).await.unwrap();
    service.process(deleted(&link)).await;
    assert_erased(&service, &link, &request, "later").await;
}
