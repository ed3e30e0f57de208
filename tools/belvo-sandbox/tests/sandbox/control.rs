//! The control API: changing the truth, and the journal.

use belvo_sandbox::Control;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Harness, answer, id, ids},
    receiver::Receiver,
    widget::token_request,
};

#[tokio::test]
async fn a_changed_row_is_changed_everywhere_and_collected_later() {
    let harness = Harness::start().await;
    let link = harness.link(20).await;
    let before = harness.truth(&link).await.remove(3);
    let path = format!("/links/{link}/transactions/{}", id(&before));

    // As text, so that no digit of the amount is lost on the way.
    let body = r#"{
        "amount": 12345678901234.5678,
        "merchant": {"merchant_name": "Padaria"},
        "description": null
    }"#;
    let request = harness.request(Method::PATCH, &format!("/_control{path}"));
    let changed = answer(request.body(body)).await.unwrap();
    assert_eq!(changed.status, 200);

    let shown = format!("/api/transactions/{}/", id(&before));
    let after = harness.get(&shown).await.json();
    assert_eq!(after["amount"].to_string(), "12345678901234.5678");
    assert_eq!(after["merchant"]["merchant_name"], "Padaria");
    assert_eq!(after["description"], Value::Null);
    assert_eq!(after["account"], before["account"]);
    assert_eq!(after["created_at"], before["created_at"]);
    assert_ne!(after["collected_at"], before["collected_at"]);
    assert!(harness.truth(&link).await.contains(&after));
}

#[tokio::test]
async fn the_id_of_a_row_cannot_be_changed() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    let row = harness.truth(&link).await.remove(0);

    let path = format!("/links/{link}/transactions/{}", id(&row));
    let refused = harness.patch(&path, json!({ "id": "x" })).await;

    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_row_is_put_as_given() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    let control = &harness.control;
    let before = harness.truth(&link).await.remove(0);
    let account = &before["account"];

    let new = json!({"id": "new", "account": {"id": account["id"]}, "to come": [1.50]});
    control.put_row(&link, "transactions", new).await.unwrap();
    let other = json!({"id": before["id"], "account": {"id": account["id"]}});
    control.put_row(&link, "transactions", other).await.unwrap();

    let mut rows = harness.truth(&link).await;
    rows.sort_by_key(|row| row["id"] != "new");
    let new = json!({"id": "new", "account": account, "to come": [1.50]});
    let other = json!({"id": before["id"], "account": account});
    assert_eq!(rows, [new, other]);
    let foreign = json!({"id": "x", "account": {"id": "of nobody"}});
    let refused = control.put_row(&link, "transactions", foreign).await;
    assert!(refused.unwrap_err().to_string().contains("no account"));
}

#[tokio::test]
async fn new_rows_are_added_on_their_date() {
    let harness = Harness::start().await;
    let link = harness.link(30).await;
    let before = harness.truth(&link).await;

    let path = format!("/links/{link}/transactions");
    let new = json!({ "count": 2, "date": "2026-07-01" });
    let added = harness.control(Method::POST, &path, new).await.json();

    let after = harness.truth(&link).await;
    assert_eq!(after.len(), 32);
    assert_eq!(after[2..], before[..]);
    let added = added["ids"].as_array().unwrap();
    assert_eq!(added.len(), 2);
    for new in added {
        assert!(ids(&after[..2]).contains(&new.as_str().unwrap()));
    }
}

