//! The resources beside transactions whose POST takes the asynchronous header.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Harness, answer, ids},
    receiver::Receiver,
    specification::{Specification, assert_valid},
};

/// What the specification says of one.
struct Resource {
    path: &'static str,
    /// What the control API calls it.
    name: &'static str,
    schema: &'static str,
    webhook_type: &'static str,
    /// What its POST needs besides the link.
    fields: &'static [(&'static str, &'static str)],
}

const RESOURCES: [Resource; 4] = [
    Resource {
        path: "/api/invoices/",
        name: "invoices",
        schema: "InvoiceWithIdSat",
        webhook_type: "INVOICES",
        fields: &[
            ("date_from", "2026-01-01"),
            ("date_to", "2026-06-30"),
            ("type", "INFLOW"),
        ],
    },
    Resource {
        path: "/api/br/employments/",
        name: "employments",
        schema: "EmploymentBrazil",
        webhook_type: "EMPLOYMENTS",
        fields: &[],
    },
    Resource {
        path: "/api/employment-records/",
        name: "employment-records",
        schema: "EmploymentRecord",
        webhook_type: "EMPLOYMENT_RECORDS",
        fields: &[],
    },
    Resource {
        path: "/api/financial-statements/",
        name: "financial-statements",
        schema: "FinancialStatement",
        webhook_type: "FINANCIAL_STATEMENTS",
        fields: &[],
    },
];

/// A link with 1,200 invoices and 40 of each of the others.
async fn link(harness: &Harness) -> String {
    let mut counts =
        json!({ "employments": 40, "employment-records": 40, "financial-statements": 40 });
    counts["invoices"] = json!(1_200);
    let body = json!({ "transactions": 30, "today": "2026-06-30", "resources": counts });
    let link = harness.control(Method::POST, "/links", body).await.json();
    link["id"].as_str().unwrap().to_owned()
}

async fn truth(harness: &Harness, link: &str, name: &str) -> Vec<Value> {
    let answer = harness
        .control(
            Method::GET,
            &format!("/links/{link}/resources/{name}"),
            Value::Null,
        )
        .await;
    answer.json().as_array().unwrap().clone()
}

async fn retrieve(harness: &Harness, path: &str, body: &Value) -> Answer {
    let request = harness
        .request(Method::POST, path)
        .basic_auth("sandbox-id", Some("sandbox-password"));
    answer(
        request
            .header("x-belvo-request-mode", "async")
            .body(body.to_string()),
    )
    .await
    .unwrap()
}

fn body(link: &str, fields: &[(&str, &str)]) -> Value {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)));
    fields
        .chain([("link".to_owned(), json!(link))])
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test]
async fn every_row_is_valid_in_a_page_and_alone_and_pages_hold_the_truth() {
    let harness = Harness::start().await;
    let link = link(&harness).await;
    let specification = Specification::read();
    for Resource {
        path, name, schema, ..
    } in RESOURCES
    {
        let page = harness
            .get(&format!("{path}?link={link}&page_size=1000"))
            .await;
        assert_valid(&specification.page_of(schema), &page.json());
        let rows = harness
            .walk(&format!("{path}?link={link}&page_size=25"))
            .await;
        assert_eq!(rows, truth(&harness, &link, name).await);
        let one = harness.get(&format!("{path}{}/", ids(&rows)[0])).await;
        assert_eq!((one.status, one.json()), (200, rows[0].clone()));
        let elsewhere = harness
            .get(&format!("/api/transactions/{}/", ids(&rows)[0]))
            .await;
        assert_eq!(
            elsewhere.status, 404,
            "a row of one resource is none of another"
        );
    }
}

#[tokio::test]
async fn an_asynchronous_post_ends_in_a_webhook_of_its_type() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = link(&harness).await;
    for (
        number,
        Resource {
            path,
            webhook_type,
            fields,
            ..
        },
    ) in RESOURCES.into_iter().enumerate()
    {
        let accepted = retrieve(&harness, path, &body(&link, fields)).await;
        assert_eq!(accepted.status, 202, "{path}: {}", accepted.text);
        let webhook = receiver.wait_for(number + 1).await[number].json();
        let request = webhook["request_id"].as_str().unwrap().replace('-', "");
        assert_eq!(
            (&webhook["webhook_type"], json!(request)),
            (&json!(webhook_type), accepted.json()["request_id"].clone())
        );
    }
    let journal = harness.journal().await;
    assert_eq!(
        (
            journal["posts"].as_array().unwrap().len(),
            &journal["retrievals"][&link]
        ),
        (4, &json!(4))
    );
}

#[tokio::test]
async fn a_synchronous_post_answers_with_the_rows_that_were_asked_for() {
    let harness = Harness::start().await;
    let link = link(&harness).await;
    for Resource {
        path, name, fields, ..
    } in RESOURCES
    {
        let answer = harness.post(path, &body(&link, fields)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let mut expected = truth(&harness, &link, name).await;
        if name == "invoices" {
            expected.retain(|row| {
                row["type"] == "INFLOW"
                    && row["invoice_date"]
                        .as_str()
                        .is_some_and(|day| day >= "2026-01-01")
            });
        }
        assert_eq!(answer.json(), json!(expected));
    }
}

#[tokio::test]
async fn what_a_resource_needs_is_asked_for_and_what_its_listing_lacks_is_refused() {
    let harness = Harness::start().await;
    let link = link(&harness).await;
    let without_type = body(
        &link,
        &[("date_from", "2026-01-01"), ("date_to", "2026-06-30")],
    );
    let refused = harness.post("/api/invoices/", &without_type).await;
    assert_eq!(
        (refused.status, refused.code(), &refused.json()[0]["field"]),
        (400, "required".to_owned(), &json!("type"))
    );
    let undated = harness
        .get(&format!(
            "/api/financial-statements/?link={link}&created_at__gte=2026-01-01"
        ))
        .await;
    assert_eq!(undated.status, 400, "{}", undated.text);
}

#[tokio::test]
async fn invoices_are_filtered_by_their_own_date_and_rows_change_as_transactions_do() {
    let harness = Harness::start().await;
    let link = link(&harness).await;
    let june = harness
        .walk(&format!(
            "/api/invoices/?link={link}&invoice_date__range=2026-06-01,2026-06-30"
        ))
        .await;
    assert!(!june.is_empty());
    assert!(
        june.iter()
            .all(|row| row["invoice_date"].as_str().unwrap().starts_with("2026-06"))
    );

    let row = format!(
        "/links/{link}/resources/invoices/{}",
        june[0]["id"].as_str().unwrap()
    );
    let changed = harness
        .control(Method::PATCH, &row, json!({ "status": "Cancelado" }))
        .await;
    assert_eq!(
        (changed.status, &changed.json()["status"]),
        (200, &json!("Cancelado"))
    );
    assert_ne!(changed.json()["collected_at"], june[0]["collected_at"]);
    assert_eq!(
        harness
            .control(Method::DELETE, &row, Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(truth(&harness, &link, "invoices").await.len(), 1_199);
    assert_eq!(
        harness.truth(&link).await.len(),
        30,
        "transactions stand apart"
    );
}
