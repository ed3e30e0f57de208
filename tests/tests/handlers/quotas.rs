//! What was spent of a month.

use std::collections::BTreeSet;

use domain::{QuotaMonth, Timestamp};
use lambda_http::http::Method;
use query::{App, handle};
use serde_json::{Value, json};

use crate::{
    changes,
    service::Service,
    surroundings::{api_call, kind, read_of},
};

async fn get(query: &App, parameters: &str) -> (u16, Value) {
    let call = api_call(&Method::GET, "/quotas", &json!({}), parameters, None);
    read_of("GET /quotas", &handle(query, call).await)
}

/// The lines of a month, one a page.
async fn spent(query: &App, month: &str) -> Vec<Value> {
    let (mut lines, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(query, &format!("limit=1&month={month}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        lines.extend(page["quotas"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return lines,
        }
    }
}

fn used(line: &Value) -> [u64; 2] {
    let used = |class: usize| line["retrievals"][class]["used"].as_u64().unwrap();
    [used(0), used(1)]
}

#[tokio::test]
async fn each_line_names_the_links_that_spent_as_the_caller_knows_them() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    let unknown = service.connect("later").await;
    assert_eq!(service.retrieve(&unknown).await.0, 202);
    let known = service.registered().await;
    assert_eq!(service.retrieve(&known).await.0, 202);

    let mut lines = spent(&query, "").await;
    // By when the first was counted: a link's creation, by Belvo's clock.
    lines.sort_by_key(|line| line["counted_for"].to_string());
    let [of_customer, of_link] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert_eq!(of_customer["counted_for"], "customer");
    let link = &of_customer["links"][0];
    assert_eq!(
        (&link["link"], &link["external_id"]),
        (&json!(known), &json!("mine"))
    );
    assert_eq!(of_customer["links"].as_array().unwrap().len(), 1);
    assert!(used(of_customer)[0] >= 1, "{of_customer}");
    assert_eq!(of_link["counted_for"], "link");
    assert_eq!(of_link["links"], json!([{"link": unknown}]));
    assert_eq!(used(of_link), [1, 0]);

    // Its customer is known now, and it is counted nowhere else.
    assert_eq!(service.register(&unknown, "later").await.0, 201);
    let lines = spent(&query, &QuotaMonth::of(Timestamp::now()).text()).await;
    assert!(
        lines.iter().all(|line| line["counted_for"] == "customer"),
        "{lines:?}"
    );
    let external_ids: BTreeSet<_> = lines
        .iter()
        .flat_map(|line| line["links"].as_array().unwrap())
        .map(|link| link["external_id"].as_str().unwrap())
        .collect();
    assert_eq!(external_ids, BTreeSet::from(["later", "mine"]));
    assert_eq!(lines.len(), 2);
    assert_eq!(spent(&query, "2020-01").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_month_or_cursor_that_cannot_be_is_refused() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    for name in ["one", "two"] {
        let link = service.connect(name).await;
        assert_eq!(service.retrieve(&link).await.0, 202);
    }
    let (_, page) = get(&query, "limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    for (parameters, field) in [
        ("month=2026-13".to_owned(), "month"),
        ("month=March".to_owned(), "month"),
        (format!("month=2020-01&cursor={cursor}"), "cursor"),
    ] {
        let (status, body) = get(&query, &parameters).await;
        assert_eq!(
            (status, kind(&body)),
            (400, Some("invalid-field")),
            "{parameters}"
        );
        assert_eq!(body["field"], field, "{parameters}");
    }
}
