//! Users who connect through the widget, have to return to it, and leave.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use test_harness::{Link, Stack, eventually};
use url::Url;

const CALLBACKS: [(&str, &str); 3] = [
    ("success", "https://app.example/success"),
    ("exit", "https://app.example/exit"),
    ("event", "https://app.example/event"),
];

fn callbacks() -> Value {
    CALLBACKS
        .iter()
        .map(|(name, url)| ((*name).to_owned(), json!(url)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Opens the widget as the body says, presses its button, and returns the parameters that the
/// callback gets.
pub(crate) async fn through_the_widget(
    stack: &Stack,
    mut body: Value,
    button: &str,
) -> Vec<(String, String)> {
    body["callback_urls"] = callbacks();
    let token = stack.post("/connect/token", &body).await;
    assert_eq!(token.status, 201, "{token:?}");
    let answer = stack
        .in_the_widget(token.body["widget_url"].as_str().unwrap(), button)
        .await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let callback = Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    assert!(
        CALLBACKS
            .iter()
            .any(|(_, url)| callback.as_str().starts_with(url)),
        "{callback}"
    );
    callback.query_pairs().into_owned().collect()
}

fn user(external_id: &str, access_mode: &str) -> Value {
    let who = json!({"type": "CPF", "number": "76109277673", "name": "Ralph Bragg"});
    json!({"external_id": external_id, "access_mode": access_mode, "identification": who})
}

/// A user connects; the link is registered.
pub(crate) async fn connect<'a>(
    stack: &'a Stack,
    external_id: &str,
    access_mode: &str,
) -> Link<'a> {
    let callback = through_the_widget(stack, user(external_id, access_mode), "connect").await;
    let id = callback
        .into_iter()
        .find(|(name, _)| name == "link")
        .expect("a link")
        .1;
    let registered = stack
        .post("/links", &json!({"link": id, "external_id": external_id}))
        .await;
    assert_eq!(registered.status, 201, "{registered:?}");
    stack.known_link(&id)
}

/// The link's requests, once there is one that is collected.
pub(crate) async fn collected(stack: &Stack, link: &Link<'_>) -> Value {
    eventually("the history to be collected", || async {
        let requests = stack
            .get(&format!("/links/{}/requests", link.id))
            .await
            .body["requests"]
            .clone();
        let collected = requests
            .as_array()?
            .iter()
            .find(|request| request["status"] == "collected")?
            .clone();
        Some(collected)
    })
    .await
}

pub(crate) fn own_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Whether the record of a request expires some time.
async fn expires(stack: &Stack, request: &Value) -> bool {
    let key = format!("request#{}", request["id"].as_str().unwrap());
    let record = aws_sdk_dynamodb::Client::new(&stack.aws)
        .get_item()
        .table_name(&stack.requests_table)
        .key("pk", AttributeValue::S(key))
        .send();
    let record = record.await.unwrap().item.expect("a record");
    record.contains_key("expires_at")
}

#[tokio::test]
async fn what_was_recorded_of_a_link_before_its_registration_is_kept() {
    let stack = Stack::of_this_run();
    let external_id = own_id();
    let link = json!({"transactions": 9, "external_id": external_id});
    let link = stack.link(link).await;
    let fields = json!({"webhook_code": "historical_update", "request_id": own_id()});
    link.notify(fields).await;
    let record = collected(&stack, &link).await;
    assert!(expires(&stack, &record).await);

    let registration = json!({"link": link.id, "external_id": external_id});
    assert_eq!(stack.post("/links", &registration).await.status, 201);
    assert!(!expires(&stack, &record).await);
}

#[tokio::test]
async fn the_history_of_a_new_link_arrives_without_a_retrieval() {
    let stack = Stack::of_this_run();
    for access_mode in ["recurrent", "single"] {
        let external_id = own_id();
        let link = connect(&stack, &external_id, access_mode).await;

        let record = collected(&stack, &link).await;

        assert_eq!(
            (&record["verdict"], record.get("issued_at")),
            (&json!("complete"), None),
            "{record}"
        );
        assert_eq!(link.assert_equals_the_sandbox().await.len(), 250);
        assert_eq!(link.retrievals().await, 0, "{access_mode}");
        let shown = stack.get(&format!("/links/{}", link.id)).await.body;
        assert_eq!(
            (&shown["external_id"], &shown["access_mode"]),
            (&json!(external_id), &json!(access_mode))
        );
        let quota = stack.get(&format!("/links/{}/quota", link.id)).await.body;
        assert_eq!(
            quota["retrievals"][0]["used"], 1,
            "Belvo took one to make the link"
        );
        let listed = stack.get("/links?limit=500").await.body;
        assert!(
            listed["links"]
                .as_array()
                .unwrap()
                .iter()
                .any(|listed| listed["link"] == json!(link.id))
        );
    }
}

#[tokio::test]
async fn a_link_invented_by_a_browser_is_not_registered() {
    let stack = Stack::of_this_run();
    let theirs = stack
        .link(json!({"transactions": 1, "external_id": own_id()}))
        .await;
    let answer = stack
        .post(
            "/links",
            &json!({"link": theirs.id, "external_id": own_id()}),
        )
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.body["type"].as_str()),
        (422, Some("urn:belvo-ingest:problem:not-your-link"))
    );
    assert_eq!(
        stack.get(&format!("/links/{}", theirs.id)).await.status,
        404
    );
}

