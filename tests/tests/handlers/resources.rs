//! Where the other resources differ from transactions.

use domain::{LeftOut, LinkId, RequestId, Resource, Retrieval, RowId, Status, Timestamp, Verdict};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::worker::{Worker, id, webhook};

async fn link(worker: &Worker, resources: Value) -> String {
    let seed = Uuid::new_v4().as_fields().0;
    let body = json!({"transactions": 0, "resources": resources, "seed": seed});
    worker.here.sandbox.link(body).await.unwrap()
}

#[tokio::test]
async fn only_resources_with_a_date_filter_are_fetched_in_parts() {
    let worker = Worker::with_pages_of(100).await;
    let link = link(
        &worker,
        json!({"invoices": 300, "financial-statements": 300}),
    )
    .await;
    for (webhook_type, filter) in [
        ("FINANCIAL_STATEMENTS", None),
        ("INVOICES", Some("invoice_date__range")),
    ] {
        let (id, before) = (id(), worker.here.get_queries().await.len());
        let mut webhook = webhook(&link, "historical_update", Some(&id));
        webhook["webhook_type"] = json!(webhook_type);
        worker.enqueue(&webhook).await;
        worker.process_everything().await;

        let record = worker.record(&id).await;
        assert_eq!(
            (record.verdict(), record.collection.unwrap().tally.new),
            (Some(Verdict::Complete), 300)
        );
        let queries = worker.here.get_queries().await.split_off(before);
        match filter {
            // Six pages, which two readings agree on.
            None => {
                assert_eq!(queries.len(), 12, "{queries:?}");
                assert!(
                    queries.iter().all(|query| !query.contains("date")),
                    "{queries:?}"
                );
            }
            Some(filter) => assert!(
                queries.iter().any(|query| query.contains(filter)),
                "{queries:?}"
            ),
        }
    }
}

#[tokio::test]
async fn a_webhook_of_an_unexpected_type_loses_no_row() {
    let worker = Worker::with_own_tables().await;
    let link = link(&worker, json!({"employments": 7})).await;
    let (id, at) = (id(), Timestamp::now().plus_seconds(-3_600));
    let employments = Resource::by_name("employments").unwrap();
    let retrieval = Retrieval::of(LinkId::parse(&link).unwrap(), employments);
    let (request, due_at) = (RequestId::parse(&id).unwrap(), at.plus_seconds(1_800));
    let requests = &worker.app.control.requests;
    let issued = requests.issued(&request, &retrieval, at, due_at);
    issued.await.unwrap();

    let mut webhook = webhook(&link, "historical_update", Some(&id));
    webhook["webhook_type"] = json!("EMPLOYMENT_BR");
    worker.enqueue(&webhook).await;
    worker.process_everything().await;
    assert_eq!(worker.record(&id).await.status(), Status::Issued);

    worker.sweep().await;
    worker.process_everything().await;

    let record = worker.record(&id).await;
    assert_eq!(
        (record.status(), record.collection.unwrap().tally.new),
        (Status::Collected, 7)
    );
}

#[tokio::test]
async fn one_row_that_cannot_be_stored_is_named_and_stops_no_other() {
    let worker = Worker::with_own_tables().await;
    let link = link(&worker, json!({"invoices": 60})).await;
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let noise: String = (0..900_000).map(|_| dice.random_range('!'..='~')).collect();
    let odd = worker
        .here
        .sandbox
        .rows_of(&link, "invoices")
        .await
        .unwrap()
        .remove(30);
    let odd = odd["id"].as_str().unwrap();
    let (sandbox, noise) = (&worker.here.sandbox, json!({"xml": noise}));
    sandbox.patch_row(&link, odd, noise).await.unwrap();

    let ids = [id(), id()];
    for (id, kind) in ids.iter().zip(["INVOICES", "TRANSACTIONS"]) {
        let mut webhook = webhook(&link, "historical_update", Some(id));
        webhook["webhook_type"] = json!(kind);
        worker.enqueue(&webhook).await;
    }
    worker.process_everything().await;

    let [invoices, transactions] = [worker.record(&ids[0]).await, worker.record(&ids[1]).await];
    assert_eq!(invoices.verdict(), Some(Verdict::Short(1)));
    assert_eq!(transactions.verdict(), Some(Verdict::Complete));
    let collection = invoices.collection.unwrap();
    assert_eq!((collection.tally.new, collection.tally.unstored), (59, 1));
    let named = [LeftOut::refused(RowId::parse(odd).unwrap())];
    assert_eq!(collection.left_out, named);

    let link = LinkId::parse(&link).unwrap();
    let links = &worker.app.control.links;
    let record = links.get(&link).await.unwrap().unwrap();
    assert_eq!(record.left_out["invoices"], named);

    let nothing = json!({"xml": null});
    let changed = sandbox.patch_row(link.as_str(), odd, nothing).await;
    changed.unwrap();
    let again = id();
    let mut webhook = webhook(link.as_str(), "historical_update", Some(&again));
    webhook["webhook_type"] = json!("INVOICES");
    worker.enqueue(&webhook).await;
    worker.process_everything().await;
    assert_eq!(
        worker.record(&again).await.verdict(),
        Some(Verdict::Complete)
    );
    assert!(links.get(&link).await.unwrap().unwrap().left_out.is_empty());
}
