//! What the event bus tells of a link, from the first event to the last.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use test_harness::{Link, Stack, eventually, heard};

use crate::{
    connecting::{collected, connect, own_id, through_the_widget},
    metrics::logged,
};

/// The event of this type about a link that has these fields, once it was heard.
pub(crate) async fn heard_of(stack: &Stack, link: &str, name: &str, fields: &Value) -> Value {
    let is_it = |event: &Value| {
        let mut fields = fields.as_object().unwrap().iter();
        event["type"] == name && fields.all(|(name, value)| event[name] == *value)
    };
    eventually(&format!("{name} of {link} with {fields}"), || async {
        heard(stack, link).await.into_iter().find(is_it)
    })
    .await
}

async fn happens(stack: &Stack, link: &Link<'_>, code: &str) {
    stack.sandbox.event(&link.id, code).await.unwrap();
}

/// The sequence of the link in `GET /changes`.
async fn sequence(stack: &Stack, link: &str) -> Option<u64> {
    let (mut cursor, mut sequence) = (String::new(), None);
    loop {
        let answer = stack.get(&format!("/changes?limit=500{cursor}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for news in answer.body["links"].as_array().unwrap() {
            if news["link"] == link {
                sequence = news["sequence"].as_u64();
            }
        }
        if answer.body["has_more"] == false {
            return sequence;
        }
        cursor = format!("&cursor={}", answer.body["next_cursor"].as_str().unwrap());
    }
}

/// Blocks a link and lets its user log in again.
async fn block_and_unblock(stack: &Stack, link: &Link<'_>, external_id: &str) {
    happens(stack, link, "invalid_credentials").await;
    let reason = json!({"reason": "invalid_credentials"});
    heard_of(stack, &link.id, "link.blocked", &reason).await;
    through_the_widget(stack, json!({"link": link.id}), "connect").await;
    let again = json!({"link": link.id, "external_id": external_id});
    assert_eq!(stack.post("/links", &again).await.status, 200);
    heard_of(stack, &link.id, "link.unblocked", &json!({})).await;
}

#[tokio::test]
async fn the_life_of_a_link_is_told_in_the_order_of_its_sequence() {
    let (stack, external_id) = (Stack::of_this_run(), own_id());
    let link = connect(&stack, &external_id, "recurrent").await;
    collected(&stack, &link).await;
    let history = json!({"counts": {"added": 250, "modified": 0, "removed": 0}});
    heard_of(&stack, &link.id, "transactions.changed", &history).await;

    link.delete(&link.newest().await).await;
    link.add(3, &test_harness::days_ago(1)).await;
    let request = link.collect().await;
    let change = json!({"counts": {"added": 3, "modified": 0, "removed": 1}});
    let event = heard_of(&stack, &link.id, "transactions.changed", &change).await;
    assert_leads_to_the_change(&stack, &link, &event).await;
    let ended = json!({"request": request["id"], "verdict": "complete"});
    heard_of(&stack, &link.id, "request.collected", &ended).await;

    block_and_unblock(&stack, &link, &external_id).await;
    happens(&stack, &link, "openfinance_consent_about_to_expire").await;
    heard_of(&stack, &link.id, "consent.expiring", &json!({})).await;
    let path = format!("/links/{}?rows=erase", link.id);
    assert_eq!(stack.delete(&path).await.status, 202);

    heard_of(&stack, &link.id, "link.erased", &json!({})).await;
    let events = heard(&stack, &link.id).await;
    let is_beside = |event: &&Value| {
        let kind = event["type"].as_str().unwrap();
        kind.starts_with("request.") || ["link.changed", "accounts.changed"].contains(&kind)
    };
    let told = events.iter().filter(|event| !is_beside(event));
    let told: Vec<_> = told
        .map(|event| (&event["type"], &event["reason"]))
        .collect();
    let expected = json!([
        ["link.connected", null],
        ["transactions.changed", null],
        ["transactions.changed", null],
        ["link.blocked", "invalid_credentials"],
        ["link.unblocked", null],
        ["consent.expiring", null],
        ["link.blocked", "deleting"],
        ["link.blocked", "deleted"],
        ["link.erased", null],
    ]);
    assert_eq!(json!(told), expected);
    let last = events
        .iter()
        .filter_map(|event| event["sequence"].as_u64())
        .max();
    assert_eq!(sequence(&stack, &link.id).await, last);
}

/// The cursor of an event tells what it is about, and no row from before.
async fn assert_leads_to_the_change(stack: &Stack, link: &Link<'_>, event: &Value) {
    let cursor = event["cursor"].as_str().unwrap();
    let path = format!("/links/{}/changes?limit=500&cursor={cursor}", link.id);
    let answer = stack.get(&path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = |name: &str| answer.body[name].as_array().unwrap().len();
    let all = (told("added"), told("modified"), told("removed"));
    assert_eq!(all, (3, 0, 1), "{answer:?}");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_logged_and_holds_up_nothing() {
    let stack = Stack::of_this_run();
    let dynamodb = aws_sdk_dynamodb::Client::new(&stack.aws);
    let key = format!("link#{}", own_id());
    let put = dynamodb.put_item().table_name(&stack.requests_table);
    let put = put.item("pk", AttributeValue::S(key.clone()));
    put.item("id", AttributeValue::S("unreadable".to_owned()))
        .send()
        .await
        .unwrap();

    let link = stack.recurrent_link(3).await;
    link.collect().await;
    let rows = json!({"counts": {"added": 3, "modified": 0, "removed": 0}});
    heard_of(&stack, &link.id, "transactions.changed", &rows).await;
    let error = logged(&stack, &["record_unreadable", &key]).await;
    assert_eq!(error["level"], "ERROR");
}