#[tokio::test]
async fn a_user_who_abandons_the_widget_leaves_nothing() {
    let stack = Stack::of_this_run();
    let callback = through_the_widget(&stack, user(&own_id(), "recurrent"), "fail").await;
    assert!(
        callback.contains(&(
            "last_encountered_error_code".to_owned(),
            "login_error".to_owned()
        )),
        "{callback:?}"
    );
    assert!(!callback.iter().any(|(name, _)| name == "link"));
}

#[tokio::test]
async fn a_user_whose_credentials_stopped_working_repairs_the_link_in_the_widget() {
    let stack = Stack::of_this_run();
    let external_id = own_id();
    let link = connect(&stack, &external_id, "recurrent").await;
    collected(&stack, &link).await;
    let event = stack.sandbox.event(&link.id, "invalid_credentials").await;
    event.unwrap();
    eventually("the link to be blocked", || async {
        let shown = stack.get(&format!("/links/{}", link.id)).await.body;
        (shown["blocked"]["reason"] == "invalid_credentials").then_some(())
    })
    .await;
    let refused = link.request().await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["blocked"]["reason"]),
        (409, &json!("invalid_credentials"))
    );

    let callback = through_the_widget(&stack, json!({"link": link.id}), "connect").await;
    assert!(
        callback.contains(&("link".to_owned(), link.id.clone())),
        "the same link: {callback:?}"
    );
    let repaired = stack
        .post(
            "/links",
            &json!({"link": link.id, "external_id": external_id}),
        )
        .await;

    assert_eq!(
        (repaired.status.as_u16(), repaired.body.get("blocked")),
        (200, None),
        "{repaired:?}"
    );
    assert_eq!(link.request().await.status, 202);
    assert_eq!(link.retrievals().await, 1, "only the last one was sent");
}

#[tokio::test]
async fn a_person_is_erased_on_request() {
    let stack = Stack::of_this_run();
    let link = connect(&stack, &own_id(), "recurrent").await;
    collected(&stack, &link).await;
    assert_eq!(link.stored().await.len(), 250);

    let answer = stack
        .delete(&format!("/links/{}?rows=erase", link.id))
        .await;

    assert_eq!(answer.status, 202, "{answer:?}");
    let shown = eventually("the link to be erased", || async {
        let shown = stack.get(&format!("/links/{}", link.id)).await.body;
        shown["deletion"]["erased_at"].is_string().then_some(shown)
    })
    .await;
    assert_eq!(shown["external_id"], Value::Null);
    assert!(
        link.written_at().await.is_empty(),
        "no item of the link is left"
    );
    assert_eq!(link.request().await.body["blocked"]["reason"], "deleted");
}

#[tokio::test]
async fn the_identity_of_a_user_is_not_logged() {
    let stack = Stack::of_this_run();
    let mut body = user(&own_id(), "recurrent");
    body["identification"] =
        json!({"type": "CPF", "number": "52998224725", "name": "Planted Name"});
    body["callback_urls"] = callbacks();
    let token = stack.post("/connect/token", &body).await;
    assert_eq!(token.headers["cache-control"], "no-store");
    let access = token.body["access_token"].as_str().unwrap();
    let logs = eventually("the token to be logged", || async {
        let logs = stack.function_logs().await;
        logs.contains("widget token minted").then_some(logs)
    })
    .await;
    for secret in ["52998224725", "Planted Name", access] {
        assert!(!logs.contains(secret));
    }
}
