//! A person is erased, with a receipt.

use serde_json::json;
use test_harness::Stack;

use crate::command::{json, registered, run};

#[tokio::test]
async fn every_link_of_a_person_is_erased_and_the_receipt_says_when_and_what_remains() {
    let stack = Stack::of_this_run();
    let (link, external_id) = registered(&stack, 10).await;
    link.collect().await;

    let asked = run(&["erase", "--external-id", &external_id]).await;
    assert_eq!(asked.code, 2, "{asked:?}");
    assert_eq!(link.stored().await.len(), 10, "nobody has agreed");

    let receipt = json(&["erase", "--external-id", &external_id, "--yes"], 0).await;
    assert_eq!(receipt["links"][0]["link"], json!(link.id));
    for fact in ["requested_at", "deleted_at", "erased_at"] {
        assert!(receipt["links"][0][fact].is_string(), "{fact} in {receipt}");
    }
    let erased = &receipt["links"][0]["erased"];
    assert_eq!(
        (&erased["rows"], &erased["requests"]),
        (&json!(10), &json!(1)),
        "{receipt}"
    );
    let remains = receipt["remains"].as_array().unwrap();
    let logs = remains
        .iter()
        .find(|one| one["place"] == "the functions' log groups")
        .unwrap();
    assert!(logs["until"].is_string(), "{receipt}");
    assert!(link.stored().await.is_empty());

    let again = run(&["erase", "--external-id", &external_id, "--yes"]).await;
    assert_eq!(again.code, 4, "the id was erased, too: {again:?}");
    let again = json(&["erase", "--link", &link.id, "--yes"], 0).await;
    assert!(again["links"][0]["erased_at"].is_string(), "{again}");
}
