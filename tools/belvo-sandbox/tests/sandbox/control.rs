//! The control API: changing the truth, and the journal.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Harness, ids},
    receiver::Receiver,
};

#[tokio::test]
async fn a_changed_row_is_changed_everywhere_and_collected_later() {
    let harness = Harness::start().await;
    let link = harness.link(20).await;
    let before = harness.truth(&link).await[3].clone();
    let id = before["id"].as_str().unwrap();
    let path = format!("/links/{link}/transactions/{id}");
    let changes = r#"{"amount": 12345678901234.5678, "merchant": {"merchant_name": "Padaria"}, "description": null}"#;
    let answer = harness
        .request(Method::PATCH, &format!("/_control{path}"))
        .body(changes)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let after = harness
        .get(&format!("/api/transactions/{id}/"))
        .await
        .json();
    assert_eq!(after["amount"].to_string(), "12345678901234.5678");
    assert_eq!(
        (&after["merchant"]["merchant_name"], &after["description"]),
        (&json!("Padaria"), &Value::Null)
    );
    assert_eq!(
        (&after["account"], &after["created_at"]),
        (&before["account"], &before["created_at"])
    );
    assert_ne!(after["collected_at"], before["collected_at"]);
    assert!(harness.truth(&link).await.contains(&after));
    assert_eq!(
        harness
            .control(Method::PATCH, &path, json!({ "id": "x" }))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn rows_are_added_moved_and_taken_away() {
    let harness = Harness::start().await;
    let link = harness.link(30).await;
    let before = harness.truth(&link).await;
    let path = format!("/links/{link}/transactions");
    let added = harness
        .control(
            Method::POST,
            &path,
            json!({ "count": 2, "date": "2026-07-01" }),
        )
        .await
        .json();
    let added: Vec<&str> = added["ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    let now = harness.truth(&link).await;
    assert_eq!((now.len(), &now[2..]), (32, &before[..]));
    assert!(added.iter().all(|id| ids(&now[..2]).contains(id)));

    let moved = format!("{path}/{}", added[0]);
    harness
        .control(Method::PATCH, &moved, json!({ "value_date": "2020-01-01" }))
        .await;
    assert_eq!(ids(&harness.truth(&link).await)[31], added[0]);
    assert_eq!(
        harness
            .control(Method::DELETE, &moved, Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        harness
            .control(Method::DELETE, &moved, Value::Null)
            .await
            .status,
        404
    );
    assert_eq!(harness.truth(&link).await.len(), 31);
    assert_eq!(
        harness
            .get(&format!("/api/transactions/{}/", added[0]))
            .await
            .code(),
        "not_found"
    );
}

#[tokio::test]
async fn settling_books_every_pending_row_and_changes_no_other() {
    let harness = Harness::start().await;
    let link = harness.link(600).await;
    let before = harness.truth(&link).await;
    let pending = before
        .iter()
        .filter(|row| row["status"] == "PENDING")
        .count();
    let settled = harness
        .control(Method::POST, &format!("/links/{link}/settle"), Value::Null)
        .await
        .json();
    assert_eq!(
        (settled["settled"].as_u64(), pending > 0),
        (Some(u64::try_from(pending).unwrap()), true)
    );
    let after = harness.truth(&link).await;
    for (before, after) in before.iter().zip(&after) {
        if before["status"] == "PENDING" {
            assert_eq!(
                (&after["status"], after["accounting_date"].is_string()),
                (&json!("PROCESSED"), true)
            );
            assert_eq!(after["account"], before["account"]);
        } else {
            assert_eq!(after, before);
        }
    }
}

#[tokio::test]
async fn the_truth_can_be_asked_for_a_window() {
    let harness = Harness::start().await;
    let link = harness.link(400).await;
    let path = format!("/links/{link}/transactions?from=2026-05-01&to=2026-05-31");
    let rows = harness
        .control(Method::GET, &path, Value::Null)
        .await
        .json();
    let expected = harness
        .walk(&format!(
            "/api/transactions/?link={link}&value_date__range=2026-05-01,2026-05-31"
        ))
        .await;
    assert_eq!(rows, Value::Array(expected));
}

#[tokio::test]
async fn a_link_has_the_window_the_rows_and_the_mode_it_was_made_with() {
    let harness = Harness::start().await;
    let body = json!({ "access_mode": "single", "transactions": 40, "today": "2024-02-29", "days": 10, "institution": "other_br_retail", "seed": 9 });
    let link = harness
        .control(Method::POST, "/links", body.clone())
        .await
        .json();
    assert_eq!(
        (
            &link["access_mode"],
            &link["institution"],
            &link["refresh_rate"]
        ),
        (&json!("single"), &json!("other_br_retail"), &Value::Null)
    );
    let rows = harness.truth(link["id"].as_str().unwrap()).await;
    assert_eq!(rows.len(), 40);
    assert!(rows.iter().all(|row| {
        (Some("2024-02-20")..=Some("2024-02-29")).contains(&row["value_date"].as_str())
    }));
    assert_ne!(
        harness.control(Method::POST, "/links", body).await.json()["id"],
        link["id"]
    );
}

#[tokio::test]
async fn the_journal_knows_calls_and_deliveries_and_can_be_cleared() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(120).await;
    harness.retrieve(&link).await;
    receiver.wait_for(1).await;
    harness
        .walk(&format!("/api/transactions/?link={link}&page_size=50"))
        .await;
    let journal = harness.journal().await;
    let gets = journal["gets"].as_array().unwrap();
    let pages: Vec<_> = gets
        .iter()
        .map(|get| {
            (
                get["page"].as_u64(),
                get["page_size"].as_u64(),
                get["status"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        pages,
        [
            (Some(1), Some(50), Some(200)),
            (Some(2), Some(50), Some(200)),
            (Some(3), Some(50), Some(200))
        ]
    );
    assert_eq!(journal["posts"][0]["request"]["link"], link);
    assert_eq!(
        (
            &journal["deliveries"][0]["link"],
            &journal["deliveries"][0]["authorization_ok"]
        ),
        (&json!(link), &json!(true))
    );
    harness.control(Method::DELETE, "/log", Value::Null).await;
    let counters = harness
        .control(Method::GET, "/counters", Value::Null)
        .await
        .json();
    assert_eq!(
        (
            &counters["gets"],
            &counters["retrievals"],
            &counters["links"]
        ),
        (&json!(0), &json!(0), &json!({}))
    );
}

#[tokio::test]
async fn what_the_control_api_shows_contains_no_secrets() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness.retrieve(&link).await;
    receiver.wait_for(1).await;
    harness
        .post(
            "/api/token/",
            &json!({ "id": "sandbox-id", "password": "sandbox-password", "scopes": "x" }),
        )
        .await;
    let mut shown = String::new();
    for path in ["/log", "/counters", "/webhook", "/rules"] {
        shown += &harness.control(Method::GET, path, Value::Null).await.text;
    }
    for secret in ["sandbox-password", "the-registered-value", "Basic "] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_sandbox_is_healthy_until_it_is_stopped() {
    let harness = Harness::start().await;
    let health = format!("{}/_health", harness.url());
    assert_eq!(harness.get(&health).await.status, 200);
    let other = Harness::start().await;
    harness.stop().await;
    assert!(other.try_get(&health).await.is_err());
}

#[tokio::test]
async fn an_account_changes_in_all_of_its_rows() {
    let harness = Harness::start().await;
    let link = harness.link(40).await;
    let before = harness.truth(&link).await[0]["account"].clone();
    let path = format!("/links/{link}/accounts/{}", before["id"].as_str().unwrap());

    let changed = harness
        .control(
            Method::PATCH,
            &path,
            json!({ "balance": { "current": 1.5 } }),
        )
        .await
        .json();

    assert_eq!(
        (&changed["balance"]["current"], &changed["number"]),
        (&json!(1.5), &before["number"])
    );
    assert_ne!(changed["collected_at"], before["collected_at"]);
    assert_eq!(
        changed["balance"]["available"],
        before["balance"]["available"]
    );
    assert!(
        harness
            .truth(&link)
            .await
            .iter()
            .any(|row| row["account"] == changed)
    );
    assert!(
        !harness
            .truth(&link)
            .await
            .iter()
            .any(|row| row["account"] == before)
    );
    assert_eq!(
        harness
            .control(Method::PATCH, &path, json!({ "id": "x" }))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_user_who_connects_again_has_the_same_rows_under_other_ids() {
    let harness = Harness::start().await;
    let link = harness.link(40).await;
    let answer = harness
        .control(
            Method::POST,
            &format!("/links/{link}/reconnect"),
            Value::Null,
        )
        .await;
    let again = answer.json()["id"].as_str().unwrap().to_owned();

    let (elder, younger) = (harness.truth(&link).await, harness.truth(&again).await);
    assert_ne!(link, again);
    assert!(ids(&elder).iter().all(|id| !ids(&younger).contains(id)));
    let named = |rows: &[Value]| {
        let mut names: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row["internal_identification"].clone(),
                    row["account"]["internal_identification"].clone(),
                )
            })
            .map(|names| json!(names).to_string())
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(named(&elder), named(&younger));
    assert!(
        younger
            .iter()
            .filter(|row| !row["account"].is_null())
            .all(|row| row["account"]["link"] == json!(again))
    );
}
