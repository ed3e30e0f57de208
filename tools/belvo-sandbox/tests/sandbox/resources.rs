//! The resources other than transactions that can be retrieved asynchronously.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use crate::{
    harness::{Harness, id},
    receiver::Receiver,
    specification::{Specification, assert_valid},
};

/// What the specification says about one resource.
struct Resource {
    path: &'static str,
    /// The name in the control API.
    name: &'static str,
    schema: &'static str,
    webhook_type: &'static str,
    /// What a POST needs in addition to the link.
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

/// A link with 1,200 invoices and 40 rows of each of the others.
async fn link(harness: &Harness) -> String {
    let counts = json!({
        "invoices": 1_200,
        "employments": 40,
        "employment-records": 40,
        "financial-statements": 40,
    });
    let settings = json!({ "transactions": 30, "today": "2026-06-30", "resources": counts });
    harness.create(settings).await.id()
}

async fn truth(harness: &Harness, link: &str, name: &str) -> Vec<Value> {
    let path = format!("/links/{link}/resources/{name}");
    let rows = harness.look(&path).await;
    rows.as_array().unwrap().clone()
}

fn body(link: &str, fields: &[(&str, &str)]) -> Value {
    let mut body = json!({ "link": link });
    for (name, value) in fields {
        body[name] = json!(value);
    }
    body
}

#[tokio::test]
async fn every_row_is_valid_in_a_page_and_alone_and_pages_hold_the_truth() {
    let harness = Harness::start().await;
    let link = link(&harness).await;
    let specification = Specification::read();

    for resource in RESOURCES {
        let path = resource.path;
        let list = format!("{path}?link={link}");
        let page = harness.get(&format!("{list}&page_size=1000")).await;
        let valid_page = specification.page_of(resource.schema);
        assert_valid(&valid_page, &page.json());

        let rows = harness.walk(&format!("{list}&page_size=25")).await;
        assert_eq!(rows, truth(&harness, &link, resource.name).await);

        let row = id(&rows[0]);
        let alone = harness.get(&format!("{path}{row}/")).await;
        assert_eq!(alone.status, 200);
        assert_eq!(alone.json(), rows[0]);

        let elsewhere = harness.get(&format!("/api/transactions/{row}/")).await;
        let claim = "a row is found only under its own resource";
        assert_eq!(elsewhere.status, 404, "{claim}");
    }
}

#[tokio::test]
async fn an_asynchronous_post_ends_in_a_webhook_of_its_type() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = link(&harness).await;

    for (number, resource) in RESOURCES.into_iter().enumerate() {
        let body = body(&link, resource.fields);
        let accepted = harness.post_async(resource.path, &body).await.unwrap();
        assert_eq!(accepted.status, 202, "{}", accepted.text);

        let webhook = receiver.wait_for(number + 1).await.remove(number);
        assert_eq!(webhook.json()["webhook_type"], resource.webhook_type);
        assert_eq!(webhook.request_id(), accepted.request_id());
    }
    let journal = harness.journal().await;
    assert_eq!(journal["posts"].as_array().unwrap().len(), 4);
    assert_eq!(journal["retrievals"][&link], 4);
}

#[tokio::test]
async fn a_synchronous_post_is_answered_with_the_requested_rows() {
    let harness = Harness::start().await;
    let link = link(&harness).await;

    for resource in RESOURCES {
        let body = body(&link, resource.fields);
        let answer = harness.post(resource.path, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);

        let mut expected = truth(&harness, &link, resource.name).await;
        if resource.name == "invoices" {
            expected.retain(|row| {
                let day = row["invoice_date"].as_str();
                row["type"] == "INFLOW" && day.is_some_and(|day| day >= "2026-01-01")
            });
        }
        assert_eq!(answer.json(), json!(expected));
    }
}

#[tokio::test]
async fn a_post_without_a_required_field_is_refused() {
    let harness = Harness::start().await;
    let link = link(&harness).await;

    let dates = [("date_from", "2026-01-01"), ("date_to", "2026-06-30")];
    let without_type = body(&link, &dates);
    let refused = harness.post("/api/invoices/", &without_type).await;

    assert_eq!(refused.status, 400);
    assert_eq!(refused.code(), "required");
    assert_eq!(refused.json()[0]["field"], "type");
}

#[tokio::test]
async fn a_filter_that_a_listing_does_not_have_is_refused() {
    let harness = Harness::start().await;
    let link = link(&harness).await;

    let list = format!("/api/financial-statements/?link={link}");
    let filtered = format!("{list}&status=active");
    let refused = harness.get(&filtered).await;

    assert_eq!(refused.status, 400, "{}", refused.text);
}

#[tokio::test]
async fn invoices_are_filtered_by_their_own_date() {
    let harness = Harness::start().await;
    let link = link(&harness).await;

    let list = format!("/api/invoices/?link={link}");
    let june = format!("{list}&invoice_date__range=2026-06-01,2026-06-30");
    let rows = harness.walk(&june).await;

    assert!(!rows.is_empty());
    for row in rows {
        let day = row["invoice_date"].as_str().unwrap();
        assert!(day.starts_with("2026-06"), "{day}");
    }
}

#[tokio::test]
async fn rows_of_other_resources_are_changed_and_deleted_as_transactions_are() {
    let harness = Harness::start().await;
    let link = link(&harness).await;
    let row = truth(&harness, &link, "invoices").await.remove(0);
    let path = format!("/links/{link}/resources/invoices/{}", id(&row));

    let changed = harness.patch(&path, json!({ "status": "Cancelado" })).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.json()["status"], "Cancelado");
    assert_ne!(changed.json()["collected_at"], row["collected_at"]);

    assert_eq!(harness.delete(&path).await.status, 204);
    assert_eq!(truth(&harness, &link, "invoices").await.len(), 1_199);
    let transactions = harness.truth(&link).await.len();
    assert_eq!(transactions, 30, "transactions are not touched");
}
