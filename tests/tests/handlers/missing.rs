//! Rows that are stored and missing from Belvo's listing.

use domain::{Days, Filter, LinkId, RequestRecord, Status, Verdict};
use serde_json::json;

use crate::worker::{Worker, id, webhook};

/// A worker and a collected link of this many rows, in pages of a hundred.
async fn collected(rows: u64) -> (Worker, String) {
    let worker = Worker::with_pages_of(100).await;
    let link = worker.link(rows).await;
    collect_again(&worker, &link).await;
    (worker, link)
}

/// Collects all days of a link.
async fn collect_again(worker: &Worker, link: &str) -> RequestRecord {
    let id = id();
    let webhook = webhook(link, "transactions_updated", Some(&id));
    worker.enqueue(&webhook).await;
    worker.process_everything().await;
    worker.record(&id).await
}

/// The ids of a link's rows, newest first.
async fn ids_of(worker: &Worker, link: &str) -> Vec<String> {
    let rows = worker.here.sandbox.rows(link).await.unwrap();
    let ids = rows
        .iter()
        .map(|row| row["id"].as_str().unwrap().to_owned());
    ids.collect()
}

async fn live(worker: &Worker, link: &str) -> usize {
    let link = LinkId::parse(link).unwrap();
    let rows = worker.here.rows();
    let (listed, _) = rows
        .list(&link, &Filter::default(), None, 500)
        .await
        .unwrap();
    listed.len()
}

#[tokio::test]
async fn many_rows_that_belvo_no_longer_has_are_deleted_after_another_reading() {
    let (worker, link) = collected(150).await;
    for row in &ids_of(&worker, &link).await[..70] {
        worker.here.sandbox.delete_row(&link, row).await.unwrap();
    }
    let before = worker.here.get_queries().await.len();

    let record = collect_again(&worker, &link).await;
    let collection = record.collection.clone().unwrap();
    assert_eq!(record.verdict(), Some(Verdict::Complete));
    assert_eq!((collection.tally.deleted, collection.tally.rows), (70, 80));
    assert_eq!(live(&worker, &link).await, 80);
    let gets = worker.here.get_queries().await.len() - before;
    assert!(gets < 12, "{gets} GETs, and not one for each row");
}

#[tokio::test]
async fn rows_older_than_everything_that_belvo_lists_stay_and_are_no_longer_compared() {
    let (worker, link) = collected(150).await;
    let rows = worker.here.sandbox.rows(&link).await.unwrap();
    // All rows of a day stay, or none.
    let oldest = rows[139]["value_date"].as_str();
    let listed = rows.partition_point(|row| row["value_date"].as_str() >= oldest);
    let ids = ids_of(&worker, &link).await;
    for row in &ids[listed..] {
        worker.here.sandbox.delete_row(&link, row).await.unwrap();
    }
    let collection = collect_again(&worker, &link).await.collection.unwrap();
    assert_eq!(collection.tally.deleted, 0);
    assert_eq!(live(&worker, &link).await, 150, "they are shown");
    let parsed = LinkId::parse(&link).unwrap();
    let rows = worker.here.rows();
    let totals = rows.totals(&parsed, Days::ALL, None).await.unwrap();
    assert_eq!(
        totals.transactions, listed as u64,
        "Belvo counts them no longer"
    );
    let known = rows.known(&parsed, Days::ALL, None).await.unwrap();
    assert_eq!(known.len(), listed, "nobody asks for them again");

    worker
        .here
        .sandbox
        .restore_row(&link, &ids[149])
        .await
        .unwrap();
    let collection = collect_again(&worker, &link).await.collection.unwrap();
    assert_eq!(
        (collection.tally.written(), collection.tally.rows),
        (0, listed as u64 + 1)
    );
    let known = rows.known(&parsed, Days::ALL, None).await.unwrap();
    assert_eq!(known.len(), listed + 1, "listed again");
    assert_eq!(live(&worker, &link).await, 150);
}

#[tokio::test]
async fn a_row_without_a_date_is_missed_when_it_is_gone() {
    let (worker, link) = collected(150).await;
    let ids = ids_of(&worker, &link).await;
    let undated = json!({"value_date": null});
    worker
        .here
        .sandbox
        .patch_row(&link, &ids[0], undated)
        .await
        .unwrap();
    assert_eq!(
        collect_again(&worker, &link).await.verdict(),
        Some(Verdict::Complete)
    );
    assert_eq!(live(&worker, &link).await, 150);

    worker
        .here
        .sandbox
        .delete_row(&link, &ids[0])
        .await
        .unwrap();
    let record = collect_again(&worker, &link).await;
    assert_eq!(record.verdict(), Some(Verdict::Complete));
    assert_eq!(record.collection.unwrap().tally.deleted, 1);
    assert_eq!(live(&worker, &link).await, 149);
}

#[tokio::test]
async fn a_row_that_leaves_the_days_that_were_asked_for_is_not_deleted() {
    let worker = Worker::new().await;
    let link = worker.link(30).await;
    collect_again(&worker, &link).await;
    let rows = worker.here.sandbox.rows(&link).await.unwrap();
    let day = rows[10]["value_date"].as_str().unwrap();
    for (row, date) in [(10, json!("2001-01-01")), (11, json!(null))] {
        let row = rows[row]["id"].as_str().unwrap();
        worker
            .here
            .sandbox
            .patch_row(&link, row, json!({"value_date": date}))
            .await
            .unwrap();
    }
    let (id, first) = (id(), rows[20]["value_date"].as_str().unwrap());
    worker.here.issue(&link, &id, first, day).await;
    let webhook = webhook(&link, "historical_update", Some(&id));
    worker.enqueue(&webhook).await;
    worker.process_everything().await;

    let collection = worker.record(&id).await.collection.unwrap();
    assert_eq!((collection.tally.deleted, collection.tally.changed), (0, 2));
    assert_eq!(live(&worker, &link).await, 30);
}

#[tokio::test]
async fn a_row_for_which_belvo_gives_no_answer_stays_and_leaves_the_collection_unproven() {
    let worker = Worker::new().await;
    let link = worker.link(30).await;
    collect_again(&worker, &link).await;
    let newest = ids_of(&worker, &link).await.remove(0);
    worker
        .here
        .sandbox
        .delete_row(&link, &newest)
        .await
        .unwrap();
    let failure = json!({
        "on": "get",
        "skip": 1,
        "times": 1,
        "action": {"error": {"code": "unexpected_error"}},
    });
    worker.here.sandbox.rule(failure).await.unwrap();

    let record = collect_again(&worker, &link).await;
    assert_eq!(record.status(), Status::Collected);
    assert_eq!(record.verdict(), Some(Verdict::Unproven));
    assert_eq!(live(&worker, &link).await, 30);
    assert_eq!(
        collect_again(&worker, &link).await.verdict(),
        Some(Verdict::Complete)
    );
    assert_eq!(live(&worker, &link).await, 29);
}
