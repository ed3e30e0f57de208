//! Fields of Belvo's rows that are new or gone.

use collect::KnownByResource;
use domain::{KnownFields, Resource};
use lambda_http::tracing::subscriber::filter::LevelFilter;
use serde_json::{Value, json};

use crate::{
    log::Log,
    worker::{Worker, webhook},
};

/// Collects a link in a new environment of the function, and returns what it logs about fields.
async fn collect(worker: &mut Worker, link: &str) -> Vec<Value> {
    worker.app.known_fields = KnownByResource::default();
    collect_again(worker, link).await
}

async fn collect_again(worker: &Worker, link: &str) -> Vec<Value> {
    let log = Log::of("collect", LevelFilter::ERROR);
    let code = "historical_update";
    worker.enqueue(&webhook(link, code, None)).await;
    worker.process_everything().await;
    let lines = log
        .lines()
        .into_iter()
        .map(|mut line| line["fields"].take());
    lines
        .filter(|fields| fields["event"] == "field_changed")
        .collect()
}

/// Changes what is stored about the fields of transactions.
async fn remember(worker: &Worker, change: impl FnOnce(&mut Value)) {
    let fields = &worker.app.control.fields;
    let before = fields.of(Resource::TRANSACTIONS).await.unwrap().unwrap();
    let mut known = json!(before.known);
    change(&mut known);
    let known: KnownFields = serde_json::from_value(known).unwrap();
    let put = fields.put(Resource::TRANSACTIONS, known, Some(&before));
    assert!(put.await.unwrap().is_some());
}

#[tokio::test]
async fn a_field_that_belvo_has_never_sent_is_named_once_and_its_value_never() {
    let mut worker = Worker::with_own_tables().await;
    let link = worker.link(1).await;
    assert!(collect(&mut worker, &link).await.is_empty(), "the first");

    remember(&worker, |known| known["days"] = json!(8)).await;
    let row = worker.here.truth(&link).await.remove(0);
    let id = row["id"].as_str().unwrap();
    let more = json!({"merchant": {"pix_key": "planted"}});
    worker.here.patch_row(&link, id, more).await;

    let named = collect(&mut worker, &link).await;
    let expected = json!({
        "message": "Belvo's rows have other fields than before",
        "event": "field_changed",
        "resource": "transactions",
        "field": "merchant.pix_key",
        "change": "new",
    });
    assert_eq!(named, [expected]);
    assert!(collect_again(&worker, &link).await.is_empty(), "once");
    assert!(collect(&mut worker, &link).await.is_empty(), "once for all");
}

#[tokio::test]
async fn a_field_that_no_row_has_had_for_a_month_is_named_as_gone() {
    let mut worker = Worker::with_own_tables().await;
    let link = worker.link(1).await;
    collect(&mut worker, &link).await;
    remember(&worker, |known| {
        known["days"] = json!(40);
        for (_, seen) in known["fields"].as_object_mut().unwrap() {
            *seen = json!(40);
        }
        known["fields"]["legacy_code"] = json!(10);
    })
    .await;

    let named = collect(&mut worker, &link).await;
    let [entry] = named.as_slice() else {
        panic!("{named:?}")
    };
    let (field, change) = (&entry["field"], &entry["change"]);
    assert_eq!((field, change), (&json!("legacy_code"), &json!("gone")));
    assert!(collect(&mut worker, &link).await.is_empty(), "once");
}