#[tokio::test]
async fn a_row_may_be_sent_with_half_of_a_surrogate_pair() {
    let harness = Harness::start().await;
    let link = harness.link(2).await;
    let row = harness.truth(&link).await.remove(0);
    let path = format!("/links/{link}/transactions/{}", id(&row));

    let half = json!({ "description": "a\u{e000}b" });
    harness.patch(&path, half.clone()).await;

    for path in [
        format!("/api/transactions/?link={link}"),
        format!("/api/transactions/{}/", id(&row)),
    ] {
        let sent = harness.get(&path).await.text;
        assert!(sent.contains(r#""description":"a\ud800b""#), "{sent}");
    }
    let kept = harness.truth(&link).await.remove(0);
    assert_eq!(kept["description"], half["description"]);
}

#[tokio::test]
async fn a_row_moves_with_its_date_and_is_deleted_once() {
    let harness = Harness::start().await;
    let link = harness.link(32).await;
    let newest = harness.truth(&link).await.remove(0);
    let path = format!("/links/{link}/transactions/{}", id(&newest));

    let moved = json!({ "value_date": "2020-01-01" });
    harness.patch(&path, moved).await;
    assert_eq!(id(&harness.truth(&link).await[31]), id(&newest));

    assert_eq!(harness.delete(&path).await.status, 204);
    assert_eq!(harness.delete(&path).await.status, 404);
    assert_eq!(
        harness
            .control(Method::POST, &path, json!(null))
            .await
            .status,
        204
    );
    assert_eq!(
        harness
            .control(Method::POST, &path, json!(null))
            .await
            .status,
        404
    );
    assert_eq!(harness.delete(&path).await.status, 204);
    assert_eq!(harness.truth(&link).await.len(), 31);
    let gone = format!("/api/transactions/{}/", id(&newest));
    assert_eq!(harness.get(&gone).await.code(), "not_found");
}

#[tokio::test]
async fn settling_books_every_pending_row_and_changes_no_other() {
    let harness = Harness::start().await;
    let link = harness.link(600).await;
    let before = harness.truth(&link).await;
    let is_pending = |row: &&Value| row["status"] == "PENDING";
    let pending = before.iter().filter(is_pending).count();
    assert!(pending > 0);

    let path = format!("/links/{link}/settle");
    let settled = harness.control(Method::POST, &path, Value::Null).await;

    assert_eq!(settled.json()["settled"], pending);
    let after = harness.truth(&link).await;
    for (before, after) in before.iter().zip(&after) {
        if is_pending(&before) {
            assert_eq!(after["status"], "PROCESSED");
            assert!(after["accounting_date"].is_string());
            assert_eq!(after["account"], before["account"]);
        } else {
            assert_eq!(after, before);
        }
    }
}

#[tokio::test]
async fn the_truth_can_be_limited_to_a_window() {
    let harness = Harness::start().await;
    let link = harness.link(400).await;

    let path = format!("/links/{link}/transactions?from=2026-05-01&to=2026-05-31");
    let truth = harness.look(&path).await;

    let list = format!("/api/transactions/?link={link}");
    let may = format!("{list}&value_date__range=2026-05-01,2026-05-31");
    assert_eq!(truth, Value::Array(harness.walk(&may).await));
}

#[tokio::test]
async fn a_link_has_the_window_the_rows_and_the_mode_it_was_created_with() {
    let harness = Harness::start().await;
    let settings = json!({
        "access_mode": "single",
        "transactions": 40,
        "today": "2024-02-29",
        "days": 10,
        "institution": "other_br_retail",
        "seed": 9,
    });

    let link = harness.create(settings.clone()).await.json();
    assert_eq!(link["access_mode"], "single");
    assert_eq!(link["institution"], "other_br_retail");
    assert_eq!(link["refresh_rate"], Value::Null);

    let rows = harness.truth(id(&link)).await;
    assert_eq!(rows.len(), 40);
    let window = "2024-02-20"..="2024-02-29";
    for row in rows {
        let day = row["value_date"].as_str().unwrap();
        assert!(window.contains(&day), "{day}");
    }

    let next = harness.create(settings).await;
    assert_ne!(next.id(), id(&link));
}

#[tokio::test]
async fn the_journal_has_calls_and_deliveries() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(120).await;
    harness.retrieve(&link).await;
    receiver.wait_for(1).await;
    let list = format!("/api/transactions/?link={link}&page_size=50");
    harness.walk(&list).await;

    let journal = harness.journal().await;

    let gets = journal["gets"].as_array().unwrap();
    assert_eq!(gets.len(), 3);
    for (number, get) in (1..).zip(gets) {
        assert_eq!(get["page"], number);
        assert_eq!(get["page_size"], 50);
        assert_eq!(get["status"], 200);
    }
    assert_eq!(journal["posts"][0]["request"]["link"], link);
    let delivery = &journal["deliveries"][0];
    assert_eq!(delivery["link"], link);
    assert_eq!(delivery["authorization_ok"], true);
}

#[tokio::test]
async fn the_journal_can_be_cleared() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness.retrieve(&link).await;
    receiver.wait_for(1).await;
    harness
        .get(&format!("/api/transactions/?link={link}"))
        .await;
    let before = harness.look("/counters").await;
    assert_eq!(before["gets"], 1);
    assert_eq!(before["retrievals"], 1);

    harness.delete("/log").await;

    let after = harness.look("/counters").await;
    assert_eq!(after["gets"], 0);
    assert_eq!(after["retrievals"], 0);
    assert_eq!(after["links"], json!({}));
}

