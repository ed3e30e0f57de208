//! Fields of Belvo's rows that are new or gone.

use collect::KnownByResource;
use domain::{KnownFields, LinkId, Resource};
use lambda_http::tracing::subscriber::filter::LevelFilter;
use serde_json::{Value, json};
use shared::store::{Control, StoredFields};

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
    let log = Log::of("collect", LevelFilter::WARN);
    let code = "historical_update";
    worker.enqueue(&webhook(link, code, None)).await;
    worker.process_everything().await;
    let lines = log
        .lines()
        .into_iter()
        .map(|mut line| line["fields"].take());
    let about_fields = ["field_changed", "fields_not_compared"];
    lines
        .filter(|fields| about_fields.contains(&fields["event"].as_str().unwrap_or_default()))
        .collect()
}

/// Gives the first row of a link a field that no row has had.
async fn plant_field(worker: &Worker, link: &str) {
    let row = worker.here.sandbox.rows(link).await.unwrap().remove(0);
    let id = row["id"].as_str().unwrap();
    let more = json!({"merchant": {"pix_key": "planted"}});
    worker.here.sandbox.patch_row(link, id, more).await.unwrap();
}

/// What is stored about the fields of transactions.
async fn stored(worker: &Worker) -> StoredFields {
    let fields = &worker.app.control.fields;
    fields.of(Resource::TRANSACTIONS).await.unwrap().unwrap()
}

/// Changes what is stored about them.
async fn remember(worker: &Worker, change: impl FnOnce(&mut Value)) {
    let before = stored(worker).await;
    let mut known = json!(before.known);
    change(&mut known);
    let known: KnownFields = serde_json::from_value(known).unwrap();
    let fields = &worker.app.control.fields;
    let put = fields.put(Resource::TRANSACTIONS, known, Some(&before));
    assert!(put.await.unwrap().is_some());
}

#[tokio::test]
async fn a_field_that_belvo_has_never_sent_is_named_once_and_its_value_never() {
    let mut worker = Worker::with_own_tables().await;
    let link = worker.link(1).await;
    assert!(collect(&mut worker, &link).await.is_empty(), "the first");

    remember(&worker, |known| known["days"] = json!(8)).await;
    plant_field(&worker, &link).await;

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

#[tokio::test]
async fn what_another_environment_has_recorded_is_known_to_all() {
    let mut worker = Worker::with_own_tables().await;
    let link = worker.link(1).await;
    collect(&mut worker, &link).await;
    remember(&worker, |known| known["days"] = json!(8)).await;
    collect(&mut worker, &link).await;
    let old_environment = worker.app.known_fields.clone();

    plant_field(&worker, &link).await;
    remember(&worker, |known| {
        known["fields"]["merchant.pix_key"] = json!(8);
    })
    .await;
    assert!(collect(&mut worker, &link).await.is_empty());

    worker.app.known_fields = old_environment;
    let before = stored(&worker).await.known;
    collect_again(&worker, &link).await;
    let after = stored(&worker).await.known;
    assert_eq!(
        after, before,
        "nothing is lost by an environment that knew less"
    );
}

#[tokio::test]
async fn a_collection_stores_every_row_although_fields_cannot_be_recorded() {
    let mut worker = Worker::with_own_tables().await;
    let link = worker.link(40).await;
    let refuses_writes = Control::open(
        &worker.gated(0).await,
        worker.here.stack.requests_table.clone(),
    );
    worker.app.control.fields = refuses_writes.fields;

    let named = collect(&mut worker, &link).await;

    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!(named[0]["event"], "fields_not_compared");
    let rows = worker.app.transactions.rows(Resource::TRANSACTIONS);
    let link = LinkId::parse(&link).unwrap();
    let stored = rows.known(&link, domain::Days::ALL, None).await.unwrap();
    assert_eq!(stored.len(), 40);
}
