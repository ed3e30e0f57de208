//! Events of a request.

use domain::RequestRecord;
use publish::of_request;
use serde_json::{Value, json};

use crate::{at, on_the_bus, types};

const REQUEST: &str = "b5d0106ac9cc43d5b36199fe831f6bbe";

fn record(facts: &Value) -> RequestRecord {
    let mut record = json!({
        "id": REQUEST,
        "link": "bcca0da9-a4c6-4830-9676-1d54682851d9",
        "resource": "invoices",
        "issued_at": at(0),
    });
    let facts = facts.as_object().unwrap().clone();
    record.as_object_mut().unwrap().extend(facts);
    serde_json::from_value(record).unwrap()
}

/// What a collection found, of the rows that Belvo counts.
fn collection(counted: u64, hour: i64) -> Value {
    json!({
        "started_at": at(hour), "finished_at": at(hour), "days": {}, "pages": 1, "rows": 9,
        "counted": counted, "new": 5, "changed": 2, "unchanged": 1, "revived": 1, "deleted": 4,
        "proven": true, "accounts": 0
    })
}

fn published(before: &Value, after: &Value) -> Vec<Value> {
    on_the_bus(of_request(Some(&record(before)), &record(after)))
}

#[test]
fn each_end_of_a_request_has_its_event() {
    let short = json!({"short_at": at(2), "collection": collection(12, 2)});
    let incomplete =
        json!({"short_at": at(2), "incomplete_at": at(3), "collection": collection(12, 2)});
    let collected = json!({"collected_at": at(4), "collection": collection(9, 4)});
    let failed = json!({
        "failed_at": at(5), "failure": {"code": "login_error", "message": "Fulano de Tal"}
    });
    let counts = json!({"added": 6, "modified": 2, "removed": 4});
    for (before, after, name, hour, fields) in [
        (
            json!({}),
            &collected,
            "request.collected",
            4,
            json!({"verdict": "complete", "counts": counts}),
        ),
        (
            short,
            &incomplete,
            "request.incomplete",
            3,
            json!({"verdict": "short by 3", "counts": counts}),
        ),
        (
            json!({}),
            &failed,
            "request.failed",
            5,
            json!({"code": "login_error"}),
        ),
        (
            json!({}),
            &json!({"expired_at": at(6)}),
            "request.expired",
            6,
            json!({}),
        ),
    ] {
        let events = published(&before, after);
        let mut expected = json!({
            "version": 1,
            "type": name,
            "id": format!("{REQUEST}/{}/{name}", at(hour)),
            "at": at(hour),
            "request": REQUEST,
            "link": "bcca0da9-a4c6-4830-9676-1d54682851d9",
            "resource": "invoices",
        });
        let fields = fields.as_object().unwrap().clone();
        expected.as_object_mut().unwrap().extend(fields);
        assert_eq!(events, [expected]);
    }
}

#[test]
fn a_request_that_has_not_ended_and_one_that_had_ended_so_before_have_none() {
    let collected = json!({"collected_at": at(1), "collection": collection(9, 1)});
    let again = json!({"collected_at": at(1), "collection": collection(9, 7)});
    for (before, after) in [
        (json!({}), json!({"notified_at": at(1)})),
        (json!({"notified_at": at(1)}), json!({"short_at": at(2)})),
        (collected, again),
        (
            json!({"failed_at": at(1)}),
            json!({"failed_at": at(1), "due_at": at(2)}),
        ),
    ] {
        assert_eq!(published(&before, &after), Vec::<Value>::new());
    }
    assert!(of_request(None, &record(&json!({}))).is_none());
}

#[test]
fn a_request_may_end_twice_in_one_way_with_an_event_each() {
    let collected = |hour| json!({"collected_at": at(1), "collection": collection(9, hour)});
    let incomplete =
        json!({"collected_at": at(1), "short_at": at(2), "collection": collection(12, 2)});
    let first = on_the_bus(of_request(None, &record(&collected(1))));
    let then = published(&collected(1), &incomplete);
    let last = published(&incomplete, &collected(3));
    assert_eq!(types(&then), ["request.incomplete"]);
    assert_eq!(
        (types(&first), types(&last)),
        (vec!["request.collected"], vec!["request.collected"])
    );
    assert_ne!(first[0]["id"], last[0]["id"]);
}

#[test]
fn nothing_about_a_person_is_published_of_a_request() {
    let personal = "Fulano de Tal";
    let failure = json!({"code": personal, "message": personal});
    let mut collection = collection(9, 2);
    collection["left_out"] = json!([]);
    for after in [
        json!({"failed_at": at(1), "failure": failure}),
        json!({
            "collected_at": at(1), "collection": collection, "webhook_code": personal,
            "answered_by": personal, "account": "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e",
            "failure": failure
        }),
    ] {
        let events = published(&json!({}), &after);
        assert_eq!(events.len(), 1);
        let text = json!(events).to_string();
        assert!(
            !text.contains(personal) && !text.contains("1c83f1f5"),
            "{text}"
        );
    }
}