#[tokio::test]
async fn what_the_control_api_shows_contains_no_secrets() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness.retrieve(&link).await;
    receiver.wait_for(1).await;
    harness
        .post("/api/token/", &token_request(&json!({})))
        .await;
    // A refused one too: its keys are not among what is wrong with it.
    let keys = json!({ "id": "sandbox-id", "password": "sandbox-password", "scopes": 1 });
    harness.post("/api/token/", &keys).await;

    let mut shown = String::new();
    for path in ["/log", "/counters", "/webhook", "/rules", "/violations"] {
        let answer = harness.control(Method::GET, path, Value::Null).await;
        shown += &answer.text;
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

/// Changes the balance of an account, and returns the account before and after.
async fn change_balance(harness: &Harness, link: &str) -> (Value, Value) {
    let before = harness.truth(link).await[0]["account"].clone();
    let path = format!("/links/{link}/accounts/{}", id(&before));
    let balance = json!({ "balance": { "current": 1.5 } });
    let changed = harness.patch(&path, balance).await.json();
    (before, changed)
}

#[tokio::test]
async fn a_changed_account_keeps_its_other_fields_and_is_collected_later() {
    let harness = Harness::start().await;
    let link = harness.link(40).await;

    let (before, changed) = change_balance(&harness, &link).await;

    assert_eq!(changed["balance"]["current"], json!(1.5));
    assert_eq!(
        changed["balance"]["available"],
        before["balance"]["available"]
    );
    assert_eq!(changed["number"], before["number"]);
    assert_ne!(changed["collected_at"], before["collected_at"]);
}

#[tokio::test]
async fn an_account_changes_in_all_of_its_rows() {
    let harness = Harness::start().await;
    let link = harness.link(40).await;

    let (before, changed) = change_balance(&harness, &link).await;

    let rows = harness.truth(&link).await;
    let has = |account: &Value| rows.iter().any(|row| row["account"] == *account);
    assert!(has(&changed));
    assert!(!has(&before));
}

#[tokio::test]
async fn an_opened_account_is_listed_and_never_has_a_movement() {
    let harness = Harness::start().await;
    let link = harness.link(0).await;

    let path = format!("/links/{link}/accounts");
    let opened = harness
        .control(Method::POST, &path, json!({ "count": 2 }))
        .await;
    let path = format!("/links/{link}/transactions");
    harness
        .control(Method::POST, &path, json!({ "count": 400 }))
        .await;

    let ids = opened.json()["ids"].as_array().unwrap().clone();
    let path = format!("/api/accounts/?link={link}&page_size=3");
    let first = harness.get(&path).await.json();
    let second = harness.get(first["next"].as_str().unwrap()).await.json();
    assert_eq!((ids.len(), &first["count"]), (2, &json!(5)));
    for (account, id) in second["results"].as_array().unwrap().iter().zip(&ids) {
        assert_eq!(account["id"], *id);
        assert!(account["balance"]["current"].is_number());
    }
    let rows = harness.truth(&link).await;
    assert!(rows.iter().all(|row| !ids.contains(&row["account"]["id"])));
    assert_eq!(harness.look("/counters").await["account_gets"], 2);
}

#[tokio::test]
async fn the_id_of_an_account_cannot_be_changed() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    let accounts = harness.look(&format!("/links/{link}/accounts")).await;

    let path = format!("/links/{link}/accounts/{}", id(&accounts[0]));
    let refused = harness.patch(&path, json!({ "id": "x" })).await;

    assert_eq!(refused.status, 400);
}

/// What the bank calls the rows and their accounts, in a fixed order.
fn names(rows: &[Value]) -> Vec<String> {
    let name = |row: &Value| {
        let (row, account) = (
            &row["internal_identification"],
            &row["account"]["internal_identification"],
        );
        format!("{row} {account}")
    };
    let mut names: Vec<String> = rows.iter().map(name).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_user_who_connects_again_has_the_same_rows_under_other_ids() {
    let harness = Harness::start().await;
    let link = harness.link(40).await;

    let path = format!("/links/{link}/reconnect");
    let again = harness.control(Method::POST, &path, Value::Null).await.id();

    assert_ne!(link, again);
    let (old, new) = (harness.truth(&link).await, harness.truth(&again).await);
    assert_eq!(names(&old), names(&new));
    assert!(ids(&old).iter().all(|id| !ids(&new).contains(id)));
    for row in new.iter().filter(|row| !row["account"].is_null()) {
        assert_eq!(row["account"]["link"], again);
    }
}

#[tokio::test]
async fn no_page_of_a_browser_may_call_the_control_api() {
    let harness = Harness::start().await;
    for (name, value) in [
        ("host", "attacker.example"),
        ("origin", "https://attacker.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = harness.request(Method::GET, "/_control/webhook");
        let answered = answer(request.header(name, value)).await.unwrap();
        assert_eq!(answered.status, 403, "{name}: {value}");
    }

    let typed = harness.request(Method::GET, "/_control/webhook");
    let answered = answer(typed.header("sec-fetch-site", "none"))
        .await
        .unwrap();
    assert_eq!(answered.status, 200);
}

#[tokio::test]
async fn the_client_of_a_refused_call_says_which_it_was_and_why() {
    let harness = Harness::start().await;

    let refused = harness.control.delete_row("a-link", "a-row").await;

    assert_eq!(
        refused.unwrap_err().to_string(),
        "the sandbox answered 404 Not Found to DELETE /_control/links/a-link/transactions/a-row: \
         {\"error\":\"no such link\"}"
    );
    let nowhere = Control::new("http://127.0.0.1:1").unwrap();
    let unanswered = nowhere.log().await.unwrap_err();
    assert_eq!(
        unanswered.to_string(),
        "the sandbox did not answer GET /_control/log"
    );
}

#[tokio::test]
async fn the_client_reaches_rows_of_every_resource() {
    let harness = Harness::start().await;
    let control = &harness.control;
    let spec = json!({ "transactions": 0, "resources": { "invoices": 3 } });
    let link = control.link(spec).await.unwrap();
    let rows = control.rows_of(&link, "invoices").await.unwrap();
    let [first, second, third] = ids(&rows)[..] else {
        panic!("{rows:?}")
    };

    let named = json!({ "description": "a\u{e000}b" });
    control.patch_row(&link, first, named).await.unwrap();
    control.delete_row(&link, second).await.unwrap();
    control.delete_row(&link, third).await.unwrap();
    control.restore_row(&link, third).await.unwrap();

    let after = control.rows_of(&link, "invoices").await.unwrap();
    assert_eq!(ids(&after), [first, third]);
    assert_eq!(after[0]["description"], "a\u{e000}b");
}
